//! A folder of a bucket as storage: AWS S3, and servers that speak its protocol.

mod client;
mod failure;
mod progress;
mod upload;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    operation::get_object::GetObjectOutput,
    types::{MultipartUpload, Object},
};
use bytes::Bytes;
use tokio::sync::Semaphore;

use self::{
    failure::{answer, failure, no_bucket},
    progress::Watch,
};
use crate::{
    Config, Error, Listed, ObjectName, Result, Storage, UNFINISHED_AGE_MAX,
    name::TMP,
    retry::{Failure, Progress, Retry, Task},
};

/// Storage in a folder of a bucket.
///
/// An object is created by one conditional request, or by a multipart upload whose completion is
/// conditional: docs/decisions/0020.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    client: Client,
    bucket: String,
    /// What every key begins with: empty, or ending in a slash.
    prefix: String,
    location: String,
    retry: Retry,
    /// The parts that may be in memory at once, of all uploads.
    parts: Arc<Semaphore>,
    /// Whether it is known that the bucket is there.
    is_there: Arc<AtomicBool>,
}

impl Bucket {
    /// Makes a storage of a bucket's folder; the bucket is not asked whether it is there.
    pub(crate) async fn new(bucket: &str, prefix: &str, config: &Config) -> Self {
        let location = format!("s3://{bucket}/{prefix}");
        Self {
            client: client::client(config).await,
            bucket: bucket.to_owned(),
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            location: location.trim_end_matches('/').to_owned(),
            retry: Retry::new(config),
            parts: Arc::new(Semaphore::new(upload::PARTS_MAX)),
            is_there: Arc::default(),
        }
    }

    fn key(&self, name: &ObjectName) -> String {
        format!("{}{name}", self.prefix)
    }

    fn task<'a>(&'a self, action: &'static str, name: &'a str) -> Task<'a> {
        Task {
            action,
            name,
            location: &self.location,
        }
    }

    fn exists(&self, name: &ObjectName) -> Error {
        Error::Exists {
            name: name.clone(),
            location: self.location.clone(),
        }
    }

    fn too_large(&self, name: &ObjectName, limit_bytes: u64) -> Error {
        Error::TooLarge {
            name: name.clone(),
            location: self.location.clone(),
            limit_bytes,
        }
    }

    /// Asks for an object, or a part of it that is not empty.
    async fn open(
        &self,
        key: &str,
        range: Option<&Range<u64>>,
        progress: &Progress,
    ) -> Result<Found, Failure> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let request = request.set_range(range).customize();
        match request.interceptor(Watch(progress.clone())).send().await {
            Ok(output) => Ok(Found::Object(Box::new(output))),
            Err(error) => match answer(&error) {
                (Some(404), Some("NoSuchKey")) => Ok(Found::Nothing),
                (Some(416), _) => Ok(Found::Beyond),
                _ => Err(failure(error)),
            },
        }
    }

    /// Checks that the bucket is there, once: that an object is not is said without a body, and so is
    /// that its bucket is not.
    async fn check_bucket(&self, progress: Progress) -> Result<(), Failure> {
        if self.is_there.load(Ordering::Relaxed) {
            return Ok(());
        }
        let request = self.client.head_bucket().bucket(&self.bucket).customize();
        match request.interceptor(Watch(progress)).send().await {
            Err(error) => match answer(&error).0 {
                Some(404) => return Err(no_bucket(&error)),
                // Whoever may not ask may still know what is in it.
                Some(403) => {}
                _ => return Err(failure(error)),
            },
            Ok(_output) => {}
        }
        self.is_there.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Returns one page of a listing, and where the next begins.
    async fn list_page(
        &self,
        folder: &ObjectName,
        token: Option<String>,
    ) -> Result<(Vec<Object>, Option<String>)> {
        let prefix = format!("{}/", self.key(folder));
        let task = self.task("list", folder.as_str());
        let attempt = |progress| {
            let request = self.client.list_objects_v2().bucket(&self.bucket);
            let request = request
                .prefix(&prefix)
                .set_continuation_token(token.clone());
            async move {
                let page = request.customize().interceptor(Watch(progress));
                let page = page.send().await.map_err(failure)?;
                let next = page.next_continuation_token;
                Ok((page.contents.unwrap_or_default(), next))
            }
        };
        self.retry.run(task, attempt).await
    }

    /// Returns what a listing says of an object, unless nothing of ours has such a key.
    fn listed(&self, object: &Object) -> Option<Listed> {
        let name = object.key()?.strip_prefix(&self.prefix)?.parse().ok()?;
        Some(Listed {
            name,
            len_bytes: u64::try_from(object.size()?).ok()?,
            modified: SystemTime::try_from(*object.last_modified()?).ok()?,
        })
    }

    /// Returns one page of the uploads that are not finished, and where the next begins.
    async fn uploads_page(
        &self,
        marker: UploadsMarker,
    ) -> Result<(Vec<MultipartUpload>, UploadsMarker)> {
        let attempt = |progress| {
            let request = self.client.list_multipart_uploads().bucket(&self.bucket);
            let request = request
                .prefix(&self.prefix)
                .set_key_marker(marker.key.clone())
                .set_upload_id_marker(marker.upload_id.clone());
            async move {
                let page = request.customize().interceptor(Watch(progress));
                let page = page.send().await.map_err(failure)?;
                let is_more = page.is_truncated == Some(true);
                let next = UploadsMarker {
                    key: page.next_key_marker.filter(|_| is_more),
                    upload_id: page.next_upload_id_marker.filter(|_| is_more),
                };
                Ok((page.uploads.unwrap_or_default(), next))
            }
        };
        self.retry.run(self.task("clear", TMP), attempt).await
    }
}

