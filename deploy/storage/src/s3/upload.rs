//! Creating and replacing objects: in one request, or in parts.

use std::path::Path;

use aws_sdk_s3::{
    operation::upload_part::UploadPartOutput,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, MultipartUpload},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Bucket, answer, failure, progress::Watch};
use crate::{
    ObjectName, Result, Storage,
    retry::{Failure, Retry, Task},
    source::Source,
};

/// How long a part is, unless there would be too many; what is no longer goes in one request.
const PART_BYTES: u64 = 16 << 20;

/// How many parts an upload may have: what S3 allows.
const PART_COUNT_MAX: u64 = 10_000;

/// How many parts are in memory at once, of all uploads of a storage.
pub(super) const PARTS_MAX: usize = 8;

/// What is to be where an object goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Nothing.
    Absent,
    /// Whatever there is.
    Any,
}

impl Condition {
    fn if_none_match(self) -> Option<String> {
        (self == Self::Absent).then(|| "*".to_owned())
    }
}

/// An upload in parts that was begun.
struct Upload<'a> {
    name: &'a ObjectName,
    key: String,
    id: String,
    source: Source,
    part_bytes: u64,
}

impl Bucket {
    pub(super) async fn create_bytes(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.put("create", name, bytes, Condition::Absent).await
    }

