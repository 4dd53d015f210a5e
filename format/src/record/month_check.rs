//! The whole of a month record checked against itself: what a reader of one range never sees.

use super::{
    Change, MonthRecord, Run,
    buyers::entering,
    changes::{self, net_changes},
    day_lists::DayLists,
    hours, mixes,
    month::{DayRows, read_day, visit_amounts},
    month_roll_up::{RollUpView, decode_cells, is_due},
    runs,
};
use crate::{
    Error, Result,
    bytes::Bytes,
    histogram::{AMOUNT_MINOR_MAX, Cell, FineHistogram},
    statistics::Statistics,
};

/// What the days of a month add up to, and where each begins.
#[derive(Default)]
struct Walked {
    totals: Statistics,
    bins: FineHistogram,
    first_ever: u64,
    /// Cards seen before the month, by days before its first.
    entering: Vec<Run>,
    /// How buyers differ from cards, as seen from the month's first day.
    buyers: Vec<Change>,
    /// Buyers who had a sale before the month.
    entering_buyers: i128,
    offsets: Vec<(usize, usize)>,
}

impl MonthRecord<'_> {
    /// Reads the whole record and checks that its parts agree: the totals and cards of the month
    /// and its roll-up are those of its days, and no byte is left over.
    ///
    /// # Errors
    /// [`Error::Corrupt`] saying what does not agree.
    pub fn verify(&self) -> Result<()> {
        let walked = self.walk()?;
        if walked.totals != self.statistics || self.day_mask == 0 {
            return Err(damaged("its totals are not those of its days"));
        }
        let mut entering = walked.entering.iter();
        let entering = entering.try_fold(0_u64, |sum, run| sum.checked_add(run.count));
        if walked.first_ever != self.first_ever || entering != Some(self.entering) {
            return Err(damaged("its cards are not those of its days"));
        }
        match &self.roll_up {
            Some(roll_up) if is_due(self.statistics.count) => check_roll_up(roll_up, &walked),
            None if !is_due(self.statistics.count) => Ok(()),
            Some(_) => Err(damaged("it has a roll-up, but too few rows for one")),
            None => Err(damaged("it has no roll-up, but rows enough for one")),
        }
    }

    fn walk(&self) -> Result<Walked> {
        let mut walked = Walked::default();
        let mut days = Bytes::new(self.days, "month record");
        let mut cards = Bytes::new(self.cards, "month record");
        let (mut buyers, mut hours, mut second) = (self.buyers, self.hours, self.second);
        for offset in (0..u32::BITS).filter(|offset| self.day_mask >> offset & 1 == 1) {
            let left = (days.rest().len(), cards.rest().len());
            let begins = (self.days.len() - left.0, self.cards.len() - left.1);
            walked.offsets.push(begins);
            let totals = check_day(&mut days, &mut walked.bins, walked.totals.count)?;
            walked.totals.merge(&totals);
            let of_day = walked.add_cards(&mut cards, offset)?;
            let of_day = walked.add_buyers(buyers.as_mut(), offset, of_day, &totals)?;
            if let Some(second) = &mut second {
                check_second(second, offset, &of_day)?;
            }
            if let Some(hours) = &mut hours {
                check_hours(hours, offset, &totals)?;
            }
        }
        let is_left = |lists: Option<DayLists<'_>>| lists.is_some_and(|it| !it.is_empty());
        if is_left(buyers) || is_left(hours) || is_left(second) {
            return Err(damaged("bytes are left over after its lists"));
        }
        if !days.is_empty() || !cards.is_empty() {
            return Err(damaged("bytes are left over after its days"));
        }
        if let Some(cohorts) = self.cohorts {
            check_cohorts(cohorts, walked.entering_buyers)?;
        }
        if let Some(mixes) = self.mixes {
            mixes::check(mixes, (walked.totals.count, walked.totals.sum))?;
        }
        walked.entering.sort_unstable_by_key(|run| run.distance);
        walked.entering.dedup_by(|next, kept| {
            let same = next.distance == kept.distance;
            if same {
                kept.count = kept.count.saturating_add(next.count);
            }
            same
        });
        Ok(walked)
    }
}

impl Walked {
    /// Adds the cards of the day that is `offset` days after the month's first, and returns how many
    /// never were there before and the others.
    fn add_cards(&mut self, cards: &mut Bytes<'_>, offset: u32) -> Result<(u64, Vec<Run>)> {
        let first_ever = cards.varint()?;
        self.first_ever = self.first_ever.saturating_add(first_ever);
        let runs = ascending_runs(cards)?;
        for run in &runs {
            if run.distance > offset {
                self.entering.push(Run {
                    distance: run.distance - offset,
                    count: run.count,
                });
            }
        }
        Ok((first_ever, runs))
    }

