//! One partition of cards to the market's counts of distinct cards.

use nightshard_format::record::Run;

use super::{
    card_order::CardOrder,
    row::{CardDay, CardRow},
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

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
/// before. A counter holds fewer than 2^32 cards.
#[derive(Debug)]
pub struct PairCounts {
    counts: Vec<u32>,
}

impl PairCounts {
    /// Makes counters of zero.
    #[must_use]
    pub fn new(days: &DayOrdinals) -> Self {
        Self {
            counts: vec![0; days.pair_counts_len() / size_of::<u32>()],
        }
    }

    /// Adds what another worker counted over the same days.
    pub fn merge(&mut self, other: &Self) {
        for (into, from) in self.counts.iter_mut().zip(&other.counts) {
            *into += from;
        }
    }

    /// Counts the days of some cards.
    ///
    /// # Shape
    /// `card_days` ascend, each once, and hold all days of a card or none.
    fn count(&mut self, days: &DayOrdinals, card_days: &[CardDay]) {
        let mut previous: Option<(CardDay, usize)> = None;
        for card_day in card_days {
            let ordinal = days.of(card_day.day());
            let column = match previous {
                Some((previous, before)) if previous.is_same_card(*card_day) => before,
                _ => ordinal,
            };
            self.counts[ordinal * (ordinal + 1) / 2 + column] += 1;
            previous = Some((*card_day, ordinal));
        }
    }

    /// Returns the cards of the `ordinal`-th day: those never seen before, and runs of the
    /// others by ascending distance.
    #[must_use]
    pub fn day(&self, days: &DayOrdinals, ordinal: usize) -> (u64, Vec<Run>) {
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
        (u64::from(first_ever[0]), runs.collect())
    }
}

/// Counts the days of the cards of one partition, keeping in memory about `budget_bytes`, or
/// four times the distinct days of its cards where that is more.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn reduce(
    exchanged: &Exchanged<CardRow>,
    partition: u16,
    days: &DayOrdinals,
    budget_bytes: usize,
    worker: &mut CardWorker,
) -> Result<()> {
    worker.card_days.clear();
    worker.sorted = 0;
    // What is sorted is there twice.
    worker.limit = budget_bytes / (2 * size_of::<CardDay>());
    exchanged.take(partition, worker)?;
    worker.compact();
    worker.counts.count(days, &worker.card_days);
    Ok(())
}

/// What one worker needs for one partition after the other.
pub struct CardWorker {
    /// What was counted so far.
    pub counts: PairCounts,
    card_days: Vec<CardDay>,
    order: CardOrder,
    sorted: usize,
    limit: usize,
}

impl CardWorker {
    /// Makes a worker that has counted nothing.
    #[must_use]
    pub fn new(days: &DayOrdinals) -> Self {
        Self {
            counts: PairCounts::new(days),
            card_days: Vec::new(),
            order: CardOrder::default(),
            sorted: 0,
            limit: 0,
        }
    }

    fn compact(&mut self) {
        self.order.sort(&mut self.card_days);
        self.card_days.dedup();
        self.sorted = self.card_days.len();
    }
}

/// Gathers card days, dropping repeated ones whenever many have come.
impl Visitor<CardRow> for CardWorker {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[CardRow]) -> Result<()> {
        // A card that shops in many stores on one day comes as often; distinct days are few.
        if self.card_days.len() >= self.limit.max(self.sorted * 2) {
            self.compact();
        }
        self.card_days
            .extend(rows.iter().map(|row| CardDay::from(*row)));
        Ok(())
    }
}
