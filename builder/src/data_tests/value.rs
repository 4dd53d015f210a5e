//! The values of a row's fields, as tests see them.

use std::cmp::Ordering;

use crate::{
    layout::Field,
    source::{flag_of, iso_day, iso_local},
    transaction::Transaction,
};

/// What a field's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Bytes of UTF-8, compared as they are.
    Text,
    /// Finite doubles: integers are exact up to 2^53, and amounts are below.
    Number,
    /// Yes or no.
    Flag,
    /// A date.
    Day,
    /// A date with the time of day, where that is known.
    Time,
}

impl Type {
    /// Returns the type of a field.
    pub(super) fn of(field: Field) -> Self {
        match field {
            Field::Ts => Self::Time,
            Field::SettlesOn => Self::Day,
            Field::PointsUsed | Field::IsForeign => Self::Flag,
            Field::AmountMinor
            | Field::Lat
            | Field::Lon
            | Field::Installments
            | Field::FeeMinor
            | Field::DepositMinor => Self::Number,
            _ => Self::Text,
        }
    }

    /// Returns the type in words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Flag => "true or false",
            Self::Day => "a date",
            Self::Time => "a time",
        }
    }
}

/// A value of a row.
// No `Debug`: it may be a card number.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// Unknown: the field is empty, or what stands there is none of its type.
    Null,
    Text(&'a [u8]),
    Number(f64),
    Flag(bool),
    /// Days since 1970-01-01.
    Day(i32),
    /// Days since 1970-01-01, and seconds since midnight where they are known.
    Time(i32, Option<u32>),
}

impl Value<'_> {
    /// Returns a number, or null for what is none.
    pub(super) fn number(number: f64) -> Self {
        match number.is_finite() {
            true => Self::Number(number),
            false => Self::Null,
        }
    }

    /// Compares two values; `None` where one is null, or hours that are not known would decide.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Number(left), Self::Number(right)) => left.partial_cmp(&right),
            (Self::Flag(left), Self::Flag(right)) => Some(left.cmp(&right)),
            (Self::Time(left, left_second), Self::Time(right, right_second)) => {
                let by_hours = || Some(left_second?.cmp(&right_second?));
                match left.cmp(&right) {
                    Ordering::Equal => by_hours(),
                    by_day => Some(by_day),
                }
            }
            (Self::Day(left) | Self::Time(left, _), Self::Day(right) | Self::Time(right, _)) => {
                Some(left.cmp(&right))
            }
            _ => None,
        }
    }

    /// Appends bytes that are equal for equal values of one type, and no beginning of others'.
    pub(super) fn append_key(self, key: &mut Vec<u8>) {
        match self {
            Self::Null => {}
            Self::Text(text) => {
                key.extend_from_slice(&(text.len() as u64).to_le_bytes());
                key.extend_from_slice(text);
            }
            // Zero has two signs.
            Self::Number(number) => key.extend_from_slice(&(number + 0.0).to_le_bytes()),
            Self::Flag(flag) => key.push(flag.into()),
            Self::Day(day) => key.extend_from_slice(&day.to_le_bytes()),
            Self::Time(day, second) => {
                key.extend_from_slice(&day.to_le_bytes());
                key.extend_from_slice(&second.unwrap_or(u32::MAX).to_le_bytes());
            }
        }
    }
}

/// What tests read values from.
pub(super) trait Record {
    /// Returns the value of a field, of its [`Type`] or null.
    fn value(&self, field: Field) -> Value<'_>;
}

impl Record for Transaction<'_> {
    fn value(&self, field: Field) -> Value<'_> {
        match field {
            Field::TxId => text(self.tx_id),
            Field::StoreId => text(self.store_id),
            Field::CardId => text(self.card_id),
            Field::Currency => text(self.currency),
            Field::Category => text(self.category),
            Field::Region => text(self.region),
            Field::Ts => Value::Time(self.day, self.second_of_day),
            #[expect(clippy::cast_precision_loss, reason = "amounts are below 2^53")]
            Field::AmountMinor => Value::Number(self.amount_minor as f64),
            Field::Installments => self
                .installments
                .map_or(Value::Null, |months| Value::Number(months.into())),
            Field::PointsUsed => Value::Flag(self.points_used),
            _ => parsed(Type::of(field), self.texts.of(field)),
        }
    }
}

fn text(text: &[u8]) -> Value<'_> {
    match text {
        [] => Value::Null,
        text => Value::Text(text),
    }
}

/// Reads a text that the build keeps as it is.
fn parsed(kind: Type, bytes: &[u8]) -> Value<'_> {
    let number = || {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Value::number(text.parse().ok()?))
    };
    let found = match kind {
        Type::Text => Some(text(bytes)),
        Type::Number => number(),
        Type::Flag => flag_of(bytes).map(Value::Flag),
        Type::Day => iso_day(bytes).map(Value::Day),
        Type::Time => iso_local(bytes).map(|(day, second)| Value::Time(day, second)),
    };
    found.unwrap_or(Value::Null)
}