    /// Adds how the buyers of a day differ from its cards, of whom there must be enough, and no more
    /// than the day has sales; returns the buyers who had a sale before.
    fn add_buyers(
        &mut self,
        buyers: Option<&mut DayLists<'_>>,
        offset: u32,
        (first_ever, runs): (u64, Vec<Run>),
        day: &Statistics,
    ) -> Result<Vec<Change>> {
        let mut list = None;
        if let Some(buyers) = buyers {
            buyers.read(offset, |bytes, _is_wanted| {
                list = Some(ascending_changes(bytes)?);
                Ok(())
            })?;
        }
        let has_list = list.is_some();
        let changes = list.unwrap_or_default();
        let cards_at = |distance: u32| match distance {
            0 => first_ever,
            _ => runs
                .binary_search_by_key(&distance, |run| run.distance)
                .map_or(0, |at| runs[at].count),
        };
        let too_few = |change: &Change| {
            cards_at(change.distance)
                .checked_add_signed(change.cards)
                .is_none()
        };
        let more: i128 = changes.iter().map(|change| i128::from(change.cards)).sum();
        if has_list && (changes.is_empty() || more > 0 || changes.iter().any(too_few)) {
            return Err(damaged("its buyers are not among its cards"));
        }
        let returning: i128 = runs.iter().map(|run| i128::from(run.count)).sum();
        if i128::from(first_ever) + returning + more > i128::from(day.sale_count()) {
            return Err(damaged("a day has more buyers than sales"));
        }
        let cards = runs.iter().map(|run| Change {
            distance: run.distance,
            cards: i64::try_from(run.count).unwrap_or(i64::MAX),
        });
        let mut returning: Vec<Change> = cards.chain(changes.iter().copied()).collect();
        returning.retain(|change| change.distance > 0);
        net_changes(&mut returning);
        let from_before = returning.iter().filter(|it| it.distance > offset);
        self.entering_buyers += from_before.map(|it| i128::from(it.cards)).sum::<i128>();
        let entering = changes.into_iter().filter_map(|it| entering(it, offset));
        self.buyers.extend(entering);
        Ok(returning)
    }
}

/// Reads a day, adds its rows to `bins`, which counts `before` rows, and returns its totals.
fn check_day(days: &mut Bytes<'_>, bins: &mut FineHistogram, before: u64) -> Result<Statistics> {
    match read_day(days)? {
        DayRows::Amounts { len: 0, .. } => Err(damaged("a day has no rows")),
        DayRows::Amounts { len, bytes } => {
            let mut totals = Statistics::default();
            visit_amounts(len, bytes, |amount| {
                totals.push(amount);
                bins.add(Cell::of(amount), 1);
            })?;
            Ok(totals)
        }
        DayRows::Totals {
            statistics,
            mut cells,
        } => {
            let mut counted = Vec::new();
            decode_cells(&mut cells, |cell, count| counted.push((cell, count)))?;
            let agree = cells.is_empty()
                && before.checked_add(statistics.count).is_some()
                && agree(&statistics, &counted);
            if !agree {
                return Err(damaged("a day's histogram is not that of its totals"));
            }
            for (cell, count) in counted {
                bins.add(cell, count);
            }
            Ok(statistics)
        }
    }
}

/// Checks that the half hours of a day ascend, and have no rows that the day has not.
fn check_hours(lists: &mut DayLists<'_>, offset: u32, day: &Statistics) -> Result<()> {
    let (mut count, mut sum, mut last) = (0_u64, 0_i128, None);
    let mut has_list = false;
    lists.read(offset, |bytes, is_wanted| {
        has_list |= is_wanted;
        hours::decode(bytes, |hour| {
            count = count.saturating_add(hour.count);
            sum = sum.saturating_add(hour.sum);
            last = Some(hour.half_hour);
        })
    })?;
    let is_empty = has_list && last.is_none();
    if is_empty || count > day.count || count == day.count && sum != day.sum {
        return Err(damaged("its half hours are not those of its days"));
    }
    Ok(())
}

/// Checks that the second visits of a day are among its buyers who had a sale before.
fn check_second(lists: &mut DayLists<'_>, offset: u32, buyers: &[Change]) -> Result<()> {
    let mut list = None;
    lists.read(offset, |bytes, _is_wanted| {
        list = Some(ascending_runs(bytes)?);
        Ok(())
    })?;
    let is_among = |run: &Run| {
        let found = buyers.binary_search_by_key(&run.distance, |buyers| buyers.distance);
        found.is_ok_and(|at| i128::from(buyers[at].cards) >= i128::from(run.count))
    };
    match list {
        Some(runs) if runs.is_empty() || !runs.iter().all(is_among) => {
            Err(damaged("its second visits are not among its buyers"))
        }
        _ => Ok(()),
    }
}

