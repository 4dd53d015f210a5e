//! What follows the stores: the cards of the market and of places, and the records of places.

use std::{
    ops::Range,
    sync::atomic::{AtomicU16, Ordering},
};

use nightshard_format::{
    calendar::DayRange,
    record::{PLACE_LOYALTY, REGION_CATEGORIES, STORES},
};
use rayon::prelude::*;

use super::{
    Engine,
    reducing::Reduced,
    shares::SMALL_SHARE,
    told::{Stores, Told},
};
use crate::{
    Error, Result,
    build::Stage,
    emit::{self, CellCards, OrderedSink, PlaceShards, Staged, StoreFacts, StoreGrowth, Written},
    exchange::{Exchanged, Outbox},
    kernel::{
        card_partition::{self, CardSink, CardWorker, DayOrdinals, ExactCards, PairCounts},
        loyal_places::LoyalPlaces,
        place_cards::{self, PlaceCards},
        place_loyalty::PlaceLoyalty,
        place_partitions::PlacePartitions,
        place_row::PlaceRow,
        places::Places,
        sold_to_cards::SentByCard,
        store_partition::CARD_PARTITIONS,
    },
};

/// How many cards are where, and how long ago they were there before.
struct CardCounts<'a> {
    /// Of the market.
    market: PairCounts,
    /// Of places.
    places: Exchanged<PlaceRow>,
    /// Of both, what takes each card as a whole.
    loyalty: Vec<PlaceLoyalty<'a>>,
}

impl Engine<'_> {
    /// Passes all cards to sinks, one for each thread; they stay there unless this `is_last`.
    pub(super) fn each_card<S: CardSink + Send>(
        &self,
        sent: SentByCard<'_>,
        places: &Places,
        is_last: bool,
        sink: impl Fn() -> S + Sync,
    ) -> Result<Vec<S>> {
        self.progress.begin(Stage::Cards, CARD_PARTITIONS.into());
        let next = AtomicU16::new(0);
        self.on_all_threads(|| {
            let mut worker = CardWorker::new(places, sink());
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= CARD_PARTITIONS {
                    return Ok(worker.sink);
                }
                card_partition::reduce(sent, partition, self.shares.partition, &mut worker)?;
                if is_last {
                    sent.give_back(partition);
                }
                self.progress.advance(1);
            }
        })
    }

    /// Makes the buffers of an exchange of so many partitions by place.
    pub(super) fn place_outbox(&self, partitions: u16) -> Outbox<PlaceRow> {
        Outbox::new(partitions.into(), self.shares.place_cards, &self.scratch)
    }

    /// Writes the records of places and the market, which tell all that those of stores do.
    pub(super) fn write_exactly(&self, reduced: &Reduced, stores: &Stores<'_>) -> Result<Told> {
        let market = &reduced.market;
        let days = DayOrdinals::new(market.iter().map(|(day, _)| day).collect());
        let told = LoyalPlaces::of_places(stores.places);
        let sent = SentByCard {
            days: &reduced.card_days,
            sold: Some(&reduced.sold),
        };
        let cards = self.count_cards(sent, &days, (stores.places, &told))?;
        let mut staged = self.write_places(&cards.places, stores)?;
        let of_stores = Written::open(stores.staged, STORES)?;
        let mixes = self.pool.install(|| emit::add_up_mixes(&of_stores))?;
        staged.extend(emit::write_market(
            &self.staging,
            (market, mixes),
            &days,
            &cards.market,
        )?);
        staged.extend(self.write_loyalty(cards.loyalty, &told, PLACE_LOYALTY, &staged)?);
        Ok(Told {
            cards: CellCards::Written(Written::open(&staged, REGION_CATEGORIES)?),
            staged,
            totals: None,
            differs: false,
        })
    }

    /// Counts the cards of the market and of places exactly.
    fn count_cards<'a>(
        &self,
        sent: SentByCard<'_>,
        days: &DayOrdinals,
        (places, told): (&'a Places, &'a LoyalPlaces),
    ) -> Result<CardCounts<'a>> {
        if days.pair_counts_len() > self.shares.pair_counts {
            let needed = ((days.pair_counts_len() * SMALL_SHARE * self.plan.threads) >> 20) + 1;
            let problem = format!("so many days of data need at least {needed}MiB");
            return Err(Error::option("--memory", problem));
        }
        let counted = self.each_card(sent, places, true, || {
            let outbox = self.place_outbox(PlacePartitions::new(places).len());
            let cards = ExactCards::new(days, PlaceCards::new(places, outbox));
            (cards, self.place_loyalty(places, told))
        })?;
        let mut market = PairCounts::new(days);
        let (mut outboxes, mut loyalty) = (Vec::new(), Vec::new());
        for (cards, as_a_whole) in counted {
            market.merge(&cards.market);
            outboxes.push(cards.of_places.finish());
            loyalty.push(as_a_whole);
        }
        Ok(CardCounts {
            market,
            places: Exchanged::new(outboxes)?,
            loyalty,
        })
    }

    /// Writes the records of places, from those of their stores.
    pub(super) fn write_places(
        &self,
        cards: &Exchanged<PlaceRow>,
        stores: &Stores<'_>,
    ) -> Result<Vec<Staged>> {
        let Stores {
            facts,
            places,
            staged,
            ..
        } = stores;
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
                emit::encode_places(&distances, places, facts, &months)
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
    pub(super) fn in_order<T: Send>(
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
