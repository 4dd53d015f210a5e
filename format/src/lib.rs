//! Nightshard's files: the shard, its typed records, and the manifest of a generation.
//!
//! A [`shard::Shard`] is an immutable table of byte keys and byte values with checksums over
//! every byte. [`record`] gives values a meaning; [`manifest`] binds shards into a generation,
//! which [`generation::Generation`] reads. docs/format.md specifies every byte.
//!
//! This package is pure: no network, no async, no clock, no logging; its only I/O is mapping a
//! file.

pub mod bytes;
pub mod calendar;
pub mod diff;
mod error;
pub mod generation;
pub mod histogram;
pub mod key;
pub mod loyalty;
pub mod manifest;
pub mod payer;
pub mod privacy;
pub mod quality;
pub mod record;
pub mod region_tree;
pub mod regular;
pub mod returning;
pub mod rule;
pub mod shard;
pub mod staleness;
pub mod statistics;
pub mod table;
pub mod text;
pub mod tile;
pub mod told_atoms;

pub use error::{Error, Result};
