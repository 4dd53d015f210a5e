//! Which sound rows a build admits.

use super::row::DAYS;
use crate::{
    row_outcome::{Field, Reason, Rule},
    stores::{BusinessMoment, StoreTable},
    transaction::Transaction,
};

/// Tells rows that are counted from those that lie outside a build's days.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    /// What the dimension file says of stores.
    pub stores: &'a StoreTable,
    /// Rows after this day are left out.
    pub as_of: Option<i32>,
}

/// Why a row is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is rejected.
    Rejected(Field, Reason),
    /// It is left out.
    Excluded(Rule),
}

impl Admission<'_> {
    /// Returns the business day, and the time of the clock, of a row that is admitted.
    ///
    /// # Errors
    /// The [`Refusal`] of one that is not.
    #[inline]
    pub fn business_moment(&self, row: &Transaction<'_>) -> Result<BusinessMoment, Refusal> {
        let moment = self.stores.business_moment(row);
        if !DAYS.contains(&moment.day) {
            return Err(Refusal::Rejected(Field::Ts, Reason::DateOutOfRange));
        }
        if self.as_of.is_some_and(|as_of| moment.day > as_of) {
            return Err(Refusal::Excluded(Rule::AfterAsOf));
        }
        Ok(moment)
    }
}
