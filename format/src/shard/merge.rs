//! Several shards' ordered indexes read as one.

use fst::{IntoStreamer, Streamer, map::OpBuilder};

use super::{Record, Shard, reader::index_error};
use crate::Result;

impl<B: AsRef<[u8]>> Shard<B> {
    /// Returns whether records can be found in the order of terms.
    #[must_use]
    pub fn has_ordered_index(&self) -> bool {
        self.ordered_index.is_some()
    }
}

/// Passes the terms of all shards that begin with `prefix` to `visit`, in the terms' order, with
/// their records, until it returns false.
///
/// # Errors
/// [`crate::Error::Corrupt`] if an index or a record is damaged.
pub fn visit_ordered<'a, B: AsRef<[u8]>>(
    shards: &'a [Shard<B>],
    prefix: &[u8],
    mut visit: impl FnMut(&[u8], Record<'a>) -> bool,
) -> Result<()> {
    let mut indexed = Vec::new();
    for shard in shards {
        if let Some(section) = &shard.ordered_index {
            let map = fst::Map::new(shard.section_bytes(section)).map_err(index_error)?;
            indexed.push((shard, map));
        }
    }
    let mut all = OpBuilder::new();
    for (_, map) in &indexed {
        all.push(map.range().ge(prefix).into_stream());
    }
    let mut terms = all.union();
    while let Some((term, found)) = terms.next() {
        if !term.starts_with(prefix) {
            break;
        }
        for value in found {
            let (shard, _) = &indexed[value.index];
            if !visit(term, shard.record_at(value.value)?) {
                return Ok(());
            }
        }
    }
    Ok(())
}
