//! One partition of stores to its records.

use std::collections::BTreeMap;

use nightshard_format::{
    record::{Change, DayCards, StoreProfile, net_changes},
    regular::RegularRule,
    shard::Span,
    statistics::Statistics,
};

use super::{
    card_days::DistanceCounts,
    card_memory::{Before, CardMemory, Seen},
    card_visits::CardVisits,
    cardholder::Cardholders,
    customer_row::CustomerRow,
    customer_sums::CustomerSender,
    day_hours::DayHours,
    dedupe::Repetition,
    demographics,
    distances::Distances,
    hiding::Hiding,
    loaded_rows::LoadedRows,
    market::MarketCounts,
    mix::Mixes,
    month_cardholders::MonthCardholders,
    month_mixes::MonthMixes,
    month_settlements::MonthSettlements,
    place_cardholders::{self, CellRow},
    profiles::{Load, Profiles},
    row::{CardDay, CardRow, PartitionRow, StoreOrdinal},
    sent_rows::SentRows,
    spend_row::SpendRow,
    store_days::{DayRows, DaysEncoder, EncodedRecords},
    store_loyalty::StoreLoyalty,
    store_order::{StoreOrder, StoreRows, Unordered},
};
use crate::{
    Result,
    exchange::{Outbox, Scratch},
    regions::RegionTable,
    stores::StoreTable,
};

/// Partitions of the exchange by card.
pub const CARD_PARTITIONS: u16 = 1 << CARD_PARTITION_BITS;
pub(super) const CARD_PARTITION_BITS: u32 = 8;

/// Rows that are reduced at once are numbered in 32 bits.
const ROWS_MAX: usize = u32::MAX as usize;

/// What is the same for all partitions.
#[derive(Debug, Clone, Copy)]
pub struct StoreContext<'a> {
    /// What the dimension file says of stores.
    pub stores: &'a StoreTable,
    /// What the file of regions says.
    pub regions: &'a RegionTable,
    /// Rows in other currencies are left out.
    pub base_currency: &'a [u8],
    /// Who is a regular.
    pub regular: RegularRule,
    /// What hides who pays, unless nothing does.
    pub hiding: Option<Hiding>,
    /// Memory for the rows of one partition.
    pub budget_bytes: usize,
    /// Where rows go that do not fit.
    pub scratch: &'a Scratch,
}

impl StoreContext<'_> {
    /// Returns how many rows are reduced at once.
    #[must_use]
    pub fn rows_max(&self) -> usize {
        (self.budget_bytes / size_of::<PartitionRow>()).clamp(1, ROWS_MAX)
    }
}

/// What one worker sends on.
pub struct StoreOutboxes {
    /// The exchange by card.
    pub cards: Outbox<CardRow>,
    /// The exchange by card of what cards spent in months.
    pub spend: Outbox<SpendRow>,
    /// The exchange by card of what cards bought for in months, refunds apart.
    pub sold: Outbox<SpendRow>,
    /// The exchange of who paid, where rows say that.
    pub cells: Option<Outbox<CellRow>>,
    /// The exchange of what cards paid, where customers are kept.
    pub customers: Option<Outbox<CustomerRow>>,
}

/// What one worker needs for one partition after the other.
pub struct StoreWorker {
    cards: Outbox<CardRow>,
    spend: Outbox<SpendRow>,
    sold: Outbox<SpendRow>,
    cells: Option<Outbox<CellRow>>,
    customers: Option<CustomerSender>,
    market: MarketCounts,
    /// Memory for the records of the next partition, if there is some to spare.
    pub records: EncodedRecords,
    encoder: DaysEncoder,
    rows: LoadedRows,
    pub(super) repetition: Repetition,
    pub(super) order: StoreOrder,
    memory: CardMemory,
    visits: CardVisits,
    pub(super) hours: DayHours,
    pub(super) mixes: MonthMixes,
    pub(super) cardholders: MonthCardholders,
    pub(super) settlements: MonthSettlements,
    returning: Distances,
    changes: Vec<Change>,
    second: Distances,
    cohorts: Distances,
}

impl StoreWorker {
    /// Makes a worker that sends on to `outboxes`, for partitions of at most about so many rows: memory that
    /// grows from one to the next is touched anew each time.
    #[must_use]
    pub fn new(outboxes: StoreOutboxes, rows: usize) -> Self {
        Self {
            cards: outboxes.cards,
            spend: outboxes.spend,
            sold: outboxes.sold,
            cells: outboxes.cells,
            customers: outboxes.customers.map(CustomerSender::new),
            market: MarketCounts::default(),
            records: EncodedRecords::default(),
            encoder: DaysEncoder::default(),
            rows: LoadedRows::with_capacity(rows),
            repetition: Repetition::default(),
            order: StoreOrder::with_capacity(rows),
            memory: CardMemory::default(),
            visits: CardVisits::default(),
            hours: DayHours::default(),
            mixes: MonthMixes::default(),
            cardholders: MonthCardholders::default(),
            settlements: MonthSettlements::default(),
            returning: Distances::default(),
            changes: Vec::new(),
            second: Distances::default(),
            cohorts: Distances::default(),
        }
    }
}

