//! One file for each command.

pub(crate) mod build;
pub(crate) mod demo;
pub(crate) mod generate;
pub(crate) mod generations;
pub(crate) mod inspect;
pub(crate) mod select;
pub(crate) mod serve;
pub(crate) mod verify;
