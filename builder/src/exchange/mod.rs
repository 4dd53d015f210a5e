//! The exchange: rows in from whoever reads, out again partition by partition.
//!
//! Each worker fills an [`Outbox`], which holds pages of rows by partition and spills all of
//! them to a scratch file whenever its share of the memory is full. The [`Exchanged`] rows are
//! then visited partition by partition, in any order and by any thread. Rows are plain fixed-size
//! values; what varies in length (the ids of stores, say) stands once in a dictionary of the
//! partition's segment, so that a segment explains itself wherever it is read.
//!
//! Scratch files have no name: the operating system takes them back when the process ends,
//! however it ends.

mod exchanged;
mod outbox;
mod pages;
mod scratch;
pub(crate) mod spill;

pub use exchanged::{Exchanged, Visitor};
pub use outbox::{DEFINED_AT_ONCE_MAX, Outbox};
pub use scratch::Scratch;
