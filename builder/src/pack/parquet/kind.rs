//! What columns of Parquet files hold.

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    schema::types::ColumnDescriptor,
};

/// The most digits of a decimal number.
const DIGITS_MAX: u32 = 38;

/// What the values of a column are, beside the type that they are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Signed,
    Unsigned,
    /// A floating point number; of two bytes if it is stored as bytes.
    Float,
    /// A whole number of units of 10 to the power of minus so many.
    Decimal(u32),
    Date,
    /// Units since midnight, so many in a second.
    Time(i64),
    /// Units since 1970, so many in a second; of the whole world, not of some place.
    Timestamp(i64, bool),
    /// As old programs write it.
    Int96,
    Text,
    Binary,
    Uuid,
}

impl Kind {
    /// Returns what a column holds, or `None` for what is not known here.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        let physical = column.physical_type();
        let kind = match column.logical_type_ref() {
            None => Self::of_converted(column)?,
            Some(LogicalType::Unknown) => Self::of_physical(physical),
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => Self::Text,
            Some(LogicalType::Integer(integer)) if integer.is_signed => Self::Signed,
            Some(LogicalType::Integer(_)) => Self::Unsigned,
            Some(LogicalType::Decimal(decimal)) => Self::decimal(decimal.precision, decimal.scale)?,
            Some(LogicalType::Date) => Self::Date,
            Some(LogicalType::Time(time)) => Self::Time(in_second(&time.unit)),
            Some(LogicalType::Timestamp(stamp)) => {
                Self::Timestamp(in_second(&stamp.unit), stamp.is_adjusted_to_u_t_c)
            }
            Some(LogicalType::Uuid) => Self::Uuid,
            Some(LogicalType::Float16) => Self::Float,
            Some(_) => return None,
        };
        kind.fits(physical, column.type_length()).then_some(kind)
    }

    fn of_physical(physical: Type) -> Self {
        match physical {
            Type::BOOLEAN => Self::Boolean,
            Type::INT32 | Type::INT64 => Self::Signed,
            Type::INT96 => Self::Int96,
            Type::FLOAT | Type::DOUBLE => Self::Float,
            Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => Self::Binary,
        }
    }

    /// Reads what files of before 2017 say.
    fn of_converted(column: &ColumnDescriptor) -> Option<Self> {
        use ConvertedType as Old;
        Some(match column.converted_type() {
            Old::UTF8 | Old::ENUM | Old::JSON => Self::Text,
            Old::DECIMAL => Self::decimal(column.type_precision(), column.type_scale())?,
            Old::DATE => Self::Date,
            Old::TIME_MILLIS => Self::Time(1_000),
            Old::TIME_MICROS => Self::Time(1_000_000),
            Old::TIMESTAMP_MILLIS => Self::Timestamp(1_000, true),
            Old::TIMESTAMP_MICROS => Self::Timestamp(1_000_000, true),
            Old::UINT_8 | Old::UINT_16 | Old::UINT_32 | Old::UINT_64 => Self::Unsigned,
            Old::INT_8 | Old::INT_16 | Old::INT_32 | Old::INT_64 => Self::Signed,
            Old::NONE => Self::of_physical(column.physical_type()),
            _ => return None,
        })
    }

    fn decimal(precision: i32, scale: i32) -> Option<Self> {
        let (precision, scale) = (u32::try_from(precision).ok()?, u32::try_from(scale).ok()?);
        let is_known = precision <= DIGITS_MAX && scale <= precision;
        is_known.then_some(Self::Decimal(scale))
    }

    /// Whether values of a kind are stored as this type.
    fn fits(self, physical: Type, length: i32) -> bool {
        match physical {
            Type::BOOLEAN => self == Self::Boolean,
            Type::INT32 | Type::INT64 => matches!(
                self,
                Self::Signed
                    | Self::Unsigned
                    | Self::Decimal(_)
                    | Self::Date
                    | Self::Time(_)
                    | Self::Timestamp(..)
            ),
            Type::INT96 => self == Self::Int96,
            Type::FLOAT | Type::DOUBLE => self == Self::Float,
            Type::BYTE_ARRAY => matches!(self, Self::Text | Self::Binary | Self::Decimal(_)),
            Type::FIXED_LEN_BYTE_ARRAY => match self {
                Self::Uuid => length == 16,
                Self::Float => length == 2,
                kind => matches!(kind, Self::Text | Self::Binary | Self::Decimal(_)),
            },
        }
    }
}

fn in_second(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

/// Names the type of a column for a message.
pub(super) fn describe(column: &ColumnDescriptor) -> String {
    let physical = column.physical_type();
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(logical), _) => format!("{physical} ({logical:?})"),
        (None, ConvertedType::NONE) => physical.to_string(),
        (None, converted) => format!("{physical} ({converted})"),
    }
}
