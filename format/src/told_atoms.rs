//! All atoms that a generation tells, read at once, so that the next generation keeps them.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    calendar::{Day, Month},
    manifest::{GenerationId, Input, Manifest, ShardEntry},
    privacy::Privacy,
    record::{ATOMS, AtomSummary, AtomTotals, LEAVES, LeafRecord, MARKET_ALL, MARKETS, atoms_key},
    shard::{Shard, Span},
};

/// The records of a month, by key.
type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a generation tells of places and the market, and what it keeps of leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldAtoms {
    /// The generation.
    pub generation: GenerationId,
    /// Its last business day.
    pub as_of: Day,
    /// How many cards hide each other in them.
    pub privacy: Privacy,
    /// The currency of their sums.
    pub currency: String,
    /// Fingerprint of the key of their cards.
    pub card_key: String,
    /// How a generation declares that it keeps them.
    pub input: Input,
    /// What is known of each place and the market, by key.
    pub summaries: BTreeMap<Vec<u8>, AtomSummary>,
    months: BTreeMap<Month, Records>,
    /// The leaves of the month that had not ended, by key.
    pub leaves: BTreeMap<Vec<u8>, LeafRecord>,
}

impl ToldAtoms {
    /// Begins with what a manifest says, or with nothing where its generation protects nothing.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Label`] if what it says of privacy or its last business day is none.
    pub fn of(manifest: &Manifest) -> Result<Option<Self>> {
        let privacy = Privacy::of(manifest)?;
        let protected = manifest.transactions.as_ref();
        let Some(transactions) = protected.filter(|_| privacy.is_protecting()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            generation: manifest.id.clone(),
            as_of: manifest.as_of.parse()?,
            privacy,
            currency: transactions.currency.clone(),
            card_key: transactions.card_key.clone(),
            input: Input::Atoms {
                blake3: digest(Self::shards(manifest)),
            },
            summaries: BTreeMap::new(),
            months: BTreeMap::new(),
            leaves: BTreeMap::new(),
        }))
    }

    /// Returns the shards that have them.
    pub fn shards(manifest: &Manifest) -> impl Iterator<Item = &ShardEntry> {
        [ATOMS, LEAVES]
            .into_iter()
            .flat_map(|dataset| manifest.shards_of(dataset))
    }

    /// Adds what one of these shards has.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record is damaged.
    pub fn add<B: AsRef<[u8]>>(&mut self, shard: &Shard<B>) -> Result<()> {
        let identity = shard.identity();
        for record in shard.iter() {
            let record = record?;
            let (key, value) = (record.key.to_vec(), record.value.read()?);
            match (identity.dataset.as_str(), identity.span) {
                (ATOMS, Span::Current) => {
                    self.summaries.insert(key, AtomSummary::parse(&value)?);
                }
                (ATOMS, Span::Month(month)) => {
                    let records = self.months.entry(month).or_default();
                    records.insert(key, value.into_owned());
                }
                (LEAVES, Span::Month(month)) if Some(month) == self.open_month() => {
                    self.leaves.insert(key, LeafRecord::parse(month, &value)?);
                }
                _ => return Err(damaged(format!("{} has none", identity.span))),
            }
        }
        Ok(())
    }

    /// Checks, once all shards are added, that nothing is missing.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a month of a summary is, or the leaves of the month that had not ended.
    pub fn check(&self) -> Result<()> {
        for (key, summary) in &self.summaries {
            let is_there = |month| self.record(month, key).is_some();
            let missing = summary.months.iter().find(|it| !is_there(it.month));
            if let Some(AtomTotals { month, .. }) = missing {
                let key = String::from_utf8_lossy(key);
                return Err(damaged(format!("{month} of {key:?} is missing")));
            }
        }
        let market = atoms_key(MARKETS, MARKET_ALL);
        let is_told = |month| self.record(month, &market).is_some();
        match self.open_month().filter(|month| is_told(*month)) {
            Some(month) if self.leaves.is_empty() => {
                Err(damaged(format!("the leaves of {month} are missing")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the month that had not ended, if one had begun.
    #[must_use]
    pub fn open_month(&self) -> Option<Month> {
        let month = self.as_of.month();
        (month.days().last > self.as_of).then_some(month)
    }

    /// Returns the months of a place or the market before `end`: their totals and their records.
    pub fn months_before(
        &self,
        key: &[u8],
        end: Month,
    ) -> impl Iterator<Item = (AtomTotals, &[u8])> {
        let summary = self.summaries.get(key);
        let months = summary.into_iter().flat_map(|summary| &summary.months);
        let months = months.take_while(move |totals| totals.month < end);
        months.filter_map(|totals| Some((*totals, self.record(totals.month, key)?)))
    }

    fn record(&self, month: Month, key: &[u8]) -> Option<&[u8]> {
        self.months.get(&month)?.get(key).map(Vec::as_slice)
    }
}

fn digest<'a>(shards: impl Iterator<Item = &'a ShardEntry>) -> String {
    let mut blobs: Vec<&str> = shards.map(|shard| shard.blob.as_str()).collect();
    blobs.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for blob in blobs {
        hasher.update(blob.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

fn damaged(problem: String) -> Error {
    Error::corrupt("atoms", problem)
}
