//! The HTTP interface over real sockets, in one process, against generations written here.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers of tests fail like tests"
)]

mod access;
mod admin;
mod api;
mod at_least;
mod cache;
mod client;
mod elsewhere;
mod fixture;
mod freshness;
mod harness;
mod limits;
mod oracle;
mod packed;
mod prepare;
mod protected;
mod schedules;
mod scripted;
mod scrub;
mod search;
mod swap;
mod visits;
