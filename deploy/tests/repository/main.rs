//! The repository: publication, selection, damage, going back, reclaiming.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod difference;
mod elsewhere;
mod going_back;
mod overlap;
mod publication;
mod reading;
mod reclaiming;
mod support;
