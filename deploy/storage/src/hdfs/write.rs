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

    /// Stores a file whole. A failure anywhere begins it anew, with other DataNodes.
    async fn store(
        &self,
        action: &'static str,
        name: &ObjectName,
        content: Content<'_>,
        overwrite: bool,
    ) -> Result<()> {
        // The semaphore is never closed.
        let _permit = self.files.acquire().await;
        let path = &self.path(name);
        let attempt = |client: Client, progress: Progress| async move {
            // The rename would tell, when all is written already.
            if !overwrite && client.get_file_info(path).await.is_ok() {
                return Err(Failure::Final(self.exists(name)));
            }
            let aside = self.aside()?;
            let done = write_aside(&client, &aside, content, &progress).await;
            let done = match done {
                Ok(()) => self.publish(&client, &aside, name, overwrite).await,
                failed => failed,
            };
            if done.is_err() {
                // What cannot be cleared now is cleared when it is old: the first error counts.
                let _ = client.delete(&aside, false).await;
            }
            done
        };
        self.run(self.task(action, name.as_str()), attempt).await
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

async fn write_aside(
    client: &Client,
    aside: &str,
    content: Content<'_>,
    progress: &Progress,
) -> Result<(), Failure> {
    let options = WriteOptions::default().permission(FILE_MODE);
    let mut writer = client.create(aside, options).await.map_err(failure)?;
    progress.made();
    match content {
        Content::Bytes(bytes) => write_piece(&mut writer, bytes.clone(), progress).await?,
        Content::File(source) => {
            let mut offset = 0;
            while offset < source.len_bytes() {
                let len_bytes = PIECE_BYTES.min(source.len_bytes() - offset);
                let piece = source
                    .read(offset, len_bytes)
                    .await
                    .map_err(Failure::Final)?;
                write_piece(&mut writer, piece, progress).await?;
                offset += len_bytes;
            }
        }
    }
    sync(&mut writer).await?;
    progress.made();
    writer.close().await.map_err(failure)
}

async fn write_piece(
    writer: &mut FileWriter,
    mut piece: Bytes,
    progress: &Progress,
) -> Result<(), Failure> {
    // In steps, so that a slow cluster is not taken for one that hangs.
    while !piece.is_empty() {
        let step = piece.split_to(piece.len().min(256 << 10));
        writer.write_bytes(step).await.map_err(failure)?;
        progress.made();
    }
    Ok(())
}

/// Has the DataNodes sync the last block, which for short files is the whole.
async fn sync(writer: &mut FileWriter) -> Result<(), Failure> {
    match writer.hsync().await {
        // Erasure-coded files cannot; they are closed as they are.
        Err(HdfsError::OperationFailed(_)) | Ok(()) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}
