//! Writer of a month record.

use super::{
    buyers::BuyersBuilder,
    changes::Change,
    day_lists::DayListsBuilder,
    hours::{self, HalfHour},
    loyalty::LoyaltyBuilder,
    mixes::EncodedMixes,
    month_roll_up::{self, RollUp},
    runs::{self, Run},
};
use crate::{
    bytes::{SHORT_VARINT_END, put_short_varints, put_signed, put_varint},
    calendar::{Day, Month},
    histogram::{Cell, FineHistogram},
    statistics::Statistics,
};

/// Days of at most so many rows are always written amount by amount.
const AMOUNTS_ALWAYS: usize = 8;

/// Days of more rows are always written as totals, so that nobody has to gather their amounts.
pub const DAY_AMOUNTS_MAX: usize = 4_096;

/// The cards of one day.
///
/// # Shape
/// `returning` by ascending distance to each card's previous day, every distance once; `buyers`
/// likewise, none of them 0; `second` and `cohorts` likewise.
#[derive(Debug, Clone, Copy, Default)]
pub struct DayCards<'a> {
    /// Cards never seen before.
    pub first_ever: u64,
    /// Cards seen before, by how long ago.
    pub returning: &'a [Run],
    /// By how many cards both would differ if there were no rows but sales.
    pub buyers: &'a [Change],
    /// Buyers whose second day with a sale this is, by how long ago the first was.
    pub second: &'a [Run],
    /// Buyers whose first day with a sale in its month this is, by how many months before that of
    /// their first sale ever was; those of the same month are left out.
    pub cohorts: &'a [Run],
}

/// Gathers the days of one key's month, in order, and writes its record.
///
/// # Examples
/// ```
/// use nightshard_format::{calendar::Month, record::{DayCards, MonthBuilder, MonthRecord, Run}};
///
/// let month = Month::new(2018, 3).unwrap();
/// let mut builder = MonthBuilder::new();
/// builder.begin(month);
/// let returning = [Run { distance: 9, count: 1 }];
/// let cards = DayCards { first_ever: 1, returning: &returning, ..DayCards::default() };
/// builder.day(month.first_day(), &[-250, 1999], cards);
/// let mut bytes = Vec::new();
/// builder.finish(&mut bytes);
///
/// let record = MonthRecord::parse(month, &bytes)?;
/// assert_eq!((record.statistics().sum, record.cards()), (1749, 2));
/// # Ok::<(), nightshard_format::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MonthBuilder {
    first_day: i32,
    day_mask: u32,
    statistics: Statistics,
    first_ever: u64,
    entering: u64,
    days: Vec<u8>,
    cards: Vec<u8>,
    buyers: BuyersBuilder,
    hours: DayListsBuilder,
    loyalty: LoyaltyBuilder,
    mixes: EncodedMixes,
    roll_up: RollUp,
    scratch: Vec<u8>,
    /// The occupied cells of each day.
    cells: Vec<(Cell, u64)>,
}

impl MonthBuilder {
    /// Makes a builder; its buffers serve one month after the other.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts `month`, forgetting what was gathered before.
    pub fn begin(&mut self, month: Month) {
        self.first_day = month.first_day().0;
        self.day_mask = 0;
        self.statistics = Statistics::default();
        (self.first_ever, self.entering) = (0, 0);
        self.days.clear();
        self.cards.clear();
        self.cells.clear();
        self.buyers.clear();
        self.hours.clear();
        self.loyalty.clear();
        self.mixes = EncodedMixes::default();
        self.roll_up.clear();
    }

    /// Adds a day by its amounts, and returns its totals and occupied cells.
    ///
    /// # Shape
    /// Days ascend and lie in the month; `amounts` ascend and are not empty.
    pub fn day(
        &mut self,
        day: Day,
        amounts: &[i64],
        cards: DayCards<'_>,
    ) -> (Statistics, &[(Cell, u64)]) {
        debug_assert!(amounts.is_sorted() && !amounts.is_empty());
        let offset = self.start_day(day);
        let totals = Statistics::of_ascending(amounts);
        self.statistics.merge(&totals);
        let first_cell = self.cells.len();
        collect_cells(amounts, &mut self.cells);
        self.encode_day(amounts, &totals, first_cell);
        self.day_cards(offset, cards);
        (totals, &self.cells[first_cell..])
    }

    /// Appends a day in the shorter of its two encodings, which are written only where the other
    /// may be longer.
    fn encode_day(&mut self, amounts: &[i64], totals: &Statistics, first_cell: usize) {
        let cells = &self.cells[first_cell..];
        if amounts.len() > DAY_AMOUNTS_MAX {
            return encode_totals(totals, cells, &mut self.days);
        }
        let start = self.days.len();
        encode_amounts(amounts, &mut self.days);
        let len = self.days.len() - start;
        if amounts.len() <= AMOUNTS_ALWAYS || len <= totals_len_min(cells) {
            return;
        }
        self.scratch.clear();
        encode_totals(totals, cells, &mut self.scratch);
        if self.scratch.len() < len {
            self.days.truncate(start);
            self.days.extend_from_slice(&self.scratch);
        }
    }

    /// Adds a day by its totals, for days of more than [`DAY_AMOUNTS_MAX`] rows and for markets.
    ///
    /// # Shape
    /// Days ascend and lie in the month; `bins` counts the rows that `totals` totals.
    pub fn day_totals(
        &mut self,
        day: Day,
        totals: &Statistics,
        bins: &FineHistogram,
        cards: DayCards<'_>,
    ) {
        let offset = self.start_day(day);
        self.statistics.merge(totals);
        let start = self.cells.len();
        self.cells.extend(bins.iter());
        encode_totals(totals, &self.cells[start..], &mut self.days);
        self.day_cards(offset, cards);
    }

