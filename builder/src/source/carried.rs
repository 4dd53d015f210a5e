//! Columns that a layout carries along.

use super::fields::Fields;

/// The texts of the columns that the layout's `carry` names, in its order.
#[derive(Clone, Copy)]
pub struct Carried<'a> {
    fields: Fields<'a>,
    columns: &'a [usize],
}

impl<'a> Carried<'a> {
    pub(super) fn new(fields: Fields<'a>, columns: &'a [usize]) -> Self {
        Self { fields, columns }
    }

    /// Iterates over the trimmed texts; one is empty where the file lacks its column.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.columns
            .iter()
            .map(move |column| self.fields.get(*column))
    }
}
