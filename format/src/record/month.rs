//! Reader of a month record: one key's rows in one month, day by day (docs/format.md, "Month").

use super::{
    buyers,
    changes::Change,
    day_lists::DayLists,
    hours::{self, HalfHour},
    loyalty,
    mixes::{self, MixRow},
    month_roll_up::{RollUpView, decode_cells},
    runs::{self, Run},
};
use crate::{
    Error, Result,
    bytes::Bytes,
    calendar::{Day, DayRange, Month},
    histogram::{AMOUNT_MINOR_MAX, Cell, FineHistogram},
    statistics::Statistics,
};

/// A month record read in place.
///
/// Every figure is exact for any range of days: totals and histograms are sums over days, and a
/// card counts in the range on the one day whose previous day lies before the range. A *buyer* is a
/// card with a sale, and counts likewise on its days with one.
#[derive(Debug, Clone, Copy)]
pub struct MonthRecord<'a> {
    pub(super) month: Month,
    pub(super) day_mask: u32,
    pub(super) statistics: Statistics,
    pub(super) first_ever: u64,
    pub(super) entering: u64,
    pub(super) days: &'a [u8],
    pub(super) cards: &'a [u8],
    pub(super) buyers: Option<DayLists<'a>>,
    pub(super) hours: Option<DayLists<'a>>,
    pub(super) second: Option<DayLists<'a>>,
    pub(super) cohorts: Option<&'a [u8]>,
    pub(super) mixes: Option<&'a [u8]>,
    pub(super) roll_up: Option<RollUpView<'a>>,
}