/// Checks that cohorts are those of the buyers who had a sale before the month.
fn check_cohorts(cohorts: &[u8], entering_buyers: i128) -> Result<()> {
    let mut bytes = Bytes::new(cohorts, "month record");
    let runs = ascending_runs(&mut bytes)?;
    let buyers: i128 = runs.iter().map(|run| i128::from(run.count)).sum();
    if runs.is_empty() || !bytes.is_empty() || buyers != entering_buyers {
        return Err(damaged("its cohorts are not those of its buyers"));
    }
    Ok(())
}

/// Returns whether totals can be those of rows in these cells.
fn agree(totals: &Statistics, cells: &[(Cell, u64)]) -> bool {
    let (Some((first, _)), Some((last, _))) = (cells.first(), cells.last()) else {
        return false;
    };
    let sum = |refunds: bool| {
        let cells = cells.iter();
        let counts = cells.filter(|(cell, _)| !refunds || cell.index() < 0);
        counts.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
    };
    let count_at = |cell: Cell| {
        let found = cells.binary_search_by_key(&cell, |(cell, _)| *cell);
        found.map_or(0, |at| cells[at].1)
    };
    let bounds = -AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX;
    let count = i128::from(totals.count);
    let (least, most) = (i128::from(totals.min), i128::from(totals.max));
    bounds.contains(&totals.min)
        && bounds.contains(&totals.max)
        && (Cell::of(totals.min), Cell::of(totals.max)) == (*first, *last)
        && (sum(false), sum(true)) == (totals.count, totals.refund_count)
        && count_at(Cell::of(0)) == totals.zero_count
        && (least * count..=most * count).contains(&totals.sum)
        && are_refunds_and_sales(totals)
}

/// Returns whether the sums of refunds and of sales can be those of so many.
fn are_refunds_and_sales(totals: &Statistics) -> bool {
    let (refunds, sales) = (
        i128::from(totals.refund_count),
        i128::from(totals.sale_count()),
    );
    let sum_of_sales = totals.sum.saturating_sub(totals.refund_sum);
    let (least, most) = (i128::from(totals.min), i128::from(totals.max));
    (least * refunds..=-refunds).contains(&totals.refund_sum)
        && (sales..=most * sales).contains(&sum_of_sales)
}

fn check_roll_up(roll_up: &RollUpView<'_>, walked: &Walked) -> Result<()> {
    for (index, begins) in (0..).zip(&walked.offsets) {
        if roll_up.day_offsets(index)? != *begins {
            return Err(damaged("its directory does not lead to its days"));
        }
    }
    let mut bins = Bytes::new(roll_up.bins, "month record");
    let mut cells = Vec::new();
    decode_cells(&mut bins, |cell, count| cells.push((cell, count)))?;
    if !bins.is_empty() || !walked.bins.iter().eq(cells) {
        return Err(damaged("its histogram is not that of its days"));
    }
    check_month_of_buyers(roll_up, &walked.buyers)?;
    let mut entering = Bytes::new(roll_up.entering, "month record");
    if ascending_runs(&mut entering)? != walked.entering {
        return Err(damaged("its entering cards are not those of its days"));
    }
    if entering.is_empty() {
        Ok(())
    } else {
        Err(damaged("bytes are left over"))
    }
}

fn check_month_of_buyers(roll_up: &RollUpView<'_>, of_days: &[Change]) -> Result<()> {
    let Some(changes) = roll_up.buyers else {
        return Ok(());
    };
    let mut bytes = Bytes::new(changes, "month record");
    let changes = ascending_changes(&mut bytes)?;
    let mut expected = of_days.to_vec();
    net_changes(&mut expected);
    if changes != expected || !bytes.is_empty() {
        return Err(damaged("its entering buyers are not those of its days"));
    }
    Ok(())
}

/// Reads changes and checks that their distances ascend and each changes something.
fn ascending_changes(bytes: &mut Bytes<'_>) -> Result<Vec<Change>> {
    let mut read: Vec<Change> = Vec::new();
    changes::decode(bytes, |change| read.push(change))?;
    let ascend = read.is_sorted_by(|a, b| a.distance < b.distance);
    if !ascend || read.iter().any(|change| change.cards == 0) {
        return Err(damaged("its changes do not ascend, or change nothing"));
    }
    Ok(read)
}

/// Reads runs and checks that their distances ascend from 1.
fn ascending_runs(bytes: &mut Bytes<'_>) -> Result<Vec<Run>> {
    let mut read: Vec<Run> = Vec::new();
    runs::decode(bytes, |run| read.push(run))?;
    let mut last = 0;
    for run in &read {
        if run.distance <= last {
            return Err(damaged("its distances do not ascend"));
        }
        last = run.distance;
    }
    Ok(read)
}

fn damaged(problem: &'static str) -> Error {
    Error::corrupt("month record", problem)
}
