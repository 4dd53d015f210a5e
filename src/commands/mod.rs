//! One file for each command.

pub(crate) mod build;
pub(crate) mod controller;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod gate;
pub(crate) mod generate;
pub(crate) mod generations;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod mark;
pub(crate) mod pack;
pub(crate) mod pseudonym;
pub(crate) mod publish;
pub(crate) mod reclaim;
pub(crate) mod rollback;
pub(crate) mod scan;
pub(crate) mod select;
pub(crate) mod serve;
pub(crate) mod stats;
pub(crate) mod token;
pub(crate) mod verify;
