//! A folder of HDFS as storage.

mod failure;
mod write;

use std::{
    future::Future,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use hdfs_native::{Client, ClientBuilder, client::FileStatus, file::FileReader};
use tokio::sync::Semaphore;

use self::{
    failure::{absent_as_none, failure},
    write::Content,
};
use crate::{
    Config, Error, Listed, ObjectName, Result, Storage, UNFINISHED_AGE_MAX,
    name::TMP,
    retry::{Failure, Progress, Retry, Task},
};

const NO_CLUSTER: &str = "the NameNode or name service is not known, or HADOOP_CONF_DIR cannot be \
    read: give host and port, or check core-site.xml and hdfs-site.xml";

/// How often the client itself goes from one NameNode to the next: by default it takes a minute,
/// which would be a stall. [`Retry`] does the rest.
const FAILOVER: [(&str, &str); 2] = [
    ("dfs.client.failover.max.attempts", "4"),
    ("dfs.client.failover.sleep.max.millis", "500"),
];

/// Storage in a folder of HDFS.
///
/// A file is written aside in `tmp/`, closed, and renamed without overwriting, which the NameNode
/// does in one step: docs/decisions/0020.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The client, which is made anew after a failure: it keeps a connection that hangs.
    client: Arc<Mutex<Client>>,
    authority: String,
    /// The folder, absolute, without a slash at its end.
    root: String,
    location: String,
    retry: Retry,
    /// The files that may be written at once.
    files: Arc<Semaphore>,
}

impl Cluster {
    /// Makes a storage of a folder; the cluster is not asked for it.
    pub(crate) fn new(authority: &str, path: &str, config: &Config) -> Result<Self> {
        let location = format!("hdfs://{authority}{path}");
        let task = Task {
            action: "open",
            name: path,
            location: &location,
        };
        let client = client(authority, Order::Configured).map_err(|failure| task.error(failure))?;
        Ok(Self {
            client: Arc::new(Mutex::new(client)),
            authority: authority.to_owned(),
            root: path.to_owned(),
            location,
            retry: Retry::new(config),
            files: Arc::new(Semaphore::new(write::FILES_MAX)),
        })
    }

    fn path(&self, name: &ObjectName) -> String {
        format!("{}/{name}", self.root)
    }

    /// Returns a path in the folder of what is half done, which nobody else has.
    fn aside(&self) -> Result<String, Failure> {
        let random = [getrandom::u64(), getrandom::u64()];
        let [Ok(high), Ok(low)] = random else {
            return Err(Failure::Transient("the system has no randomness".into()));
        };
        Ok(format!("{}/{TMP}/{high:016x}{low:016x}", self.root))
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

    /// Attempts something, each time but the first with connections of its own.
    async fn run<T, F>(
        &self,
        task: Task<'_>,
        mut attempt: impl FnMut(Client, Progress) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut is_first = true;
        let attempt = |progress| {
            let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
            // The configuration may be gone meanwhile; what was read of it is not.
            if !is_first && let Ok(fresh) = self::client(&self.authority, Order::Random) {
                *client = fresh;
            }
            is_first = false;
            attempt(client.clone(), progress)
        };
        self.retry.run(task, attempt).await
    }

    /// Opens a file for reading; folders are no objects.
    async fn open(&self, client: &Client, path: &str) -> Result<Option<FileReader>, Failure> {
        match status(client, path).await? {
            Some(_file) => absent_as_none(client.read(path).await),
            None => Ok(None),
        }
    }

    /// Returns the files below a folder; none if there is no folder.
    async fn files(
        client: &Client,
        folder: &str,
        progress: &Progress,
    ) -> Result<Vec<FileStatus>, Failure> {
        let mut files = Vec::new();
        let listing = client.list_status_iter(folder, true);
        while let Some(found) = listing.next().await {
            progress.made();
            // A folder below may be deleted meanwhile.
            if let Some(found) = absent_as_none(found)?
                && !found.isdir
            {
                files.push(found);
            }
        }
        Ok(files)
    }

    /// Returns what a listing says of a file below `folder`, unless it cannot be named.
    fn listed(&self, file: &FileStatus, folder: &str) -> Option<Listed> {
        // The listing of a file is the file.
        file.path.strip_prefix(folder)?.strip_prefix('/')?;
        let name = file.path.strip_prefix(&self.root)?.strip_prefix('/')?;
        Some(Listed {
            name: name.parse().ok()?,
            len_bytes: file.length as u64,
            modified: modified(file),
        })
    }
}

/// In which order the NameNodes of a name service are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Configured,
    /// Another one each time: the first may hang, and then none after it is ever asked.
    Random,
}

