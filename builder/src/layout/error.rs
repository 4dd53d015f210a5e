//! What may be wrong with a layout.

use std::io;
use std::path::PathBuf;

/// A layout that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither a built-in layout nor a readable file.
    #[error("cannot read layout {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// Not a layout: bad TOML, an unknown key or a value of the wrong type.
    #[error("layout {name}, line {line}: {message}")]
    Syntax {
        /// Name or path of the layout.
        name: String,
        /// Line of the fault, from 1.
        line: usize,
        /// What is wrong there, with the key at fault.
        message: String,
    },
    /// A key whose value makes no sense.
    #[error("layout {name}: {key}: {message}")]
    Value {
        /// Name or path of the layout.
        name: String,
        /// The key at fault.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The result of working with layouts.
pub type Result<T> = std::result::Result<T, Error>;
