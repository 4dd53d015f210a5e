//! Blobs: the files of shards, named by their digest.

use std::{fmt, path::Path};

use nightshard_format::{
    Error as FormatError,
    manifest::ShardEntry,
    shard::{Mapped, Shard},
};

/// A blob and what a manifest says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef(pub ShardEntry);

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShardEntry {
            dataset,
            span,
            first_partition,
            end_partition,
            blob,
            ..
        } = &self.0;
        write!(
            f,
            "blob {blob} ({dataset} {span} partitions {first_partition}..{end_partition})"
        )
    }
}

/// Maps the blob at `path` and reads every byte: length, digest, checksums, order, indexes.
///
/// # Errors
/// [`FormatError::Io`] if it cannot be mapped, else whatever is wrong with it.
pub(crate) fn map_verified(path: &Path, entry: &ShardEntry) -> Result<Shard<Mapped>, FormatError> {
    // Opening what is no regular file may wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(damaged("it is no regular file".into()));
    }
    let mapped = Mapped::open(path)?;
    check_len(mapped.as_ref().len() as u64, entry)?;
    let digest = blake3::hash(mapped.as_ref()).to_hex();
    if digest.as_str() != entry.blob {
        return Err(damaged(format!("its BLAKE3 digest is {digest}")));
    }
    let shard = Shard::open(mapped)?;
    shard.verify()?;
    Ok(shard)
}

/// Checks that a blob has the length that the manifest says.
pub(crate) fn check_len(len_bytes: u64, entry: &ShardEntry) -> Result<(), FormatError> {
    if len_bytes == entry.size_bytes {
        Ok(())
    } else {
        let expected = entry.size_bytes;
        Err(damaged(format!("it has {len_bytes} bytes, not {expected}")))
    }
}

fn damaged(problem: String) -> FormatError {
    FormatError::Corrupt {
        structure: "blob",
        problem,
    }
}