/// What is sent on of what each card of a store did in a month.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedOfCards {
    /// What it spent, where region and category of the store are known, or may be.
    pub(super) spent: bool,
    /// What it bought for, where the store is one of several that are told of exactly, or may be.
    pub(super) sold: bool,
}

/// The records of one store.
#[derive(Debug)]
pub struct StoreRecords {
    /// What rows of the exchange by card call the store.
    pub ordinal: StoreOrdinal,
    /// The store's id.
    pub id: Vec<u8>,
    /// Who it is.
    pub profile: StoreProfile,
    /// Totals of everything.
    pub totals: Statistics,
    /// Where its records end among those of the partition.
    pub end_records: usize,
    /// Where its records of loyalty end among those of the partition.
    pub end_loyalty: usize,
    /// Where its records of who pays end among those of the partition.
    pub end_demographics: usize,
    /// Where its records of settlements end among those of the partition.
    pub end_settlements: usize,
}

/// The records of one partition, and what became of its rows.
#[derive(Debug, Default)]
pub struct PartitionRecords {
    /// The stores, in the order of a shard's keys.
    pub stores: Vec<StoreRecords>,
    /// The records of one store after the other.
    pub records: EncodedRecords,
    /// Their records of loyalty, likewise.
    pub loyalty: EncodedRecords,
    /// Their records of who pays, likewise.
    pub demographics: EncodedRecords,
    /// Their records of settlements, likewise.
    pub settlements: EncodedRecords,
    /// Rows that figures are computed from.
    pub used: u64,
    /// Rows dropped because an equal one is kept.
    pub duplicates: u64,
    /// Rows in another than the base currency.
    pub other_currency: u64,
    /// Rows rejected because their tx_id stands for different content.
    pub conflicting_rows: u64,
    /// The stores and hashes of those tx_ids.
    pub conflicts: Vec<Conflict>,
}

/// A tx_id of a store that stands for different content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conflict {
    /// The store's id.
    pub store: Vec<u8>,
    /// The hash of the tx_id, as the scan computes it.
    pub tx: u64,
}

/// Reduces one partition.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder fails.
pub fn reduce(
    exchanged: &SentRows,
    partition: u16,
    context: &StoreContext<'_>,
    worker: &mut StoreWorker,
) -> Result<PartitionRecords> {
    let rows_max = context.rows_max();
    if exchanged.weight(partition) > rows_max as u64 {
        return super::sliced::reduce(exchanged, partition, context, worker);
    }
    let len_rows = usize::try_from(exchanged.len_rows(partition)).unwrap_or(rows_max);
    let mut load = Load::into(std::mem::take(&mut worker.rows), len_rows);
    exchanged.take(partition, &mut load)?;
    let Load {
        mut profiles,
        mut rows,
        ..
    } = load;
    let profiles = profiles.resolve(context.base_currency);
    let repeats = worker
        .repetition
        .dedupe(&mut rows, |row| profiles.store_of(row));
    let mut order = std::mem::take(&mut worker.order);
    order.arrange(&profiles, rows.rows());
    worker.begin_counts();
    worker.count(exchanged, &profiles, rows.rows());
    worker.settlements.add(&profiles, &rows);
    worker.send_customers(partition, &profiles, rows.rows())?;
    worker.rows = rows;
    let mut out = PartitionRecords {
        duplicates: repeats.duplicates,
        conflicting_rows: repeats.conflicting_rows,
        conflicts: profiles.conflicts(repeats.conflicts),
        other_currency: order.other_currency,
        records: std::mem::take(&mut worker.records).cleared(),
        ..PartitionRecords::default()
    };
    for store in 0..profiles.stores.len() {
        let rows = order.store(store);
        if rows.days.is_empty() {
            continue;
        }
        out.used += rows.amounts.len() as u64;
        let ordinal = StoreOrdinal::new(partition, store)?;
        worker.begin_store(store, &exchanged.mixes);
        worker.encode(ordinal, rows, &mut out.records)?;
        let profile = profiles.store_profile(
            store,
            &order.profile_rows,
            (context.stores, context.regions),
        );
        let mut loyalty = StoreLoyalty::new(context.regular);
        let asked = AskedOfCards {
            spent: profile.region.is_some() && profile.category.is_some(),
            sold: context.hiding.is_none() || profile.merchant_id.is_some(),
        };
        worker.each_card((ordinal, asked), order.unordered(store), &mut loyalty)?;
        worker.tell_cardholders((store, ordinal), &exchanged.cardholders, context, &mut out)?;
        let id = &profiles.stores[store];
        worker.finish((store, ordinal), (id, profile), loyalty, &mut out)?;
    }
    worker.order = order;
    Ok(out)
}

