//! What a build keeps of customers, where it is asked for that.
//!
//! A customer is a card. Everything here is off unless the configuration has a table `[customers]`:
//! then pseudonyms are kept whole, for one dataset that other servers need not load.

mod table;

pub use table::CustomerTable;

use crate::{data_tests::Condition, layout::Field, source::flag_of, transaction::Transaction};

/// What is kept of customers.
pub struct Customers {
    /// Which rows are flagged.
    pub flagged: Option<Condition>,
    /// What is known of customers beside their rows.
    pub table: CustomerTable,
}

// By hand: what is compared with a column is nobody's business.
impl std::fmt::Debug for Customers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customers")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Customers {
    /// Returns what the figures of its customer need of a row.
    pub(crate) fn marks(&self, row: &Transaction<'_>) -> Marks {
        let flagged = self.flagged.as_ref();
        Marks {
            foreign: flag_of(row.texts.of(Field::IsForeign)),
            is_flagged: flagged.is_some_and(|condition| condition.holds(row)),
        }
    }
}

/// What the figures of its customer need of a row beside card, day and amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Whether it is foreign, if it says so.
    pub(crate) foreign: Option<bool>,
    /// Whether it is flagged.
    pub(crate) is_flagged: bool,
}
