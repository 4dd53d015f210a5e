//! Creating and replacing files: written aside, closed, and renamed.

use std::path::Path;

use bytes::Bytes;
use hdfs_native::{Client, HdfsError, WriteOptions, file::FileWriter};

use super::{Cluster, failure::failure};
use crate::{
    ObjectName, Result,
    retry::{Failure, Progress},
    source::Source,
};

/// How many files are written at once, of all writers of a storage.
pub(super) const FILES_MAX: usize = 8;

/// How much of a local file is read at once.
const PIECE_BYTES: u64 = 4 << 20;

/// How often a file is tried as usual.
const ATTEMPTS_AS_USUAL: u32 = 2;

/// How long blocks are at least where a file is to have one: what HDFS takes anywhere.
const SPARING_BLOCK_BYTES_MIN: u64 = 128 << 20;

/// How much is written at once.
const STEP_BYTES: usize = 256 << 10;

/// What is published never changes and is confidential: nobody writes it, others than owner and
/// group read none of it.
const FILE_MODE: u32 = 0o440;

/// The same for folders, in which their owner makes new files.
const FOLDER_MODE: u32 = 0o750;

/// What is to stand in a file.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Bytes(&'a Bytes),
    File(&'a Source),
}

impl Content<'_> {
    fn len_bytes(self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(source) => source.len_bytes(),
        }
    }
}

impl Cluster {
    pub(super) async fn create_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let source = Source::open(file).await?;
        self.create_of(name, Content::File(&source)).await
    }

    pub(super) async fn replace_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let source = Source::open(file).await?;
        self.store("replace", name, Content::File(&source), true)
            .await
    }

    pub(super) async fn create_of(&self, name: &ObjectName, content: Content<'_>) -> Result<()> {
        self.store("create", name, content, false).await
    }

    /// Stores a file whole. A failure anywhere begins it anew, with whichever DataNodes are offered.
    async fn store(
        &self,
        action: &'static str,
        name: &ObjectName,
        content: Content<'_>,
        overwrite: bool,
    ) -> Result<()> {
        // The semaphore is never closed.
        let _permit = self.files.acquire().await;
        let mut attempts = 0;
        let attempt = |client: Client, progress: Progress| {
            attempts += 1;
            let placing = match attempts > ATTEMPTS_AS_USUAL {
                true => Placing::Sparing,
                false => Placing::Usual,
            };
            self.attempt(client, progress, name, content, overwrite, placing)
        };
        self.run(self.task(action, name.as_str()), attempt).await
    }

    /// Stores a file, or nothing.
    async fn attempt(
        &self,
        client: Client,
        progress: Progress,
        name: &ObjectName,
        content: Content<'_>,
        overwrite: bool,
        placing: Placing,
    ) -> Result<(), Failure> {
        // The rename would tell, when all is written already.
        if !overwrite && client.get_file_info(&self.path(name)).await.is_ok() {
            return Err(Failure::Final(self.exists(name)));
        }
        let aside = self.aside()?;
        let done = write_aside(&client, &aside, content, placing, &progress).await;
        let done = match done {
            Ok(()) => self.publish(&client, &aside, name, overwrite).await,
            failed => failed,
        };
        if done.is_err() {
            // What cannot be cleared now is cleared when it is old: the first error counts.
            let _ = client.delete(&aside, false).await;
        }
        done
    }

    /// Gives a closed file its name.
    async fn publish(
        &self,
        client: &Client,
        aside: &str,
        name: &ObjectName,
        overwrite: bool,
    ) -> Result<(), Failure> {
        let path = self.path(name);
        if let Some((folder, _)) = path.rsplit_once('/') {
            let made = client.mkdirs(folder, FOLDER_MODE, true).await;
            made.map_err(failure)?;
        }
        match client.rename(aside, &path, overwrite).await {
            Ok(()) => Ok(()),
            Err(HdfsError::AlreadyExists(_)) => Err(Failure::Final(self.exists(name))),
            Err(error) => Err(failure(error)),
        }
    }
}

