//! In which order a list is: `rank_by`, and `against` of growth.

use nightshard_format::{
    Error,
    calendar::{Day, Month},
    record::{Growth, RankBy, Ranking},
};

use super::parameters::Parameters;
use crate::{
    json::Json,
    problem::{Problem, Result},
};

/// The words of `rank_by`.
const ORDERS: [(&str, RankBy); 3] = [
    ("transactions", RankBy::Transactions),
    ("amount", RankBy::Amount),
    ("growth", RankBy::Growth),
];

/// The words of `against`.
const AGAINST: [(&str, RankBy); 2] = [("previous", RankBy::Growth), ("year", RankBy::YearGrowth)];

/// The order of a list.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) by: RankBy,
    /// Of growth, the last month that has ended and the one it is compared with.
    months: Option<(Month, Month)>,
}

impl Order {
    /// Takes `rank_by` and `against`, of data whose last row is of a day.
    ///
    /// # Errors
    /// A problem that names the parameter at fault.
    pub(super) fn take(parameters: &mut Parameters<'_>, last_row: Day) -> Result<Self, Problem> {
        let by = parameters.take_word("rank_by", &ORDERS)?;
        let by = by.unwrap_or(RankBy::Transactions);
        let against = parameters.take_word("against", &AGAINST)?;
        if against.is_some() && by != RankBy::Growth {
            let detail = "only rank_by=growth is against something";
            return Err(Problem::parameter("against", detail));
        }
        let by = against.unwrap_or(by);
        let ended = Month::last_ended(last_row);
        Ok(Self {
            by,
            months: by.month_before(ended).map(|before| (ended, before)),
        })
    }

    /// Returns whether it is one by growth.
    pub(super) fn is_growth(&self) -> bool {
        AGAINST.iter().any(|(_, by)| *by == self.by)
    }

    /// Writes the members that say which order it is.
    pub(super) fn write(&self, json: &mut Json) {
        let against = AGAINST.iter().find(|(_, by)| *by == self.by);
        let word = against.map_or(self.by.as_str(), |_| RankBy::Growth.as_str());
        json.key("rank_by").string(word);
        if let (Some((word, _)), Some((month, before))) = (against, self.months) {
            json.key("against").string(word);
            json.key("period").display(month);
            json.key("before").display(before);
        }
    }

    /// Writes, in a list by growth, that of the row at a position.
    pub(super) fn write_growth(
        &self,
        json: &mut Json,
        ranking: &Ranking<'_>,
        position: usize,
    ) -> Result<()> {
        if self.months.is_none() {
            return Ok(());
        }
        let growth: Option<Growth> = ranking.growth(position)?;
        let growth = growth.ok_or_else(|| Error::Corrupt {
            structure: "ranking",
            problem: "it ends before its last row".into(),
        })?;
        json.key("growth").float(growth.share());
        json.key("period_sum").integer(growth.now);
        json.key("before_sum").float(Some(growth.before_minor()));
        Ok(())
    }
}
