//! Keys as Python gives them.

use pyo3::{
    FromPyObject,
    pybacked::{PyBackedBytes, PyBackedStr},
};

/// Bytes, or text that stands for its UTF-8.
#[derive(FromPyObject)]
pub(crate) enum Key {
    #[pyo3(transparent, annotation = "bytes")]
    Bytes(PyBackedBytes),
    #[pyo3(transparent, annotation = "str")]
    Text(PyBackedStr),
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }
}