/// Makes a client by HADOOP_CONF_DIR; this asks nobody.
fn client(authority: &str, order: Order) -> Result<Client, Failure> {
    let mut config = FAILOVER
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    if order == Order::Random {
        let key = format!("dfs.client.failover.random.order.{authority}");
        config.push((key, "true".to_owned()));
    }
    let builder = ClientBuilder::new().with_config(config);
    let builder = match authority {
        "" => builder,
        authority => builder.with_url(format!("hdfs://{authority}")),
    };
    builder.build().map_err(|error| Failure::Refused {
        problem: NO_CLUSTER,
        cause: error.into(),
    })
}

/// Returns what there is to say of a file, unless it is a folder or is not there.
async fn status(client: &Client, path: &str) -> Result<Option<FileStatus>, Failure> {
    let status = absent_as_none(client.get_file_info(path).await)?;
    Ok(status.filter(|status| !status.isdir))
}

fn modified(file: &FileStatus) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(file.modification_time)
}

/// Reads a part that the file has.
async fn read(
    reader: &FileReader,
    range: Range<usize>,
    progress: &Progress,
) -> Result<Bytes, Failure> {
    let mut stream = std::pin::pin!(reader.read_range_stream(range.start, range.len()));
    let mut bytes = Vec::with_capacity(range.len());
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.map_err(failure)?);
        progress.made();
    }
    Ok(bytes.into())
}

#[async_trait]
impl Storage for Cluster {
    fn location(&self) -> &str {
        &self.location
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.create_of(name, Content::Bytes(&bytes)).await
    }

    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.create_file(name, file).await
    }

    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.replace_file(name, file).await
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>> {
        let path = &self.path(name);
        let attempt = |client: Client, progress: Progress| async move {
            let Some(reader) = self.open(&client, path).await? else {
                return Ok(None);
            };
            let len = reader.file_length();
            if len as u64 > limit_bytes {
                return Err(Failure::Final(Error::TooLarge {
                    name: name.clone(),
                    location: self.location.clone(),
                    limit_bytes,
                }));
            }
            read(&reader, 0..len, &progress).await.map(Some)
        };
        self.run(self.task("read", name.as_str()), attempt).await
    }

    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>> {
        let (path, range) = (&self.path(name), &range);
        let attempt = |client: Client, progress: Progress| async move {
            let Some(reader) = self.open(&client, path).await? else {
                return Ok(None);
            };
            let len = reader.file_length();
            let within = |at: u64| usize::try_from(at).map_or(len, |at| at.min(len));
            let (start, end) = (within(range.start), within(range.end));
            read(&reader, start..end.max(start), &progress)
                .await
                .map(Some)
        };
        self.run(self.task("read", name.as_str()), attempt).await
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        let path = &self.path(folder);
        let attempt = |client: Client, progress: Progress| async move {
            let files = Self::files(&client, path, &progress).await?;
            let listed = files.iter().filter_map(|file| self.listed(file, path));
            Ok(listed.collect::<Vec<_>>())
        };
        let listed = self.run(self.task("list", folder.as_str()), attempt);
        let mut listed = listed.await?;
        listed.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(listed)
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let path = &self.path(name);
        let attempt = |client: Client, _progress: Progress| async move {
            let status = status(&client, path).await?;
            Ok(status.map(|status| status.length as u64))
        };
        self.run(self.task("examine", name.as_str()), attempt).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        let path = &self.path(name);
        let attempt = |client: Client, _progress: Progress| async move {
            match status(&client, path).await? {
                Some(_file) => client.delete(path, false).await.map_err(failure),
                None => Ok(false),
            }
        };
        self.run(self.task("delete", name.as_str()), attempt).await
    }

    async fn clear_unfinished(&self, now: SystemTime) -> Result<u64> {
        let tmp = &format!("{}/{TMP}", self.root);
        let attempt = |client: Client, progress: Progress| async move {
            let mut cleared = 0;
            for file in Self::files(&client, tmp, &progress).await? {
                // A file dated in the future has no age: it is left alone.
                let age = now.duration_since(modified(&file)).unwrap_or_default();
                if age > UNFINISHED_AGE_MAX {
                    let deleted = absent_as_none(client.delete(&file.path, false).await)?;
                    cleared += u64::from(deleted == Some(true));
                    progress.made();
                }
            }
            Ok(cleared)
        };
        self.run(self.task("clear", TMP), attempt).await
    }

    fn local_path(&self, _name: &ObjectName) -> Option<PathBuf> {
        None
    }
}
