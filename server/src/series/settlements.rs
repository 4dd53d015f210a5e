//! When a store's rows settle, and what was kept and paid out for them.

use nightshard_format::{
    Error,
    calendar::Month,
    record::{SETTLEMENTS, STORES, SettlementMonth, SettlementSummary},
    shard::Span,
};

use super::Series;
use crate::problem::Result;

impl Series<'_> {
    /// Reads what is known of the settlements of each month, if rows of the store say something of them.
    pub(crate) fn settlement_summary(&self) -> Result<Option<SettlementSummary>> {
        if self.subject.dataset != STORES {
            return Ok(None);
        }
        let key = self.subject.key;
        let value = self.generation.get(SETTLEMENTS, Span::Current, key)?;
        let summary = value.map(|value| SettlementSummary::parse(value.in_place()?));
        Ok(summary.transpose()?)
    }

    /// Reads the settlements of a month that the summary of them names.
    pub(crate) fn settlements(&self, month: Month) -> Result<SettlementMonth> {
        let span = Span::Month(month);
        let value = self.generation.get(SETTLEMENTS, span, self.subject.key)?;
        let missing = || Error::Corrupt {
            structure: "settlements",
            problem: format!("{month} is named, of which there is no record"),
        };
        Ok(SettlementMonth::parse(
            value.ok_or_else(missing)?.in_place()?,
        )?)
    }
}
