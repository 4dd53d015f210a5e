//! What is right, to hold against what storage has.

use std::{collections::BTreeMap, fs};

use bytes::Bytes;
use nightshard_deploy::Staged;

/// Returns the right bytes of every blob of some generations.
pub(crate) fn blobs_of(staged: &[Staged]) -> BTreeMap<String, Bytes> {
    let files = staged.iter().flat_map(|staged| &staged.shards);
    files
        .map(|(path, digest)| (digest.clone(), fs::read(path).unwrap().into()))
        .collect()
}