    pub(super) async fn create_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let source = Source::open(file).await?;
        if source.len_bytes() <= PART_BYTES {
            return self
                .put_file("create", name, &source, Condition::Absent)
                .await;
        }
        // The condition is tested at the end, when all is sent already.
        if self.size(name).await?.is_some() {
            return Err(self.exists(name));
        }
        self.upload("create", name, source, Condition::Absent).await
    }

    pub(super) async fn replace_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let source = Source::open(file).await?;
        if source.len_bytes() <= PART_BYTES {
            return self
                .put_file("replace", name, &source, Condition::Any)
                .await;
        }
        self.upload("replace", name, source, Condition::Any).await
    }

    async fn put_file(
        &self,
        action: &'static str,
        name: &ObjectName,
        source: &Source,
        condition: Condition,
    ) -> Result<()> {
        // The semaphore is never closed.
        let _permit = self.parts.acquire().await;
        let bytes = source.read(0, source.len_bytes()).await?;
        self.put(action, name, bytes, condition).await
    }

    /// Stores an object by one request.
    async fn put(
        &self,
        action: &'static str,
        name: &ObjectName,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<()> {
        let key = &self.key(name);
        let attempt = |progress| {
            let request = self.client.put_object().bucket(&self.bucket).key(key);
            let request = request
                .body(ByteStream::from(bytes.clone()))
                .set_if_none_match(condition.if_none_match())
                .customize()
                .interceptor(Watch(progress));
            async move {
                match request.send().await {
                    Ok(_output) => Ok(()),
                    Err(error) if answer(&error).0 == Some(412) => {
                        Err(Failure::Final(self.exists(name)))
                    }
                    Err(error) => Err(failure(error)),
                }
            }
        };
        self.retry
            .run(self.task(action, name.as_str()), attempt)
            .await
    }

    /// Stores an object in parts, many at once; after an error nothing is left of them.
    async fn upload(
        &self,
        action: &'static str,
        name: &ObjectName,
        source: Source,
        condition: Condition,
    ) -> Result<()> {
        let task = self.task(action, name.as_str());
        let key = self.key(name);
        let upload = Upload {
            name,
            id: self.begin_upload(task, &key).await?,
            key,
            part_bytes: PART_BYTES.max(source.len_bytes().div_ceil(PART_COUNT_MAX)),
            source,
        };
        let done = match self.upload_parts(task, &upload).await {
            Ok(parts) => self.complete(task, &upload, parts, condition).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            // What cannot be cleared now is cleared when it is old: the first error counts, and a
            // server that was away for long is not waited for once more.
            let once = self.retry.once();
            let _ = self.abort(once, task, &upload.key, &upload.id).await;
        }
        done
    }

    async fn begin_upload(&self, task: Task<'_>, key: &str) -> Result<String> {
        let attempt = |progress| async move {
            let request = self.client.create_multipart_upload();
            let request = request.bucket(&self.bucket).key(key).customize();
            let begun = request.interceptor(Watch(progress)).send().await;
            let id = begun.map_err(failure)?.upload_id;
            id.ok_or_else(|| Failure::Transient("the server does not name the upload".into()))
        };
        self.retry.run(task, attempt).await
    }

    /// Returns the parts in order.
    async fn upload_parts(
        &self,
        task: Task<'_>,
        upload: &Upload<'_>,
    ) -> Result<Vec<CompletedPart>> {
        let count = upload.source.len_bytes().div_ceil(upload.part_bytes);
        stream::iter(0..count)
            .map(|at| self.upload_part(task, upload, at))
            .buffered(PARTS_MAX)
            .try_collect()
            .await
    }

    async fn upload_part(
        &self,
        task: Task<'_>,
        upload: &Upload<'_>,
        at: u64,
    ) -> Result<CompletedPart> {
        let _permit = self.parts.acquire().await;
        let offset = at * upload.part_bytes;
        let len_bytes = upload.part_bytes.min(upload.source.len_bytes() - offset);
        let bytes = upload.source.read(offset, len_bytes).await?;
        let number = i32::try_from(at + 1).unwrap_or(i32::MAX);
        let attempt = |progress| {
            let request = self.client.upload_part().bucket(&self.bucket);
            let request = request
                .key(&upload.key)
                .upload_id(&upload.id)
                .part_number(number)
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .interceptor(Watch(progress));
            async move { request.send().await.map_err(failure) }
        };
        let output = self.retry.run(task, attempt).await?;
        Ok(completed(number, output))
    }

    /// Makes the object of its parts, if the condition holds.
    async fn complete(
        &self,
        task: Task<'_>,
        upload: &Upload<'_>,
        parts: Vec<CompletedPart>,
        condition: Condition,
    ) -> Result<()> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let attempt = |progress| {
            let request = self.client.complete_multipart_upload().bucket(&self.bucket);
            let request = request
                .key(&upload.key)
                .upload_id(&upload.id)
                .multipart_upload(parts.clone())
                .set_if_none_match(condition.if_none_match())
                .customize()
                .interceptor(Watch(progress));
            async move {
                let error = match request.send().await {
                    Ok(_output) => return Ok(()),
                    Err(error) => error,
                };
                match answer(&error) {
                    (Some(412), _) => Err(Failure::Final(self.exists(upload.name))),
                    // It was completed and the answer got lost, or somebody cleared it; or, at
                    // 409, another was at it and S3 wants all parts anew.
                    (Some(404), Some("NoSuchUpload")) | (Some(409), _) => {
                        Err(self.undone(task, upload.name, failure(error)).await)
                    }
                    _ => Err(failure(error)),
                }
            }
        };
        self.retry.run(task, attempt).await
    }

    /// Returns what it means that an upload cannot be completed any more.
    async fn undone(&self, task: Task<'_>, name: &ObjectName, failure: Failure) -> Failure {
        match self.size(name).await {
            Ok(Some(_len)) => Failure::Final(self.exists(name)),
            Ok(None) => match failure {
                Failure::Refused { cause, .. } => {
                    Failure::Final(task.error(Failure::Transient(cause)))
                }
                failure => Failure::Final(task.error(failure)),
            },
            Err(error) => Failure::Final(error),
        }
    }

    /// Discards an upload, and returns whether there was one.
    async fn abort(&self, retry: Retry, task: Task<'_>, key: &str, id: &str) -> Result<bool> {
        let attempt = |progress| async move {
            let request = self.client.abort_multipart_upload().bucket(&self.bucket);
            let request = request.key(key).upload_id(id).customize();
            match request.interceptor(Watch(progress)).send().await {
                Ok(_output) => Ok(true),
                Err(error) if answer(&error) == (Some(404), Some("NoSuchUpload")) => Ok(false),
                Err(error) => Err(failure(error)),
            }
        };
        retry.run(task, attempt).await
    }

    /// Discards an upload that its owner left behind, and returns whether it was still there.
    pub(super) async fn abort_abandoned(&self, upload: &MultipartUpload) -> Result<bool> {
        let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
            return Ok(false);
        };
        self.abort(self.retry, self.task("clear", key), key, id)
            .await
    }
}

/// Says of a part what the completion has to.
fn completed(number: i32, output: UploadPartOutput) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(output.e_tag)
        .set_checksum_crc32(output.checksum_crc32)
        .build()
}
