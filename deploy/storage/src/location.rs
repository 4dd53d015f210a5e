//! Where a URI leads.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use percent_encoding::percent_decode_str;

use crate::{Config, Error, LocalFolder, Result, Storage};

/// Where a URI leads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// To a local folder or file, by its absolute path.
    Local(PathBuf),
    /// To a folder of a bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// The folder, without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
    /// To a folder of HDFS.
    Hdfs {
        /// The host and port of a NameNode, or a name service; empty for the default of
        /// `HADOOP_CONF_DIR`.
        authority: String,
        /// The folder, absolute.
        path: String,
    },
}

impl Location {
    /// Reads a path or a URI: `file://`, `s3://bucket/prefix`, or `hdfs://host:port/path`.
    ///
    /// # Errors
    /// [`Error::Uri`] for other schemes, another machine's files, an empty path, or a place that
    /// has no name.
    pub fn parse(uri: &str) -> Result<Self> {
        let problem = |problem| Error::Uri {
            uri: uri.to_owned(),
            problem,
        };
        let located = match uri.split_once("://") {
            None => local(Path::new(uri)),
            Some(("file", rest)) => local_of_uri(rest),
            Some(("s3", rest)) => s3(rest),
            Some(("hdfs", rest)) => hdfs(rest),
            Some(_) => Err("its scheme is not known: there are file, s3 and hdfs"),
        };
        located.map_err(problem)
    }
}

fn local(path: &Path) -> Result<Location, &'static str> {
    let path = std::path::absolute(path).map_err(|_empty| "it is no path")?;
    Ok(Location::Local(path))
}

fn local_of_uri(rest: &str) -> Result<Location, &'static str> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = percent_decode_str(path).decode_utf8();
    let path = path.map_err(|_bad| "it is not UTF-8")?;
    if !path.starts_with('/') {
        return Err("a file URI has three slashes: file:///folder");
    }
    local(Path::new(path.as_ref()))
}

fn s3(rest: &str) -> Result<Location, &'static str> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if bucket.len() < 3 || !bucket.bytes().all(is_allowed) {
        return Err("an S3 URI names a bucket: s3://bucket/prefix");
    }
    let prefix = folder(prefix)?;
    Ok(Location::S3 {
        bucket: bucket.to_owned(),
        prefix,
    })
}

fn hdfs(rest: &str) -> Result<Location, &'static str> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = folder(path)?;
    if path.is_empty() {
        return Err("an HDFS URI names a folder: hdfs://host:port/folder");
    }
    Ok(Location::Hdfs {
        authority: authority.to_owned(),
        path: format!("/{path}"),
    })
}

/// Returns the path of a folder without slashes at its ends.
fn folder(path: &str) -> Result<String, &'static str> {
    let path = path.trim_matches('/');
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    if !path.is_empty() && !path.split('/').all(is_plain) {
        return Err("its path has a part that is empty, \".\" or \"..\"");
    }
    if path.chars().any(char::is_control) {
        return Err("its path has a control character");
    }
    Ok(path.to_owned())
}

/// Opens the storage at `uri`, which must be there.
///
/// # Errors
/// [`Error::Uri`] if the URI is none, or leads to no folder; otherwise whatever keeps the storage
/// from being looked at.
pub async fn open(uri: &str, config: &Config) -> Result<Arc<dyn Storage>> {
    match Location::parse(uri)? {
        Location::Local(root) if is_folder(&root) => Ok(Arc::new(LocalFolder::new(root))),
        Location::Local(_) => Err(Error::Uri {
            uri: uri.to_owned(),
            problem: "there is no such folder, or it may not be read",
        }),
        elsewhere => open_elsewhere(uri, &elsewhere, config).await,
    }
}

/// Opens the storage at `uri`, which the first object created makes where it is not yet there.
///
/// Buckets are never made.
///
/// # Errors
/// As [`open`]; [`Error::Uri`] if the URI leads to a file.
pub async fn open_or_create(uri: &str, config: &Config) -> Result<Arc<dyn Storage>> {
    match Location::parse(uri)? {
        Location::Local(root) if root.is_file() => Err(Error::Uri {
            uri: uri.to_owned(),
            problem: "it is a file, not a folder",
        }),
        Location::Local(root) => Ok(Arc::new(LocalFolder::new(root))),
        elsewhere => open_elsewhere(uri, &elsewhere, config).await,
    }
}

/// Opens what is no local folder; this asks nobody, so that what is wrong shows when it is used.
#[cfg_attr(
    not(any(feature = "hdfs", feature = "s3")),
    allow(unused_variables, reason = "then nothing is elsewhere")
)]
async fn open_elsewhere(
    uri: &str,
    location: &Location,
    config: &Config,
) -> Result<Arc<dyn Storage>> {
    match location {
        #[cfg(feature = "s3")]
        Location::S3 { bucket, prefix } => Ok(Arc::new(
            crate::s3::Bucket::new(bucket, prefix, config).await,
        )),
        #[cfg(feature = "hdfs")]
        Location::Hdfs { authority, path } => Ok(Arc::new(crate::hdfs::Cluster::new(
            authority, path, config,
        )?)),
        _ => Err(Error::Uri {
            uri: uri.to_owned(),
            problem: "this program was built without the feature for it: s3 or hdfs",
        }),
    }
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
        let Location::Local(path) = Location::parse("repo").unwrap() else {
            unreachable!()
        };
        assert!(path.is_absolute() && path.ends_with("repo"));
    }

    #[test]
    fn other_uris_lead_to_buckets_and_clusters() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.into(),
            prefix: prefix.into(),
        };
        let hdfs = |authority: &str, path: &str| Location::Hdfs {
            authority: authority.into(),
            path: path.into(),
        };
        for (uri, location) in [
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3://bucket/a/b/", s3("bucket", "a/b")),
            ("hdfs://host:9000/path", hdfs("host:9000", "/path")),
            ("hdfs://service/a/b/", hdfs("service", "/a/b")),
            ("hdfs:///a", hdfs("", "/a")),
        ] {
            assert_eq!(Location::parse(uri).unwrap(), location, "{uri}");
        }
    }

    #[test]
    fn uris_that_lead_nowhere_are_named_in_the_error() {
        for uri in [
            "ftp://host/path",
            "file://host/path",
            "file://relative",
            "s3://",
            "s3:///prefix",
            "s3://a bucket/x",
            "s3://bucket/a//b",
            "s3://bucket/../b",
            "hdfs://host:9000",
            "hdfs://host:9000/",
            "hdfs://host:9000/a/./b",
            "hdfs://host:9000/a\nb",
            "",
        ] {
            let error = Location::parse(uri).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{uri}");
            assert!(error.to_string().contains(&format!("{uri:?}")));
        }
    }

    #[tokio::test]
    async fn a_missing_folder_is_an_error_unless_it_may_be_made() {
        let config = Config::default();
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").display().to_string();
        let error = open(&missing, &config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(open_or_create(&missing, &config).await.is_ok());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let file = file.display().to_string();
        assert!(open(&file, &config).await.is_err());
        assert!(open_or_create(&file, &config).await.is_err());
    }
}
