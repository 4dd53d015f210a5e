//! A file that is open only while it is written to.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

/// Appends to a file, opening it anew for each write.
///
/// One run of partitions has a shard for every month: years of data would hold more files open
/// than a process may have. Writes are large, so opening costs nothing beside them.
#[derive(Debug)]
pub(crate) struct AppendFile(pub(super) PathBuf);

impl Write for AppendFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
