//! What a generation tells of others than a store itself, so that the next generation keeps it.
//!
//! Atoms are read at once. The months of [`TOLD_MONTHS`] are large and taken over record by record.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    calendar::{Day, Month},
    manifest::{GenerationId, Input, Manifest, ShardEntry},
    privacy::Privacy,
    record::{
        ATOMS, AtomSummary, AtomTotals, BEFORE_AFTER, DEMOGRAPHICS, LEAVES, LeafRecord, MARKET_ALL,
        MARKETS, ORIGINS, PATTERNS, PLACE_DEMOGRAPHICS, PLACE_MIXES, PlacePattern, SPEND_SHARES,
        atoms_key,
    },
    shard::{Shard, Span},
};

/// The datasets that tell of the cards of stores and places, and of payments in places, by month, and in `current` of each
/// month by its name: once a month has been told, all of that stays.
pub const TOLD_MONTHS: [&str; 6] = [
    DEMOGRAPHICS,
    PLACE_DEMOGRAPHICS,
    ORIGINS,
    BEFORE_AFTER,
    SPEND_SHARES,
    PLACE_MIXES,
];

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
    /// When places were visited in months that had ended.
    patterns: BTreeMap<Month, Records>,
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
                blake3: digest(Self::shards(manifest).chain(shards_of(manifest, &TOLD_MONTHS))),
            },
            summaries: BTreeMap::new(),
            months: BTreeMap::new(),
            patterns: BTreeMap::new(),
            leaves: BTreeMap::new(),
        }))
    }

    /// Returns the shards that are to be added.
    pub fn shards(manifest: &Manifest) -> impl Iterator<Item = &ShardEntry> {
        shards_of(manifest, &[ATOMS, LEAVES, PATTERNS])
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
                (PATTERNS, Span::Month(month)) => {
                    PlacePattern::parse(&value)?;
                    let records = self.patterns.entry(month).or_default();
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

    /// Returns when a place or the market was visited in the months before `end`, or `None` if the generation says
    /// that of nothing: no later one contradicts it.
    #[must_use]
    pub fn patterns_before(
        &self,
        key: &[u8],
        end: Month,
    ) -> Option<impl Iterator<Item = (Month, &[u8])>> {
        let months = self.patterns.range(..end);
        let records = months.filter_map(move |(month, records)| {
            let record = records.get(key)?;
            Some((*month, record.as_slice()))
        });
        (!self.patterns.is_empty()).then_some(records)
    }

    /// Returns the record of a place or the market in a month, if it has one.
    #[must_use]
    pub fn record(&self, month: Month, key: &[u8]) -> Option<&[u8]> {
        self.months.get(&month)?.get(key).map(Vec::as_slice)
    }
}

fn shards_of<'a>(
    manifest: &'a Manifest,
    datasets: &'static [&str],
) -> impl Iterator<Item = &'a ShardEntry> {
    let datasets = datasets.iter();
    datasets.flat_map(|dataset| manifest.shards_of(dataset))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calendar::DayRange,
        key::{self, PartitionRun},
        manifest::{MANIFEST_VERSION, Rows, Transactions},
        privacy::PRIVACY_K_KEY,
        record::{AtomGroup, AtomMonth, LeafAtom, PatternCell, REGIONS, leaf_key},
        shard::{Identity, ShardWriter},
    };

    fn month(number: u32) -> Month {
        Month::new(2018, number).unwrap()
    }

    /// A generation of the fifth of March.
    fn manifest(k: u64) -> Manifest {
        Manifest {
            format_version: MANIFEST_VERSION,
            id: "2018-03-05-000000000000".parse().unwrap(),
            as_of: "2018-03-05".into(),
            transactions: Some(Transactions {
                days: ["2018-02-01".into(), "2018-03-05".into()],
                currency: "GBP".into(),
                currency_exponent: 2,
                rows: Rows::default(),
                stores: 1,
                card_key: "00".into(),
            }),
            packed: BTreeMap::new(),
            inputs: vec![],
            configuration: [(PRIVACY_K_KEY.into(), k.into())].into(),
            shards: vec![],
        }
    }

    fn shard(dataset: &str, span: Span, records: &[(Vec<u8>, Vec<u8>)]) -> Shard<Vec<u8>> {
        let identity = Identity {
            dataset: dataset.into(),
            span,
            run: PartitionRun::ALL,
        };
        let mut records = records.to_vec();
        records.sort_unstable_by(|(a, _), (b, _)| key::order(a).cmp(&key::order(b)));
        let mut file = Vec::new();
        let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
        for (key, value) in records {
            writer.append(&key, &value).unwrap();
        }
        writer.finish().unwrap();
        Shard::open(file).unwrap()
    }

    fn atoms(of: Month) -> AtomMonth {
        AtomMonth {
            groups: vec![AtomGroup {
                days: DayRange {
                    first: of.first_day(),
                    last: of.first_day(),
                },
                atoms: 1,
                cards: Some(10),
                count: 12,
                sum: 500,
            }],
            cards: vec![],
        }
    }

    fn keys() -> [Vec<u8>; 2] {
        [atoms_key(MARKETS, MARKET_ALL), atoms_key(REGIONS, "leeds")]
    }

    fn add_atoms(told: &mut ToldAtoms, months: &[Month]) {
        for of in months {
            let mut value = Vec::new();
            atoms(*of).encode(*of, &mut value).unwrap();
            let records = keys().map(|key| (key, value.clone()));
            told.add(&shard(ATOMS, Span::Month(*of), &records)).unwrap();
        }
    }

    fn add_summaries(told: &mut ToldAtoms) {
        let months = [2, 3].map(month);
        let summary = AtomSummary {
            months: months.map(|it| atoms(it).totals(it)).to_vec(),
            ..AtomSummary::default()
        };
        let mut value = Vec::new();
        summary.encode(&mut value).unwrap();
        let records = keys().map(|key| (key, value.clone()));
        told.add(&shard(ATOMS, Span::Current, &records)).unwrap();
    }

    fn leaves(of: Month) -> Shard<Vec<u8>> {
        let record = LeafRecord {
            stores: vec![b"a".to_vec()],
            atoms: vec![LeafAtom {
                days: atoms(of).groups[0].days,
                cards: 10,
                count: 12,
                sum: 500,
            }],
        };
        let mut value = Vec::new();
        record.encode(of, &mut value).unwrap();
        shard(
            LEAVES,
            Span::Month(of),
            &[(leaf_key(Some("leeds"), None), value)],
        )
    }

    #[test]
    fn what_a_generation_told_is_read_and_nothing_of_it_may_be_missing() {
        let whole = || {
            let mut told = ToldAtoms::of(&manifest(10)).unwrap().unwrap();
            add_summaries(&mut told);
            told
        };
        let mut told = whole();
        assert_eq!(told.open_month(), Some(month(3)));
        add_atoms(&mut told, &[month(2)]);
        let problem = told.check().unwrap_err().to_string();
        assert!(problem.contains("2018-03 of"), "{problem}");
        add_atoms(&mut told, &[month(3)]);
        let problem = told.check().unwrap_err().to_string();
        assert!(problem.contains("the leaves of 2018-03"), "{problem}");
        assert!(told.add(&leaves(month(2))).is_err());
        told.add(&leaves(month(3))).unwrap();
        told.check().unwrap();
        assert_eq!(told.leaves.len(), 1);
        for key in keys() {
            let before = |end| told.months_before(&key, month(end)).map(|it| it.0.month);
            assert_eq!(before(3).collect::<Vec<_>>(), [month(2)]);
            assert_eq!(before(4).count(), 2);
        }
        assert_eq!(told.months_before(b"regions\0york", month(4)).count(), 0);
    }

    #[test]
    fn patterns_are_kept_of_months_before_one_where_there_are_any() {
        let mut told = ToldAtoms::of(&manifest(10)).unwrap().unwrap();
        let [key, other] = keys();
        assert!(told.patterns_before(&key, month(3)).is_none());
        let mut pattern = PlacePattern::default();
        pattern.hours[9] = PatternCell::of([12]);
        pattern.weekdays[0] = PatternCell::of([12]);
        let mut value = Vec::new();
        pattern.encode(&mut value).unwrap();
        let records = [(key.clone(), value.clone())];
        told.add(&shard(PATTERNS, Span::Month(month(2)), &records))
            .unwrap();
        let before = |key: &[u8], end| {
            let patterns = told.patterns_before(key, month(end)).unwrap();
            patterns.map(|(of, _)| of).collect::<Vec<_>>()
        };
        assert_eq!(before(&key, 3), [month(2)]);
        assert_eq!(before(&key, 2), []);
        assert_eq!(before(&other, 3), []);
        let damaged = [(key, value[1..].to_vec())];
        assert!(
            told.add(&shard(PATTERNS, Span::Month(month(2)), &damaged))
                .is_err()
        );
    }

    #[test]
    fn a_generation_that_protects_nothing_told_no_atoms() {
        assert_eq!(ToldAtoms::of(&manifest(1)).unwrap(), None);
        let packed_alone = Manifest {
            transactions: None,
            ..manifest(10)
        };
        assert_eq!(ToldAtoms::of(&packed_alone).unwrap(), None);
    }
}
