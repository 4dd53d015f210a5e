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
mod diff;
mod environment;
mod error;
mod names;
mod open;
mod publish;
mod repository;
mod select;
mod verify;
mod verify_record;
mod verify_summaries;

pub use base::Base;
pub use blob::BlobRef;
pub use diff::{Side, TableDiff, diff};
pub use environment::{Environment, SystemEnvironment};
pub use error::{Error, ErrorKind, Result};
pub use nightshard_storage::Config as StorageConfig;
pub use open::VerifiedBlobs;
pub use publish::{Published, Staged};
pub use repository::{Listed, Repository};
pub use select::{Selected, Selection, SelectionNumber};
pub use verify::{Damage, Verification, VerifyProgress, verify_shard};

/// What README.md shows of Rust, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
