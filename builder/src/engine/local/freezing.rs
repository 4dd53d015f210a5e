//! Which atoms of an earlier generation a build keeps.

use nightshard_format::told_atoms::ToldAtoms;

use super::Engine;
use crate::{build::AtomsReport, kernel::hiding::Hiding};

impl Engine<'_> {
    /// Returns the atoms to keep, and what is said of that; nothing where nothing is protected.
    pub(super) fn told(&self, currency: &str) -> (Option<&ToldAtoms>, Option<AtomsReport>) {
        let plan = self.plan;
        if Hiding::of(plan.privacy_k).is_none() {
            return (None, None);
        }
        let told = plan.told.as_ref();
        let changed = told.and_then(|told| self.changed(told, currency));
        let report = AtomsReport {
            generation: told.map(|told| told.generation.clone()),
            changed: changed.map(str::to_owned),
            are_input: false,
        };
        (told.filter(|_| changed.is_none()), Some(report))
    }

    /// Returns what is not as it was when these atoms were made, so that no others go on from them.
    fn changed(&self, told: &ToldAtoms, currency: &str) -> Option<&'static str> {
        if told.privacy.k() != u64::from(self.plan.privacy_k.get()) {
            Some("privacy.k")
        } else if told.currency != currency {
            Some("the currency")
        } else if told.card_key != self.plan.card_key.fingerprint() {
            Some("the card key")
        } else {
            None
        }
    }
}