impl StoreWorker {
    /// Returns what was sent on, and what was counted of the market's days.
    #[must_use]
    pub fn into_sent(self) -> (StoreOutboxes, MarketCounts) {
        let outboxes = StoreOutboxes {
            cards: self.cards,
            spend: self.spend,
            sold: self.sold,
            cells: self.cells,
            customers: self.customers.map(|customers| customers.outbox),
        };
        (outboxes, self.market)
    }

    /// Sends on what the cards of some rows paid, where customers are kept.
    pub(super) fn send_customers(
        &mut self,
        partition: u16,
        profiles: &Profiles,
        rows: &[PartitionRow],
    ) -> Result<()> {
        match &mut self.customers {
            Some(customers) => customers.send(partition, profiles, rows),
            None => Ok(()),
        }
    }

    /// Forgets what rows of the partition before said.
    pub(super) fn begin_counts(&mut self) {
        self.mixes.clear();
        self.cardholders.clear();
        self.settlements.clear();
    }

    /// Counts what rows say beside what every row does.
    pub(super) fn count(&mut self, sent: &SentRows, profiles: &Profiles, rows: &[PartitionRow]) {
        if !sent.mixes.is_empty() {
            self.mixes.add(profiles, rows);
        }
        if !sent.cardholders.is_empty() {
            self.cardholders.add(profiles, rows, &sent.cardholders);
        }
    }

    /// Encodes who paid at a store, and sends it on.
    pub(super) fn tell_cardholders(
        &mut self,
        (store, ordinal): (usize, StoreOrdinal),
        cardholders: &Cardholders,
        context: &StoreContext<'_>,
        out: &mut PartitionRecords,
    ) -> Result<()> {
        let cards_min = context.hiding.map_or(0, |hiding| hiding.k);
        let records = &mut out.demographics;
        for (month, cells) in self.cardholders.of_store(store) {
            if demographics::encode(&cells, cards_min, cardholders, &mut records.values) {
                records
                    .spans
                    .push((Span::Month(month), records.values.len()));
            }
            if let Some(outbox) = &mut self.cells {
                place_cardholders::send(ordinal, month, &cells, outbox)?;
            }
        }
        Ok(())
    }

    /// Passes the cards of some rows of a store to its loyalty, and sends on what is asked of each.
    pub(super) fn each_card(
        &mut self,
        (store, asked): (StoreOrdinal, AskedOfCards),
        rows: Unordered<'_>,
        loyalty: &mut StoreLoyalty,
    ) -> Result<()> {
        let Self {
            visits,
            spend,
            sold,
            ..
        } = self;
        visits.each(rows, |of| {
            loyalty.add(of.visits);
            for it in of.months {
                if asked.spent {
                    let row = SpendRow::new(of.card, it.month, store, it.sum);
                    spend.push(row.partition(), row)?;
                }
                if asked.sold && it.sales > 0 {
                    let sales = i128::try_from(it.sales).unwrap_or(i128::MAX);
                    let row = SpendRow::new(of.card, it.month, store, sales);
                    sold.push(row.partition(), row)?;
                }
            }
            Ok(())
        })?;
        spend.spill_if_full()?;
        sold.spill_if_full()?;
        Ok(())
    }

    /// Gives the encoder what is known of how a store's months were paid.
    pub(super) fn begin_store(&mut self, store: usize, mixes: &Mixes) {
        if !mixes.is_empty() {
            self.encoder.mixes(self.mixes.of_store(store, mixes));
        }
    }

    /// Encodes the days of one store, and sends its card days on.
    fn encode(
        &mut self,
        store: StoreOrdinal,
        rows: &mut StoreRows,
        records: &mut EncodedRecords,
    ) -> Result<()> {
        self.memory.forget(rows.card_days.len());
        let mut start = 0;
        for (day, end) in &rows.days {
            let of_day = start..*end;
            start = *end;
            let first_ever = self.count_day(store, &rows.card_days[of_day.clone()])?;
            let amounts = &mut rows.amounts[of_day.clone()];
            let hours = self.hours.count(amounts, &rows.hours[of_day]);
            if amounts.len() > 1 {
                amounts.sort_unstable();
            }
            let cards = DayCards {
                first_ever,
                returning: self.returning.runs(),
                buyers: &self.changes,
                second: self.second.runs(),
                cohorts: self.cohorts.runs(),
            };
            self.encoder.day(
                *day,
                DayRows::Amounts(amounts),
                hours,
                cards,
                Some(&mut self.market),
                records,
            );
        }
        self.cards.spill_if_full()?;
        Ok(())
    }

