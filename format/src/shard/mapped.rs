//! A read-only map of a whole file.

use std::{fs::File, ops::Range, path::Path, sync::Arc};

use memmap2::{Advice, Mmap};

use crate::Result;

/// The bytes of a file, mapped read-only.
///
/// Pages come and go at the operating system's will, so that memory does not grow with data.
/// Clones share the map, which goes with the last of them.
#[derive(Debug, Clone)]
pub struct Mapped(Arc<Mmap>);

impl Mapped {
    /// Maps the whole of `path`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        #[expect(
            unsafe_code,
            reason = "mapping a file is inherently a promise about its writers"
        )]
        // SAFETY: published blobs are created whole under a name that is their digest, in a
        // private folder, and are never written or truncated after; they may only be unlinked
        // or replaced by a rename, which leaves a map intact.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self(Arc::new(map)))
    }

    /// Tells the operating system that lookups will be scattered, so that it reads no further
    /// than the page asked for.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the advice is refused.
    pub fn advise_random(&self) -> Result<()> {
        Ok(self.0.advise(Advice::Random)?)
    }

    /// Asks the operating system to keep what it reads of the file in huge pages, so that lookups
    /// all over a large file do not wait for page tables.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the advice is refused.
    pub fn advise_huge(&self) -> Result<()> {
        Ok(self.0.advise(Advice::HugePage)?)
    }

    /// Asks the operating system to read a part of the file in at once, rather than page by page.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the advice is refused, or the part does not lie within the file.
    pub fn advise_needed_part(&self, part: Range<usize>) -> Result<()> {
        let (offset, len) = (part.start, part.len());
        Ok(self.0.advise_range(Advice::WillNeed, offset, len)?)
    }

    /// Asks the operating system to read the file in, ahead of the first lookup.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the advice is refused.
    pub fn advise_needed(&self) -> Result<()> {
        Ok(self.0.advise(Advice::WillNeed)?)
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