/// What there is where an object was asked for.
enum Found {
    /// It, or a part of it, whose body is still to come.
    Object(Box<GetObjectOutput>),
    /// An object that ends before the part begins.
    Beyond,
    /// Nothing.
    Nothing,
}

/// Where a page of unfinished uploads begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct UploadsMarker {
    key: Option<String>,
    upload_id: Option<String>,
}

/// Reads a body, or returns `None` if it exceeds the limit.
async fn read_body(
    output: GetObjectOutput,
    limit_bytes: u64,
    progress: &Progress,
) -> Result<Option<Bytes>, Failure> {
    let len_bytes = output
        .content_length
        .and_then(|len| u64::try_from(len).ok());
    if len_bytes.is_some_and(|len_bytes| len_bytes > limit_bytes) {
        return Ok(None);
    }
    let mut body = output.body;
    let mut bytes = Vec::with_capacity(usize::try_from(len_bytes.unwrap_or(0)).unwrap_or(0));
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Failure::Transient(error.into()))?;
        progress.made();
        if (bytes.len() + chunk.len()) as u64 > limit_bytes {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.into()))
}

#[async_trait]
impl Storage for Bucket {
    fn location(&self) -> &str {
        &self.location
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.create_bytes(name, bytes).await
    }

    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.create_file(name, file).await
    }

    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.replace_file(name, file).await
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>> {
        let key = &self.key(name);
        let attempt = |progress| async move {
            let Found::Object(output) = self.open(key, None, &progress).await? else {
                return Ok(None);
            };
            match read_body(*output, limit_bytes, &progress).await? {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(Failure::Final(self.too_large(name, limit_bytes))),
            }
        };
        self.retry
            .run(self.task("read", name.as_str()), attempt)
            .await
    }

    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>> {
        if range.is_empty() {
            return Ok(self.size(name).await?.map(|_len| Bytes::new()));
        }
        let (key, range) = (&self.key(name), &range);
        let attempt = |progress| async move {
            let output = match self.open(key, Some(range), &progress).await? {
                Found::Object(output) => *output,
                Found::Beyond => return Ok(Some(Bytes::new())),
                Found::Nothing => return Ok(None),
            };
            match read_body(output, range.end - range.start, &progress).await? {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(Failure::Transient("more came than was asked for".into())),
            }
        };
        self.retry
            .run(self.task("read", name.as_str()), attempt)
            .await
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let (objects, next) = self.list_page(folder, token).await?;
            listed.extend(objects.iter().filter_map(|object| self.listed(object)));
            if next.is_none() {
                break;
            }
            token = next;
        }
        listed.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(listed)
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let key = &self.key(name);
        let attempt = |progress: Progress| async move {
            let request = self.client.head_object().bucket(&self.bucket).key(key);
            match request
                .customize()
                .interceptor(Watch(progress.clone()))
                .send()
                .await
            {
                Ok(head) => match head.content_length.map(u64::try_from) {
                    Some(Ok(len_bytes)) => Ok(Some(len_bytes)),
                    _ => Err(Failure::Transient(
                        "the server does not say how long".into(),
                    )),
                },
                Err(error) if answer(&error).0 == Some(404) => {
                    self.check_bucket(progress).await?;
                    Ok(None)
                }
                Err(error) => Err(failure(error)),
            }
        };
        self.retry
            .run(self.task("examine", name.as_str()), attempt)
            .await
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        // Deleting what is not there succeeds, too.
        if self.size(name).await?.is_none() {
            return Ok(false);
        }
        let key = &self.key(name);
        let attempt = |progress| async move {
            let request = self.client.delete_object().bucket(&self.bucket).key(key);
            let deleted = request
                .customize()
                .interceptor(Watch(progress))
                .send()
                .await;
            deleted.map(|_output| true).map_err(failure)
        };
        self.retry
            .run(self.task("delete", name.as_str()), attempt)
            .await
    }

    async fn clear_unfinished(&self, now: SystemTime) -> Result<u64> {
        let (mut cleared, mut marker) = (0, UploadsMarker::default());
        loop {
            let (uploads, next) = self.uploads_page(marker.clone()).await?;
            for upload in &uploads {
                if is_abandoned(upload, now) {
                    cleared += u64::from(self.abort_abandoned(upload).await?);
                }
            }
            // A server that says that there is more, and not where, has said all it will.
            if next == UploadsMarker::default() || next == marker {
                return Ok(cleared);
            }
            marker = next;
        }
    }

    fn local_path(&self, _name: &ObjectName) -> Option<PathBuf> {
        None
    }
}

/// Returns whether an upload was begun so long ago that nobody will finish it.
fn is_abandoned(upload: &MultipartUpload, now: SystemTime) -> bool {
    let begun = upload
        .initiated()
        .and_then(|begun| SystemTime::try_from(*begun).ok());
    // One of the future has no age: it is left alone.
    begun.is_some_and(|begun| now.duration_since(begun).unwrap_or_default() > UNFINISHED_AGE_MAX)
}
