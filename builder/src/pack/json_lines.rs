//! Rows of one JSON object a line.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

use super::{PackPlan, blocks::Block, columns::member_start, read::RowError};
use crate::source::Dialect;

/// Which members of objects are wanted, and which were seen.
#[derive(Debug)]
pub(super) struct Members<'a> {
    key: &'a str,
    values: &'a [String],
    /// Before each value of an object.
    before: Vec<Vec<u8>>,
    /// Of each value, whether any row has it.
    seen: Vec<AtomicBool>,
}

impl<'a> Members<'a> {
    pub(super) fn of(plan: &'a PackPlan) -> Self {
        let values = plan.values.iter().enumerate();
        Self {
            key: &plan.key,
            values: &plan.values,
            before: values
                .map(|(at, name)| member_start(at == 0, name))
                .collect(),
            seen: plan.values.iter().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Takes all members for seen, as those of a header are.
    pub(super) fn see_all(&self) {
        self.seen.iter().for_each(|seen| seen.store(true, Relaxed));
    }

    /// Returns a member of which no row was seen.
    pub(super) fn unseen(&self) -> Option<&'a str> {
        let mut seen = self.values.iter().zip(&self.seen);
        let unseen = seen.find(|(_, seen)| !seen.load(Relaxed));
        unseen.map(|(name, _)| name.as_str())
    }

    /// Parses the rows of a block, and passes line, key and value of each on.
    pub(super) fn parse(
        &self,
        dialect: Dialect,
        block: &Block,
        mut take: impl FnMut(u64, &[u8], &[u8]) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let mut value = Vec::new();
        let mut is_first = block.is_first;
        for record in dialect.records(&block.bytes, block.first_line) {
            let line = record.line;
            let wrong = |problem: String| RowError::Row { line, problem };
            let text = record.text.map_err(|why| wrong(why.as_str().into()))?;
            let text = std::str::from_utf8(text.as_bytes())
                .map_err(|_other| wrong("the row is not UTF-8".into()))?;
            let row = Row::read(text, self).map_err(wrong)?;
            let Some(key) = row.key else {
                return Err(match is_first {
                    true => RowError::NoKey {
                        names: names(text).map_err(wrong)?,
                    },
                    false => wrong(format!("the row has no {:?}", self.key)),
                });
            };
            let key = key_text(key.get()).map_err(wrong)?;
            value.clear();
            self.put_value(text, &row.values, &mut value)
                .map_err(wrong)?;
            take(line, key.as_bytes(), &value)?;
            is_first = false;
        }
        Ok(())
    }

    /// Appends the value of a row: that of the one member wanted, an object of several, or all.
    fn put_value(
        &self,
        row: &str,
        values: &[Option<&RawValue>],
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        for (seen, _) in self.seen.iter().zip(values).filter(|(_, it)| it.is_some()) {
            // Written once, so that threads do not take the line from each other.
            if !seen.load(Relaxed) {
                seen.store(true, Relaxed);
            }
        }
        match values {
            [] => out.extend_from_slice(row.trim_ascii().as_bytes()),
            [value] => match value.map_or("null", RawValue::get) {
                text if text.starts_with('"') => {
                    out.extend_from_slice(unquoted(text)?.as_bytes());
                }
                text => out.extend_from_slice(text.as_bytes()),
            },
            several => {
                for (before, value) in self.before.iter().zip(several) {
                    out.extend_from_slice(before);
                    let text = value.map_or("null", RawValue::get);
                    out.extend_from_slice(text.as_bytes());
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// Returns the text of a key.
fn key_text(raw: &str) -> Result<Cow<'_, str>, String> {
    match raw.as_bytes().first() {
        Some(b'"') => unquoted(raw),
        Some(b'n') => Err("the key is null".into()),
        Some(b'{') => Err("the key is an object".into()),
        Some(b'[') => Err("the key is an array".into()),
        _ => Ok(raw.into()),
    }
}

fn unquoted(raw: &str) -> Result<Cow<'_, str>, String> {
    let name: Name<'_> = serde_json::from_str(raw).map_err(|error| plain(&error))?;
    Ok(name.0)
}

/// What is wrong with JSON, without the line, which is always the first.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (problem, _place) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    format!("no JSON object: {problem} at column {}", error.column())
}

/// Text, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is wanted of one object.
struct Row<'a> {
    key: Option<&'a RawValue>,
    values: Vec<Option<&'a RawValue>>,
}

/// Returns the names of all members of an object.
fn names(text: &str) -> Result<Vec<String>, String> {
    let members: BTreeMap<String, IgnoredAny> =
        serde_json::from_str(text).map_err(|error| plain(&error))?;
    Ok(members.into_keys().collect())
}

impl<'a> Row<'a> {
    fn read(text: &'a str, members: &Members<'_>) -> Result<Self, String> {
        let mut deserializer = Deserializer::from_str(text);
        let row = deserializer.deserialize_map(Reader(members));
        let row = row.map_err(|error| plain(&error))?;
        deserializer.end().map_err(|error| plain(&error))?;
        Ok(row)
    }
}

struct Reader<'m>(&'m Members<'m>);

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        let Members { key, values, .. } = self.0;
        let mut row = Row {
            key: None,
            values: vec![None; values.len()],
        };
        // All are of interest only where all are kept.
        let mut names = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let raw: &RawValue = map.next_value()?;
            let mut is_again = name == *key && row.key.replace(raw).is_some();
            for (wanted, value) in values.iter().zip(&mut row.values) {
                is_again |= name == **wanted && value.replace(raw).is_some();
            }
            if is_again {
                return Err(A::Error::custom(format!("{name:?} is there twice")));
            }
            if values.is_empty() {
                names.push(name);
            }
        }
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(A::Error::custom(format!("{:?} is there twice", pair[0])));
        }
        Ok(row)
    }
}
