//! The command line with bad input, full disks and wrong options: one line that names what is at
//! fault, the right exit code, the old generation still served, and nothing left behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod atoms;
mod controller;
mod customers;
mod data_tests;
mod disks;
mod exporting;
mod gate;
mod generations;
mod inputs;
mod listener;
mod maps;
mod options;
mod regions;
mod rejected;
mod results;
mod series;
mod serving;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
