//! Where a URI leads.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use percent_encoding::percent_decode_str;

use crate::{Error, LocalFolder, Result, Storage};

/// Where a URI leads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// To a local folder or file, by its absolute path.
    Local(PathBuf),
}

impl Location {
    /// Reads a path or a `file://` URI.
    ///
    /// # Errors
    /// [`Error::Uri`] for other schemes, another machine's files, or an empty path.
    pub fn parse(uri: &str) -> Result<Self> {
        let problem = |problem| Error::Uri {
            uri: uri.to_owned(),
            problem,
        };
        let path = match uri.split_once("://") {
            None => PathBuf::from(uri),
            Some(("file", rest)) => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                let path = percent_decode_str(path)
                    .decode_utf8()
                    .map_err(|_bad| problem("it is not UTF-8"))?;
                if !path.starts_with('/') {
                    return Err(problem("a file URI has three slashes: file:///folder"));
                }
                PathBuf::from(path.as_ref())
            }
            Some(("s3" | "hdfs", _)) => {
                return Err(problem("this release stores to local folders only"));
            }
            Some(_) => return Err(problem("its scheme is not known")),
        };
        std::path::absolute(path)
            .map(Self::Local)
            .map_err(|_empty| problem("it is no path"))
    }
}

/// Opens the storage at `uri`, which must be there.
///
/// # Errors
/// [`Error::Uri`] if it is not, or if the URI is none.
pub fn open(uri: &str) -> Result<Arc<dyn Storage>> {
    let Location::Local(root) = Location::parse(uri)?;
    if is_folder(&root) {
        Ok(Arc::new(LocalFolder::new(root)))
    } else {
        Err(Error::Uri {
            uri: uri.to_owned(),
            problem: "there is no such folder, or it may not be read",
        })
    }
}

/// Opens the storage at `uri`, which the first object created makes where it is not yet there.
///
/// # Errors
/// [`Error::Uri`] if the URI is none, or leads to a file.
pub fn open_or_create(uri: &str) -> Result<Arc<dyn Storage>> {
    let Location::Local(root) = Location::parse(uri)?;
    if root.is_file() {
        return Err(Error::Uri {
            uri: uri.to_owned(),
            problem: "it is a file, not a folder",
        });
    }
    Ok(Arc::new(LocalFolder::new(root)))
}

fn is_folder(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn paths_and_file_uris_lead_to_local_folders() {
        for (uri, path) in [
            ("/data/repo", "/data/repo"),
            ("file:///data/repo", "/data/repo"),
            ("file://localhost/data/repo", "/data/repo"),
            ("file:///data/my%20repo", "/data/my repo"),
            ("/data/100%20", "/data/100%20"),
        ] {
            assert_eq!(Location::parse(uri).unwrap(), Location::Local(path.into()));
        }
        let Location::Local(path) = Location::parse("repo").unwrap();
        assert!(path.is_absolute() && path.ends_with("repo"));
    }

    #[test]
    fn uris_of_other_places_are_named_in_the_error() {
        for uri in [
            "s3://bucket/prefix",
            "hdfs://host:9000/path",
            "ftp://host/path",
            "file://host/path",
            "file://relative",
            "",
        ] {
            let error = open_or_create(uri).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{uri}");
            assert!(error.to_string().contains(&format!("{uri:?}")));
        }
        let error = open("s3://bucket/prefix").unwrap_err().to_string();
        assert!(error.contains("this release stores to local folders only"));
    }

    #[test]
    fn a_missing_folder_is_an_error_unless_it_may_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").display().to_string();
        assert_eq!(open(&missing).unwrap_err().kind(), ErrorKind::Invalid);
        assert!(open_or_create(&missing).is_ok());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(open(&file.display().to_string()).is_err());
        assert!(open_or_create(&file.display().to_string()).is_err());
    }
}
