//! The texts of a record that a transaction has no member for.

use super::{columns::Columns, fields::Fields};
use crate::layout::Field;

/// The trimmed texts of a record, by canonical field, and of the columns that the layout carries
/// along.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    fields: Fields<'a>,
    columns: &'a Columns,
}

impl<'a> Texts<'a> {
    pub(super) fn new(fields: Fields<'a>, columns: &'a Columns) -> Self {
        Self { fields, columns }
    }

    /// Iterates over the texts of the columns that the layout's `carry` names, in its order; one is
    /// empty where the file lacks its column.
    pub fn carried(self) -> impl Iterator<Item = &'a [u8]> {
        let carried = self.columns.carried.iter();
        carried.map(move |column| self.fields.get(*column))
    }

    /// Returns the text of a canonical field that a transaction has no member for; empty where the
    /// row has none.
    #[must_use]
    pub fn of(self, field: Field) -> &'a [u8] {
        let mut others = self.columns.others.iter();
        let other = others.find(|other| other.field == field);
        other.map_or(b"", |other| other.slot.text(self.fields))
    }
}
