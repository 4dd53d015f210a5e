//! Who pays at a store, and at all stores together, in a month.

use nightshard_format::{
    Error,
    calendar::Month,
    record::{
        DEMOGRAPHICS, DemographicsRecord, MARKET_ALL, MARKETS, PLACE_DEMOGRAPHICS,
        PlaceDemographics, atoms_key,
    },
    shard::Span,
};

use super::Series;
use crate::problem::Result;

impl<'a> Series<'a> {
    /// Reads who paid in a month, if that is told.
    pub(crate) fn demographics(&self, month: Month) -> Result<Option<DemographicsRecord<'a>>> {
        let span = Span::Month(month);
        let value = self.generation.get(DEMOGRAPHICS, span, self.subject.key)?;
        let record = value.map(|value| DemographicsRecord::parse(value.in_place()?));
        Ok(record.transpose()?)
    }

    /// Reads who paid at all stores together in a month of which it is told who paid at this one.
    pub(crate) fn market_demographics(&self, month: Month) -> Result<PlaceDemographics<'a>> {
        let (key, span) = (atoms_key(MARKETS, MARKET_ALL), Span::Month(month));
        let value = self.generation.get(PLACE_DEMOGRAPHICS, span, &key)?;
        let missing = || Error::Corrupt {
            structure: "demographics",
            problem: format!("there are some of {month}, and none of all stores"),
        };
        Ok(PlaceDemographics::parse(
            value.ok_or_else(missing)?.in_place()?,
        )?)
    }
}
