//! The manifest of a generation, whoever built it.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, DayRange},
    manifest::{Input, InputRole, MANIFEST_VERSION, Manifest, Rows, Transactions},
    payer::{FLAGGED_KEY, PAYER_CARD, PAYER_KEY, SENSITIVE_CATEGORIES_KEY},
    privacy::PRIVACY_K_KEY,
    regular::{REGULAR_DAYS_KEY, REGULAR_VISITS_KEY},
    staleness::STALE_AFTER_DAYS_KEY,
};

use super::Staged;
use crate::{
    Error, Result, build::BuildPlan, currency, customers::Customers, source::InputSummary,
};

/// What a build has found out.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What became of every row.
    pub rows: Rows,
    /// The base currency.
    pub currency: &'a str,
    /// The files that were read.
    pub inputs: &'a [InputSummary],
    /// The first and the last day that have rows.
    pub days: DayRange,
    /// The last business day.
    pub as_of: Day,
    /// How many stores there are.
    pub stores: usize,
    /// Atoms of an earlier generation, where they are others than the rows alone would make.
    pub told: Option<&'a Input>,
}

/// Makes the manifest of `shards`.
///
/// # Shape
/// Whatever of the plan can change a byte of a shard must be in `configuration`, or the ids of two
/// different generations would agree.
///
/// # Errors
/// [`Error::Option`] if the layout has no JSON form.
pub fn manifest(plan: &BuildPlan, facts: Facts<'_>, shards: &[Staged]) -> Result<Manifest> {
    let days = facts.days;
    let layout = serde_json::to_vec(plan.layout.definition())
        .map_err(|error| Error::option("--layout", error.to_string()))?;
    let layout = blake3::hash(&layout).to_hex();
    let mut configuration = BTreeMap::from([
        (
            "histogram.method".into(),
            plan.histogram_method.as_str().into(),
        ),
        ("layout.blake3".into(), layout.as_str().into()),
        (REGULAR_DAYS_KEY.into(), plan.regular.days().into()),
        (REGULAR_VISITS_KEY.into(), plan.regular.visits().into()),
        (PRIVACY_K_KEY.into(), plan.privacy_k.get().into()),
        ("shards.runs".into(), plan.runs.into()),
    ]);
    let returning = plan.returning.entries();
    configuration.extend(returning.map(|(key, value)| (key.to_owned(), value)));
    if !plan.series.is_empty() {
        let days = plan.series_stale_after_days.into();
        configuration.insert(STALE_AFTER_DAYS_KEY.into(), days);
    }
    if let Some(customers) = &plan.customers {
        configuration.extend(of_customers(customers));
    }
    if plan.customers.is_some() || !plan.sensitive_categories.is_empty() {
        let sensitive = plan.sensitive_categories.iter().map(String::as_str);
        let sensitive: Vec<&str> = sensitive.collect();
        configuration.insert(SENSITIVE_CATEGORIES_KEY.into(), sensitive.into());
    }
    let as_of = facts.as_of.to_string();
    let mut manifest = Manifest {
        format_version: MANIFEST_VERSION,
        // Replaced below: the id is a digest of the rest.
        id: format!("{as_of}-{:012}", 0).parse()?,
        as_of,
        transactions: Some(Transactions {
            days: [days.first.to_string(), days.last.to_string()],
            currency: facts.currency.to_owned(),
            currency_exponent: currency::exponent(facts.currency),
            rows: facts.rows,
            stores: facts.stores as u64,
            card_key: plan.card_key.fingerprint(),
        }),
        packed: BTreeMap::new(),
        inputs: inputs(plan, facts.inputs, facts.told),
        configuration,
        shards: shards.iter().map(|shard| shard.entry.clone()).collect(),
    };
    manifest.id = manifest.compute_id()?;
    Ok(manifest)
}

/// Returns what of the configuration of customers can change a byte.
fn of_customers(customers: &Customers) -> Vec<(String, serde_json::Value)> {
    let flagged = customers.flagged.as_ref();
    let flagged = flagged.map(|condition| (FLAGGED_KEY.into(), condition.text().into()));
    [(PAYER_KEY.into(), PAYER_CARD.into())]
        .into_iter()
        .chain(flagged)
        .collect()
}

fn inputs(plan: &BuildPlan, read: &[InputSummary], told: Option<&Input>) -> Vec<Input> {
    let transactions = read.iter().map(|input| {
        let digest = input.digest.to_hex().to_string();
        (InputRole::Transactions, digest, input.size_bytes)
    });
    let stores = plan.stores.digest().cloned();
    let stores = stores.map(|(digest, size_bytes)| (InputRole::Stores, digest, size_bytes));
    let regions = plan.regions.digest().cloned();
    let regions = regions.map(|(digest, size_bytes)| (InputRole::Regions, digest, size_bytes));
    let series = plan.series.files().iter().map(|file| {
        let digest = file.digest.to_hex().to_string();
        (InputRole::Series, digest, file.size_bytes)
    });
    let customers = plan.customers.as_ref();
    let customers = customers.and_then(|customers| customers.table.digest().cloned());
    let customers =
        customers.map(|(digest, size_bytes)| (InputRole::Customers, digest, size_bytes));
    let mut inputs: Vec<Input> = transactions
        .chain(stores)
        .chain(regions)
        .chain(series)
        .chain(customers)
        .map(|(role, blake3, size_bytes)| Input::File {
            role,
            dataset: None,
            blake3,
            size_bytes,
        })
        .chain(told.cloned())
        .collect();
    inputs.sort();
    inputs
}
