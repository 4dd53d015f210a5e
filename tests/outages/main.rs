//! Storage that goes away and comes back under publishers and servers: all is finished without help,
//! or ends with a clear error and succeeds when it is run again.
//!
//! `NIGHTSHARD_TEST_OUTAGE_SECONDS` makes outages longer than the few seconds of every day.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod datanodes;
mod namenodes;
mod publishing;
mod s3;
#[path = "../support/mod.rs"]
mod support;
