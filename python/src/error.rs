//! Errors as Python sees them.

use pyo3::{PyErr, create_exception, exceptions::PyException};

create_exception!(
    nightshard,
    NightshardError,
    PyException,
    "What is wrong with a repository, a generation or a shard, in one line."
);

/// Makes an exception of an error and its causes, in one line.
pub(crate) fn to_python(error: &dyn std::error::Error) -> PyErr {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    NightshardError::new_err(line)
}
