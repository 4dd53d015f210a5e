//! Records of the controller: known again by what they say, since each has a nonce of its writer.

use nightshard_storage::{ErrorKind, ObjectName};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Repository, Result, record::Written};

impl Repository {
    /// Creates a record, and returns whether what stands there now is this one: another writer may
    /// have been first.
    pub(super) async fn create_record<R>(&self, name: &ObjectName, record: &R) -> Result<bool>
    where
        R: PartialEq + Serialize + DeserializeOwned,
    {
        if let Written::New = self.write_record(name, record).await? {
            return Ok(true);
        }
        match self.read_record::<R>(name).await {
            Ok(found) => Ok(found.as_ref() == Some(record)),
            Err(error) if error.kind() == ErrorKind::Data => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the time, to the second, as records have it.
    pub(super) fn timestamp(&self) -> jiff::Timestamp {
        let now = jiff::Timestamp::try_from(self.environment.now());
        let second = now.unwrap_or_default().as_second();
        jiff::Timestamp::from_second(second).unwrap_or_default()
    }
}
