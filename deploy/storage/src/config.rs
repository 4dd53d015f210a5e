//! The table `[storage]` of nightshard.toml.

use std::{num::NonZeroU64, time::Duration};

use serde::Deserialize;

/// How storage is reached; every key has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// After how long a request that makes no progress is given up.
    pub stall_ms: NonZeroU64,
    /// For how long a request that fails is tried again.
    pub retry_ms: u64,
    /// What S3 servers differ in.
    pub s3: S3Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stall_ms: const { NonZeroU64::new(30_000).unwrap() },
            retry_ms: 300_000,
            s3: S3Config::default(),
        }
    }
}

impl Config {
    /// Returns after how long a request that makes no progress is given up.
    #[must_use]
    pub fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms.get())
    }

    /// Returns for how long a request that fails is tried again.
    #[must_use]
    pub fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms)
    }
}

/// The table `[storage.s3]`: what the environment and profiles of AWS do not say, or say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// The server, such as `https://s3.example.org`; by default that of the environment or
    /// profile, else that of AWS.
    pub endpoint: Option<String>,
    /// The region; by default that of the environment or profile.
    pub region: Option<String>,
    /// Whether the bucket stands in the path rather than in the host's name; by default where an
    /// endpoint is given.
    pub path_style: Option<bool>,
    /// Whether requests carry checksums where the protocol leaves that open.
    pub checksums: Checksums,
}

/// When a request to S3 carries a checksum of its body, and an answer's is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksums {
    /// Wherever the operation knows one.
    #[default]
    WhenSupported,
    /// Only where the operation asks for one: for servers that do not know the newer ones.
    WhenRequired,
}
