//! Which files a build reads.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::{Error, Result};

/// Names that a folder's transactions may end in, before `.gz` or `.zst`.
const EXTENSIONS: &[&str] = &["csv", "tsv", "txt", "jsonl", "ndjson", "json"];
/// Names that tables to be packed may have besides, which no compressor adds to.
const TABLE_EXTENSIONS: &[&str] = &["parquet"];

/// The sorted input files of a build.
///
/// A folder contributes, at any depth, its files that end in `.csv`, `.tsv`, `.txt`, `.jsonl`,
/// `.ndjson` or `.json`, each also with `.gz` or `.zst`. Hidden files and folders (a name that
/// begins with a dot or an underscore), links to folders, dimension files (`*.stores.csv*`) and
/// repositories are passed over, as is everything else; a file that is named itself is always
/// taken.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    files: Vec<PathBuf>,
    ignored: Vec<PathBuf>,
    size_bytes: u64,
    /// Device and number of the folder that the build writes into.
    output: Option<(u64, u64)>,
    /// Names that files of folders may end in beside [`EXTENSIONS`].
    extensions: &'static [&'static str],
}

impl Inputs {
    /// Finds the files behind paths and `file://` URIs.
    ///
    /// # Shape
    /// The files are sorted by path, whatever the order of `uris`.
    /// # Errors
    /// [`Error::Read`] for what is missing or may not be read, [`Error::NoFiles`] for a folder
    /// without transactions, [`Error::IsRepository`] for one that a build writes,
    /// [`Error::NameNotUtf8`], [`Error::NotAFile`], [`Error::NamedTwice`], [`Error::UnknownScheme`].
    pub fn resolve<S: AsRef<str>>(uris: &[S]) -> Result<Self> {
        Self::resolve_beside(uris, None)
    }

    /// As [`Inputs::resolve`]; passes over the folder `output`, which need not be there yet.
    ///
    /// # Errors
    /// As [`Inputs::resolve`].
    pub fn resolve_beside<S: AsRef<str>>(uris: &[S], output: Option<&Path>) -> Result<Self> {
        Self::resolve_named(uris, output, &[])
    }

    /// As [`Inputs::resolve_beside`], for tables to be packed: takes files in folders that end in
    /// `.parquet`, too.
    ///
    /// # Errors
    /// As [`Inputs::resolve`].
    pub fn resolve_tables<S: AsRef<str>>(uris: &[S], output: Option<&Path>) -> Result<Self> {
        Self::resolve_named(uris, output, TABLE_EXTENSIONS)
    }

    fn resolve_named<S: AsRef<str>>(
        uris: &[S],
        output: Option<&Path>,
        extensions: &'static [&'static str],
    ) -> Result<Self> {
        let output = output.and_then(|path| fs::metadata(path).ok());
        let mut inputs = Self {
            output: output.as_ref().map(identity),
            extensions,
            ..Self::default()
        };
        for uri in uris {
            let path = local_path(uri.as_ref())?;
            let metadata = read(&path, fs::metadata(&path))?;
            if metadata.is_dir() {
                if inputs.is_repository(&path, &metadata) {
                    return Err(Error::IsRepository { path });
                }
                let before = (inputs.files.len(), inputs.ignored.len());
                inputs.add_folder(&path)?;
                if inputs.files.len() == before.0 {
                    let ignored = inputs.ignored.len() - before.1;
                    return Err(Error::NoFiles { path, ignored });
                }
            } else if !metadata.is_file() {
                return Err(Error::NotAFile { path });
            } else {
                inputs.size_bytes += metadata.len();
                inputs.files.push(path);
            }
        }
        inputs.files.sort();
        inputs.ignored.sort();
        inputs.check_each_is_named_once()?;
        u32::try_from(inputs.files.len()).map_err(|_| Error::TooManyFiles)?;
        Ok(inputs)
    }

    /// Returns the files in the order in which they are read.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the files and folders that lie in the input folders and are not read; what their
    /// names hold beside UTF-8 is replaced.
    #[must_use]
    pub fn ignored(&self) -> &[PathBuf] {
        &self.ignored
    }

    /// Returns the size of all files together, in bytes as stored.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Looks at what the paths lead to: by links, dots and relative paths one file has many names.
    fn check_each_is_named_once(&self) -> Result<()> {
        let mut seen = HashSet::new();
        for path in &self.files {
            let metadata = read(path, fs::metadata(path))?;
            if !seen.insert(identity(&metadata)) {
                return Err(Error::NamedTwice { path: path.clone() });
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        for entry in read(folder, fs::read_dir(folder))? {
            let entry = read(folder, entry)?;
            let path = entry.path();
            let kind = read(&path, entry.file_type())?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(['.', '_']) {
                self.ignore(&path);
            } else if kind.is_dir() {
                let metadata = read(&path, fs::metadata(&path))?;
                if self.is_repository(&path, &metadata) {
                    self.ignore(&path);
                } else {
                    self.add_folder(&path)?;
                }
            } else if self.holds_rows(&name) {
                let metadata = read(&path, fs::metadata(&path))?;
                if !metadata.is_file() {
                    self.ignore(&path);
                } else if path.to_str().is_none() {
                    return Err(Error::NameNotUtf8 { path });
                } else {
                    self.size_bytes += metadata.len();
                    self.files.push(path);
                }
            } else {
                self.ignore(&path);
            }
        }
        Ok(())
    }

    fn ignore(&mut self, path: &Path) {
        self.ignored.push(path.to_string_lossy().as_ref().into());
    }

    /// Whether a file of this name in a folder is taken for rows.
    fn holds_rows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let ends_in = |extension: &&str| name.ends_with(&format!(".{extension}"));
        holds_transactions(&name) || self.extensions.iter().any(ends_in)
    }

    /// Whether a folder is the build's output or looks like one of another build: its reports end
    /// in `.csv`, too.
    fn is_repository(&self, folder: &Path, metadata: &Metadata) -> bool {
        let holds = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|it| it.is_dir());
        self.output == Some(identity(metadata)) || (holds("blobs") && holds("generations"))
    }
}

/// Tells a file or folder from all others, whatever path leads to it.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn read<T>(path: &Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn local_path(uri: &str) -> Result<PathBuf> {
    let unknown = || Error::UnknownScheme {
        uri: uri.to_owned(),
    };
    if let Some(path) = uri.strip_prefix("file://") {
        let path = path.strip_prefix("localhost").unwrap_or(path);
        let path = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| unknown())?;
        return if path.starts_with('/') {
            Ok(path.as_ref().into())
        } else {
            Err(unknown())
        };
    }
    if uri.contains("://") {
        Err(unknown())
    } else {
        Ok(uri.into())
    }
}

/// Whether a file of this name, in small letters, is taken for transactions.
fn holds_transactions(name: &str) -> bool {
    let plain = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(name);
    !plain.ends_with(".stores.csv")
        && plain
            .rsplit_once('.')
            .is_some_and(|(_, extension)| EXTENSIONS.contains(&extension))
}
