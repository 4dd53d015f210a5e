//! Keys as Python gives them.

use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    pybacked::{PyBackedBytes, PyBackedStr},
    types::PyString,
};

/// Bytes, or text that stands for its UTF-8.
pub(crate) enum Key {
    Bytes(PyBackedBytes),
    Text(PyBackedStr),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Key {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            // Not all text has UTF-8.
            return Ok(Self::Text(object.extract()?));
        }
        if let Ok(bytes) = object.extract() {
            return Ok(Self::Bytes(bytes));
        }
        let kind = object.get_type().name()?;
        let problem = format!("a key is bytes or str, not {kind}");
        Err(PyTypeError::new_err(problem))
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }
}