    /// Adds the rows of a day that was added, by half hour, as far as their time is known.
    ///
    /// # Shape
    /// Half hours ascend, each once; days ascend.
    pub fn hours(&mut self, day: Day, hours: &[HalfHour]) {
        let offset = (day.0 - self.first_day).cast_unsigned();
        debug_assert!(offset < 31 && self.day_mask >> offset & 1 == 1);
        hours::encode_day(&mut self.hours, offset, hours);
    }

    /// Says how all rows of the month were paid; not saying so is saying nothing.
    pub fn mixes(&mut self, mixes: EncodedMixes) {
        self.mixes = mixes;
    }

    /// Marks the day as present and returns its distance from the month's first day.
    fn start_day(&mut self, day: Day) -> u32 {
        let offset = (day.0 - self.first_day).cast_unsigned();
        debug_assert!(
            offset < 31 && self.day_mask >> offset == 0,
            "days ascend in one month"
        );
        self.day_mask |= 1 << offset;
        self.roll_up.add_day(self.days.len(), self.cards.len());
        offset
    }

    fn day_cards(&mut self, offset: u32, cards: DayCards<'_>) {
        put_varint(&mut self.cards, cards.first_ever);
        runs::encode(cards.returning, &mut self.cards);
        self.buyers.day(offset, cards.buyers);
        self.loyalty.day(offset, cards.second, cards.cohorts);
        self.first_ever += cards.first_ever;
        for run in cards.returning.iter().filter(|run| run.distance > offset) {
            self.entering += run.count;
            self.roll_up.add_entering(Run {
                distance: run.distance - offset,
                count: run.count,
            });
        }
    }

    /// Returns the totals of the days added so far, and their distinct cards.
    #[must_use]
    pub fn totals(&self) -> (Statistics, u64) {
        (self.statistics, self.first_ever + self.entering)
    }

    /// Appends the record.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let rolled_up = month_roll_up::is_due(self.statistics.count);
        let buyers_differ = !self.buyers.days().is_empty();
        let has_hours = !self.hours.is_empty();
        let flags = [
            rolled_up,
            buyers_differ,
            has_hours,
            self.loyalty.has_second(),
            self.loyalty.has_cohorts(),
            !self.mixes.is_empty(),
        ];
        let set = (0..)
            .zip(flags)
            .map(|(bit, is_set)| u8::from(is_set) << bit);
        out.push(set.sum());
        out.extend_from_slice(&self.day_mask.to_le_bytes());
        self.statistics.encode(out);
        put_varint(out, self.first_ever);
        put_varint(out, self.entering);
        put_varint(out, self.days.len() as u64);
        put_varint(out, self.cards.len() as u64);
        out.extend_from_slice(&self.days);
        out.extend_from_slice(&self.cards);
        if buyers_differ {
            self.buyers.days().encode(out);
        }
        if has_hours {
            self.hours.encode(out);
        }
        self.loyalty.encode(out);
        if !self.mixes.is_empty() {
            self.mixes.encode(out);
        }
        if rolled_up {
            self.roll_up.encode_bins(&self.cells, out);
            if buyers_differ {
                self.buyers.encode_month(out);
            }
            self.roll_up.encode_entering(out);
        }
    }
}

/// Appends the occupied cells of ascending amounts, of which there is at least one.
fn collect_cells(amounts: &[i64], cells: &mut Vec<(Cell, u64)>) {
    let (mut cell, mut count) = (Cell::of(amounts[0]), 1);
    for amount in &amounts[1..] {
        let next = Cell::of(*amount);
        if next == cell {
            count += 1;
        } else {
            cells.push((cell, count));
            (cell, count) = (next, 1);
        }
    }
    cells.push((cell, count));
}

fn encode_amounts(amounts: &[i64], out: &mut Vec<u8>) {
    put_varint(out, (amounts.len() as u64) << 1);
    put_signed(out, amounts[0]);
    let deltas = amounts.windows(2).map(|pair| pair[1].abs_diff(pair[0]));
    if amounts[amounts.len() - 1].abs_diff(amounts[0]) < SHORT_VARINT_END {
        put_short_varints(out, deltas);
    } else {
        deltas.for_each(|delta| put_varint(out, delta));
    }
}

/// Returns how many bytes [`encode_totals`] takes at least: two for each cell, one for each other
/// number.
fn totals_len_min(cells: &[(Cell, u64)]) -> usize {
    10 + 2 * cells.len()
}

fn encode_totals(totals: &Statistics, cells: &[(Cell, u64)], out: &mut Vec<u8>) {
    put_varint(out, 1);
    totals.encode(out);
    let start = out.len();
    encode_cells(cells, out);
    // The cells' length goes before them, so that whoever wants totals only can step over.
    let len = out.len() - start;
    put_varint(out, len as u64);
    let prefix = out.len() - start - len;
    out[start..].rotate_right(prefix);
}

/// Appends ascending cells and their counts.
pub(super) fn encode_cells(cells: &[(Cell, u64)], out: &mut Vec<u8>) {
    put_varint(out, cells.len() as u64);
    let mut previous: Option<i64> = None;
    for (cell, count) in cells {
        let index = i64::from(cell.index());
        match previous {
            None => put_signed(out, index),
            Some(previous) => put_varint(out, (index - previous - 1).cast_unsigned()),
        }
        put_varint(out, count - 1);
        previous = Some(index);
    }
}
