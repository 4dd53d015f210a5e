//! What the cards of a store do and spend elsewhere in a month.

use nightshard_format::{
    calendar::Month,
    record::{BEFORE_AFTER, BesideRecord, ORIGINS, OriginsRecord, SPEND_SHARES, SpendShare},
    shard::Span,
};

use super::Series;
use crate::problem::Result;

impl<'a> Series<'a> {
    /// Reads where cards come from in a month, if that is told.
    pub(crate) fn origins(&self, month: Month) -> Result<Option<OriginsRecord<'a>>> {
        let span = Span::Month(month);
        let value = self.generation.get(ORIGINS, span, self.subject.key)?;
        let record = value.map(|value| OriginsRecord::parse(value.in_place()?));
        Ok(record.transpose()?)
    }

    /// Reads where cards buy before and after in a month, if that is told.
    pub(crate) fn before_after(&self, month: Month) -> Result<Option<BesideRecord<'a>>> {
        let span = Span::Month(month);
        let value = self.generation.get(BEFORE_AFTER, span, self.subject.key)?;
        let record = value.map(|value| BesideRecord::parse(value.in_place()?));
        Ok(record.transpose()?)
    }

    /// Reads what cards spend here and in all stores of the kind in a month, if that is told.
    pub(crate) fn spend_share(&self, month: Month) -> Result<Option<SpendShare>> {
        let span = Span::Month(month);
        let value = self.generation.get(SPEND_SHARES, span, self.subject.key)?;
        let share = value.map(|value| SpendShare::parse(value.in_place()?));
        Ok(share.transpose()?)
    }
}
