//! The program with object storage that refuses, hangs, is damaged or disagrees about the time, and
//! with caches that are full: one line that names what is at fault and the remedy, in bounded time,
//! and the old generation still served.
//!
//! `tests/servers/run` starts the object storage.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod caches;
mod clocks;
mod damage;
mod hanging;
mod published;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
