//! Engines: who runs the kernels.

mod local;

pub use local::build;
