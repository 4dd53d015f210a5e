//! The folder that an export is written into.
//!
//! Files are written aside, in `export.tmp`, and moved to their names when all of them are whole.
//! `export.json` lists them; it says that it is not complete from before the first one is moved
//! until the last one was, so that whoever reads never takes files of two exports for one, and
//! whoever exports next knows all that it may replace.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use crate::exit::{Conflict, UsageError};

/// The file that lists the others.
const CONTENTS: &str = "export.json";
/// The folder of what is not whole yet.
const ASIDE: &str = "export.tmp";
/// The version of [`Contents`].
const VERSION: u32 = 1;

/// What an export's folder has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    nightshard_export: u32,
    /// The generation that was exported.
    pub(super) generation: String,
    /// Whether all files are there, and are of that generation.
    complete: bool,
    /// The files, by name.
    pub(super) files: Vec<Written>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Written {
    /// Its name in the folder.
    pub(super) name: String,
    /// The table that it has.
    pub(super) table: String,
    /// Rows of the table.
    pub(super) rows: u64,
    /// Its length.
    pub(super) size_bytes: u64,
}

impl Contents {
    /// Lists the files of a complete export.
    pub(super) fn new(generation: &str, mut files: Vec<Written>) -> Self {
        files.sort();
        Self {
            nightshard_export: VERSION,
            generation: generation.to_owned(),
            complete: true,
            files,
        }
    }

    fn names(&self) -> BTreeSet<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }
}

/// The folder, which nobody else exports into meanwhile.
#[derive(Debug)]
pub(super) struct OutputFolder {
    path: PathBuf,
    /// Whether it was made for this export, and goes with it if that fails.
    is_new: bool,
    earlier: Option<Contents>,
    /// The folder itself, locked as long as it is open.
    lock: File,
}

impl OutputFolder {
    /// Opens or makes a folder that is empty or has an earlier export, which stays until
    /// [`OutputFolder::place`].
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || path.display().to_string();
        let is_new = !path.try_exists().with_context(named)?;
        if !is_new && !path.is_dir() {
            let problem = format!("--output {} is a file: name a folder", path.display());
            return Err(UsageError(problem).into());
        }
        fs::create_dir_all(path).with_context(named)?;
        let lock = File::open(path).with_context(named)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = "is being exported into by another process";
                return Err(Conflict(format!("--output {} {problem}", path.display())).into());
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(named),
        }
        let earlier = read_contents(path)?;
        if earlier.is_none() {
            check_is_empty(path)?;
        }
        let folder = Self {
            path: path.to_owned(),
            is_new,
            earlier,
            lock,
        };
        let aside = folder.aside();
        let made = clear(&aside).and_then(|()| fs::create_dir(&aside));
        made.with_context(|| aside.display().to_string())?;
        Ok(folder)
    }

    /// Returns where a file is written until it is whole.
    pub(super) fn aside_of(&self, name: &str) -> PathBuf {
        self.aside().join(name)
    }

    /// Checks that no file of these names is there but those of an earlier export.
    pub(super) fn check_free<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<()> {
        let earlier = self.earlier.as_ref().map(Contents::names);
        let earlier = earlier.unwrap_or_default();
        for name in names {
            let path = self.path.join(name);
            let is_there = fs::symlink_metadata(&path).is_ok();
            if is_there && !earlier.contains(name) {
                return Err(refused(
                    &self.path,
                    &format!("has {name}, which no export wrote"),
                ));
            }
        }
        Ok(())
    }

    /// Gives the files that were written aside their names, in the place of the earlier export's.
    pub(super) fn place(self, contents: &Contents) -> anyhow::Result<()> {
        self.begin_placing(contents)?;
        let names = contents.names();
        for name in self.earlier.iter().flat_map(Contents::names) {
            if !names.contains(name) {
                let path = self.path.join(name);
                remove_file(&path).with_context(|| path.display().to_string())?;
            }
        }
        for name in names {
            let path = self.path.join(name);
            let moved = fs::rename(self.aside_of(name), &path);
            moved.with_context(|| path.display().to_string())?;
        }
        self.write_contents(contents)
    }

    /// Says that from now on files of two exports may be there, and names all of them.
    fn begin_placing(&self, contents: &Contents) -> anyhow::Result<()> {
        let earlier = self.earlier.iter().flat_map(|earlier| &earlier.files);
        let mut files: Vec<Written> = contents.files.iter().chain(earlier).cloned().collect();
        files.sort();
        files.dedup_by(|next, kept| next.name == kept.name);
        let incomplete = Contents {
            complete: false,
            files,
            ..contents.clone()
        };
        self.write_contents(&incomplete)
    }

    fn write_contents(&self, contents: &Contents) -> anyhow::Result<()> {
        let (aside, path) = (self.aside_of(CONTENTS), self.path.join(CONTENTS));
        let mut text = serde_json::to_string_pretty(contents)?;
        text.push('\n');
        let write = || -> io::Result<()> {
            let mut file = File::create(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            // What was moved before stays so, whatever becomes of the power.
            self.lock.sync_all()
        };
        write().with_context(|| path.display().to_string())
    }

    fn aside(&self) -> PathBuf {
        self.path.join(ASIDE)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        // What cannot be removed is litter, which the next export removes.
        let _litter = clear(&self.aside());
        if self.is_new {
            // Only if nothing is in it.
            let _full = fs::remove_dir(&self.path);
        }
    }
}

/// Reads what an earlier export left, or `None` if there is none.
fn read_contents(folder: &Path) -> anyhow::Result<Option<Contents>> {
    let path = folder.join(CONTENTS);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| path.display().to_string())?,
    };
    let contents: Option<Contents> = serde_json::from_slice(&text).ok();
    let is_ours = |contents: &Contents| {
        let mut files = contents.files.iter();
        contents.nightshard_export == VERSION && files.all(|file| is_plain(&file.name))
    };
    match contents.filter(is_ours) {
        Some(contents) => Ok(Some(contents)),
        None => Err(refused(
            folder,
            &format!("has a {CONTENTS} that is not this release's"),
        )),
    }
}

/// Returns whether a name is one of a file in a folder, and leads nowhere else.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let first = parts.next();
    matches!(first, Some(Component::Normal(part)) if part == name) && parts.next().is_none()
}

/// Checks that a folder has nothing but what an export that was killed may have left.
fn check_is_empty(folder: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let name = entry
            .with_context(|| folder.display().to_string())?
            .file_name();
        if name != ASIDE {
            let name = name.to_string_lossy();
            return Err(refused(folder, &format!("has {name}, and no {CONTENTS}")));
        }
    }
    Ok(())
}

fn refused(folder: &Path, problem: &str) -> anyhow::Error {
    let folder = folder.display();
    let remedy = "name an empty folder, a new one or one of an earlier export";
    anyhow!(UsageError(format!("--output {folder} {problem}: {remedy}")))
}

/// Removes a folder with all that is in it, if it is there.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file, if it is there.
fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
