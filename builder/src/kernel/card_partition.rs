//! One partition of cards, card by card, and the market's counts of distinct cards.

use nightshard_format::{
    calendar::Day,
    record::{Change, Run},
};

use super::{
    buys_again::BuysAgain,
    card_order::{ByCard, CardOrder},
    place_cards::PlaceCards,
    places::Places,
    row::{CardRow, CardVisit},
    sold_to_cards::{SentByCard, SoldToCards},
    spend_row::SpendRow,
};
use crate::{Result, exchange::Visitor};

/// The days that have rows, numbered in order.
#[derive(Debug, Clone)]
pub struct DayOrdinals {
    days: Vec<i32>,
    /// By day, from the first of all.
    ordinals: Vec<u32>,
}

impl DayOrdinals {
    /// Numbers `days`, which ascend.
    #[must_use]
    pub fn new(days: Vec<i32>) -> Self {
        let first = days.first().copied().unwrap_or(0);
        let len = days.last().map_or(0, |last| last - first + 1);
        let mut ordinals = vec![0; usize::try_from(len).unwrap_or(0)];
        for (ordinal, day) in (0_u32..).zip(&days) {
            ordinals[(day - first).cast_unsigned() as usize] = ordinal;
        }
        Self { days, ordinals }
    }

    /// Returns the memory that one [`PairCounts`] over these days takes.
    #[must_use]
    pub fn pair_counts_len(&self) -> usize {
        self.days.len() * (self.days.len() + 1) / 2 * size_of::<u32>()
    }

    fn of(&self, day: i32) -> usize {
        self.ordinals[(day - self.days[0]).cast_unsigned() as usize] as usize
    }
}

/// How many cards have a row on one day, by their previous day: a triangle of counters.
///
/// # Shape
/// Row `d` has `d + 1` counters: one for each earlier day, and the last for cards never seen
/// before. A counter holds fewer than 2^32 cards. How buyers differ is few counters of the same
/// triangle, so that these are listed.
#[derive(Debug)]
pub struct PairCounts {
    counts: Vec<u32>,
    buyers: SparseCounts,
    again: BuysAgain,
}

impl PairCounts {
    /// Makes counters of zero.
    #[must_use]
    pub fn new(days: &DayOrdinals) -> Self {
        Self {
            counts: vec![0; days.pair_counts_len() / size_of::<u32>()],
            buyers: SparseCounts::default(),
            again: BuysAgain::default(),
        }
    }

    /// Adds what another worker counted over the same days.
    pub fn merge(&mut self, other: &Self) {
        for (into, from) in self.counts.iter_mut().zip(&other.counts) {
            *into += from;
        }
        self.buyers.merge(&other.buyers);
        self.again.merge(&other.again);
    }

    /// Counts all days of a card.
    fn count(&mut self, days: &DayOrdinals, visits: &[CardVisit]) {
        let (mut last, mut last_sale) = (None, None);
        for of_day in visits.chunk_by(|a, b| a.is_same_day(*b)) {
            // Sales come first.
            let visit = of_day[0];
            let ordinal = days.of(visit.day());
            let row = ordinal * (ordinal + 1) / 2;
            let counter = row + last.replace(ordinal).unwrap_or(ordinal);
            self.counts[counter] += 1;
            if !visit.is_sale() {
                self.buyers.add(counter, -1);
                continue;
            }
            let sales = row + last_sale.replace(ordinal).unwrap_or(ordinal);
            if sales != counter {
                self.buyers.add(counter, -1);
                self.buyers.add(sales, 1);
            }
        }
        let days = visits
            .chunk_by(|a, b| a.is_same_day(*b))
            .map(|of_day| of_day[0]);
        let sales = days.filter(|visit| visit.is_sale());
        self.again.count(sales.map(CardVisit::day));
    }

    /// Returns of the `ordinal`-th day how many buy for the second time, by days since the first, and how many for the
    /// first time in a later month than their first, by months since.
    #[must_use]
    pub fn again(&self, days: &DayOrdinals, ordinal: usize) -> [Vec<Run>; 2] {
        self.again.on(days.days[ordinal])
    }

    /// Returns the cards of the `ordinal`-th day: those never seen before, runs of the others by
    /// ascending distance, and how buyers differ.
    #[must_use]
    pub fn day(&self, days: &DayOrdinals, ordinal: usize) -> (u64, Vec<Run>, Vec<Change>) {
        let start = ordinal * (ordinal + 1) / 2;
        let (earlier, first_ever) = self.counts[start..=start + ordinal].split_at(ordinal);
        let distance = |before: usize| (days.days[ordinal] - days.days[before]).cast_unsigned();
        let runs = earlier
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, count)| **count > 0);
        let runs = runs.map(|(before, count)| Run {
            distance: distance(before),
            count: u64::from(*count),
        });
        let changes = self.buyers.within(start, start + ordinal).rev();
        let changes = changes.map(|(counter, cards)| Change {
            distance: distance(counter - start),
            cards,
        });
        (u64::from(first_ever[0]), runs.collect(), changes.collect())
    }
}

