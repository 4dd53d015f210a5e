//! A folder of the local file system as storage.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};

use crate::{Error, Listed, ObjectName, Result, Storage, UNFINISHED_AGE_MAX, name::TMP};

/// What is published never changes and is confidential: nobody writes it, others than owner and
/// group read none of it, and the process's mask decides about the group.
#[cfg(unix)]
const PUBLISHED_MODE: u32 = 0o440;

/// Storage in a local folder, or one mounted from elsewhere.
///
/// An object is written aside in `tmp/`, synced, and renamed without overwriting (by a hard link
/// where the file system has no such rename), so it appears whole, once, and for good. A damaged
/// object is replaced by a rename over it.
#[derive(Debug, Clone)]
pub struct LocalFolder {
    root: PathBuf,
    location: String,
}

impl LocalFolder {
    /// Makes a storage of `root`, which need not be there before the first object is created.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        let location = root.display().to_string();
        Self { root, location }
    }

    fn path_of(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// Runs `work` where blocking is allowed, and names the object and folder in its error.
    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        name: &str,
        work: impl FnOnce(Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let folder = self.clone();
        let done = tokio::task::spawn_blocking(move || work(folder)).await;
        done.map_err(io::Error::other)
            .flatten()
            .map_err(|error| Error::Failed {
                action,
                name: name.to_owned(),
                location: self.location.clone(),
                source: error.into(),
            })
    }

    /// Like [`LocalFolder::run`] for work that returns whether it created the object.
    async fn run_create(
        &self,
        name: &ObjectName,
        work: impl FnOnce(Self, Place) -> io::Result<bool> + Send + 'static,
    ) -> Result<()> {
        let path = self.path_of(name);
        let work = move |folder: Self| Ok(!is_there(&path)? && work(folder, Place::Free(path))?);
        if self.run("create", name.as_str(), work).await? {
            Ok(())
        } else {
            Err(Error::Exists {
                name: name.clone(),
                location: self.location.clone(),
            })
        }
    }

    /// Opens a file aside, which goes away unless it is published.
    fn aside(&self) -> io::Result<NamedTempFile> {
        let tmp = self.root.join(TMP);
        fs::create_dir_all(&tmp)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix("");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(PUBLISHED_MODE));
        }
        builder.tempfile_in(tmp)
    }

    /// Gives a synced file its name and returns true, unless the name is taken and must be free.
    fn publish(&self, file: TempPath, place: &Place) -> io::Result<bool> {
        let (Place::Free(path) | Place::Any(path)) = place;
        let folder = path.parent().unwrap_or(&self.root);
        let is_new = !folder.is_dir();
        fs::create_dir_all(folder)?;
        let renamed = match place {
            Place::Free(path) => file.persist_noclobber(path),
            Place::Any(path) => file.persist(path),
        };
        match renamed {
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            done => done.map_err(io::Error::from)?,
        }
        self.sync_folders(folder, is_new)?;
        Ok(true)
    }

    /// Syncs the entries of `folder`, and if it `is_new` its own entry and those above it.
    fn sync_folders(&self, folder: &Path, is_new: bool) -> io::Result<()> {
        let within = folder
            .ancestors()
            .take_while(|ancestor| ancestor.starts_with(&self.root));
        for folder in within.take(if is_new { usize::MAX } else { 1 }) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn write_and_publish(&self, mut bytes: impl Read, place: &Place) -> io::Result<bool> {
        let mut aside = self.aside()?;
        io::copy(&mut bytes, aside.as_file_mut())?;
        aside.as_file().sync_all()?;
        self.publish(aside.into_temp_path(), place)
    }

    /// Moves `file`, or copies it where it lies on another file system.
    fn move_and_publish(&self, source: &Path, file: File, place: &Place) -> io::Result<bool> {
        file.sync_all()?;
        let mut moved = TempPath::try_from_path(source)?;
        // It is not ours to delete while it has its old name.
        moved.disable_cleanup(true);
        make_private(&file)?;
        match self.publish(moved, place) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                self.write_and_publish(file, place)
            }
            done => done,
        }
    }
}

