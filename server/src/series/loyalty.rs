//! Who comes back, and what takes each card as a whole.

use nightshard_format::{
    Error,
    calendar::Month,
    loyalty::Loyalty,
    record::{LoyaltyRecord, loyalty_dataset, loyalty_key, loyalty_spans},
    shard::Span,
};

use super::{Series, Window, days_estimate_ns, roll_up_estimate_ns};
use crate::{
    api::ANSWER_BYTES_MAX,
    problem::{Failure, Result},
    work::Work,
};

/// The time to keep and write how many cards of a cohort come in one month, in nanoseconds.
const RETAINED_NS: u64 = 10;

/// So many such numbers, of two bytes at least, make an answer too long.
const RETAINED_MAX: u64 = ANSWER_BYTES_MAX as u64 / 2;

impl Series<'_> {
    /// Counts who comes back in the window, and within how many days.
    pub(crate) fn loyalty(
        &self,
        window: &Window,
        absence: u32,
        repeat_days: &[u32],
        work: &mut Work,
    ) -> Result<Loyalty> {
        let mut loyalty = Loyalty::new(window.shown(), absence, repeat_days, self.data.last);
        self.begin_cohorts(&mut loyalty, window, work)?;
        for totals in &self.summary.months {
            let record = self.record(totals.month)?;
            let days = loyalty.days_of_buyers().intersection(totals.month.days());
            if days.is_empty() {
                work.spend(roll_up_estimate_ns(totals))?;
            } else {
                work.spend(days_estimate_ns(totals) * 2)?;
                record.visit_buyers(days, |day, buyers| loyalty.add_buyers(day, buyers))?;
            }
            record.visit_second_visits(totals.month.days(), |day, visits| {
                loyalty.add_second_visits(day, visits);
            })?;
            record.visit_cohorts(|buyers| loyalty.add_retained(totals.month, buyers))?;
        }
        Ok(loyalty)
    }

    /// Returns the record of loyalty of a span, or `None` if the subject has no row in its periods, or is a tile.
    pub(crate) fn loyalty_record(&self, span: Span) -> Result<Option<LoyaltyRecord>> {
        let months = self.summary.months.iter().map(|totals| totals.month);
        let of_spans = loyalty_spans(months);
        let dataset = loyalty_dataset(self.subject.dataset);
        let Some(dataset) = dataset.filter(|_| of_spans.contains(&span)) else {
            return Ok(None);
        };
        let key = loyalty_key(self.subject.dataset, self.subject.key);
        let value = self.generation.get(dataset, span, &key)?;
        let missing = || Error::Corrupt {
            structure: "summary",
            problem: format!("there is no loyalty of {span}, though there are rows"),
        };
        let value = value.ok_or_else(missing)?.in_place()?;
        Ok(Some(LoyaltyRecord::parse(span, value)?))
    }

    /// Returns the sum of the sales of a window that cuts no month.
    pub(crate) fn sale_sum_of_months(&self, window: &Window) -> u128 {
        let sums = self.months_in(window).iter();
        let sums = sums.map(|totals| totals.statistics.sale_sum());
        sums.fold(0, u128::saturating_add)
    }

    /// Begins the cohorts of the months of the window, from the first that has rows.
    fn begin_cohorts(&self, loyalty: &mut Loyalty, window: &Window, work: &mut Work) -> Result<()> {
        let last = self.data.last.month();
        let first = self.summary.months.first().map_or(last, |it| it.month);
        let months = first.max(window.touched.first).0..=window.touched.last.0;
        let mut retained = 0;
        for month in months
            .map(Month)
            .filter(|month| window.whole.has(*month, 1))
        {
            let later = u64::from(last.0.saturating_sub(month.0).unsigned_abs());
            work.spend(later * RETAINED_NS)?;
            retained += later;
            if retained > RETAINED_MAX {
                return Err(Failure::Long);
            }
            loyalty.begin_cohort(month);
        }
        Ok(())
    }
}