    /// Sends the cards of one day on, returns how many were never there before, and leaves in
    /// `returning` how long ago the others were, in `changes` how buyers differ, and in `second` and
    /// `cohorts` who of them buys again.
    fn count_day(&mut self, store: StoreOrdinal, card_days: &[CardDay]) -> Result<u64> {
        let mut first_ever = 0;
        self.changes.clear();
        let distances = [&mut self.returning, &mut self.second, &mut self.cohorts];
        distances.into_iter().for_each(Distances::clear);
        for card_day in sales_first(card_days) {
            let seen = self.memory.see(card_day);
            match seen.row {
                Before::SameDay => continue,
                Before::Never => first_ever += 1,
                Before::Days(days) => self.returning.push(days),
            }
            self.changes.extend(buyer_changes(seen));
            if let Some(sale) = seen.sale {
                if sale.is_second {
                    self.second.push(sale.before.distance());
                }
                if let Some(months) = sale.cohort {
                    self.cohorts.push(months);
                }
            }
            let partition = card_day.top_bits(CARD_PARTITION_BITS);
            self.cards.push(partition, CardRow::new(card_day, store))?;
        }
        net_changes(&mut self.changes);
        let distances = [&mut self.returning, &mut self.second, &mut self.cohorts];
        distances.into_iter().for_each(Distances::count);
        Ok(first_ever)
    }

    /// Encodes the days of one store that were counted slice by slice.
    pub(super) fn encode_counted(
        &mut self,
        days: &BTreeMap<i32, super::sliced::CountedDay>,
        distances: &DistanceCounts,
        records: &mut EncodedRecords,
    ) {
        let mut cards = distances.days();
        for (day, rows) in days {
            let market = Some(&mut self.market);
            self.encoder.day(
                *day,
                rows.as_rows(),
                rows.hours(),
                cards.take(*day),
                market,
                records,
            );
        }
    }

    /// Counts the distances of some of a store's cards, whose days ascend, and sends them on.
    pub(super) fn count_cards(
        &mut self,
        store: StoreOrdinal,
        card_days: &[CardDay],
    ) -> Result<DistanceCounts> {
        self.memory.forget(card_days.len());
        let mut counts = DistanceCounts::default();
        for of_day in card_days.chunk_by(|a, b| a.day() == b.day()) {
            for card_day in sales_first(of_day) {
                let seen = self.memory.see(card_day);
                if seen.row == Before::SameDay {
                    continue;
                }
                counts.add(card_day.day(), seen.row.distance(), buyer_changes(seen));
                if let Some(sale) = seen.sale {
                    counts.add_sale(card_day.day(), sale);
                }
                let partition = card_day.top_bits(CARD_PARTITION_BITS);
                self.cards.push(partition, CardRow::new(card_day, store))?;
            }
        }
        self.cards.spill_if_full()?;
        Ok(counts.sorted())
    }

    /// Ends a store.
    pub(super) fn finish(
        &mut self,
        (store, ordinal): (usize, StoreOrdinal),
        (id, profile): (&[u8], StoreProfile),
        mut loyalty: StoreLoyalty,
        out: &mut PartitionRecords,
    ) -> Result<()> {
        let months = self.encoder.finish(&profile, &mut out.records)?;
        let mut totals = Statistics::default();
        months.iter().for_each(|it| totals.merge(&it.statistics));
        loyalty.encode(months.iter().map(|it| it.month), &mut out.loyalty)?;
        (self.settlements).encode(store, &months, &mut out.settlements)?;
        out.stores.push(StoreRecords {
            ordinal,
            id: id.to_vec(),
            profile,
            totals,
            end_records: out.records.spans.len(),
            end_loyalty: out.loyalty.spans.len(),
            end_demographics: out.demographics.spans.len(),
            end_settlements: out.settlements.spans.len(),
        });
        Ok(())
    }
}

/// Returns the rows of one day that have a card, sales before others: so the first row of a card
/// says whether it buys on the day.
fn sales_first(card_days: &[CardDay]) -> impl Iterator<Item = CardDay> {
    let known = |is_sale| {
        let card_days = card_days.iter().copied();
        card_days.filter(move |it| it.has_card() && it.is_sale() == is_sale)
    };
    known(true).chain(known(false))
}

/// Returns how the buyers of a day differ from its cards by one card, that is seen first on the day.
pub(super) fn buyer_changes(seen: Seen) -> impl Iterator<Item = Change> {
    let change = |before: Before, cards| Change {
        distance: before.distance(),
        cards,
    };
    let sale = seen.sale.map(|sale| sale.before);
    let differs = sale != Some(seen.row);
    let removed = differs.then(|| change(seen.row, -1));
    let added = sale.filter(|_| differs).map(|sale| change(sale, 1));
    removed.into_iter().chain(added)
}
