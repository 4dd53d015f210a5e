//! Input files to canonical transactions: every row accounted for, whatever the files hold.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod division;
mod fields;
mod header;
mod inputs;
mod json;
mod layouts;
mod lines;
mod outcomes;