/// A few counters of many.
#[derive(Debug, Default)]
pub(super) struct SparseCounts {
    /// Which counter, and what it counts; in order and each once up to `compacted`.
    entries: Vec<(u32, i32)>,
    compacted: usize,
}

/// Fewer entries are not worth putting in order.
const ENTRIES_MIN: usize = 1 << 16;

impl SparseCounts {
    pub(super) fn add(&mut self, counter: usize, count: i32) {
        if self.entries.len() >= (2 * self.compacted).max(ENTRIES_MIN) {
            self.compact();
        }
        self.entries
            .push((u32::try_from(counter).unwrap_or(u32::MAX), count));
    }

    /// Adds what another worker counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.entries.extend_from_slice(&other.entries);
        self.compact();
    }

    /// Adds up the entries of each counter.
    fn compact(&mut self) {
        self.entries.sort_unstable_by_key(|entry| entry.0);
        self.entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.entries.retain(|entry| entry.1 != 0);
        self.compacted = self.entries.len();
    }

    /// Returns the counters from `first` to `last` that are not 0, after [`SparseCounts::merge`].
    pub(super) fn within(
        &self,
        first: usize,
        last: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, i64)> {
        let start = self
            .entries
            .partition_point(|entry| (entry.0 as usize) < first);
        let end = self
            .entries
            .partition_point(|entry| entry.0 as usize <= last);
        let entries = self.entries[start..end].iter();
        entries.map(|(counter, count)| (*counter as usize, i64::from(*count)))
    }
}

/// Takes the days of one card after the other.
pub trait CardSink {
    /// Takes all days of a card, in order, and what it bought for by month and leaf, where that is asked for.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    fn card(&mut self, visits: &[CardVisit], sold: &[SpendRow]) -> Result<()>;
}

impl<A: CardSink, B: CardSink> CardSink for (A, B) {
    fn card(&mut self, visits: &[CardVisit], sold: &[SpendRow]) -> Result<()> {
        self.0.card(visits, sold)?;
        self.1.card(visits, sold)
    }
}

/// Counts the cards of the market and of places exactly.
pub struct ExactCards<'a> {
    days: &'a DayOrdinals,
    /// Of the market.
    pub market: PairCounts,
    /// Of places.
    pub of_places: PlaceCards<'a>,
}

impl<'a> ExactCards<'a> {
    /// Has counted nothing.
    #[must_use]
    pub fn new(days: &'a DayOrdinals, of_places: PlaceCards<'a>) -> Self {
        Self {
            days,
            market: PairCounts::new(days),
            of_places,
        }
    }
}

impl CardSink for ExactCards<'_> {
    fn card(&mut self, visits: &[CardVisit], sold: &[SpendRow]) -> Result<()> {
        self.market.count(self.days, visits);
        self.of_places.card(visits, sold)
    }
}

/// Passes the cards of one partition on, and leaves them there, keeping in memory about `budget_bytes`, or
/// four times the distinct days of its cards in places where that is more, and half of that for
/// what they bought for.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder fails.
pub fn reduce<S: CardSink>(
    sent: SentByCard<'_>,
    partition: u16,
    budget_bytes: usize,
    worker: &mut CardWorker<'_, S>,
) -> Result<()> {
    let places = worker.places;
    (worker.sold).load(sent.sold, partition, budget_bytes / 2, places)?;
    worker.visits.clear();
    worker.sorted = 0;
    // What is sorted is there twice.
    worker.limit = budget_bytes / (2 * size_of::<CardVisit>());
    sent.days.visit(partition, worker)?;
    worker.compact();
    let cards = worker.visits.chunk_by(|a, b| a.is_same_card(*b));
    for of_card in cards {
        let sold = worker.sold.of_card(of_card[0]);
        worker.sink.card(of_card, sold)?;
    }
    Ok(())
}

/// What one worker needs for one partition after the other.
pub struct CardWorker<'a, S> {
    /// Where cards go.
    pub sink: S,
    places: &'a Places,
    visits: Vec<CardVisit>,
    order: CardOrder<CardVisit>,
    sold: SoldToCards,
    sorted: usize,
    limit: usize,
}

impl<'a, S> CardWorker<'a, S> {
    /// Makes a worker that passes cards to `sink`.
    #[must_use]
    pub fn new(places: &'a Places, sink: S) -> Self {
        Self {
            sink,
            places,
            visits: Vec::new(),
            order: CardOrder::default(),
            sold: SoldToCards::default(),
            sorted: 0,
            limit: 0,
        }
    }

    fn compact(&mut self) {
        self.order.sort(&mut self.visits);
        self.visits.dedup();
        self.sorted = self.visits.len();
    }
}

/// Gathers visits, dropping repeated ones whenever many have come.
impl<S> Visitor<CardRow> for CardWorker<'_, S> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[CardRow]) -> Result<()> {
        // A card that shops in many stores of a place on one day comes as often.
        if self.visits.len() >= self.limit.max(self.sorted * 2) {
            self.compact();
        }
        let leaf_on = |store, day| self.places.leaf_on(store, Day(day));
        self.visits
            .extend(rows.iter().map(|row| CardVisit::of(*row, leaf_on)));
        Ok(())
    }
}
