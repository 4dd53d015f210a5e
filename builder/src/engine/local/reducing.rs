//! The rows of stores, reduced to records partition by partition, and sent on.

use std::sync::{
    Mutex,
    atomic::{AtomicU16, Ordering},
};

use nightshard_format::key::PARTITIONS;

use super::{Engine, demographics::OfCardholders, lock};
use crate::{
    Result,
    build::Stage,
    emit::{OrderedSink, StoreShards},
    exchange::{Exchanged, Outbox},
    kernel::{
        customer_row::CustomerRow,
        hiding::Hiding,
        market::MarketDays,
        place_cardholders::CELL_PARTITIONS,
        row::CardRow,
        sent_rows::SentRows,
        spend_row::SpendRow,
        store_partition::{self, CARD_PARTITIONS, StoreContext, StoreOutboxes, StoreWorker},
    },
};

/// What the reduction of stores leaves behind.
pub(super) struct Reduced {
    pub(super) card_days: Exchanged<CardRow>,
    /// What cards spent at each store in each month.
    pub(super) spent: Exchanged<SpendRow>,
    /// What they bought for there, where somebody asks.
    pub(super) sold: Exchanged<SpendRow>,
    pub(super) customers: Exchanged<CustomerRow>,
    pub(super) market: MarketDays,
    pub(super) of_cardholders: OfCardholders,
}

impl Reduced {
    /// Returns what was written to the scratch folder for want of memory, in bytes.
    pub(super) fn spilled_bytes(&self) -> u64 {
        self.card_days.spilled_bytes()
            + self.spent.spilled_bytes()
            + self.sold.spilled_bytes()
            + self.of_cardholders.cells.spilled_bytes()
            + self.customers.spilled_bytes()
    }
}

impl Engine<'_> {
    pub(super) fn store_context<'a>(&'a self, currency: &'a str) -> StoreContext<'a> {
        StoreContext {
            stores: &self.plan.stores,
            regions: &self.plan.regions,
            base_currency: currency.as_bytes(),
            regular: self.plan.regular,
            hiding: Hiding::of(self.plan.privacy_k),
            budget_bytes: self.shares.partition,
            scratch: &self.scratch,
        }
    }

    /// Reduces the stores.
    pub(super) fn reduce_stores(
        &self,
        rows: SentRows,
        currency: &str,
        stores: &mut StoreShards<'_>,
    ) -> Result<Reduced> {
        self.progress.begin(Stage::Stores, PARTITIONS.into());
        let context = self.store_context(currency);
        let ahead_max = u16::try_from(self.plan.threads * 4).unwrap_or(PARTITIONS);
        // Memory of records that are written serves the next: what was given back to the system
        // would have to be touched anew.
        let spare = Mutex::new(Vec::new());
        let sink = OrderedSink::new(ahead_max, |partition, records| {
            self.progress.advance(1);
            lock(&spare).push(stores.add(partition, records)?);
            Ok(())
        });
        let rows_max = context.rows_max();
        let lens = (0..PARTITIONS).filter_map(|partition| {
            usize::try_from(rows.len_rows(partition))
                .ok()
                .filter(|len| *len <= rows_max)
        });
        let rows_most = lens.max().unwrap_or(0);
        let next = AtomicU16::new(0);
        let workers = self.on_all_threads(|| {
            let cards = Outbox::new(
                CARD_PARTITIONS.into(),
                self.shares.card_days,
                context.scratch,
            );
            let cells = (!rows.cardholders.is_empty())
                .then(|| Outbox::new(CELL_PARTITIONS.into(), self.shares.cells, context.scratch));
            let of_months =
                || Outbox::new(CARD_PARTITIONS.into(), self.shares.spend, context.scratch);
            let outboxes = StoreOutboxes {
                cards,
                spend: of_months(),
                sold: of_months(),
                cells,
                customers: self.customer_outbox(),
            };
            let mut worker = StoreWorker::new(outboxes, rows_most);
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= PARTITIONS {
                    break;
                }
                let Some(turn) = sink.turn(partition) else {
                    break;
                };
                worker.records = lock(&spare).pop().unwrap_or_default();
                turn.put(store_partition::reduce(
                    &rows,
                    partition,
                    &context,
                    &mut worker,
                )?)?;
            }
            Ok(worker.into_sent())
        })?;
        drop(sink);
        stores.finish_run()?;
        let mut market = MarketDays::default();
        let (mut card_days, mut spend, mut sold) = (Vec::new(), Vec::new(), Vec::new());
        let (mut cells, mut customers) = (Vec::new(), Vec::new());
        for (outboxes, days) in workers {
            card_days.push(outboxes.cards);
            spend.push(outboxes.spend);
            sold.push(outboxes.sold);
            cells.extend(outboxes.cells);
            customers.extend(outboxes.customers);
            market.add(days);
        }
        Ok(Reduced {
            card_days: Exchanged::new(card_days)?,
            spent: Exchanged::new(spend)?,
            sold: Exchanged::new(sold)?,
            customers: Exchanged::new(customers)?,
            market,
            of_cardholders: OfCardholders {
                cells: Exchanged::new(cells)?,
                cardholders: rows.cardholders,
            },
        })
    }
}
