//! The trait over object storage.

use std::{
    fmt::Debug,
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ObjectName, Result};

/// What is half done and older than this was abandoned by a process that is no more.
pub const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: ObjectName,
    /// How long it is.
    pub len_bytes: u64,
    /// When it was created, by the clock of the storage.
    pub modified: SystemTime,
}

/// Immutable objects by name.
///
/// What a name stands for never changes. An object whose name is the digest of its bytes can be
/// found damaged, though, and [`Storage::replace_from_file`] puts it right.
///
/// Every method but [`Storage::local_path`] may fail as [`crate::ErrorKind::Unavailable`]; then
/// a create may still have happened. An implementation that tries again by itself may so meet the
/// object that it made: whoever gets [`crate::Error::Exists`] has to look whose object that is.
#[async_trait]
pub trait Storage: Debug + Send + Sync {
    /// Returns where the storage is, as a URI or path, for messages.
    fn location(&self) -> &str;

    /// Creates an object whole, and only if there is none of its name.
    ///
    /// When this returns, the object survives a loss of power.
    ///
    /// # Errors
    /// [`crate::Error::Exists`] if there is one; it is left as it was.
    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()>;

    /// Creates an object from a local file, whole, and only if there is none of its name.
    ///
    /// The file is moved where that is possible, and copied otherwise; so whether it is still
    /// there after a success is not defined. After an error it is.
    ///
    /// Some S3 servers let two writers of one name succeed at the same instant if the files are
    /// long (docs/decisions/0020): such a name is to stand for its bytes, as a digest does.
    ///
    /// # Errors
    /// [`crate::Error::Exists`] as for [`Storage::create`]; [`crate::Error::Source`] if the file
    /// cannot be read.
    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()>;

    /// Puts a local file in the place of a damaged object, whole.
    ///
    /// Whoever reads by name sees the one or the other, and whoever has mapped the damaged object
    /// keeps that. The caller vouches that the file has the bytes that the name stands for, so
    /// that two who replace one object at once do the same. The file is moved where that is
    /// possible, as for [`Storage::create_from_file`].
    ///
    /// # Errors
    /// [`crate::Error::Source`] if the file cannot be read.
    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()>;

    /// Returns the whole of an object, or `None` if there is none.
    ///
    /// # Errors
    /// [`crate::Error::TooLarge`] above `limit_bytes`.
    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>>;

    /// Returns a part of an object: as much of `range` as it has, or `None` if there is no object.
    ///
    /// # Errors
    /// None beside those of the trait.
    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>>;

    /// Returns the objects below `folder`, at any depth, ascending by name.
    ///
    /// An object whose create has returned is listed. Things that cannot be named are not.
    ///
    /// # Errors
    /// None beside those of the trait.
    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>>;

    /// Returns the length of an object in bytes, or `None` if there is none.
    ///
    /// # Errors
    /// None beside those of the trait.
    async fn size(&self, name: &ObjectName) -> Result<Option<u64>>;

    /// Deletes an object, and returns whether there was one.
    ///
    /// # Errors
    /// None beside those of the trait.
    async fn delete(&self, name: &ObjectName) -> Result<bool>;

    /// Clears what was begun, never finished, and last touched more than [`UNFINISHED_AGE_MAX`]
    /// before `now`; returns how many things that were.
    ///
    /// # Errors
    /// None beside those of the trait.
    async fn clear_unfinished(&self, now: SystemTime) -> Result<u64>;

    /// Returns the path under which an object of this name is, or would be, a local file that
    /// can be mapped in place; `None` if objects are elsewhere.
    fn local_path(&self, name: &ObjectName) -> Option<PathBuf>;
}
