//! Opening the repository that a command is given.

use std::{cell::OnceCell, path::PathBuf};

use nightshard_deploy::{Cache, FetchConfig, Repository, StorageConfig};
use nightshard_storage::Location;

use crate::config::Config;

/// How a repository is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct RepositoryArgs {
    /// The configuration file; its tables `storage` and `fetch` count here.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to keep what is fetched from object storage [default: a temporary folder].
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The cache once it is opened, which two repositories may share.
    #[arg(skip)]
    opened: OnceCell<Cache>,
}

impl RepositoryArgs {
    /// Opens the repository at `uri`, which must be there.
    pub(crate) async fn open(&self, uri: &str) -> anyhow::Result<Repository> {
        let config = Config::read(self.config.as_deref())?;
        let repository = Repository::open(uri, &config.storage).await?;
        let Some(fetch) = is_elsewhere(uri)?.then_some(config.fetch) else {
            return Ok(repository);
        };
        let cache = match (self.opened.get(), &self.cache) {
            (Some(opened), _) => opened.clone(),
            (None, Some(folder)) => Cache::open(folder, fetch)?,
            (None, None) => Cache::temporary(fetch)?,
        };
        let cache = self.opened.get_or_init(|| cache).clone();
        Ok(repository.with_cache(cache))
    }

    /// Opens the repository at `uri`, of which no blob is read and which may not be there yet.
    pub(crate) async fn open_or_create(&self, uri: &str) -> anyhow::Result<Repository> {
        let config = Config::read(self.config.as_deref())?;
        Ok(Repository::open_or_create(uri, &config.storage).await?)
    }
}

/// Opens the repository at `uri` for a server, with its cache where blobs are no local files.
pub(crate) async fn open_to_serve(
    uri: &str,
    storage: &StorageConfig,
    fetch: FetchConfig,
    cache: Option<PathBuf>,
) -> anyhow::Result<Repository> {
    let repository = Repository::open(uri, storage).await?;
    if !is_elsewhere(uri)? {
        return Ok(repository);
    }
    let folder = cache.unwrap_or_else(|| default_cache(uri));
    Ok(repository.with_cache(Cache::open(&folder, fetch)?))
}

fn is_elsewhere(uri: &str) -> anyhow::Result<bool> {
    let location = Location::parse(uri)?;
    Ok(!matches!(location, Location::Local(_)))
}

/// Returns the folder in the user's cache that is this repository's.
fn default_cache(uri: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.unwrap_or_else(|| home.join(".cache"));
    // A name that a file system takes, and that two repositories do not share.
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '.';
    let name: String = uri
        .trim_end_matches('/')
        .chars()
        .map(|character| if is_plain(character) { character } else { '_' })
        .collect();
    caches.join("nightshard").join("served").join(name)
}
