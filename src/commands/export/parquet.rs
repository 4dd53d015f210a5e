//! A table as Apache Parquet.
//!
//! Nothing but rows and the release decides about its bytes: row groups end after so many rows, and
//! who made the file is said without a date.

use std::{fs::File, path::PathBuf, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType, ZstdLevel},
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
        FixedLenByteArrayType, Int32Type, Int64Type,
    },
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use super::{
    error::{Error, Result},
    rows::{Column, Rows, Values, start_of},
    schema::{Field, Kind, TableSchema},
    writer::Sink,
};

/// A row group ends with the rows that reach this.
const GROUP_ROWS: usize = 1 << 17;
/// A row group ends with the text that reaches this.
const GROUP_TEXT_BYTES: usize = 64 << 20;
/// Digits and bytes of a decimal.
const DECIMAL_DIGITS: i32 = 38;
const DECIMAL_BYTES: i32 = 16;
/// In the form that readers look for, so that they trust the file's smallest and largest texts.
const CREATED_BY: &str = concat!("nightshard version ", env!("CARGO_PKG_VERSION"));

/// A Parquet file that rows are written to.
pub(super) struct ParquetFile {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    /// The rows of the group that is not full yet.
    group: Rows,
}

impl ParquetFile {
    /// Makes the file; `facts` stand in its metadata.
    pub(super) fn create(
        path: PathBuf,
        schema: &TableSchema,
        facts: &[(&'static str, String)],
    ) -> Result<Self> {
        let file = File::create_new(&path).map_err(Error::writing(&path))?;
        let open = || {
            let properties = Arc::new(properties(facts)?);
            SerializedFileWriter::new(file, message(schema)?, properties)
        };
        let writer = open().map_err(|source| Error::Parquet {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            writer,
            group: Rows::new(&schema.fields),
        })
    }

    fn write_group(&mut self) -> Result<()> {
        let mut write = || {
            let mut group = self.writer.next_row_group()?;
            for column in self.group.columns() {
                // The schema has as many columns as the rows do.
                let Some(mut writer) = group.next_column()? else {
                    break;
                };
                write_column(&mut writer, column)?;
                writer.close()?;
            }
            group.close().map(|_metadata| ())
        };
        write().map_err(|source| self.error(source))?;
        self.group.clear();
        Ok(())
    }

    fn error(&self, source: ParquetError) -> Error {
        Error::Parquet {
            path: self.path.clone(),
            source,
        }
    }
}

impl Sink for ParquetFile {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.group.append(rows);
        if self.group.len() >= GROUP_ROWS || self.group.text_bytes() >= GROUP_TEXT_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<File> {
        if self.group.len() > 0 {
            self.write_group()?;
        }
        let Self { path, writer, .. } = *self;
        let file = writer.into_inner();
        file.map_err(|source| Error::Parquet { path, source })
    }
}

fn properties(facts: &[(&'static str, String)]) -> Result<WriterProperties, ParquetError> {
    let facts = facts.iter();
    let facts = facts.map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone()));
    Ok(WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(facts.collect()))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build())
}

/// Returns the schema as Parquet has it.
fn message(schema: &TableSchema) -> Result<TypePtr, ParquetError> {
    let fields = schema
        .fields
        .iter()
        .map(|field| column_type(field).map(Arc::new));
    let message = Type::group_type_builder(&schema.name)
        .with_fields(fields.collect::<Result<_, _>>()?)
        .build()?;
    Ok(Arc::new(message))
}

fn column_type(field: &Field) -> Result<Type, ParquetError> {
    let (physical, logical) = match field.kind {
        Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Integer => (PhysicalType::INT64, None),
        Kind::Decimal => {
            let decimal = LogicalType::decimal(0, DECIMAL_DIGITS);
            (PhysicalType::FIXED_LEN_BYTE_ARRAY, Some(decimal))
        }
        Kind::Double => (PhysicalType::DOUBLE, None),
        Kind::Date => (PhysicalType::INT32, Some(LogicalType::Date)),
        Kind::Boolean => (PhysicalType::BOOLEAN, None),
    };
    let builder = Type::primitive_type_builder(field.name, physical)
        .with_logical_type(logical)
        .with_repetition(if field.is_optional {
            Repetition::OPTIONAL
        } else {
            Repetition::REQUIRED
        });
    match field.kind {
        Kind::Decimal => builder
            .with_length(DECIMAL_BYTES)
            .with_precision(DECIMAL_DIGITS)
            .with_scale(0)
            .build(),
        _ => builder.build(),
    }
}

fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
) -> Result<(), ParquetError> {
    let present = column.is_present.as_deref();
    match &column.values {
        Values::Text { bytes, ends } => {
            let texts = ByteArray::from(bytes.clone());
            let text = |row| {
                let start = start_of(ends, row);
                texts.slice(start, ends[row] - start)
            };
            let texts: Vec<ByteArray> = (0..ends.len()).map(text).collect();
            write_values::<ByteArrayType>(writer, &texts, present)
        }
        Values::Integer(values) => write_values::<Int64Type>(writer, values, present),
        Values::Decimal(values) => {
            write_values::<FixedLenByteArrayType>(writer, &decimals(values), present)
        }
        Values::Double(values) => write_values::<DoubleType>(writer, values, present),
        Values::Date(values) => write_values::<Int32Type>(writer, values, present),
        Values::Boolean(values) => write_values::<BoolType>(writer, values, present),
    }
}

/// Returns decimals as Parquet stores them: the most significant byte first.
fn decimals(values: &[i128]) -> Vec<FixedLenByteArray> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect();
    let bytes = ByteArray::from(bytes);
    let starts = (0..bytes.len()).step_by(size_of::<i128>());
    starts
        .map(|start| bytes.slice(start, size_of::<i128>()).into())
        .collect()
}

/// Writes the values of the rows that have one, and which these are.
fn write_values<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    present: Option<&[bool]>,
) -> Result<(), ParquetError> {
    let writer = writer.typed::<T>();
    let Some(present) = present else {
        writer.write_batch(values, None, None)?;
        return Ok(());
    };
    let rows = values.iter().zip(present);
    let known: Vec<T::T> = rows
        .filter(|(_, is_present)| **is_present)
        .map(|(value, _)| value.clone())
        .collect();
    let levels = present.iter().map(|is_present| i16::from(*is_present));
    let levels: Vec<i16> = levels.collect();
    writer.write_batch(&known, Some(&levels), None)?;
    Ok(())
}
