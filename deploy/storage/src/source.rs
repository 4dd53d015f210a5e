//! Local files that are to become objects.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use crate::{Error, Result};

/// A local file that is to become an object.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    file: Arc<File>,
    path: PathBuf,
    len_bytes: u64,
}

impl Source {
    /// Opens a file.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let work = move || {
            let file = File::open(&path).and_then(|file| {
                let len_bytes = file.metadata()?.len();
                Ok((Arc::new(file), len_bytes))
            });
            match file {
                Ok((file, len_bytes)) => Ok(Self {
                    file,
                    path,
                    len_bytes,
                }),
                Err(source) => Err(Error::Source { path, source }),
            }
        };
        unblock(work).await
    }

    /// Returns how long the file is.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Reads a part, which must be there: nobody changes the file meanwhile.
    pub(crate) async fn read(&self, offset: u64, len_bytes: u64) -> Result<Bytes> {
        let source = self.clone();
        let work = move || {
            let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or(usize::MAX)];
            match source.file.read_exact_at(&mut bytes, offset) {
                Ok(()) => Ok(Bytes::from(bytes)),
                Err(error) => Err(Error::Source {
                    path: source.path,
                    source: error,
                }),
            }
        };
        unblock(work).await
    }
}

/// Runs work where blocking is allowed.
async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
