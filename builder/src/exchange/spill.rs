//! A nameless scratch file of segments, appended by one writer and read by many.

use std::{
    fs::File,
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

const WRITE_BUFFER_LEN: usize = 1 << 20;

/// Where one partition's segment lies in a spill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentRange {
    pub(crate) offset: u64,
    pub(crate) len_dictionary: u64,
    pub(crate) len_rows: u64,
}

/// The file being written.
#[derive(Debug)]
pub(crate) struct SpillWriter {
    file: BufWriter<File>,
    len: u64,
    folder: PathBuf,
}

impl SpillWriter {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(Error::at(folder))?;
        Ok(Self {
            file: BufWriter::with_capacity(WRITE_BUFFER_LEN, file),
            len: 0,
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::at(&self.folder))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<SpillReader> {
        let (folder, len) = (self.folder, self.len);
        let file = self.file.into_inner().map_err(|error| error.into_error());
        Ok(SpillReader {
            file: file.map_err(Error::at(&folder))?,
            len,
            folder,
        })
    }
}

/// The finished file.
#[derive(Debug)]
pub(crate) struct SpillReader {
    file: File,
    len: u64,
    folder: PathBuf,
}

impl SpillReader {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.file
            .read_exact_at(bytes, offset)
            .map_err(Error::at(&self.folder))
    }
}
