//! What makes a generation pass, from figures alone.

use nightshard_format::record::{LEAVES, MERCHANTS};
use serde::{Deserialize, Serialize};

use super::{KeySample, Limit, Measures, Thresholds};

/// What one check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not: the generation is not to be selected by itself.
    Refused,
    /// It does not, which somebody should know: it refuses nothing.
    Warned,
    /// It was turned off, or there was nothing to compare with. Also what a newer release says
    /// that this one does not know.
    #[serde(other)]
    Skipped,
}

/// One check of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The key of `[gate]` that sets its limit, or `readable` and `stale_series` for what has none
    /// there.
    pub name: String,
    /// What it says.
    pub verdict: Verdict,
    /// What was measured, if that is a number.
    pub measured: Option<f64>,
    /// The limit, if there is one.
    pub limit: Option<f64>,
    /// What was found, in one line.
    pub line: String,
}

impl Check {
    fn new(name: &str, is_passed: bool, line: String) -> Self {
        Self {
            name: name.to_owned(),
            verdict: match is_passed {
                true => Verdict::Passed,
                false => Verdict::Refused,
            },
            measured: None,
            limit: None,
            line,
        }
    }

    fn skipped(name: &str, line: String) -> Self {
        Self {
            verdict: Verdict::Skipped,
            ..Self::new(name, true, line)
        }
    }

    fn with(self, measured: f64, limit: Option<f64>) -> Self {
        Self {
            measured: Some(measured),
            limit,
            ..self
        }
    }

    /// Says that a part of the candidate cannot be read.
    pub(super) fn unreadable(problem: &str) -> Self {
        Self::new("readable", false, problem.to_owned())
    }

    /// Says that a part of the good generation cannot be read.
    pub(super) fn not_compared(problem: &str) -> Self {
        Self::skipped("readable", format!("not compared: {problem}"))
    }
}

/// Judges a generation by its measures, beside those of the last good one if there is one.
///
/// # Shape
/// The checks' order is always the same; a generation passes if none says [`Verdict::Refused`].
#[must_use]
pub fn judge(
    candidate: &Measures,
    good: Option<&Measures>,
    samples: &[KeySample],
    thresholds: &Thresholds,
) -> Vec<Check> {
    let mut checks = absolute(candidate, thresholds);
    checks.extend(stale_series(candidate));
    if let Some(good) = good {
        checks.extend(schema(candidate, good, thresholds));
        checks.extend(rejects_rise(candidate, good, thresholds));
        checks.extend(changes(candidate, good, thresholds));
        checks.extend(samples.iter().map(|sample| keys(sample, thresholds)));
    }
    checks
}

/// Checks what needs no other generation.
fn absolute(candidate: &Measures, thresholds: &Thresholds) -> Vec<Check> {
    let Some(rows) = &candidate.rows else {
        return Vec::new();
    };
    let min = thresholds.min_rows;
    let line = format!("{} rows used, at least {min} needed", rows.used);
    let enough = Check::new("min_rows", rows.used >= min, line);
    let share = share(rows.rejected, rows.read);
    let line = format!("{} of {} rows rejected", rows.rejected, rows.read);
    vec![
        enough.with(rows.used as f64, Some(min as f64)),
        at_most(
            "rejects_share_max",
            share,
            thresholds.rejects_share_max,
            &line,
        ),
    ]
}

/// Says which side series are stale, if there are any.
fn stale_series(candidate: &Measures) -> Option<Check> {
    let measures = &candidate.series;
    if measures.series == 0 {
        return None;
    }
    let name = "stale_series";
    let check = match measures.stale_line() {
        None => Check::new(
            name,
            true,
            format!("{} side series, none stale", measures.series),
        ),
        Some(line) => Check {
            verdict: Verdict::Warned,
            ..Check::new(name, true, line)
        },
    };
    Some(check.with(measures.stale.len() as f64, None))
}

/// Checks what must not change from one night to the next.
fn schema(candidate: &Measures, good: &Measures, thresholds: &Thresholds) -> Vec<Check> {
    let is_later = thresholds.as_of_may_go_back || candidate.as_of >= good.as_of;
    let line = format!(
        "the last business day is {}, it was {}",
        candidate.as_of, good.as_of
    );
    let as_of = Check::new("as_of_may_go_back", is_later, line);
    let mut problems = Vec::new();
    // On a month's last day no leaf is to be kept, and a chain may be left with one store.
    let gone = |dataset: &&String| {
        ![LEAVES, MERCHANTS].contains(&dataset.as_str())
            && !candidate.datasets.contains_key(*dataset)
    };
    for dataset in good.datasets.keys().filter(gone) {
        problems.push(format!("dataset {dataset} is gone"));
    }
    if let (Some(now), Some(before)) = (&candidate.rows, &good.rows)
        && now.currency != before.currency
    {
        problems.push(format!(
            "the currency is {}, it was {}",
            now.currency, before.currency
        ));
    }
    let (now, before) = (candidate.format_version, good.format_version);
    if now < before {
        problems.push(format!("the format is of version {now}, it was {before}"));
    }
    let is_same = thresholds.schema_may_change || problems.is_empty();
    let line = match problems.is_empty() {
        true => format!("{} datasets, none gone", candidate.datasets.len()),
        false => problems.join("; "),
    };
    vec![as_of, Check::new("schema_may_change", is_same, line)]
}

