//! A partition that does not fit in memory, slice by slice.
//!
//! One store may have more rows than memory holds. Its rows are cut twice through a scratch
//! file: by tx_id, so that repeats meet; then what is left by card, so that a card's days meet.
//! Totals, histograms and counted distances of slices add up.

use std::collections::BTreeMap;

use nightshard_format::{record::HalfHour, regular::RegularRule};

use super::{
    card_days::DistanceCounts,
    counted_rows::CountedRows,
    day_hours,
    loaded_rows::LoadedRows,
    profiles::{ProfileSet, Profiles},
    row::{PartitionRow, StoreOrdinal},
    sent_rows::{SentRow, SentRows},
    settlement::Settlement,
    store_days::DayRows,
    store_loyalty::StoreLoyalty,
    store_order::StoreOrder,
    store_partition::{AskedOfCards, PartitionRecords, StoreContext, StoreWorker},
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Visitor},
};

/// Slices of one cut; what still does not fit then is one tx_id or one card.
const SLICES_MAX: u64 = 4_096;

/// Reduces a partition larger than `context.budget_bytes`.
pub(super) fn reduce(
    exchanged: &SentRows,
    partition: u16,
    context: &StoreContext<'_>,
    worker: &mut StoreWorker,
) -> Result<PartitionRecords> {
    let cut = cut_by_tx(exchanged, partition, context)?;
    // Its rows are in the slices now.
    exchanged.give_back(partition);
    let mut out = PartitionRecords::default();
    worker.begin_counts();
    let by_card = cut_by_card(&cut, context, worker, &mut out)?;
    let CutByTx {
        profiles, slices, ..
    } = cut;
    let mut counted = Counted::new(&profiles, context.regular);
    let mut order = std::mem::take(&mut worker.order);
    for slice in 0..slices {
        let rows = by_card.take_rows(slice)?;
        order.arrange(&profiles, &rows);
        counted.add(partition, &mut order, worker)?;
        worker.count(exchanged, &profiles, &rows);
        worker.send_customers(partition, &profiles, &rows)?;
    }
    worker.order = order;
    for (store, mut of_store) in counted.stores.into_iter().enumerate() {
        if of_store.days.is_empty() {
            continue;
        }
        let days = of_store.days.values_mut();
        days.for_each(|day| day.rows.sort());
        worker.begin_store(store, &exchanged.mixes);
        worker.encode_counted(&of_store.days, &of_store.distances, &mut out.records);
        let profile = profiles.store_profile(
            store,
            &counted.profile_rows,
            (context.stores, context.regions),
        );
        let ordinal = StoreOrdinal::new(partition, store)?;
        worker.tell_cardholders((store, ordinal), &exchanged.cardholders, context, &mut out)?;
        let id = &profiles.stores[store];
        worker.finish((store, ordinal), (id, profile), of_store.loyalty, &mut out)?;
        out.used += out.stores.last().map_or(0, |store| store.totals.count);
    }
    Ok(out)
}

/// The rows of a partition, cut into slices in which all rows of a tx_id meet.
pub(super) struct CutByTx {
    pub(super) profiles: Profiles,
    pub(super) slices: u16,
    rows: Exchanged<PartitionRow>,
    /// Of the last rows of each slice.
    settlements: Exchanged<Settlement>,
}

impl CutByTx {
    /// Takes the rows of a slice.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read.
    pub(super) fn load(&self, slice: u16) -> Result<LoadedRows> {
        let (rows, settlements) = (&self.rows, &self.settlements);
        Ok(LoadedRows::new(
            rows.take_rows(slice)?,
            settlements.take_rows(slice)?,
        ))
    }
}

/// Cuts a partition by tx_id; the rows stay where they were, too.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder fails.
pub(super) fn cut_by_tx(
    exchanged: &SentRows,
    partition: u16,
    context: &StoreContext<'_>,
) -> Result<CutByTx> {
    // Hashes spread rows unevenly: twice the slices keeps nearly all of them in bounds.
    let slices = (exchanged.weight(partition) / context.rows_max() as u64 + 1)
        .saturating_mul(2)
        .min(SLICES_MAX);
    let slices = u16::try_from(slices).unwrap_or(u16::MAX);
    let mut cut = Cut {
        profiles: ProfileSet::default(),
        ordinals: Vec::new(),
        slices,
        next_slice: RoundRobin(0),
        outbox: Outbox::new(slices.into(), context.budget_bytes / 2, context.scratch),
        settlements: Outbox::new(slices.into(), context.budget_bytes / 4, context.scratch),
    };
    exchanged.visit(partition, &mut cut)?;
    Ok(CutByTx {
        profiles: cut.profiles.resolve(context.base_currency),
        slices,
        rows: Exchanged::new(vec![cut.outbox])?,
        settlements: Exchanged::new(vec![cut.settlements])?,
    })
}