/// Writes a file, and has the DataNodes sync each of its blocks: docs/decisions/0025.
async fn write_aside(
    client: &Client,
    aside: &str,
    content: Content<'_>,
    placing: Placing,
    progress: &Progress,
) -> Result<(), Failure> {
    let options = placing.options(content.len_bytes());
    let writer = client.create(aside, options).await.map_err(failure)?;
    let status = client.get_file_info(aside).await.map_err(failure)?;
    let replicas = status.replication.unwrap_or(1);
    placing.spare(client, aside, replicas).await?;
    progress.made();
    let mut blocks = Blocks {
        writer,
        block_bytes: status
            .blocksize
            .filter(|bytes| *bytes > 0)
            .unwrap_or(u64::MAX),
        written_bytes: 0,
        progress,
    };
    match content {
        Content::Bytes(bytes) => blocks.write(bytes.clone()).await?,
        Content::File(source) => {
            let mut offset = 0;
            while offset < source.len_bytes() {
                let len_bytes = PIECE_BYTES.min(source.len_bytes() - offset);
                let piece = source.read(offset, len_bytes).await;
                blocks.write(piece.map_err(Failure::Final)?).await?;
                offset += len_bytes;
            }
        }
    }
    blocks.sync().await?;
    blocks.writer.close().await.map_err(failure)?;
    placing.restore(client, aside, replicas).await
}

/// How the blocks of a file are placed.
///
/// The NameNode offers a DataNode that has just died for ten minutes more, and the client library
/// cannot decline it. The fewer DataNodes a file needs, the sooner it meets none that is dead.
#[derive(Debug, Clone, Copy)]
enum Placing {
    /// As the cluster does it.
    Usual,
    /// In one block, with one replica less until it is written.
    Sparing,
}

impl Placing {
    fn options(self, len_bytes: u64) -> WriteOptions {
        let options = WriteOptions::default().permission(FILE_MODE);
        match self {
            Self::Usual => options,
            Self::Sparing => {
                let block_bytes = len_bytes.max(SPARING_BLOCK_BYTES_MIN);
                options.block_size(block_bytes.next_multiple_of(SPARING_BLOCK_BYTES_MIN))
            }
        }
    }

    /// Wants one replica less of what is yet to be written.
    async fn spare(self, client: &Client, aside: &str, replicas: u32) -> Result<(), Failure> {
        match self {
            Self::Sparing if replicas > 1 => want(client, aside, replicas - 1).await,
            _ => Ok(()),
        }
    }

    /// Wants as many replicas as usual, which the cluster makes in its own time.
    async fn restore(self, client: &Client, aside: &str, replicas: u32) -> Result<(), Failure> {
        match self {
            Self::Sparing if replicas > 1 => want(client, aside, replicas).await,
            _ => Ok(()),
        }
    }
}

async fn want(client: &Client, aside: &str, replicas: u32) -> Result<(), Failure> {
    let is_set = client.set_replication(aside, replicas).await;
    is_set.map(drop).map_err(failure)
}

/// A file that is being written, block by block.
struct Blocks<'a> {
    writer: FileWriter,
    block_bytes: u64,
    written_bytes: u64,
    progress: &'a Progress,
}

impl Blocks<'_> {
    async fn write(&mut self, mut piece: Bytes) -> Result<(), Failure> {
        // In steps, so that a slow cluster is not taken for one that hangs.
        while !piece.is_empty() {
            let block_left = self.block_bytes - self.written_bytes % self.block_bytes;
            let block_left = usize::try_from(block_left).unwrap_or(usize::MAX);
            let step = piece.split_to(piece.len().min(STEP_BYTES).min(block_left));
            self.written_bytes += step.len() as u64;
            self.writer.write_bytes(step).await.map_err(failure)?;
            self.progress.made();
            // The next byte begins another block, and then this one is not synced any more.
            if self.written_bytes.is_multiple_of(self.block_bytes) {
                self.sync().await?;
            }
        }
        Ok(())
    }

    /// Has the DataNodes sync the block that was written last.
    async fn sync(&mut self) -> Result<(), Failure> {
        match self.writer.hsync().await {
            // Erasure-coded files cannot; they are closed as they are.
            Err(HdfsError::OperationFailed(_)) | Ok(()) => {}
            Err(error) => return Err(failure(error)),
        }
        self.progress.made();
        Ok(())
    }
}
