//! Small JSON records, each created once: what became of one whose answer was lost is found out.

use std::time::{SystemTime, UNIX_EPOCH};

use nightshard_format::calendar::Day;
use nightshard_storage::{Error as StorageError, ErrorKind, ObjectName};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Repository, Result};

/// No record is longer: an intent names the blobs of a generation, a million at most.
const RECORD_LEN_MAX: u64 = 128 << 20;

/// How often a record is written when storage does not say what became of it.
const ATTEMPTS_MAX: u32 = 3;

/// What stands under the name of a record that was to be written.
#[derive(Debug)]
pub(crate) enum Written {
    /// The record, or another one: whose it is, its nonce tells.
    Found,
    /// The record.
    New,
}

impl Repository {
    /// Creates a record, unless there is one of its name.
    pub(crate) async fn write_record(
        &self,
        name: &ObjectName,
        record: &impl Serialize,
    ) -> Result<Written> {
        let json = serde_json::to_vec_pretty(record);
        let mut json = json.map_err(|error| self.unusable(name.clone(), error))?;
        json.push(b'\n');
        let mut attempts = 1..=ATTEMPTS_MAX;
        loop {
            attempts.next();
            match self.storage.create(name, json.clone().into()).await {
                Ok(()) => return Ok(Written::New),
                Err(StorageError::Exists { .. }) => return Ok(Written::Found),
                // The answer may be lost rather than the record: the next attempt tells.
                Err(error) if error.kind() == ErrorKind::Unavailable && !attempts.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads a record, if there is one.
    pub(crate) async fn read_record<T: DeserializeOwned>(
        &self,
        name: &ObjectName,
    ) -> Result<Option<T>> {
        let Some(bytes) = self.storage.get(name, RECORD_LEN_MAX).await? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&bytes);
        read.map(Some)
            .map_err(|error| self.unusable(name.clone(), error))
    }

    /// Returns the present time as records have it.
    pub(crate) fn now_text(&self) -> String {
        rfc3339(self.environment.now())
    }
}

/// Returns a time to the second, in UTC as of RFC 3339.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let day = Day(i32::try_from(days).unwrap_or_default());
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{day}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        // From the examples of RFC 3339 and POSIX.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (482_196_050, "1985-04-12T23:20:50Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
