//! What a repository needs of the world beside storage.

use std::{fmt::Debug, time::SystemTime};

/// Time, randomness and a name, injected so that tests and simulations own them.
pub trait Environment: Debug + Send + Sync {
    /// Returns the time of day.
    fn now(&self) -> SystemTime;

    /// Returns a text of letters, digits and `-` that no other writer ever uses, to tell own records
    /// from others.
    fn nonce(&self) -> String;

    /// Returns who is writing, for people who read the records.
    fn writer(&self) -> String;
}

/// The operating system's clock, randomness and user.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this package that reads the clock"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has random bytes");
        format!("{:032x}", u128::from_le_bytes(bytes))
    }

    fn writer(&self) -> String {
        std::env::var("USER").unwrap_or_else(|_unset| "unknown".into())
    }
}
