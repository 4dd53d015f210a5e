//! How what is opened is kept in memory, as Python says it.

use std::{ffi::CString, fmt::Display, str::FromStr};

use nightshard_format::shard::{Mapped, MemoryPolicy, Shard};
use pyo3::{
    exceptions::{PyRuntimeWarning, PyValueError},
    prelude::*,
};

/// Reads the keywords of opening.
pub(crate) fn policy(records: &str, indexes: &str, huge_pages: &str) -> PyResult<MemoryPolicy> {
    Ok(MemoryPolicy {
        records: parse("records", records)?,
        indexes: parse("indexes", indexes)?,
        huge_pages: parse("huge_pages", huge_pages)?,
    })
}

fn parse<T: FromStr<Err: Display>>(keyword: &str, name: &str) -> PyResult<T> {
    name.parse()
        .map_err(|error| PyValueError::new_err(format!("{keyword}: {error}")))
}

/// Applies a policy while other threads run, and warns of what the system refused.
pub(crate) fn advise<'a>(
    py: Python<'_>,
    memory: MemoryPolicy,
    shards: impl IntoIterator<Item = &'a Shard<Mapped>> + Send,
) -> PyResult<()> {
    for refused in py.detach(|| memory.advise_lookups(shards)) {
        let text = CString::new(refused.to_string())?;
        PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 1)?;
    }
    Ok(())
}