fn rejects_rise(candidate: &Measures, good: &Measures, thresholds: &Thresholds) -> Option<Check> {
    let (now, before) = (candidate.rows.as_ref()?, good.rows.as_ref()?);
    let (now, before) = (
        share(now.rejected, now.read),
        share(before.rejected, before.read),
    );
    let line = format!(
        "{} of the rows rejected, it was {}",
        percent(now),
        percent(before)
    );
    // A fall is no rise of less than nothing.
    let rise = (now - before).max(0.0);
    Some(at_most(
        "rejects_rise_max",
        rise,
        thresholds.rejects_rise_max,
        &line,
    ))
}

/// What is compared, and how far it may fall and rise.
struct Change<'a> {
    what: String,
    names: [&'a str; 2],
    limits: [Limit; 2],
}

/// Checks how much is gone and how much has come.
fn changes(candidate: &Measures, good: &Measures, thresholds: &Thresholds) -> Vec<Check> {
    let of = |what: &str, names, limits| Change {
        what: what.to_owned(),
        names,
        limits,
    };
    let rows = |what| {
        let limits = [thresholds.rows_drop_max, thresholds.rows_rise_max];
        of(what, ["rows_drop_max", "rows_rise_max"], limits)
    };
    let mut checks = Vec::new();
    if let (Some(now), Some(before)) = (&candidate.rows, &good.rows) {
        checks.extend(rows("rows used").checks(now.used.into(), before.used.into()));
        let limits = [thresholds.stores_drop_max, thresholds.stores_rise_max];
        let stores = of("stores", ["stores_drop_max", "stores_rise_max"], limits);
        checks.extend(stores.checks(now.stores.into(), before.stores.into()));
        if let (Some(now_market), Some(before_market)) = (candidate.market, good.market) {
            let rows = rows("rows of the market");
            checks.extend(rows.checks(now_market.count.into(), before_market.count.into()));
            // Amounts of two currencies are two kinds of thing.
            if now.currency == before.currency {
                let limits = [thresholds.amount_drop_max, thresholds.amount_rise_max];
                let names = ["amount_drop_max", "amount_rise_max"];
                let amount = of("the market's sum in minor units", names, limits);
                checks.extend(amount.checks(now_market.sum_minor, before_market.sum_minor));
            }
        }
    }
    let [now, before] = [candidate, good].map(|measures| {
        // Datasets come and go as tables are packed: records of each are compared below.
        let datasets = measures.datasets.values();
        let datasets = datasets.filter(|dataset| !dataset.is_packed);
        datasets.map(|dataset| i128::from(dataset.size_bytes)).sum()
    });
    let limits = [thresholds.size_drop_max, thresholds.size_rise_max];
    let size = of(
        "bytes of what is not packed",
        ["size_drop_max", "size_rise_max"],
        limits,
    );
    checks.extend(size.checks(now, before));
    for (dataset, before) in good.datasets.iter().filter(|(_, before)| before.is_packed) {
        if let Some(now) = candidate.datasets.get(dataset) {
            let limits = [thresholds.records_drop_max, thresholds.records_rise_max];
            let names = ["records_drop_max", "records_rise_max"];
            let records = of(&format!("records of {dataset}"), names, limits);
            checks.extend(records.checks(now.records.into(), before.records.into()));
        }
    }
    checks
}

impl Change<'_> {
    /// Checks both ways: a fall is no rise, and the other way round.
    fn checks(&self, now: i128, before: i128) -> [Check; 2] {
        let Self {
            what,
            names: [drop, rise],
            limits: [drop_max, rise_max],
        } = self;
        let line = format!("{what}: {now}, it was {before}");
        if before == 0 && now != 0 {
            // Nothing has no share of anything.
            return [drop, rise].map(|name| Check::skipped(name, line.clone()));
        }
        let change = match before {
            0 => 0.0,
            before => (now as f64 - before as f64) / before.unsigned_abs() as f64,
        };
        [
            at_most(drop, (-change).max(0.0), *drop_max, &line),
            at_most(rise, change.max(0.0), *rise_max, &line),
        ]
    }
}

fn keys(sample: &KeySample, thresholds: &Thresholds) -> Check {
    let KeySample {
        dataset,
        sampled,
        missing,
    } = sample;
    let line = format!("{missing} of {sampled} keys of {dataset} gone");
    let share = share(*missing, *sampled);
    at_most(
        "keys_missing_max",
        share,
        thresholds.keys_missing_max,
        &line,
    )
}

/// Checks that a share is no larger than its limit.
fn at_most(name: &str, measured: f64, limit: Limit, line: &str) -> Check {
    // What is 30 % by division is no more than 30 %.
    const SLACK: f64 = 1e-9;
    match limit.max() {
        Some(max) => {
            let line = format!("{line}: {}, at most {}", percent(measured), percent(max));
            Check::new(name, measured <= max + SLACK, line).with(measured, Some(max))
        }
        None => Check::skipped(name, format!("{line}: not checked")).with(measured, None),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}

/// Returns a share as people read it, with two decimals where it has some.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

#[cfg(test)]
mod tests;