impl<'a> MonthRecord<'a> {
    /// Reads the head of a record of `month`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early or late, or has days that the month has not.
    pub fn parse(month: Month, bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, "month record");
        let flags = bytes.u8()?;
        if flags > 63 {
            let problem = "its first byte is not 0 to 63";
            return Err(Error::corrupt("month record", problem));
        }
        let (rolled_up, buyers_differ) = (flags & 1 == 1, flags & 2 == 2);
        let day_mask = bytes.u32()?;
        if u64::from(day_mask) >> month.len_days() != 0 {
            return Err(Error::corrupt(
                "month record",
                "it has more days than the month",
            ));
        }
        let statistics = Statistics::decode(&mut bytes)?;
        let (first_ever, entering) = (bytes.varint()?, bytes.varint()?);
        let (days_len, cards_len) = (bytes.length()?, bytes.length()?);
        let (days, cards) = (bytes.take(days_len)?, bytes.take(cards_len)?);
        let mut lists = |are_there: bool| {
            are_there
                .then(|| DayLists::parse(bytes.take_prefixed()?, day_mask))
                .transpose()
        };
        let (buyers, hours) = (lists(buyers_differ)?, lists(flags & 4 == 4)?);
        let second = lists(flags & 8 == 8)?;
        let mut list = |is_there: bool| is_there.then(|| bytes.take_prefixed()).transpose();
        let (cohorts, mixes) = (list(flags & 16 == 16)?, list(flags & 32 == 32)?);
        let roll_up = rolled_up
            .then(|| RollUpView::parse(bytes, day_mask.count_ones(), buyers_differ))
            .transpose()?;
        if !rolled_up && !bytes.is_empty() {
            return Err(Error::corrupt("month record", "bytes are left over"));
        }
        Ok(Self {
            month,
            day_mask,
            statistics,
            first_ever,
            entering,
            days,
            cards,
            buyers,
            hours,
            second,
            cohorts,
            mixes,
            roll_up,
        })
    }

    /// Returns the totals of the month.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Returns how many distinct cards have a row in the month.
    #[must_use]
    pub fn cards(&self) -> u64 {
        self.first_ever.saturating_add(self.entering)
    }

    /// Passes each day of `range` that has rows to `visit`, with its totals, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn visit_days(
        &self,
        range: DayRange,
        mut visit: impl FnMut(Day, Statistics),
    ) -> Result<()> {
        let mut days = self.days_from(range)?;
        while let Some(day) = days.next_in(range) {
            visit(day, read_day(&mut days.bytes)?.totals()?);
        }
        Ok(())
    }

    /// Adds the rows of the days in `range` to `bins`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn add_bins(&self, range: DayRange, bins: &mut FineHistogram) -> Result<()> {
        if let Some(roll_up) = &self.roll_up
            && range.covers(self.month.days())
        {
            return roll_up.add_bins(bins);
        }
        let mut days = self.days_from(range)?;
        while let Some(day) = days.next_in(range) {
            let rows = read_day(&mut days.bytes)?;
            if range.contains(day) {
                rows.add_bins(bins)?;
            }
        }
        Ok(())
    }

    /// Returns all days of the month.
    #[must_use]
    pub fn days(&self) -> DayRange {
        self.month.days()
    }

    /// Passes all that each day says of its rows to `visit`, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn visit_rows(&self, mut visit: impl FnMut(Day, DayPart)) -> Result<()> {
        let range = self.month.days();
        let mut days = self.days_from(range)?;
        while let Some(day) = days.next_in(range) {
            match read_day(&mut days.bytes)? {
                DayRows::Amounts { len, bytes } => {
                    visit_amounts(len, bytes, |amount| visit(day, DayPart::Amount(amount)))?;
                }
                DayRows::Totals {
                    statistics,
                    mut cells,
                } => {
                    visit(day, DayPart::Totals(statistics));
                    decode_cells(&mut cells, |cell, count| {
                        visit(day, DayPart::Cell(cell, count));
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Returns how many cards have their first day since `since` in this month and in `range`.
    ///
    /// Summed over the months of a range that begins at `since`, that is the number of distinct
    /// cards in the range.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    ///
    /// # Complexity
    /// A month that lies wholly in `range` costs one scan of at most as many distances as there
    /// are days before it; others cost their days.
    pub fn cards_since(&self, range: DayRange, since: Day) -> Result<u64> {
        let first_day = self.month.first_day();
        if range.covers(self.month.days()) && since <= first_day {
            if since == first_day {
                return Ok(self.cards());
            }
            if let Some(roll_up) = &self.roll_up {
                let limit = (first_day.0 - since.0).cast_unsigned();
                let near = roll_up.entering_within(limit)?;
                return Ok(self.cards().saturating_sub(near));
            }
        }
        let mut total = 0;
        self.visit_cards_since(
            range,
            |day| since.min(day),
            |_, cards| total = u64::saturating_add(total, cards),
        )?;
        Ok(total)
    }

    /// Passes each day of `range` that has rows to `visit`, with the number of cards whose
    /// previous day lies before `since(day)`.
    ///
    /// # Shape
    /// `since(day)` is at most `day`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn visit_cards_since(
        &self,
        range: DayRange,
        mut since: impl FnMut(Day) -> Day,
        mut visit: impl FnMut(Day, u64),
    ) -> Result<()> {
        let mut days = self.cards_from(range)?;
        while let Some(day) = days.next_in(range) {
            let first_ever = days.bytes.varint()?;
            let limit = (day.0 - since(day).0).cast_unsigned();
            let returning = runs::count_above(&mut days.bytes, limit)?;
            visit(day, first_ever.saturating_add(returning));
        }
        Ok(())
    }

    /// Returns how many buyers have their first day with a sale since `since` in this month and in
    /// `range`, as [`MonthRecord::cards_since`] does of cards.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn buyers_since(&self, range: DayRange, since: Day) -> Result<u64> {
        let cards = self.cards_since(range, since)?;
        let more = self.buyers_beside(range, since)?;
        Ok(cards.saturating_add_signed(more))
    }

    /// Returns by how many these buyers differ from the cards: days without a refund before or on them have no list.
    fn buyers_beside(&self, range: DayRange, since: Day) -> Result<i64> {
        let Some(mut lists) = self.buyers else {
            return Ok(0);
        };
        let first_day = self.month.first_day();
        if let Some(roll_up) = &self.roll_up
            && range.covers(self.month.days())
            && since <= first_day
        {
            return roll_up.buyers_above((first_day.0 - since.0).cast_unsigned());
        }
        let mut more = 0_i64;
        for day in self.month.days().intersection(range).iter() {
            let offset = (day.0 - first_day.0).cast_unsigned();
            let limit = (day.0 - since.min(day).0).cast_unsigned();
            buyers::read_day(&mut lists, offset, |change| {
                if change.distance == 0 || change.distance > limit {
                    more = more.saturating_add(change.cards);
                }
            })?;
        }
        Ok(more)
    }

    /// Passes the buyers of each day of `range` to `visit`, by the distance to their previous day
    /// with a sale: as changes from none, which for one distance may come as several that have to
    /// be added up.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn visit_buyers(&self, range: DayRange, mut visit: impl FnMut(Day, Change)) -> Result<()> {
        let mut days = self.cards_from(range)?;
        let mut buyers = self.buyers;
        while let Some(day) = days.next_in(range) {
            let cards = |distance, count| Change {
                distance,
                cards: i64::try_from(count).unwrap_or(i64::MAX),
            };
            visit(day, cards(0, days.bytes.varint()?));
            runs::decode(&mut days.bytes, |run| {
                visit(day, cards(run.distance, run.count));
            })?;
            if let Some(lists) = &mut buyers {
                let offset = (day.0 - self.month.first_day().0).cast_unsigned();
                buyers::read_day(lists, offset, |change| visit(day, change))?;
            }
        }
        Ok(())
    }

    /// Passes the rows of each day of `range` to `visit` by half hour, as far as their time is
    /// known, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn visit_hours(&self, range: DayRange, mut visit: impl FnMut(Day, HalfHour)) -> Result<()> {
        let Some(mut lists) = self.hours else {
            return Ok(());
        };
        let first_day = self.month.first_day();
        for day in self.month.days().intersection(range).iter() {
            let offset = (day.0 - first_day.0).cast_unsigned();
            hours::read_day(&mut lists, offset, |hour| visit(day, hour))?;
        }
        Ok(())
    }

    /// Passes the buyers whose second day with a sale is in `range` to `visit`, by the distance to
    /// their first one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a day is damaged.
    pub fn visit_second_visits(
        &self,
        range: DayRange,
        mut visit: impl FnMut(Day, Run),
    ) -> Result<()> {
        let Some(mut lists) = self.second else {
            return Ok(());
        };
        let first_day = self.month.first_day();
        for day in self.month.days().intersection(range).iter() {
            let offset = (day.0 - first_day.0).cast_unsigned();
            loyalty::read_day(&mut lists, offset, |run| visit(day, run))?;
        }
        Ok(())
    }

    /// Passes the distinct buyers of the month to `visit` by how many months ago they had their first
    /// sale, less those who have it in this month.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are damaged.
    pub fn visit_cohorts(&self, visit: impl FnMut(Run)) -> Result<()> {
        let Some(cohorts) = self.cohorts else {
            return Ok(());
        };
        runs::decode(&mut Bytes::new(cohorts, "month record"), visit)
    }

    /// Passes how the rows of the whole month were paid to `visit`: of each dimension of which some row
    /// says something, all its values.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are damaged.
    pub fn visit_mixes(&self, visit: impl FnMut(MixRow<'a>)) -> Result<()> {
        match self.mixes {
            Some(mixes) => mixes::decode(mixes, visit),
            None => Ok(()),
        }
    }

    /// Starts at the first day of `range`, as near as can be had without reading days.
    fn days_from(&self, range: DayRange) -> Result<PresentDays<'a>> {
        self.present_days(
            self.days,
            range,
            |roll_up, index| Ok(roll_up.day_offsets(index)?.0),
            |bytes| read_day(bytes).map(|_skipped| ()),
        )
    }

    fn cards_from(&self, range: DayRange) -> Result<PresentDays<'a>> {
        self.present_days(
            self.cards,
            range,
            |roll_up, index| Ok(roll_up.day_offsets(index)?.1),
            |bytes| {
                bytes.varint()?;
                runs::decode(bytes, |_skipped| ())
            },
        )
    }

    fn present_days(
        &self,
        section: &'a [u8],
        range: DayRange,
        offset_of: impl Fn(&RollUpView<'a>, u32) -> Result<usize>,
        skip: impl Fn(&mut Bytes<'a>) -> Result<()>,
    ) -> Result<PresentDays<'a>> {
        let first_day = self.month.first_day();
        let before = range
            .first
            .0
            .saturating_sub(first_day.0)
            .clamp(0, 31)
            .cast_unsigned();
        let kept = self.day_mask >> before << before;
        let skipped = (self.day_mask & !kept).count_ones();
        let mut days = PresentDays {
            first_day,
            mask: kept,
            bytes: Bytes::new(section, "month record"),
        };
        if skipped == 0 || kept == 0 {
            return Ok(days);
        }
        match &self.roll_up {
            Some(roll_up) => {
                days.bytes.take(offset_of(roll_up, skipped)?)?;
            }
            None => (0..skipped).try_for_each(|_| skip(&mut days.bytes))?,
        }
        Ok(days)
    }
}

