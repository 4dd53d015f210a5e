//! The repository on a local folder: publication, selection, damage.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod difference;
mod overlap;
mod publication;
mod reading;
mod support;
