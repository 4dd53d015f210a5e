//! JSON lines: the fields of one object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::Columns;
use super::fields::{Fields, Spans};

/// What an object says of a column.
#[derive(Clone, Default)]
struct Value {
    /// Whether it has the key, with whatever value.
    is_there: bool,
    text: Vec<u8>,
}

/// Reads objects into fields, numbers as they are written.
#[derive(Default)]
pub(crate) struct JsonReader {
    /// The value of each column.
    values: Vec<Value>,
    /// The values in the order of columns.
    text: Vec<u8>,
    spans: Spans,
}

impl JsonReader {
    /// Reads one line; `None` unless it is one object whose known keys have plain values.
    pub(crate) fn read(&mut self, line: &[u8], columns: &Columns) -> Option<Fields<'_>> {
        self.values.resize(columns.len(), Value::default());
        for value in &mut self.values {
            value.is_there = false;
            value.text.clear();
        }
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let reader = ObjectReader {
            values: &mut self.values,
            columns,
        };
        reader.deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        self.text.clear();
        self.spans.clear();
        let first_there = |spelled: &Vec<usize>| {
            let mut values = spelled.iter().map(|column| &self.values[*column]);
            values.find(|value| value.is_there)
        };
        let own = self.values.iter().map(Some);
        for value in own.chain(columns.spelled.iter().map(first_there)) {
            let start = self.text.len();
            if let Some(value) = value {
                self.text.extend_from_slice(&value.text);
            }
            self.spans.push(&self.text, start..self.text.len());
        }
        Some(self.spans.fields(&self.text))
    }
}

struct ObjectReader<'a> {
    values: &'a mut [Value],
    columns: &'a Columns,
}

impl ObjectReader<'_> {
    /// Notes the value of a column; its first one counts, as with columns named alike.
    fn note(&mut self, column: usize, value: &[u8]) {
        let known = &mut self.values[column];
        if !known.is_there {
            known.is_there = true;
            known.text.extend_from_slice(value);
        }
    }
}

impl<'de> DeserializeSeed<'de> for ObjectReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectReader<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(Key(self.columns))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw: &RawValue = map.next_value()?;
            match raw.get().as_bytes() {
                b"null" => self.note(column, b""),
                [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
                    self.note(column, inner);
                }
                [b'"', ..] => {
                    let text: String =
                        serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
                    self.note(column, text.as_bytes());
                }
                [b'{' | b'[', ..] => return Err(serde::de::Error::custom("not a plain value")),
                number_or_bool => self.note(column, number_or_bool),
            }
        }
        Ok(())
    }
}

/// Finds the column of a key.
struct Key<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.of_key(key))
    }
}
