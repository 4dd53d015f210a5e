//! Files in and out of the page cache.

use std::{fs::File, hint::black_box, path::Path};

use anyhow::Result;
use memmap2::{Advice, Mmap};
use rustix::fs::fadvise;

const PAGE_LEN: usize = 4096;

/// Reads a byte of each page.
pub(crate) fn touch(bytes: &[u8]) {
    for page in bytes.chunks(PAGE_LEN) {
        black_box(page[0]);
    }
}

/// Reads a word of each page.
pub(crate) fn touch_words(words: &[u64]) {
    for page in words.chunks(PAGE_LEN / 8) {
        black_box(page[0]);
    }
}

/// Maps a file that nobody writes any more.
pub(crate) fn map(path: &Path, huge: bool) -> Result<Mmap> {
    // SAFETY: files are written whole before anybody maps them.
    let map = unsafe { Mmap::map(&File::open(path)?)? };
    if huge {
        map.advise(Advice::HugePage)?;
    }
    Ok(map)
}

/// Makes all files of a folder durable.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    for_each(folder, |path| Ok(File::open(path)?.sync_all()?))
}

/// Drops the files of a folder from the page cache.
pub(crate) fn drop_cache(folder: &Path) -> Result<()> {
    sync(folder)?;
    for_each(folder, |path| {
        let file = File::open(path)?;
        Ok(fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
    })
}

/// Reads the files of a folder into the page cache anew: in huge pages or as it comes, since a
/// page that is there is kept as it is.
pub(crate) fn fill_cache(folder: &Path, huge: bool) -> Result<()> {
    drop_cache(folder)?;
    for_each(folder, |path| {
        if path.metadata()?.len() > 0 {
            touch(&map(path, huge)?);
        }
        Ok(())
    })
}

/// Bytes of all files of a folder.
pub(crate) fn size(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for_each(folder, |path| {
        size += path.metadata()?.len();
        Ok(())
    })?;
    Ok(size)
}

fn for_each(folder: &Path, mut visit: impl FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_file() {
            visit(&path)?;
        }
    }
    Ok(())
}
