//! The repository: publication, selection, damage, going back, reclaiming.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod atoms;
mod cards_elsewhere;
mod damage;
mod demographics;
mod difference;
mod elsewhere;
mod gate;
mod going_back;
mod lease;
mod loyalty;
mod overlap;
mod publication;
mod reading;
mod reclaiming;
mod regions;
mod settlements;
mod spend_shares;
mod support;
