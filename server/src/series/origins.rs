//! Where the cards of a store come from in a month.

use nightshard_format::{
    calendar::Month,
    record::{ORIGINS, OriginsRecord},
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
}
