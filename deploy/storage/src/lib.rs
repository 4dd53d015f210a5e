//! One trait over object storage, and its implementations.
//!
//! A [`Storage`] holds immutable objects by name. Everything that the publication protocol needs
//! of it is that an object is **created whole and only if absent**: no reader ever sees half an
//! object, and of two writers of one name exactly one succeeds. So there are no locks. Only a
//! damaged object is ever replaced, by the bytes that its name stands for.
//!
//! [`open`] turns a URI into a storage; this release knows local folders ([`LocalFolder`]).
//!
//! # Examples
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use nightshard_storage::{Config, ObjectName, open_or_create};
//!
//! let folder = tempfile::tempdir()?;
//! let uri = folder.path().display().to_string();
//! let storage = open_or_create(&uri, &Config::default()).await?;
//! let name: ObjectName = "greetings/first.txt".parse()?;
//! storage.create(&name, "hello".into()).await?;
//! assert!(storage.create(&name, "again".into()).await.is_err());
//! assert_eq!(storage.get(&name, 1_024).await?, Some("hello".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod error;
mod faulty;
mod local;
mod location;
mod name;
mod storage;

pub use config::{Checksums, Config, S3Config};
pub use error::{Error, ErrorKind, Result};
pub use faulty::{Faults, Faulty};
pub use local::LocalFolder;
pub use location::{Location, open, open_or_create};
pub use name::ObjectName;
pub use storage::{Listed, Storage, UNFINISHED_AGE_MAX};
