//! What the tests of the whole system share: the program, a server, a client, storage servers, real
//! payments.

#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod calendar;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod data;
pub(crate) mod object_storage;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod repository;
pub(crate) mod server;
pub(crate) mod servers;
pub(crate) mod small_disk;
