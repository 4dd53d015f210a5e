//! From rows to a file: chunks made in parallel, written in order, aside, then renamed.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use rayon::{ThreadPool, prelude::*};
use tempfile::NamedTempFile;

use super::{
    encode::Encoder,
    error::{Error, Result},
    rows::World,
};

/// Rows that are made, compressed and written at a time: about one megabyte of text.
const CHUNK_ROWS: u64 = 8192;
/// Chunks of each thread that are made before any of them is written.
const CHUNKS_PER_THREAD: usize = 8;
/// Windows that may wait for the disk.
const WINDOWS_WAITING: usize = 1;

/// How a file is compressed: every chunk is a gzip member or a Zstandard frame of its own, which
/// makes the bytes independent of the number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstandard,
}

/// Splits a file name into its stem and its compression.
pub(super) fn parse_name(output: &Path) -> Result<(String, Compression)> {
    let name = output
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    [
        (".csv", Compression::None),
        (".csv.gz", Compression::Gzip),
        (".csv.zst", Compression::Zstandard),
    ]
    .into_iter()
    .find_map(|(extension, compression)| {
        let stem = name
            .strip_suffix(extension)
            .filter(|stem| !stem.is_empty())?;
        Some((stem.to_owned(), compression))
    })
    .ok_or_else(|| {
        let reason = format!(
            "{} does not end in .csv, .csv.gz or .csv.zst",
            output.display()
        );
        Error::option("output", reason)
    })
}

/// A file that takes its name only when it is complete, and leaves nothing behind otherwise.
pub(super) struct Aside {
    file: NamedTempFile,
    target: PathBuf,
}

impl Aside {
    pub(super) fn create(target: &Path) -> Result<Self> {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".nightshard-generate-").suffix(".partial");
        #[cfg(unix)]
        {
            use std::{fs::Permissions, os::unix::fs::PermissionsExt};
            // Readable as any other file: the process's umask applies.
            builder.permissions(Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder)
            .map_err(|source| failed(target, source))?;
        Ok(Self {
            file,
            target: target.to_owned(),
        })
    }

    /// Calls `fill` with the file.
    pub(super) fn fill(
        &mut self,
        fill: impl FnOnce(&mut std::fs::File) -> io::Result<()>,
    ) -> Result<()> {
        fill(self.file.as_file_mut()).map_err(|source| failed(&self.target, source))
    }

    /// Gives the file its name; returns its size in bytes.
    pub(super) fn commit(self) -> Result<u64> {
        let metadata = self.file.as_file().metadata();
        let size_bytes = metadata
            .map_err(|source| failed(&self.target, source))?
            .len();
        self.file
            .persist(&self.target)
            .map_err(|cause| failed(&self.target, cause.error))?;
        Ok(size_bytes)
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Write {
        path: path.to_owned(),
        source,
    }
}

/// Starts the threads that make rows.
pub(super) fn pool(threads: NonZeroUsize) -> Result<ThreadPool> {
    let threads = threads.get();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|source| Error::Threads { threads, source })
}

/// All rows of a plan, and how they become bytes.
pub(super) struct Stream<'w> {
    pub(super) world: &'w World,
    pub(super) encoder: Encoder<'w>,
    pub(super) rows: u64,
    pub(super) compression: Compression,
}

/// A window of finished chunks and the rows up to its end.
type Window = (Vec<Vec<u8>>, u64);

