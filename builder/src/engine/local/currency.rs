//! The currency of a build.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicU16, Ordering},
};

use nightshard_format::key::PARTITIONS;

use super::{Engine, reading::Scanned};
use crate::{
    Error, Result,
    accounting::{describe_nothing, rows_of_scan},
    kernel::{
        currency_count::{self, CurrencyCounts},
        sent_rows::SentRows,
    },
};

impl Engine<'_> {
    /// Returns the currency asked for, or that of most rows, ties alphabetically.
    ///
    /// Where there are several, rows that are dropped as repeats have no vote.
    pub(super) fn base_currency(&self, scanned: &Scanned) -> Result<String> {
        if let Some(currency) = &self.plan.currency {
            return Ok(currency.clone());
        }
        let mut currencies = Cow::Borrowed(&scanned.counts.currencies);
        if currencies.len() > 1 {
            currencies = Cow::Owned(self.count_currencies(&scanned.rows)?);
        }
        let most = currencies.iter().rev().max_by_key(|(_, rows)| **rows);
        let (currency, _) =
            most.ok_or_else(|| Error::NoRows(describe_nothing(&rows_of_scan(&scanned.counts))))?;
        Ok(String::from_utf8_lossy(currency).into_owned())
    }

    fn count_currencies(&self, rows: &SentRows) -> Result<CurrencyCounts> {
        let context = self.store_context("");
        let next = AtomicU16::new(0);
        let counted = self.on_all_threads(|| {
            let mut counts = CurrencyCounts::new();
            while let partition = next.fetch_add(1, Ordering::Relaxed)
                && partition < PARTITIONS
            {
                currency_count::count(rows, partition, &context, &mut counts)?;
            }
            Ok(counts)
        })?;
        let mut total = CurrencyCounts::new();
        for (currency, rows) in counted.into_iter().flatten() {
            *total.entry(currency).or_default() += rows;
        }
        Ok(total)
    }
}
