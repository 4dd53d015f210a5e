//! The columns of a file under a header, and the values made of them.

use std::{collections::BTreeSet, path::Path};

use super::PackPlan;
use crate::{Error, Result, source::Fields};

/// So many columns are named where one is missing.
const SHOWN_COLUMNS: usize = 50;

/// Where the key and the values of a file's rows stand.
#[derive(Debug)]
pub(super) struct Columns {
    /// How many columns there are.
    pub(super) count: usize,
    pub(super) key: usize,
    pub(super) value: Value,
}

/// What a value is made of.
#[derive(Debug)]
pub(super) enum Value {
    /// The text of one column.
    Text(usize),
    /// A JSON object of these columns, each with what stands before its value.
    Object(Vec<(usize, Vec<u8>)>),
}

impl Columns {
    /// Finds the columns that a plan names in a header.
    pub(super) fn find(plan: &PackPlan, path: &Path, names: &[String]) -> Result<Self> {
        let find = |option, wanted: &String| {
            let mut places = (0..names.len()).filter(|place| names[*place] == *wanted);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(twice(option, path, wanted)),
                (None, _) => Err(missing(option, path, wanted, names)),
            }
        };
        let key = find("--key", &plan.key)?;
        let values = plan.values.iter().map(|name| find("--value", name));
        let mut values = values.collect::<Result<Vec<usize>>>()?;
        if values.is_empty() {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
                return Err(twice("--value", path, name));
            }
            values = (0..names.len()).collect();
        }
        let value = match plan.values.len() {
            1 => Value::Text(values[0]),
            _ => {
                let before = values
                    .iter()
                    .enumerate()
                    .map(|(at, column)| (*column, member_start(at == 0, &names[*column])));
                Value::Object(before.collect())
            }
        };
        Ok(Self {
            count: names.len(),
            key,
            value,
        })
    }

    /// Appends the value of a row.
    pub(super) fn put_value(&self, fields: Fields<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        match &self.value {
            Value::Text(column) => out.extend_from_slice(fields.get(*column)),
            Value::Object(members) => {
                for (column, before) in members {
                    out.extend_from_slice(before);
                    let text = std::str::from_utf8(fields.get(*column)).map_err(|_other| {
                        let (column, advice) = (column + 1, "one --value column keeps bytes");
                        format!("column {column} is not UTF-8, as JSON has to be: {advice}")
                    })?;
                    put_json_string(text, out);
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// Returns what stands before the value of a member of an object.
pub(super) fn member_start(is_first: bool, name: &str) -> Vec<u8> {
    let mut start = vec![if is_first { b'{' } else { b',' }];
    put_json_string(name, &mut start);
    start.push(b':');
    start
}

/// Appends text as a JSON string.
pub(super) fn put_json_string(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("text has a JSON form, and memory takes it");
    }
}

fn twice(option: &'static str, path: &Path, name: &str) -> Error {
    Error::option(option, format!("{} has {name:?} twice", path.display()))
}

/// Names what is missing, and what there is.
pub(super) fn missing(option: &'static str, path: &Path, name: &str, names: &[String]) -> Error {
    let more = match names.len().saturating_sub(SHOWN_COLUMNS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = names[..names.len().min(SHOWN_COLUMNS)].join(", ");
    let path = path.display();
    Error::option(
        option,
        format!("{path} has no {name:?}: it has {shown}{more}"),
    )
}