#[async_trait]
impl Storage for LocalFolder {
    fn location(&self) -> &str {
        &self.location
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.run_create(name, move |folder, place| {
            folder.write_and_publish(&bytes[..], &place)
        })
        .await
    }

    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let (source, file) = open_source(file).await?;
        self.run_create(name, move |folder, place| {
            folder.move_and_publish(&source, file, &place)
        })
        .await
    }

    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let (source, file) = open_source(file).await?;
        let place = Place::Any(self.path_of(name));
        let replace = move |folder: Self| folder.move_and_publish(&source, file, &place);
        self.run("replace", name.as_str(), replace).await.map(drop)
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>> {
        let path = self.path_of(name);
        let read = self.run("read", name.as_str(), move |_folder| {
            let Some(file) = open_object(&path)? else {
                return Ok(None);
            };
            let mut bytes = Vec::new();
            file.take(limit_bytes.saturating_add(1))
                .read_to_end(&mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        });
        match read.await? {
            Some(bytes) if bytes.len() as u64 > limit_bytes => Err(Error::TooLarge {
                name: name.clone(),
                location: self.location.clone(),
                limit_bytes,
            }),
            found => Ok(found),
        }
    }

    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>> {
        let path = self.path_of(name);
        self.run("read", name.as_str(), move |_folder| {
            let Some(mut file) = open_object(&path)? else {
                return Ok(None);
            };
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            let len_bytes = range.end.saturating_sub(range.start);
            file.take(len_bytes).read_to_end(&mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        let name = folder.as_str().to_owned();
        self.run("list", folder.as_str(), move |folder| {
            let mut listed = Vec::new();
            list_into(&folder.root.join(&name), &name, &mut listed)?;
            listed.sort_unstable_by(|left, right| left.name.cmp(&right.name));
            Ok(listed)
        })
        .await
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let path = self.path_of(name);
        self.run("examine", name.as_str(), move |_folder| {
            let metadata = absent_as_none(fs::metadata(path))?;
            Ok(metadata
                .filter(fs::Metadata::is_file)
                .map(|metadata| metadata.len()))
        })
        .await
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        let path = self.path_of(name);
        self.run("delete", name.as_str(), move |folder| {
            if absent_as_none(fs::remove_file(&path))?.is_none() {
                return Ok(false);
            }
            folder.sync_folders(path.parent().unwrap_or(&folder.root), false)?;
            Ok(true)
        })
        .await
    }

    async fn clear_unfinished(&self, now: SystemTime) -> Result<u64> {
        self.run("clear", TMP, move |folder| {
            let Some(entries) = absent_as_none(fs::read_dir(folder.root.join(TMP)))? else {
                return Ok(0);
            };
            let mut cleared = 0;
            for entry in entries {
                let entry = entry?;
                // Another publisher may be clearing, or finishing, at the same time.
                let Some(metadata) = absent_as_none(entry.metadata())? else {
                    continue;
                };
                // A file dated in the future has no age: it is left alone.
                let age = now.duration_since(metadata.modified()?).unwrap_or_default();
                if metadata.is_file() && age > UNFINISHED_AGE_MAX {
                    cleared += u64::from(absent_as_none(fs::remove_file(entry.path()))?.is_some());
                }
            }
            Ok(cleared)
        })
        .await
    }

    fn local_path(&self, name: &ObjectName) -> Option<PathBuf> {
        Some(self.path_of(name))
    }
}

/// Where a file is to stand.
enum Place {
    /// Under a name that is free.
    Free(PathBuf),
    /// Under a name, whatever has it now.
    Any(PathBuf),
}

/// Opens a local file that is to become an object.
async fn open_source(file: &Path) -> Result<(PathBuf, File)> {
    let path = file.to_owned();
    match tokio::fs::File::open(&path).await {
        Ok(file) => Ok((path, file.into_std().await)),
        Err(source) => Err(Error::Source { path, source }),
    }
}

/// Opens an object, if there is one.
fn open_object(path: &Path) -> io::Result<Option<File>> {
    // Opening what is no regular file may wait for ever.
    match absent_as_none(fs::metadata(path))?.is_some_and(|found| found.is_file()) {
        true => absent_as_none(File::open(path)),
        false => Ok(None),
    }
}

/// Takes all other permissions than those of what is published from a file made elsewhere.
fn make_private(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        file.set_permissions(fs::Permissions::from_mode(mode & PUBLISHED_MODE))?;
    }
    Ok(())
}

/// Turns the absence of a file, or of a folder above it, into `None`.
fn absent_as_none<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        done => done.map(Some),
    }
}

fn is_there(path: &Path) -> io::Result<bool> {
    Ok(absent_as_none(fs::symlink_metadata(path))?.is_some())
}

/// Appends the regular files below `path`, whose own name is `name`.
///
/// Links to files count, links to folders do not: they may lead round in a circle.
fn list_into(path: &Path, name: &str, listed: &mut Vec<Listed>) -> io::Result<()> {
    let Some(entries) = absent_as_none(fs::read_dir(path))? else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let name = format!("{name}/{part}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list_into(&entry.path(), &name, listed)?;
        } else if (kind.is_file() || kind.is_symlink())
            && let Ok(name) = name.parse()
            // It may be deleted, or be a link that leads nowhere.
            && let Ok(metadata) = fs::metadata(entry.path())
            && metadata.is_file()
        {
            listed.push(Listed {
                name,
                len_bytes: metadata.len(),
                modified: metadata.modified()?,
            });
        }
    }
    Ok(())
}
