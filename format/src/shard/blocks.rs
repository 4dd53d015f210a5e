//! Sums of a shard's blocks, which say where damage is (docs/format.md, "Block sums").

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::{Shard, layout::Section, reader::to_index};
use crate::{Error, Result};

/// Bytes of a block; the last one may be shorter.
pub const BLOCK_LEN: usize = 64 << 10;

impl<B: AsRef<[u8]>> Shard<B> {
    /// Returns how many blocks have a sum: all bytes before the sums themselves.
    #[must_use]
    pub fn len_blocks(&self) -> usize {
        self.block_sums().len()
    }

    /// Compares the sum of one block, without looking at what the block means.
    ///
    /// # Errors
    /// [`Error::Corrupt`], saying where the block begins.
    ///
    /// # Panics
    /// Unless `block` is below [`Shard::len_blocks`].
    pub fn verify_block(&self, block: usize) -> Result<()> {
        let range = self.block(block);
        let begin = range.start;
        if xxh3_64(&self.bytes().as_ref()[range]).to_le_bytes() == self.block_sums()[block] {
            Ok(())
        } else {
            let problem = format!("its sum does not match: it begins at byte {begin}");
            Err(Error::corrupt("block", problem))
        }
    }

    /// Compares what no block's sum covers with what was opened: the sums themselves, the section
    /// table and the trailer; all sections, if there are no sums.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the structure at fault.
    pub fn verify_unsummed(&self) -> Result<()> {
        let all = self.bytes().as_ref();
        let from = self.sections.iter().map(|section| section.offset);
        let from = from.filter(|offset| *offset >= self.block_sums_start() as u64);
        let first = from.min().unwrap_or_default();
        self.verify_sections(|section| section.offset >= first)?;
        let reopened = Shard::open(all)?;
        if reopened.identity == self.identity && reopened.sections == self.sections {
            Ok(())
        } else {
            let problem = "it is not what it was when it was opened";
            Err(Error::corrupt("section table", problem))
        }
    }

    /// Returns which bytes of the shard a block has; none behind the last.
    #[must_use]
    pub fn block(&self, block: usize) -> Range<usize> {
        let end = self.block_sums_start();
        let start = block.saturating_mul(BLOCK_LEN).min(end);
        start..start.saturating_add(BLOCK_LEN).min(end)
    }

    fn block_sums(&self) -> &[[u8; 8]] {
        let section = self.block_sums.as_ref();
        let bytes = section.map_or(&[][..], |section| self.section_bytes(section));
        bytes.as_chunks().0
    }

    fn block_sums_start(&self) -> usize {
        let section = self.block_sums.as_ref();
        let start = section.map_or(Ok(0), |section| to_index(section.offset));
        start.expect("open has checked that it is in memory")
    }
}

/// Checks that there is a sum for each block before the sums.
pub(super) fn check_section(section: &Section) -> Result<()> {
    let blocks = section.offset.div_ceil(BLOCK_LEN as u64);
    if section.len_items == blocks && section.len_bytes == blocks * 8 {
        Ok(())
    } else {
        let problem = "they are not as many as the blocks before them";
        Err(Error::corrupt("block sums", problem))
    }
}
