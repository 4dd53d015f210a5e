//! The names of objects.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// The longest name, in bytes: what S3 allows.
const LEN_MAX: usize = 1_024;

/// The folder of what is half done, where no object lives.
pub(crate) const TMP: &str = "tmp";

/// The name of an object, or of a folder of objects: parts separated by slashes.
///
/// # Shape
/// A part is not empty, not `.` or `..`, and consists of ASCII letters, digits, `.`, `_` and `-`:
/// what every storage can hold and no file system interprets. The first part is not `tmp`.
///
/// # Examples
/// ```
/// use nightshard_storage::ObjectName;
///
/// assert!("generations/2018-12-31-0123456789ab/manifest.json".parse::<ObjectName>().is_ok());
/// assert!("../passwd".parse::<ObjectName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part of the name.
    #[must_use]
    pub fn last_part(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for ObjectName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let problem = if name.len() > LEN_MAX {
            "it is too long"
        } else if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            "it has a part that is empty, \".\" or \"..\""
        } else if !name.bytes().all(is_allowed) {
            "it has a character other than letters, digits, \".\", \"_\", \"-\" and \"/\""
        } else if name.split('/').next() == Some(TMP) {
            "tmp is reserved for what is half done"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(Error::Name {
            name: name.to_owned(),
            problem,
        })
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/')
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn names_that_could_leave_the_storage_are_refused() {
        let long = "a".repeat(LEN_MAX + 1);
        for name in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "./a",
            "a/.",
            "a\\b",
            "a\0b",
            "a b",
            "caf\u{e9}",
            "C:/x",
            "tmp/x",
            "tmp",
            &long,
        ] {
            let error = name.parse::<ObjectName>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
        }
    }

    #[test]
    fn names_of_the_repository_are_accepted() {
        for name in [
            "blobs/00ff",
            "a/tmp/b",
            "selections/00000000000000000001.json",
            "..a",
        ] {
            assert_eq!(name.parse::<ObjectName>().unwrap().as_str(), name);
        }
        let name: ObjectName = "a/b/c.json".parse().unwrap();
        assert_eq!(name.last_part(), "c.json");
    }
}
