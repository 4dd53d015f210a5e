//! A small file read whole.

use std::path::Path;

use super::{InputSummary, Result, stream::Stream};

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Returns the decompressed bytes of a file, and the digest of what is stored.
///
/// # Errors
/// Those of [`super::Error`] that concern one file.
pub fn read_whole(path: &Path) -> Result<(Vec<u8>, InputSummary)> {
    let mut stream = Stream::open(path)?;
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        bytes.resize(start + CHUNK_BYTES, 0);
        let len = stream.fill(path, &mut bytes[start..])?;
        bytes.truncate(start + len);
        if len < CHUNK_BYTES {
            break;
        }
    }
    let (digest, size_bytes) = stream.finish(path)?;
    Ok((
        bytes,
        InputSummary {
            path: path.to_owned(),
            digest,
            size_bytes,
            is_open_ended: false,
        },
    ))
}
