//! What a build keeps of what an earlier generation told.

use nightshard_format::told_atoms::{TOLD_MONTHS, ToldAtoms};

use super::Engine;
use crate::{
    Result,
    build::{AtomsReport, ToldBefore},
    emit::{Staged, ToldMonths},
    kernel::{frozen::Frozen, hiding::Hiding},
};

impl Engine<'_> {
    /// Returns what is to be kept, and what is said of that; nothing where nothing is protected.
    pub(super) fn told(&self, currency: &str) -> (Option<&ToldBefore>, Option<AtomsReport>) {
        let plan = self.plan;
        if Hiding::of(plan.privacy_k).is_none() {
            return (None, None);
        }
        let told = plan.told.as_ref();
        let changed = told.and_then(|told| self.changed(&told.atoms, currency));
        let report = AtomsReport {
            generation: told.map(|told| told.atoms.generation.clone()),
            changed: changed.map(str::to_owned),
            are_input: false,
        };
        (told.filter(|_| changed.is_none()), Some(report))
    }

    /// Puts what was told of months in the place of what was made of them; returns whether that is something else.
    pub(super) fn keep_months(
        &self,
        told: &ToldBefore,
        frozen: &Frozen<'_>,
        made: &mut Vec<Staged>,
    ) -> Result<bool> {
        let told = ToldMonths {
            told: &told.months,
            ended: frozen.ended_months(),
        };
        let mut differs = false;
        for dataset in TOLD_MONTHS {
            differs |= told.keep(&self.staging, dataset, made)?;
        }
        Ok(differs)
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
