//! Rows of one table in memory, column by column.

use nightshard_format::calendar::Day;

use super::schema::{Field, Kind};

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// What is not known, in a column that allows it.
    Missing,
    Text(&'a str),
    Integer(i64),
    Decimal(i128),
    Double(f64),
    Date(Day),
    Boolean(bool),
}

impl<'a> Cell<'a> {
    /// Returns the cell of a text that may be missing.
    pub(super) fn optional_text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::Text)
    }

    /// Returns the cell of a double that may be missing.
    pub(super) fn optional_double(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Double)
    }
}

/// The values of a column; what is missing has a value, too, that nobody looks at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Texts one after the other, and where each of them ends.
    Text {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    Integer(Vec<i64>),
    Decimal(Vec<i128>),
    Double(Vec<f64>),
    /// Days since 1970-01-01.
    Date(Vec<i32>),
    Boolean(Vec<bool>),
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// Its values.
    pub(super) values: Values,
    /// Of each row, whether it has a value; `None` where all have.
    pub(super) is_present: Option<Vec<bool>>,
}

/// Rows of one table.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    columns: Vec<Column>,
    len: usize,
}

impl Rows {
    /// Makes rows of a table, none so far.
    pub(super) fn new(fields: &[Field]) -> Self {
        Self {
            columns: fields.iter().map(Column::new).collect(),
            len: 0,
        }
    }

    /// Returns how many rows there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns how many bytes of text the rows have.
    pub(super) fn text_bytes(&self) -> usize {
        let texts = self.columns.iter().map(|column| match &column.values {
            Values::Text { bytes, .. } => bytes.len(),
            _ => 0,
        });
        texts.sum()
    }

    /// Returns the columns, in order.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not a cell of the right kind for each column: rows are what this program makes.
    pub(super) fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        let mut cells = cells.into_iter();
        for column in &mut self.columns {
            column.push(cells.next().expect("a row has a cell for each column"));
        }
        assert!(cells.next().is_none(), "a row has a column for each cell");
        self.len += 1;
    }

    /// Adds rows of the same table.
    pub(super) fn append(&mut self, other: &Self) {
        for (column, more) in self.columns.iter_mut().zip(&other.columns) {
            column.append(more);
        }
        self.len += other.len;
    }

    /// Forgets all rows and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.len = 0;
    }
}

