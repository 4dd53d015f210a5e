//! What a manifest says of customers, where its generation has some (docs/format.md, "Customer").

use crate::manifest::Manifest;

/// The entry of a manifest's configuration that says who a customer is, where there are some.
pub const PAYER_KEY: &str = "customers.payer";
/// Its value: a customer is a card.
pub const PAYER_CARD: &str = "card";
/// The entry of a manifest's configuration that says which rows are flagged, where some are.
pub const FLAGGED_KEY: &str = "customers.flagged";
/// The entry of a manifest's configuration that lists sensitive categories, where there are customers or some of these.
pub const SENSITIVE_CATEGORIES_KEY: &str = "privacy.sensitive_categories";

/// Returns who a customer is, or `None` where a generation was built without them.
#[must_use]
pub fn payer(manifest: &Manifest) -> Option<&str> {
    manifest.configuration.get(PAYER_KEY)?.as_str()
}

/// Returns whether an entry of a manifest's configuration is about customers, or what is kept from others.
#[must_use]
pub fn is_about_customers(key: &str) -> bool {
    [PAYER_KEY, FLAGGED_KEY, SENSITIVE_CATEGORIES_KEY].contains(&key)
}
