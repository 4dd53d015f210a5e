//! How many cards hide each other (docs/definitions.md, "Benchmark").

use std::num::NonZeroU32;

/// The entry of a manifest's configuration that says so.
pub const PRIVACY_K_KEY: &str = "privacy.k";

/// So many cards are behind each figure that may not be told of fewer.
pub const PRIVACY_K_DEFAULT: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");
