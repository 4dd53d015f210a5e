//! Opening the repository that a command is given.

use std::path::PathBuf;

use nightshard_deploy::Repository;

use crate::config::Config;

/// How a repository is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct RepositoryArgs {
    /// The configuration file, of which [storage] counts here.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl RepositoryArgs {
    /// Opens the repository at `uri`, which must be there.
    pub(crate) async fn open(&self, uri: &str) -> anyhow::Result<Repository> {
        let config = Config::read(self.config.as_deref())?;
        Ok(Repository::open(uri, &config.storage).await?)
    }
}
