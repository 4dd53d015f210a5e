//! The nightly builder: card transactions in, the shards of a generation out.
//!
//! [`source`] and [`layout`] turn files into canonical transactions; the scan kernel sends them
//! through the [`exchange`] to the partition of their store; the [`kernel`] of stores reduces
//! each partition to records, and sends card days to the partition of their card; [`emit`] writes
//! shards. An [`engine`] runs the kernels. Everything is recomputed every night, and the same
//! rows give the same bytes whatever the threads, the memory or the order of files.

mod accounting;
pub mod build;
mod currency;
pub mod customers;
pub mod data_tests;
pub mod emit;
pub mod engine;
mod error;
pub mod exchange;
mod field_hash;
pub mod generate;
pub mod kernel;
pub mod layout;
mod location;
pub mod pack;
pub mod pseudonym;
pub mod quality;
pub mod regions;
pub mod row_outcome;
pub mod series;
mod short_text;
mod small_table;
pub mod source;
pub mod stores;
pub mod transaction;

pub use error::{Error, Result};
