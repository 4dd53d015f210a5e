//! What follows the stores: the cards of the market and of places, and the records of places.

use std::{
    ops::Range,
    sync::atomic::{AtomicU16, Ordering},
};

use nightshard_format::{
    calendar::DayRange,
    record::{REGION_CATEGORIES, STORES},
};
use rayon::prelude::*;

use super::{Engine, SMALL_SHARE};
use crate::{
    Error, Result,
    build::Stage,
    emit::{self, OrderedSink, PlaceShards, Staged, StoreFacts, StoreGrowth, Written},
    exchange::{Exchanged, Outbox},
    kernel::{
        card_partition::{self, CardWorker, DayOrdinals, PairCounts},
        place_cards::{self, PlaceCards, PlaceRow},
        place_partitions::PlacePartitions,
        places::Places,
        row::CardRow,
        store_partition::CARD_PARTITIONS,
    },
};

/// How many cards are where, and how long ago they were there before.
pub(super) struct CardCounts {
    /// Of the market.
    pub(super) market: PairCounts,
    /// Of places.
    pub(super) places: Exchanged<PlaceRow>,
}

impl Engine<'_> {
    pub(super) fn count_cards(
        &self,
        card_days: &Exchanged<CardRow>,
        days: &DayOrdinals,
        places: &Places,
    ) -> Result<CardCounts> {
        self.progress.begin(Stage::Cards, CARD_PARTITIONS.into());
        if days.pair_counts_len() > self.shares.pair_counts {
            let needed = ((days.pair_counts_len() * SMALL_SHARE * self.plan.threads) >> 20) + 1;
            let problem = format!("so many days of data need at least {needed}MiB");
            return Err(Error::option("--memory", problem));
        }
        let next = AtomicU16::new(0);
        let counted = self.on_all_threads(|| {
            let partitions = PlacePartitions::new(places).len().into();
            let outbox = Outbox::new(partitions, self.shares.place_cards, &self.scratch);
            let of_places = PlaceCards::new(places, outbox);
            let mut worker = CardWorker::new(days, places, of_places);
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= CARD_PARTITIONS {
                    break;
                }
                let budget = self.shares.partition;
                card_partition::reduce(card_days, partition, days, budget, &mut worker)?;
                self.progress.advance(1);
            }
            Ok((worker.counts, worker.of_places.finish()))
        })?;
        let mut market = PairCounts::new(days);
        let mut outboxes = Vec::new();
        for (counts, of_places) in counted {
            market.merge(&counts);
            outboxes.push(of_places);
        }
        Ok(CardCounts {
            market,
            places: Exchanged::new(outboxes)?,
        })
    }

    /// Writes the records of places, from those of their stores in `staged`.
    pub(super) fn write_places(
        &self,
        cards: &Exchanged<PlaceRow>,
        places: &Places,
        stores: &[StoreFacts],
        staged: &[Staged],
    ) -> Result<Vec<Staged>> {
        let partitions = PlacePartitions::new(places);
        self.progress.begin(Stage::Places, partitions.len().into());
        let mut written = Vec::new();
        for round in partitions.rounds() {
            let months = [
                Written::open(staged, STORES)?,
                Written::open(&written, REGION_CATEGORIES)?,
            ];
            let mut shards = PlaceShards::new(&self.staging, places);
            let encode = |partition: u16| {
                let budget = self.shares.partition;
                let distances = place_cards::take(cards, partition, partitions, budget)?;
                emit::encode_places(&distances, places, stores, &months)
            };
            self.in_order(round, encode, |records| {
                self.progress.advance(1);
                shards.add(&records)
            })?;
            written.extend(shards.finish()?);
        }
        Ok(written)
    }

    /// Reads how much each store grew from its months in `staged`; rows have the days `dates`.
    pub(super) fn measure_growth(
        &self,
        stores: &mut [StoreFacts],
        staged: &[Staged],
        dates: DayRange,
    ) -> Result<()> {
        let months = Written::open(staged, STORES)?;
        self.pool.install(|| {
            stores.par_iter_mut().try_for_each(|store| {
                store.growth = StoreGrowth::read(&months, &store.id, dates)?;
                Ok(())
            })
        })
    }

    /// Has partitions encoded on all threads, and passes what they gave on in their order.
    fn in_order<T: Send>(
        &self,
        partitions: Range<u16>,
        encode: impl Fn(u16) -> Result<T> + Sync,
        mut take: impl FnMut(T) -> Result<()> + Send,
    ) -> Result<()> {
        let ahead_max = u16::try_from(self.plan.threads * 4).unwrap_or(u16::MAX);
        let len = partitions.end - partitions.start;
        let sink = OrderedSink::new(ahead_max, |_number, encoded| take(encoded));
        let next = AtomicU16::new(0);
        self.on_all_threads(|| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= len {
                    return Ok(());
                }
                let Some(turn) = sink.turn(number) else {
                    return Ok(());
                };
                turn.put(encode(partitions.start + number)?)?;
            }
        })?;
        Ok(())
    }
}
