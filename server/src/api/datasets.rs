//! `GET /v1/datasets/{dataset}/{key}`: the value of a packed dataset, as it is stored.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use nightshard_format::shard::{self, Span};
use serde_json::value::RawValue;

use super::{Lookup, check_length, parameters::Parameters};
use crate::{
    generation::ServedGeneration,
    json::Json,
    problem::{Problem, Result},
    work::Work,
};

/// The time to copy a byte of a value, with reading it in, in nanoseconds for each thousand.
const KILOBYTE_NS: u64 = 200;
/// The same of a value that is compressed.
const COMPRESSED_KILOBYTE_NS: u64 = 1_500;

/// A value and what it is.
pub(crate) struct Value<'a> {
    found: shard::Value<'a>,
    pub(crate) media_type: &'a HeaderValue,
}

impl<'a> Value<'a> {
    /// Finds a value.
    ///
    /// # Errors
    /// A problem if there is no such dataset or no such key in it.
    pub(crate) fn find(served: &'a ServedGeneration, dataset: &[u8], key: &[u8]) -> Result<Self> {
        let name = std::str::from_utf8(dataset).unwrap_or_default();
        let media_type = served.media_type(name);
        let media_type =
            media_type.ok_or_else(|| Problem::not_found("there is no such packed dataset"))?;
        let found = served.generation().get(name, Span::Current, key)?;
        let found = found.ok_or_else(|| Problem::not_found("the dataset has no such key"))?;
        Ok(Self { found, media_type })
    }

    /// Returns the bytes of the value, to be copied.
    ///
    /// # Errors
    /// A failure if that is too much work, or the value is damaged.
    pub(crate) fn read(&self, work: &mut Work) -> Result<Cow<'a, [u8]>> {
        let kilobyte_ns = match self.found.in_place() {
            Ok(_) => KILOBYTE_NS,
            Err(_) => COMPRESSED_KILOBYTE_NS,
        };
        work.spend(self.found.len_bytes()? as u64 / 1_000 * kilobyte_ns)?;
        Ok(self.found.read()?)
    }

    /// Writes the value as a part of other JSON: as it is if it is said to be JSON and is, else as
    /// a string, or in base64 where it is no text.
    fn write(&self, bytes: &[u8], json: &mut Json) {
        let is_json = is_json(self.media_type.as_bytes());
        if is_json && serde_json::from_slice::<&RawValue>(bytes).is_ok() {
            json.raw(bytes);
        } else if let Ok(text) = std::str::from_utf8(bytes) {
            json.string(text);
        } else {
            json.begin_object();
            json.key("base64").string(&STANDARD.encode(bytes));
            json.end_object();
        }
    }
}

/// Returns whether a media type is `application/json`, in any case, with parameters or not.
fn is_json(media_type: &[u8]) -> bool {
    let kind = media_type.split(|byte| *byte == b';').next();
    kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

/// Writes a value as one of a batch's answers.
pub(super) fn write(
    dataset: &[u8],
    key: &[u8],
    parameters: Parameters<'_>,
    lookup: &mut Lookup<'_>,
) -> Result<()> {
    parameters.finish()?;
    let value = Value::find(lookup.served, dataset, key)?;
    let bytes = value.read(lookup.work)?;
    value.write(&bytes, lookup.json);
    check_length(lookup.json)
}
