//! The values of one column, a batch of rows at a time.

use parquet::{
    column::{
        page::PageReader,
        reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    },
    data_type::{
        AsBytes, BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType,
        Int32Type, Int64Type, Int96Type,
    },
    errors::Result,
    schema::types::ColumnDescPtr,
};

use super::{
    kind::Kind,
    text::{self, Form},
};

/// Rows of one column, by the type that they are stored as.
pub(super) enum Cells {
    Boolean(Batch<BoolType>),
    Int32(Batch<Int32Type>),
    Int64(Batch<Int64Type>),
    Int96(Batch<Int96Type>),
    Float(Batch<FloatType>),
    Double(Batch<DoubleType>),
    Bytes(Batch<ByteArrayType>),
    Fixed(Batch<FixedLenByteArrayType>),
}

/// Does the same with cells of any type.
macro_rules! with_batch {
    ($cells:expr, $batch:ident => $body:expr) => {
        match $cells {
            Cells::Boolean($batch) => $body,
            Cells::Int32($batch) => $body,
            Cells::Int64($batch) => $body,
            Cells::Int96($batch) => $body,
            Cells::Float($batch) => $body,
            Cells::Double($batch) => $body,
            Cells::Bytes($batch) => $body,
            Cells::Fixed($batch) => $body,
        }
    };
}

impl Cells {
    /// Starts to read a flat column.
    pub(super) fn new(column: ColumnDescPtr, pages: Box<dyn PageReader>) -> Self {
        let level = column.max_def_level();
        match get_column_reader(column, pages) {
            ColumnReader::BoolColumnReader(reader) => Self::Boolean(Batch::new(reader, level)),
            ColumnReader::Int32ColumnReader(reader) => Self::Int32(Batch::new(reader, level)),
            ColumnReader::Int64ColumnReader(reader) => Self::Int64(Batch::new(reader, level)),
            ColumnReader::Int96ColumnReader(reader) => Self::Int96(Batch::new(reader, level)),
            ColumnReader::FloatColumnReader(reader) => Self::Float(Batch::new(reader, level)),
            ColumnReader::DoubleColumnReader(reader) => Self::Double(Batch::new(reader, level)),
            ColumnReader::ByteArrayColumnReader(reader) => Self::Bytes(Batch::new(reader, level)),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                Self::Fixed(Batch::new(reader, level))
            }
        }
    }

    /// Reads the next rows, in the place of those before; returns how many there were.
    pub(super) fn fill(&mut self, rows: usize) -> Result<usize> {
        with_batch!(self, batch => batch.fill(rows))
    }

    /// Whether a row has no value.
    pub(super) fn is_null(&self, row: usize) -> bool {
        with_batch!(self, batch => batch.get(row).is_none())
    }

    /// Appends the value of a row.
    pub(super) fn put(
        &self,
        row: usize,
        kind: Kind,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Boolean(batch) => text::put_json(batch.at(row), out),
            Self::Int32(batch) => match (*batch.at(row), kind) {
                (value, Kind::Unsigned) => text::put_json(&value.cast_unsigned(), out),
                (value, kind) => return text::put_integer(value.into(), kind, form, out),
            },
            Self::Int64(batch) => match (*batch.at(row), kind) {
                (value, Kind::Unsigned) => text::put_json(&value.cast_unsigned(), out),
                (value, kind) => return text::put_integer(value, kind, form, out),
            },
            Self::Int96(batch) => return text::put_int96(batch.at(row), form, out),
            Self::Float(batch) => return text::put_float(*batch.at(row), form, out),
            Self::Double(batch) => return text::put_float(*batch.at(row), form, out),
            Self::Bytes(batch) => {
                return text::put_bytes(batch.at(row).as_bytes(), kind, form, out);
            }
            Self::Fixed(batch) => {
                return text::put_bytes(batch.at(row).as_bytes(), kind, form, out);
            }
        }
        Ok(())
    }
}

/// Rows of one column that are stored as `T`.
pub(super) struct Batch<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The level of a row that has a value.
    level: i16,
    /// Of each row, if any may lack a value.
    levels: Vec<i16>,
    /// Of the rows that have one.
    values: Vec<T::T>,
    /// Where the value of each row is, if any may lack one.
    places: Vec<Option<usize>>,
}

impl<T: DataType> Batch<T> {
    fn new(reader: ColumnReaderImpl<T>, level: i16) -> Self {
        Self {
            reader,
            level,
            levels: Vec::new(),
            values: Vec::new(),
            places: Vec::new(),
        }
    }

    fn fill(&mut self, rows: usize) -> Result<usize> {
        self.levels.clear();
        self.values.clear();
        self.places.clear();
        let (levels, values) = (Some(&mut self.levels), &mut self.values);
        let (read, _values, _levels) = self.reader.read_records(rows, levels, None, values)?;
        let mut next = 0;
        self.places.extend(self.levels.iter().map(|level| {
            (*level == self.level).then(|| {
                next += 1;
                next - 1
            })
        }));
        Ok(read)
    }

    fn get(&self, row: usize) -> Option<&T::T> {
        match self.level {
            0 => self.values.get(row),
            _ => self.values.get(self.places.get(row).copied()??),
        }
    }

    fn at(&self, row: usize) -> &T::T {
        self.get(row).expect("the caller has looked")
    }
}
