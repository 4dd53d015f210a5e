//! What a manifest says of packed datasets: any table, by one of its columns.

use serde::{Deserialize, Serialize};

use super::{Manifest, Rows};
use crate::{
    Error, Result,
    record::RESERVED_DATASETS,
    shard::{DATASET_LEN_MAX, Span},
};

/// The longest media type.
const MEDIA_TYPE_LEN_MAX: usize = 255;

/// A dataset that was packed from a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packed {
    /// What its values are, as HTTP names it.
    pub media_type: String,
    /// The column of keys.
    pub key: String,
    /// The columns of values in order; empty for all columns.
    pub values: Vec<String>,
    /// Which of several rows with one key counts.
    pub on_duplicate: OnDuplicate,
    /// How every row read was accounted for.
    pub rows: Rows,
}

/// Which of several rows with one key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// None: it is an error.
    Error,
    /// The first, in the order of the inputs as given and of the rows within each.
    First,
    /// The last.
    Last,
}

/// Checks that a packed dataset may have this name.
///
/// # Errors
/// [`Error::Label`] unless it is 1 to 32 of `a-z0-9_-` and nothing that transactions use.
pub fn check_dataset_name(name: &str) -> Result<()> {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let expected = if name.is_empty() || name.len() > DATASET_LEN_MAX || !name.bytes().all(is_plain)
    {
        "a name of 1 to 32 letters a-z, digits, _ and -"
    } else if RESERVED_DATASETS.contains(&name) {
        "free: transactions have, or will have, a dataset of that name"
    } else {
        return Ok(());
    };
    Err(Error::Label {
        value: name.to_owned(),
        expected,
    })
}

/// Checks that values may have this media type.
///
/// # Errors
/// [`Error::Label`] unless it is a type and a subtype in visible ASCII, with parameters or not.
pub fn check_media_type(media_type: &str) -> Result<()> {
    let is_visible = media_type
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let kind = media_type.split(';').next().unwrap_or_default();
    let is_token = |text: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !text.is_empty() && text.bytes().all(is_part)
    };
    let has_both = kind
        .trim_end()
        .split_once('/')
        .is_some_and(|(main, sub)| is_token(main) && is_token(sub));
    if is_visible && has_both && media_type.len() <= MEDIA_TYPE_LEN_MAX {
        Ok(())
    } else {
        Err(Error::Label {
            value: media_type.to_owned(),
            expected: "a media type such as text/plain or application/json",
        })
    }
}

/// Returns what is wrong with a manifest's packed datasets, if anything is.
pub(super) fn problem(manifest: &Manifest) -> Option<&'static str> {
    let current = Span::Current.to_string();
    for (name, packed) in &manifest.packed {
        if check_dataset_name(name).is_err() {
            return Some("a packed dataset may not have this name");
        } else if check_media_type(&packed.media_type).is_err() {
            return Some("a packed dataset's media type is none");
        } else if !packed.rows.add_up() {
            return Some("the rows of a packed dataset do not add up");
        } else if manifest.shards_of(name).any(|shard| shard.span != current) {
            return Some("a packed dataset has a month");
        }
        let records = manifest
            .shards_of(name)
            .try_fold(0_u64, |sum, shard| sum.checked_add(shard.records));
        if records != Some(packed.rows.used) {
            return Some("the shards of a packed dataset have not the rows that it used");
        }
    }
    None
}
