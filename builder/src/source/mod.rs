//! The door: input files to canonical transactions.
//!
//! [`Inputs`] finds the files, a [`Reader`] divides them into [`Block`]s of whole records, one
//! after the other, and any number of [`Parser`]s turn blocks into transactions, at once. Every
//! record that is neither header nor blank reaches the sink exactly once, and which records there
//! are, on which lines, depends on the bytes of a file alone.

mod amount;
mod columns;
mod coordinate;
mod error;
mod fields;
mod inputs;
mod json;
mod lines;
mod padded;
mod parser;
mod reader;
mod record;
mod row;
mod spelling;
mod stream;
mod texts;
mod time;
mod whole;

pub(crate) use coordinate::{LAT_MAX, LON_MAX, degrees};
pub use error::{Error, Result};
pub(crate) use fields::{Fields, Margins, Splitter};
pub use inputs::Inputs;
pub(crate) use padded::Padded;
pub use parser::{Parser, RowsRead};
pub(crate) use reader::BYTE_ORDER_MARK;
pub use reader::{Block, InputSummary, Reader, ReaderOptions};
pub(crate) use record::Dialect;
pub(crate) use spelling::{flag_of, whole_number_of};
pub(crate) use stream::Stream;
pub use texts::Texts;
pub(crate) use time::{Moment, iso_day, iso_local};
pub use whole::read_whole;
