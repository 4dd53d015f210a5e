//! `nightshard.toml`.

use std::path::Path;

use nightshard_builder::build::RUNS_DEFAULT;
use nightshard_deploy::{FetchConfig, StorageConfig};
use nightshard_format::{histogram::Method, key::PARTITIONS};
use serde::Deserialize;

use crate::exit::UsageError;

/// The configuration file; every table and key has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How histograms are reduced.
    pub(crate) histogram: Histogram,
    /// How datasets are cut.
    pub(crate) shards: Shards,
    /// How storage is reached.
    pub(crate) storage: StorageConfig,
    /// How generations are fetched.
    pub(crate) fetch: FetchConfig,
    /// How a server serves.
    pub(crate) server: nightshard_server::Config,
}

/// The table `[histogram]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Histogram {
    /// `exact` or `climb`.
    pub(crate) method: Method,
}

/// The table `[shards]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shards {
    /// Runs that the partitions of a dataset are cut into, 1 to 1,024.
    pub(crate) runs: u16,
}

impl Default for Shards {
    fn default() -> Self {
        Self { runs: RUNS_DEFAULT }
    }
}

impl Config {
    /// Reads the file, or returns the defaults without one.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| UsageError(format!("--config {name}: {error}")))?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = 1 + before.matches('\n').count();
            UsageError(format!("--config {name}: line {line}: {}", error.message()))
        })?;
        config
            .check()
            .map_err(|problem| UsageError(format!("--config {name}: {problem}")))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let runs = self.shards.runs;
        if !(1..=PARTITIONS).contains(&runs) {
            return Err(format!("shards.runs: {runs} is not from 1 to {PARTITIONS}"));
        }
        self.server.check()
    }
}