/// What a day says of its rows: each amount, or their totals and how many there are in each cell.
#[derive(Debug, Clone, Copy)]
pub enum DayPart {
    /// A row.
    Amount(i64),
    /// The totals of all rows.
    Totals(Statistics),
    /// Rows in a cell of the histogram.
    Cell(Cell, u64),
}

/// The days of a month that have rows, and the bytes of those not yet read.
struct PresentDays<'a> {
    first_day: Day,
    mask: u32,
    bytes: Bytes<'a>,
}

impl PresentDays<'_> {
    /// Returns the next day, unless it lies after `range`.
    fn next_in(&mut self, range: DayRange) -> Option<Day> {
        if self.mask == 0 {
            return None;
        }
        let day = Day(self.first_day.0 + self.mask.trailing_zeros().cast_signed());
        self.mask &= self.mask - 1;
        range.contains(day).then_some(day)
    }
}

/// The rows of one day, in either of their two encodings.
pub(super) enum DayRows<'a> {
    Amounts {
        len: u64,
        bytes: Bytes<'a>,
    },
    Totals {
        statistics: Statistics,
        cells: Bytes<'a>,
    },
}

pub(super) fn read_day<'a>(bytes: &mut Bytes<'a>) -> Result<DayRows<'a>> {
    let head = bytes.varint()?;
    if head & 1 == 1 {
        let statistics = Statistics::decode(bytes)?;
        let cells = Bytes::new(bytes.take_prefixed()?, "month record");
        return Ok(DayRows::Totals { statistics, cells });
    }
    let rows = DayRows::Amounts {
        len: head >> 1,
        bytes: *bytes,
    };
    bytes.signed()?;
    for _ in 1..head >> 1 {
        bytes.varint()?;
    }
    Ok(rows)
}

