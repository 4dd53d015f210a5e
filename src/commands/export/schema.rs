//! What columns a table has, the same in Parquet and CSV (docs/export.md).

/// What values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// UTF-8.
    Text,
    /// A signed integer of 64 bits.
    Integer,
    /// An integer of up to 38 digits: sums of money, for which 64 bits are not enough for certain.
    Decimal,
    /// The double that the HTTP interface gives.
    Double,
    /// A civil date.
    Date,
    /// True or false.
    Boolean,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name, as the HTTP interface has it.
    pub(super) name: &'static str,
    /// Its values.
    pub(super) kind: Kind,
    /// Whether a value may be missing.
    pub(super) is_optional: bool,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableSchema {
    /// The name of its files, without what follows the dot.
    pub(super) name: String,
    /// Its columns, in order.
    pub(super) fields: Vec<Field>,
}

impl TableSchema {
    /// Makes a table of columns, and further ones.
    pub(super) fn new(name: impl Into<String>, parts: &[&[Field]]) -> Self {
        Self {
            name: name.into(),
            fields: parts.concat(),
        }
    }
}

/// Makes a column that has a value in every row.
pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        is_optional: false,
    }
}

/// Makes a column whose values may be missing.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        is_optional: true,
    }
}
