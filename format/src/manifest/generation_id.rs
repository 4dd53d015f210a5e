//! The id of a generation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::is_hexadecimal;
use crate::{Error, Result, calendar::Day};

/// The length of `YYYY-MM-DD`.
const DATE_LEN: usize = 10;

/// The id of a generation: `<as_of>-<12 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId(String);

impl GenerationId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last business day, as in the id.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.0[..DATE_LEN]
    }
}

impl FromStr for GenerationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let valid = text
            .split_at_checked(DATE_LEN)
            .is_some_and(|(as_of, digest)| {
                as_of.parse::<Day>().is_ok()
                    && is_hexadecimal(digest.trim_start_matches('-'), 12)
                    && digest.len() == 13
            });
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Label {
                value: text.to_owned(),
                expected: "a generation id (YYYY-MM-DD- and 12 hexadecimal digits)",
            })
        }
    }
}

impl TryFrom<String> for GenerationId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<GenerationId> for String {
    fn from(id: GenerationId) -> Self {
        id.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