impl Stream<'_> {
    /// Writes every row to `sink`, in order, telling `progress` how many are written.
    ///
    /// Two windows of chunks exist at any time: one in the making, one on its way to the disk.
    pub(super) fn write(
        &self,
        pool: &ThreadPool,
        sink: &mut (dyn Write + Send),
        progress: &(dyn Fn(u64) + Sync),
    ) -> io::Result<()> {
        let window_chunks = pool.current_num_threads() * CHUNKS_PER_THREAD;
        let (to_disk, windows) = sync_channel(WINDOWS_WAITING);
        let (to_reuse, reusable) = channel();
        thread::scope(|scope| {
            let writer = scope.spawn(move || drain(sink, &windows, &to_reuse, progress));
            let made = pool.install(|| self.make(window_chunks, to_disk, reusable));
            let written = writer
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("writer died")));
            written.and(made)
        })
    }

    /// Makes window after window until the last row, or until nobody takes them any more.
    fn make(
        &self,
        window_chunks: usize,
        to_disk: SyncSender<Window>,
        reusable: Receiver<Vec<Vec<u8>>>,
    ) -> io::Result<()> {
        let chunks = self.rows.div_ceil(CHUNK_ROWS);
        for first in (0..chunks).step_by(window_chunks) {
            let left = usize::try_from(chunks - first).unwrap_or(usize::MAX);
            let count = left.min(window_chunks);
            let mut window = reusable.try_recv().unwrap_or_default();
            window.resize_with(count, Vec::new);
            window
                .par_iter_mut()
                .enumerate()
                .try_for_each(|(index, bytes)| self.chunk(first + index as u64, bytes))?;
            if to_disk
                .send((window, self.rows.min((first + count as u64) * CHUNK_ROWS)))
                .is_err()
            {
                break;
            }
        }
        Ok(())
    }

    /// Makes one chunk; the first one begins with the header.
    fn chunk(&self, chunk: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        if chunk == 0 {
            bytes.extend_from_slice(self.encoder.header().as_bytes());
        }
        let mut day = 0;
        for number in chunk * CHUNK_ROWS..self.rows.min((chunk + 1) * CHUNK_ROWS) {
            day = self.world.calendar.day_of(number, day);
            self.encoder.push(&self.world.row(number, day), bytes);
        }
        match self.compression {
            Compression::None => {}
            Compression::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(bytes)?;
                *bytes = encoder.finish()?;
            }
            Compression::Zstandard => *bytes = zstd::bulk::compress(bytes, 3)?,
        }
        Ok(())
    }
}

/// Writes windows in the order in which they come.
fn drain(
    sink: &mut dyn Write,
    windows: &Receiver<Window>,
    to_reuse: &Sender<Vec<Vec<u8>>>,
    progress: &(dyn Fn(u64) + Sync),
) -> io::Result<()> {
    for (window, rows) in windows {
        window.iter().try_for_each(|bytes| sink.write_all(bytes))?;
        progress(rows);
        // Nobody reuses the buffers of the last windows.
        let _ = to_reuse.send(window);
    }
    sink.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{OutputLayout, Plan};

    /// A disk with room for so many bytes.
    struct Disk {
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.room = self
                .room
                .checked_sub(bytes.len())
                .ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_stops_the_generator() {
        let plan = Plan::new(OutputLayout::Canonical, 10, 100, 100_000_000_000);
        let world = World::new(&plan).unwrap();
        let encoder = Encoder::new(&world, &plan);
        let compression = Compression::None;
        let stream = Stream {
            world: &world,
            encoder,
            rows: plan.transactions,
            compression,
        };
        let pool = pool(NonZeroUsize::MIN).unwrap();
        let outcome = stream.write(&pool, &mut Disk { room: 3_000_000 }, &|_| {});
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn the_name_tells_stem_and_compression() {
        let parse = |name: &str| parse_name(Path::new(name)).ok();
        assert_eq!(parse("/a/b.csv"), Some(("b".to_owned(), Compression::None)));
        assert_eq!(parse("b.csv.gz"), Some(("b".to_owned(), Compression::Gzip)));
        assert_eq!(
            parse("b.x.csv.zst"),
            Some(("b.x".to_owned(), Compression::Zstandard))
        );
        assert_eq!(parse(".csv"), None);
        assert_eq!(parse("b.parquet"), None);
        assert_eq!(parse("/"), None);
    }
}
