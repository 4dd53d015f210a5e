//! How many rows each currency has, where a build has to choose one.

use std::collections::BTreeMap;

use super::{
    dedupe::Repetition,
    loaded_rows::LoadedRows,
    profiles::{Load, Profiles},
    sent_rows::SentRows,
    sliced,
    store_partition::StoreContext,
};
use crate::Result;

/// Rows by currency.
pub type CurrencyCounts = BTreeMap<Vec<u8>, u64>;

/// Counts the rows of one partition that are left when repeats are dropped; the rows stay where
/// they are.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder fails.
pub fn count(
    exchanged: &SentRows,
    partition: u16,
    context: &StoreContext<'_>,
    counts: &mut CurrencyCounts,
) -> Result<()> {
    if exchanged.weight(partition) <= context.rows_max() as u64 {
        let mut load = Load::default();
        exchanged.visit(partition, &mut load)?;
        let profiles = load.profiles.resolve(context.base_currency);
        add(&profiles, load.rows, counts);
        return Ok(());
    }
    let cut = sliced::cut_by_tx(exchanged, partition, context)?;
    for slice in 0..cut.slices {
        add(&cut.profiles, cut.load(slice)?, counts);
    }
    Ok(())
}

fn add(profiles: &Profiles, mut rows: LoadedRows, counts: &mut CurrencyCounts) {
    Repetition::default().dedupe(&mut rows, |row| profiles.store_of(row));
    let mut of_profile = vec![0_u64; profiles.len()];
    for row in rows.rows() {
        of_profile[row.profile as usize] += 1;
    }
    for (profile, rows) in of_profile
        .into_iter()
        .enumerate()
        .filter(|(_, rows)| *rows > 0)
    {
        let currency = profiles.currency(profile).to_vec();
        *counts.entry(currency).or_default() += rows;
    }
}