/// Drops repeats slice by slice, counts when what is left settles, and cuts it by card.
fn cut_by_card(
    cut: &CutByTx,
    context: &StoreContext<'_>,
    worker: &mut StoreWorker,
    out: &mut PartitionRecords,
) -> Result<Exchanged<PartitionRow>> {
    let CutByTx {
        profiles, slices, ..
    } = cut;
    let mut next_slice = RoundRobin(0);
    let mut outbox = Outbox::new((*slices).into(), context.budget_bytes / 2, context.scratch);
    for slice in 0..*slices {
        let mut rows = cut.load(slice)?;
        let repeats = (worker.repetition).dedupe(&mut rows, |row| profiles.store_of(row));
        worker.settlements.add(profiles, &rows);
        out.duplicates += repeats.duplicates;
        out.conflicting_rows += repeats.conflicting_rows;
        out.conflicts.extend(profiles.conflicts(repeats.conflicts));
        for row in rows.rows() {
            if profiles.base_store_of(row).is_none() {
                out.other_currency += 1;
                continue;
            }
            // Rows without a card meet nobody, so anything spreads them.
            let card_day = row.row.card_day();
            let slice = if card_day.has_card() {
                slice_of(card_day.card(), *slices)
            } else {
                next_slice.take(*slices)
            };
            outbox.push(slice, *row)?;
            outbox.spill_if_full()?;
        }
    }
    Exchanged::new(vec![outbox])
}

fn slice_of(hash: u128, slices: u16) -> u16 {
    u16::try_from(hash % u128::from(slices)).unwrap_or(0)
}

/// Deals out slices to rows that need not meet any other.
struct RoundRobin(u16);

impl RoundRobin {
    fn take(&mut self, slices: u16) -> u16 {
        self.0 = (self.0 + 1) % slices;
        self.0
    }
}

/// Cuts rows by tx_id, giving profiles ordinals of the partition's own.
struct Cut {
    profiles: ProfileSet,
    ordinals: Vec<u32>,
    slices: u16,
    next_slice: RoundRobin,
    outbox: Outbox<PartitionRow>,
    settlements: Outbox<Settlement>,
}

impl<R: SentRow> Visitor<R> for Cut {
    fn dictionary<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.ordinals.clear();
        self.ordinals
            .extend(entries.map(|entry| self.profiles.ordinal(entry)));
        Ok(())
    }

    fn rows(&mut self, rows: &[R]) -> Result<()> {
        for sent in rows {
            let row = sent.row();
            let slice = match row.tx() {
                Some(tx) => slice_of(tx.into(), self.slices),
                None => self.next_slice.take(self.slices),
            };
            let profile = self.ordinals[usize::from(row.profile())];
            self.outbox.push(slice, PartitionRow::new(sent, profile))?;
            self.outbox.spill_if_full()?;
            if let Some(settlement) = sent.settlement() {
                self.settlements.push(slice, settlement)?;
                self.settlements.spill_if_full()?;
            }
        }
        Ok(())
    }
}

/// What has been counted of one day.
#[derive(Debug, Default)]
pub(super) struct CountedDay {
    rows: CountedRows,
    hours: Vec<HalfHour>,
}

impl CountedDay {
    pub(super) fn as_rows(&self) -> DayRows<'_> {
        self.rows.as_rows()
    }

    pub(super) fn hours(&self) -> &[HalfHour] {
        &self.hours
    }
}

/// What has been counted of one store.
#[derive(Debug)]
struct CountedStore {
    days: BTreeMap<i32, CountedDay>,
    distances: DistanceCounts,
    loyalty: StoreLoyalty,
}

/// What has been counted of a partition.
struct Counted {
    stores: Vec<CountedStore>,
    profile_rows: Vec<u64>,
}

impl Counted {
    fn new(profiles: &Profiles, regular: RegularRule) -> Self {
        let stores = profiles.stores.iter().map(|_| CountedStore {
            days: BTreeMap::new(),
            distances: DistanceCounts::default(),
            loyalty: StoreLoyalty::new(regular),
        });
        Self {
            stores: stores.collect(),
            profile_rows: vec![0; profiles.len()],
        }
    }

    /// Adds the rows of some cards.
    fn add(
        &mut self,
        partition: u16,
        order: &mut StoreOrder,
        worker: &mut StoreWorker,
    ) -> Result<()> {
        for (total, rows) in self.profile_rows.iter_mut().zip(&order.profile_rows) {
            *total += rows;
        }
        for (store, counted) in self.stores.iter_mut().enumerate() {
            let rows = order.store(store);
            let mut start = 0;
            for (day, end) in &rows.days {
                let of_day = counted.days.entry(*day).or_default();
                let amounts = &rows.amounts[start..*end];
                amounts.iter().for_each(|amount| of_day.rows.add(*amount));
                let hours = worker.hours.count(amounts, &rows.hours[start..*end]);
                day_hours::merge(&mut of_day.hours, hours);
                start = *end;
            }
            let ordinal = StoreOrdinal::new(partition, store)?;
            let distances = worker.count_cards(ordinal, &rows.card_days)?;
            counted.distances.merge(&distances);
            let CountedStore { loyalty, .. } = counted;
            // Where and whose the store is may be known once all of its rows are.
            let asked = AskedOfCards {
                spent: true,
                sold: true,
            };
            worker.each_card((ordinal, asked), order.unordered(store), loyalty)?;
        }
        Ok(())
    }
}
