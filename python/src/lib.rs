//! Nightshard for Python: opens generations and shards, looks keys up, scans and iterates.
//!
//! What Python sees is in `nightshard/_native.pyi`. Everything that Python holds shares the maps
//! it reads, so that no order in which objects go leaves one without its bytes; values are copied,
//! since a view would outlive the checks of a lookup.

mod cursor;
mod dataset;
mod error;
mod generation;
mod key;
mod memory;
mod table;

use pyo3::prelude::*;

/// The classes and functions of the package `nightshard`.
#[pymodule]
#[pyo3(name = "_native")]
mod native {
    #[pymodule_export]
    use crate::{
        dataset::{Dataset, open_shard},
        error::NightshardError,
        generation::{Generation, open},
    };
}
