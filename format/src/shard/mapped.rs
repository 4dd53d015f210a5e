//! A read-only map of a whole file.

use std::{fs::File, io, ops::Range, path::Path, sync::Arc};

use memmap2::{Advice, Mmap};
use rustix::{fs::fadvise, mm::mlock};

use crate::Result;

/// The bytes of a file, mapped read-only.
///
/// Pages come and go at the operating system's will, so that memory does not grow with data.
/// Clones share the map, which goes with the last of them. How it is kept in memory is a
/// [`MemoryPolicy`](super::MemoryPolicy)'s to say.
#[derive(Debug, Clone)]
pub struct Mapped(Arc<Mmap>);

impl Mapped {
    /// Maps the whole of `path`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self> {
        Self::map(&File::open(path)?)
    }

    /// Maps the whole of `path` after dropping it from the page cache: what is read in anew is
    /// read into the pages that are asked for from now on.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be opened or mapped.
    pub(super) fn open_anew(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        // What is in use elsewhere stays, and so may everything: it is a wish.
        let _refused = fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        Self::map(&file)
    }

    fn map(file: &File) -> Result<Self> {
        #[expect(
            unsafe_code,
            reason = "mapping a file is inherently a promise about its writers"
        )]
        // SAFETY: published blobs are created whole under a name that is their digest, in a
        // private folder, and are never written or truncated after; they may only be unlinked
        // or replaced by a rename, which leaves a map intact.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Arc::new(map)))
    }

    /// Tells the operating system how the pages of `range` will be used.
    pub(super) fn advise(&self, advice: Advice, range: Range<usize>) -> io::Result<()> {
        self.0.advise_range(advice, range.start, range.len())
    }

    /// Asks the operating system to read a part of the file in at once, rather than page by page.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the advice is refused, or the part does not lie within the file.
    pub fn advise_needed_part(&self, part: Range<usize>) -> Result<()> {
        Ok(self.advise(Advice::WillNeed, part)?)
    }

    /// Reads the pages of `range` in and keeps them in memory as long as the map is there.
    pub(super) fn lock(&self, range: Range<usize>) -> io::Result<()> {
        let bytes = &self.0[range];
        #[expect(unsafe_code, reason = "the call takes a pointer")]
        // SAFETY: the bytes are mapped as long as `self` is; locking changes none of them. It
        // ends with the map.
        unsafe {
            mlock(bytes.as_ptr().cast_mut().cast(), bytes.len())?;
        }
        Ok(())
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