impl DayRows<'_> {
    fn totals(self) -> Result<Statistics> {
        match self {
            Self::Totals { statistics, .. } => Ok(statistics),
            Self::Amounts { len, bytes } => {
                let mut totals = Statistics::default();
                visit_amounts(len, bytes, |amount| totals.push(amount))?;
                Ok(totals)
            }
        }
    }

    fn add_bins(self, bins: &mut FineHistogram) -> Result<()> {
        match self {
            Self::Totals { mut cells, .. } => {
                decode_cells(&mut cells, |cell, count| bins.add(cell, count))
            }
            Self::Amounts { len, bytes } => {
                visit_amounts(len, bytes, |amount| bins.add(Cell::of(amount), 1))
            }
        }
    }
}

pub(super) fn visit_amounts(
    len: u64,
    mut bytes: Bytes<'_>,
    mut visit: impl FnMut(i64),
) -> Result<()> {
    let mut amount = bytes.signed()?;
    for position in 0..len {
        if position > 0 {
            amount = amount.saturating_add_unsigned(bytes.varint()?);
        }
        if amount.unsigned_abs() > AMOUNT_MINOR_MAX.unsigned_abs() {
            return Err(Error::corrupt("month record", "an amount is out of bounds"));
        }
        visit(amount);
    }
    Ok(())
}