impl Column {
    fn new(field: &Field) -> Self {
        let values = match field.kind {
            Kind::Text => Values::Text {
                bytes: Vec::new(),
                ends: Vec::new(),
            },
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Decimal => Values::Decimal(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            Kind::Date => Values::Date(Vec::new()),
            Kind::Boolean => Values::Boolean(Vec::new()),
        };
        Self {
            values,
            is_present: field.is_optional.then(Vec::new),
        }
    }

    /// Returns the value of a row.
    pub(super) fn get(&self, row: usize) -> Cell<'_> {
        let is_present = self.is_present.as_ref().is_none_or(|present| present[row]);
        if !is_present {
            return Cell::Missing;
        }
        match &self.values {
            Values::Text { bytes, ends } => {
                let text = &bytes[start_of(ends, row)..ends[row]];
                Cell::Text(std::str::from_utf8(text).expect("whole texts were added"))
            }
            Values::Integer(values) => Cell::Integer(values[row]),
            Values::Decimal(values) => Cell::Decimal(values[row]),
            Values::Double(values) => Cell::Double(values[row]),
            Values::Date(values) => Cell::Date(Day(values[row])),
            Values::Boolean(values) => Cell::Boolean(values[row]),
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        let is_missing = cell == Cell::Missing;
        match &mut self.is_present {
            Some(present) => present.push(!is_missing),
            None => assert!(!is_missing, "the column has a value in every row"),
        }
        match (&mut self.values, cell) {
            (Values::Text { bytes, ends }, cell) => {
                if let Cell::Text(text) = cell {
                    bytes.extend_from_slice(text.as_bytes());
                } else {
                    assert!(is_missing, "the column has texts");
                }
                ends.push(bytes.len());
            }
            (Values::Integer(values), Cell::Integer(value)) => values.push(value),
            (Values::Decimal(values), Cell::Decimal(value)) => values.push(value),
            (Values::Double(values), Cell::Double(value)) => values.push(value),
            (Values::Date(values), Cell::Date(day)) => values.push(day.0),
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(value),
            (Values::Integer(values), Cell::Missing) => values.push(0),
            (Values::Decimal(values), Cell::Missing) => values.push(0),
            (Values::Double(values), Cell::Missing) => values.push(0.0),
            (Values::Date(values), Cell::Missing) => values.push(0),
            (Values::Boolean(values), Cell::Missing) => values.push(false),
            (_, cell) => panic!("{cell:?} is not of the column's kind"),
        }
    }

    fn append(&mut self, other: &Self) {
        if let (Some(present), Some(more)) = (&mut self.is_present, &other.is_present) {
            present.extend_from_slice(more);
        }
        match (&mut self.values, &other.values) {
            (
                Values::Text { bytes, ends },
                Values::Text {
                    bytes: more,
                    ends: further,
                },
            ) => {
                let before = bytes.len();
                bytes.extend_from_slice(more);
                ends.extend(further.iter().map(|end| before + end));
            }
            (Values::Integer(values), Values::Integer(more)) => values.extend_from_slice(more),
            (Values::Decimal(values), Values::Decimal(more)) => values.extend_from_slice(more),
            (Values::Double(values), Values::Double(more)) => values.extend_from_slice(more),
            (Values::Date(values), Values::Date(more)) => values.extend_from_slice(more),
            (Values::Boolean(values), Values::Boolean(more)) => values.extend_from_slice(more),
            _ => panic!("the columns are of different kinds"),
        }
    }

    fn clear(&mut self) {
        self.is_present.iter_mut().for_each(Vec::clear);
        match &mut self.values {
            Values::Text { bytes, ends } => {
                bytes.clear();
                ends.clear();
            }
            Values::Integer(values) => values.clear(),
            Values::Decimal(values) => values.clear(),
            Values::Double(values) => values.clear(),
            Values::Date(values) => values.clear(),
            Values::Boolean(values) => values.clear(),
        }
    }
}

/// Returns where the text of a row begins.
pub(super) fn start_of(ends: &[usize], row: usize) -> usize {
    row.checked_sub(1).map_or(0, |before| ends[before])
}

#[cfg(test)]
mod tests {
    use super::{
        super::schema::{optional, required},
        *,
    };

    fn rows() -> Rows {
        Rows::new(&[
            required("id", Kind::Text),
            optional("name", Kind::Text),
            optional("sum", Kind::Decimal),
        ])
    }

    #[test]
    fn rows_come_back_as_they_were_added() {
        let mut all = rows();
        let expected = [
            [Cell::Text("a"), Cell::Missing, Cell::Decimal(-5)],
            [Cell::Text(""), Cell::Text("é"), Cell::Missing],
            [Cell::Text("ccc"), Cell::Text(""), Cell::Decimal(1 << 90)],
        ];
        for row in expected {
            let mut one = rows();
            one.push(row);
            all.append(&one);
        }
        for (at, row) in expected.iter().enumerate() {
            let cells = all.columns().iter().map(|column| column.get(at));
            assert!(cells.eq(row.iter().copied()), "row {at}");
        }
        assert_eq!((all.len(), all.text_bytes()), (3, 6));
        all.clear();
        assert_eq!((all.len(), all.text_bytes()), (0, 0));
        all.push(expected[1]);
        assert_eq!(all.columns()[1].get(0), Cell::Text("é"));
    }

    #[test]
    #[should_panic(expected = "in every row")]
    fn what_is_required_is_there() {
        rows().push([Cell::Missing; 3]);
    }
}
