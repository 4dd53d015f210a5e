//! What follows the stores: the cards of the market and of places, and the records of places.

use std::sync::atomic::{AtomicU16, Ordering};

use super::{Engine, SMALL_SHARE};
use crate::{
    Error, Result,
    build::Stage,
    emit::{self, OrderedSink, PlaceShards, Staged, StoreFacts, StoreMonths},
    exchange::{Exchanged, Outbox},
    kernel::{
        card_partition::{self, CardWorker, DayOrdinals, PairCounts},
        place_cards::{self, PlaceCards, PlaceRow},
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
            let partitions = place_cards::partitions(places).into();
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
        let partitions = place_cards::partitions(places);
        self.progress.begin(Stage::Places, partitions.into());
        let months = StoreMonths::open(staged)?;
        let mut shards = PlaceShards::new(&self.staging, places);
        let ahead_max = u16::try_from(self.plan.threads * 4).unwrap_or(partitions);
        let sink = OrderedSink::new(ahead_max, |_partition, records| {
            self.progress.advance(1);
            shards.add(&records)
        });
        let next = AtomicU16::new(0);
        self.on_all_threads(|| {
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= partitions {
                    return Ok(());
                }
                let Some(turn) = sink.turn(partition) else {
                    return Ok(());
                };
                let distances = place_cards::take(cards, partition, places, self.shares.partition)?;
                turn.put(emit::encode_places(&distances, places, stores, &months)?)?;
            }
        })?;
        drop(sink);
        shards.finish()
    }
}
