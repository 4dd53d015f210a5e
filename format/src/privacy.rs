//! How many cards hide one another (docs/privacy.md).

/// The entry of a manifest's configuration that says how many cards an atom has at least; 1 hides nothing.
pub const PRIVACY_K_KEY: &str = "privacy.k";

/// So many unless configured.
pub const PRIVACY_K_DEFAULT: u64 = 10;
