//! The quality gate: is a generation like the last good one, or did something go missing?
//!
//! [`judge`] is pure: it compares [`Measures`] under [`Thresholds`]. [`Repository::gate`] takes the
//! measures, reads known keys back, and stores the [`GateReport`] beside the manifest.

mod judge;
mod measures;
mod report;
mod sample;
mod series;
mod shards;
mod thresholds;

use nightshard_format::manifest::Manifest;
use nightshard_storage::ErrorKind;

pub use judge::{Check, Verdict, judge};
pub use measures::{DatasetMeasures, Market, Measures, RowMeasures};
pub use report::GateReport;
pub use sample::KeySample;
pub use series::{SeriesMeasures, StaleSeries};
pub use thresholds::{Limit, Thresholds};

use crate::{Error, Repository, Result, error::one_line};

impl Repository {
    /// Judges a published generation by itself and beside the last good one, and stores the report
    /// as the next `generations/<id>/reports/gate-<number>.json`.
    ///
    /// Without a generation to compare with, only what is absolute is checked. Damage in the good
    /// one leaves out what it hides: it must not be in the way of what replaces it.
    ///
    /// # Errors
    /// [`Error::Storage`] if storage cannot be read or written; what is wrong with the candidate
    /// is in the report.
    pub async fn gate(
        &self,
        candidate: &Manifest,
        good: Option<&Manifest>,
        thresholds: &Thresholds,
    ) -> Result<GateReport> {
        let good = good.map(|good| (self, good));
        self.gate_beside(candidate, good, thresholds).await
    }

    /// Judges as [`Repository::gate`] does, beside a good generation that may be in another
    /// repository.
    ///
    /// # Errors
    /// As there, of both repositories.
    pub async fn gate_beside(
        &self,
        candidate: &Manifest,
        good: Option<(&Self, &Manifest)>,
        thresholds: &Thresholds,
    ) -> Result<GateReport> {
        let mut unread = Vec::new();
        let mut measures = Measures::of(candidate);
        match self.market_of(candidate).await {
            Ok(market) => measures.market = market,
            Err(error) => unread.push(Check::unreadable(&damage(error)?)),
        }
        match self.series_of(candidate).await {
            Ok(series) => measures.series = series,
            Err(error) => unread.push(Check::unreadable(&damage(error)?)),
        }
        let mut good_measures = good.map(|(_, good)| Measures::of(good));
        if let (Some((its, good)), Some(measures)) = (good, &mut good_measures) {
            match its.market_of(good).await {
                Ok(market) => measures.market = market,
                Err(error) => unread.push(Check::not_compared(&damage(error)?)),
            }
        }
        let mut samples = Vec::new();
        if let Some((its, good)) = good {
            let keys_max = thresholds.keys_sampled;
            for dataset in sample::datasets(candidate, good) {
                let good = (its, good);
                match self.sample(candidate, good, &dataset, keys_max).await? {
                    Ok(sample) => samples.push(sample),
                    // The shard may have been read before, for what it says of the market.
                    Err(check) if unread.contains(&check) => {}
                    Err(check) => unread.push(check),
                }
            }
        }
        let mut checks = judge(&measures, good_measures.as_ref(), &samples, thresholds);
        checks.extend(unread);
        let report = GateReport {
            number: 0,
            generation: candidate.id.clone(),
            against: good.map(|(_, good)| good.id.clone()),
            is_passed: checks.iter().all(|check| check.verdict != Verdict::Refused),
            checks,
            measures,
            good_measures,
            at: self.now_text(),
            by: self.environment.writer(),
            nonce: self.environment.nonce(),
        };
        self.store_gate_report(report).await
    }
}

/// Returns damage as one line, and what is worth another try as the error that it is.
fn damage(error: Error) -> Result<String> {
    match error.kind() {
        ErrorKind::Data => Ok(one_line(&error)),
        _ => Err(error),
    }
}
