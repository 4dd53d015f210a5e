//! JSON lines: the fields of one object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::Columns;
use super::fields::{Bound, Fields};

/// Reads objects into fields, numbers as they are written.
#[derive(Default)]
pub(crate) struct JsonReader {
    text: Vec<u8>,
    bounds: Vec<Bound>,
}

impl JsonReader {
    /// Reads one line; `None` unless it is one object whose known keys have plain values.
    pub(crate) fn read(&mut self, line: &[u8], columns: &Columns) -> Option<Fields<'_>> {
        self.text.clear();
        self.bounds.clear();
        self.bounds.resize(columns.len() + 1, Bound::default());
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        ObjectReader {
            reader: self,
            columns,
        }
        .deserialize(&mut deserializer)
        .ok()?;
        deserializer.end().ok()?;
        Some(Fields {
            text: &self.text,
            bounds: &self.bounds,
        })
    }

    /// Notes the value of a column; its first one counts, as with columns named alike.
    fn note(&mut self, column: usize, value: &[u8]) {
        if self.bounds[column].start == self.bounds[column].end {
            let start = self.text.len();
            self.text.extend_from_slice(value);
            self.bounds[column] = Bound {
                start,
                end: self.text.len(),
            };
        }
    }
}

struct ObjectReader<'a> {
    reader: &'a mut JsonReader,
    columns: &'a Columns,
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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(Key(self.columns))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw: &RawValue = map.next_value()?;
            match raw.get().as_bytes() {
                b"null" => {}
                [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
                    self.reader.note(column, inner);
                }
                [b'"', ..] => {
                    let text: String =
                        serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
                    self.reader.note(column, text.as_bytes());
                }
                [b'{' | b'[', ..] => return Err(serde::de::Error::custom("not a plain value")),
                number_or_bool => self.reader.note(column, number_or_bool),
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
