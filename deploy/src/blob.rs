//! Blobs: the files of shards, named by their digest.

use std::{fmt, fs::File, path::Path};

use nightshard_format::{
    Error as FormatError,
    manifest::ShardEntry,
    shard::{Mapped, MemoryPolicy, Shard},
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

/// Maps the blob at `path` and checks its length.
///
/// # Errors
/// As [`map_verified`].
pub(crate) fn map_checked(
    path: &Path,
    entry: &ShardEntry,
    memory: MemoryPolicy,
) -> Result<Mapped, FormatError> {
    // Opening what is no regular file may wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(damaged("it is no regular file".into()));
    }
    let mapped = memory.map(path)?;
    check_len(mapped.as_ref().len() as u64, entry)?;
    Ok(mapped)
}

/// Maps the blob at `path` and reads every byte: length, digest, checksums, order, indexes.
///
/// # Errors
/// [`FormatError::Io`] if it cannot be mapped, else whatever is wrong with it.
pub(crate) fn map_verified(
    path: &Path,
    entry: &ShardEntry,
    memory: MemoryPolicy,
) -> Result<Shard<Mapped>, FormatError> {
    let mapped = map_checked(path, entry, memory)?;
    let check = || check_digest(blake3::hash(mapped.as_ref()), entry);
    // What cannot be opened has other bytes than those of its name, most likely: that is said.
    let shard = Shard::open(mapped.clone()).or_else(|error| check().and(Err(error)))?;
    memory.walk(&shard, || check().and_then(|()| shard.verify()))?;
    Ok(shard)
}

/// Reads a blob's file through and checks its length and digest.
///
/// It is read rather than mapped: a sector that a disk has lost is then an error like any other.
///
/// # Errors
/// [`FormatError::Io`] if it cannot be read, [`FormatError::Corrupt`] for other bytes.
pub(crate) fn check_bytes(path: &Path, entry: &ShardEntry) -> Result<(), FormatError> {
    let file = File::open(path)?;
    check_len(file.metadata()?.len(), entry)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    check_digest(hasher.finalize(), entry)
}

/// Checks that a blob has the digest that the manifest says.
pub(crate) fn check_digest(digest: blake3::Hash, entry: &ShardEntry) -> Result<(), FormatError> {
    let digest = digest.to_hex();
    if digest.as_str() == entry.blob {
        Ok(())
    } else {
        Err(damaged(format!("its BLAKE3 digest is {digest}")))
    }
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
