//! The repository of generations: publish, select, open, verify.
//!
//! A [`Repository`] is a folder in object storage. Blobs come first, the manifest next, the
//! selection last, each created whole and only if absent; so whoever reads sees a generation
//! whole or not at all, and a publisher that dies leaves nothing but blobs that the next one
//! finds present. Nothing that is right is ever written again; a damaged blob is replaced by the
//! bytes that its name stands for.
//!
//! ```text
//! blobs/<blake3>                     a shard; the same bytes are stored once
//! generations/<id>/manifest.json     after all its blobs; build.json and reports/ beside it
//! selections/<20-digit number>.json  the highest number names the current generation
//! leases/, runs/                     who makes the nights, and what was done in them
//! marks/<id>/<20-digit number>.json  good, bad or retired; the highest number counts
//! intents/<nonce>.json               what a publisher is about to reference
//! condemned/<nonce>.json             what is about to be deleted
//! ```
//!
//! # Examples
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use nightshard_deploy::{Repository, StorageConfig};
//!
//! let folder = tempfile::tempdir()?;
//! let uri = folder.path().display().to_string();
//! let repository = Repository::open_or_create(&uri, &StorageConfig::default()).await?;
//! assert!(repository.generations().await?.is_empty());
//! assert!(repository.current().await?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base;
mod blob;
mod bounded;
mod cache;
#[cfg(feature = "controller")]
mod cluster;
#[cfg(feature = "controller")]
pub mod controller;
mod diff;
mod environment;
mod error;
mod fetch;
pub mod gate;
#[cfg(feature = "controller")]
mod http;
mod intent;
mod made;
mod mark;
mod movers;
mod names;
mod open;
mod present;
mod publish;
mod quality;
mod reclaim;
mod record;
mod repository;
mod rollback;
mod select;
#[cfg(feature = "controller")]
pub mod servers;
mod throttle;
#[cfg(feature = "controller")]
mod tls;
mod told_atoms;
mod transfer;
mod verify;
mod verify_atoms;
mod verify_demographics;
mod verify_elsewhere;
mod verify_loyalty;
mod verify_months;
mod verify_record;
mod verify_settlements;
mod verify_spend;
mod verify_summaries;

pub use base::Base;
pub use blob::BlobRef;
pub use cache::{Cache, FetchConfig, Served};
#[cfg(feature = "controller")]
pub use cluster::{Cluster, Switched};
pub use diff::{DiffOptions, Side, TableDiff, diff};
pub use environment::{Environment, SystemEnvironment};
pub use error::{Error, ErrorKind, Result};
pub use fetch::Fetched;
pub use mark::{Mark, Verdict};
pub use movers::{Mover, Movers};
pub use nightshard_storage::Config as StorageConfig;
pub use open::VerifiedBlobs;
pub use publish::{Published, Staged};
pub use reclaim::{Reclaim, Reclaimed};
pub use repository::{Listed, Repository};
pub use rollback::RolledBack;
pub use select::{Selected, Selection, SelectionNumber};
pub use verify::{Damage, Verification, VerifyProgress, verify_shard};

/// What README.md shows of Rust, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
