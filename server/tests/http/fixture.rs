//! Generations of a few rows, written with the format's own writers; day gaps counted naively.

mod atoms;
mod benchmark;
mod customers;
mod merchants;
mod places;
mod random;
mod ranking;
mod search;
mod series;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Mutex,
};

use nightshard_format::{
    calendar::Day,
    generation::Generation,
    key::{self, PartitionRun},
    manifest::{GenerationId, Manifest, OnDuplicate, Packed, Rows, ShardEntry, Transactions},
    quality::QualityReport,
    record::{
        CATALOG, LOYALTY, MARKET_ALL, MARKETS, SEARCH, SERIES, STORES, StoreProfile,
        encode_ranking, encode_side_series,
    },
    shard::{Identity, Mapped, ShardWriter, Span},
};
use nightshard_server::{Source, SourceError};
use tempfile::TempDir;

pub(crate) use self::{
    atoms::{Atom, Place},
    customers::{Customer, figures},
    random::Random,
};
use self::{
    search::{Terms, put_search},
    series::put_series,
};
use crate::visits;

/// One payment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payment {
    pub(crate) store: usize,
    pub(crate) day: Day,
    pub(crate) card: u32,
    pub(crate) amount: i64,
    /// Where the time is known.
    pub(crate) half_hour: Option<u8>,
    /// The card's company and the months of instalment, where they are known.
    pub(crate) paid: Option<(&'static str, u16)>,
}

/// One store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shop {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) merchant: Option<String>,
}

impl Shop {
    pub(crate) fn new(id: &str, name: &str, region: &str, category: &str) -> Self {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            id: id.to_owned(),
            name: text(name),
            region: text(region),
            category: text(category),
            merchant: None,
        }
    }

    /// Makes it one of a merchant's.
    pub(crate) fn of(self, merchant: &str) -> Self {
        Self {
            merchant: Some(merchant.to_owned()),
            ..self
        }
    }
}

/// The name and the values of a side series.
pub(crate) type Beside<'a> = (&'a str, Vec<(Day, f64)>);

type Key = Vec<u8>;
type Records = BTreeMap<(u64, Key), Vec<u8>>;
type Spans = HashMap<(&'static str, Span), Records>;

/// A folder of generations, and the selection that names one.
pub(crate) struct Fixture {
    folder: TempDir,
    manifests: Mutex<HashMap<GenerationId, Manifest>>,
    selection: Mutex<Option<(u64, GenerationId)>>,
    quality: Mutex<HashMap<GenerationId, QualityReport>>,
}

/// Records of a dataset of what is told of cards: keys, spans and values.
pub(crate) type ToldRecords<'a> = (&'static str, &'a [(&'a [u8], Span, Vec<u8>)]);

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            manifests: Mutex::new(HashMap::new()),
            selection: Mutex::new(None),
            quality: Mutex::new(HashMap::new()),
        }
    }

    /// Names the current generation.
    pub(crate) fn select(&self, number: u64, id: &GenerationId) {
        *self.selection.lock().unwrap() = Some((number, id.clone()));
    }

    /// Puts a quality report beside a generation.
    pub(crate) fn put_quality(&self, id: &GenerationId, report: QualityReport) {
        self.quality.lock().unwrap().insert(id.clone(), report);
    }

    /// Returns the manifest of a generation.
    pub(crate) fn manifest(&self, id: &GenerationId) -> Manifest {
        self.manifests.lock().unwrap()[id].clone()
    }

    /// Returns the bytes of a blob.
    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(digest)).unwrap()
    }

    /// Returns the file of some shard of a generation.
    pub(crate) fn shard_file(&self, id: &GenerationId, dataset: &str) -> PathBuf {
        let manifests = self.manifests.lock().unwrap();
        let mut shards = manifests[id].shards.iter();
        let entry = shards.find(|entry| entry.dataset == dataset).unwrap();
        self.folder.path().join(&entry.blob)
    }

    /// Writes a manifest for every shard of a generation, which lacks just that.
    pub(crate) fn lacking_one(&self, id: &GenerationId) -> Vec<(ShardEntry, GenerationId)> {
        let whole = self.manifests.lock().unwrap()[id].clone();
        let lacking = |at| {
            let mut manifest = whole.clone();
            let lacking = manifest.shards.remove(at);
            (lacking, self.put(manifest))
        };
        (0..whole.shards.len()).map(lacking).collect()
    }

    /// Writes the generation of these rows, whose last business day is the last that has some.
    pub(crate) fn write(&self, shops: &[Shop], payments: &[Payment]) -> GenerationId {
        let last = payments.iter().map(|payment| payment.day).max();
        self.write_as_of(last.unwrap(), shops, payments)
    }

    /// Writes a generation of the packed dataset `name` alone, compressed if there is a dictionary.
    pub(crate) fn write_packed(
        &self,
        name: &str,
        media_type: &str,
        table: &[(&[u8], &[u8])],
        dictionary: Option<&[u8]>,
    ) -> GenerationId {
        let records: Records = table
            .iter()
            .map(|(key, value)| ((key::hash(key), key.to_vec()), value.to_vec()))
            .collect();
        let folder = self.folder.path();
        let shards = write_shards(folder, name, Span::Current, &records, None, dictionary);
        let packed = Packed {
            media_type: media_type.into(),
            key: "key".into(),
            values: vec![],
            on_duplicate: OnDuplicate::Error,
            rows: Rows {
                read: records.len() as u64,
                used: records.len() as u64,
                ..Rows::default()
            },
        };
        let mut manifest = Manifest {
            format_version: 1,
            id: "2018-03-05-000000000000".parse().unwrap(),
            as_of: "2018-03-05".into(),
            transactions: None,
            packed: BTreeMap::new(),
            inputs: vec![],
            configuration: BTreeMap::new(),
            shards: vec![],
        };
        manifest.put_packed(name, packed, [], shards);
        self.put(manifest)
    }

    /// Writes the generation of these rows as of a day.
    pub(crate) fn write_as_of(
        &self,
        as_of: Day,
        shops: &[Shop],
        payments: &[Payment],
    ) -> GenerationId {
        self.write_beside(as_of, shops, payments, &[])
    }

    /// Writes the generation of these rows and side series, which are in the order of their names.
    pub(crate) fn write_beside(
        &self,
        as_of: Day,
        shops: &[Shop],
        payments: &[Payment],
        series: &[Beside<'_>],
    ) -> GenerationId {
        let mut spans = Spans::new();
        put_stores(&mut spans, shops, payments);
        let profile = StoreProfile::default();
        put_series(&mut spans, MARKETS, MARKET_ALL, payments, &profile);
        places::put_places(&mut spans, shops, payments);
        put_side_series(&mut spans, series);
        self.finish(as_of, shops, payments, spans, BTreeMap::new())
    }

    /// Writes the generation of these rows, and beside them records of a dataset of what is told of cards.
    pub(crate) fn write_told(
        &self,
        shops: &[Shop],
        payments: &[Payment],
        dataset: &'static str,
        records: &[(&[u8], Span, Vec<u8>)],
    ) -> GenerationId {
        self.write_all_told(shops, payments, &[(dataset, records)])
    }

    /// Writes the same with records of several such datasets.
    pub(crate) fn write_all_told(
        &self,
        shops: &[Shop],
        payments: &[Payment],
        told: &[ToldRecords<'_>],
    ) -> GenerationId {
        let mut spans = Spans::new();
        put_stores(&mut spans, shops, payments);
        let profile = StoreProfile::default();
        put_series(&mut spans, MARKETS, MARKET_ALL, payments, &profile);
        places::put_places(&mut spans, shops, payments);
        for (dataset, records) in told {
            for (key, span, value) in *records {
                put(&mut spans, dataset, *span, key, value.clone());
            }
        }
        let as_of = payments.iter().map(|payment| payment.day).max().unwrap();
        self.finish(as_of, shops, payments, spans, BTreeMap::new())
    }

    /// Adds what is searched, and writes the shards and the manifest.
    fn finish(
        &self,
        as_of: Day,
        shops: &[Shop],
        payments: &[Payment],
        mut spans: Spans,
        configuration: BTreeMap<String, serde_json::Value>,
    ) -> GenerationId {
        let terms = put_search(&mut spans, shops);
        let shards = spans
            .iter()
            .flat_map(|((dataset, span), records)| {
                let terms = (*dataset == SEARCH).then_some(&terms);
                write_shards(self.folder.path(), dataset, *span, records, terms, None)
            })
            .collect();
        let manifest = Manifest {
            configuration,
            ..manifest(as_of, shops, payments, shards)
        };
        self.put(manifest)
    }

    /// Keeps a manifest under the id that its content has.
    pub(crate) fn put(&self, mut manifest: Manifest) -> GenerationId {
        manifest.id = manifest.compute_id().unwrap();
        let id = manifest.id.clone();
        self.manifests.lock().unwrap().insert(id.clone(), manifest);
        id
    }
}

impl Source for Fixture {
    fn current(&self) -> Result<Option<(u64, GenerationId)>, SourceError> {
        Ok(self.selection.lock().unwrap().clone())
    }

    fn open(&self, id: &GenerationId) -> Result<Generation<Mapped>, SourceError> {
        let manifest = self.manifests.lock().unwrap().get(id).cloned();
        let manifest = manifest.ok_or("there is no such generation")?;
        let open = |entry: &ShardEntry| Mapped::open(&self.folder.path().join(&entry.blob));
        let generation = Generation::open(manifest, open)?;
        for shard in generation.shards() {
            shard.verify()?;
        }
        Ok(generation)
    }

    fn quality(&self, manifest: &Manifest) -> Result<Option<QualityReport>, SourceError> {
        Ok(self.quality.lock().unwrap().get(&manifest.id).cloned())
    }
}

fn put(spans: &mut Spans, dataset: &'static str, span: Span, key: &[u8], value: Vec<u8>) {
    let hash = key::hash(key);
    let records = spans.entry((dataset, span)).or_default();
    records.insert((hash, key.to_vec()), value);
}

/// Writes all that is of stores and merchants alone.
fn put_stores(spans: &mut Spans, shops: &[Shop], payments: &[Payment]) {
    for (index, shop) in shops.iter().enumerate() {
        let own = payments.iter().filter(|payment| payment.store == index);
        let own: Vec<Payment> = own.copied().collect();
        let profile = StoreProfile {
            name: shop.name.clone(),
            region: shop.region.clone(),
            category: shop.category.clone(),
            merchant_id: shop.merchant.clone(),
            ..StoreProfile::default()
        };
        put_series(spans, STORES, shop.id.as_bytes(), &own, &profile);
        for (span, value) in visits::records(&own) {
            put(spans, LOYALTY, span, shop.id.as_bytes(), value);
        }
    }
    ranking::put_rankings(spans, shops, payments);
    benchmark::put_benchmarks(spans, shops, payments);
    merchants::put_merchants(spans, shops, payments);
}

fn put_side_series(spans: &mut Spans, series: &[Beside<'_>]) {
    if series.is_empty() {
        return;
    }
    for (name, values) in series {
        let mut value = Vec::new();
        encode_side_series(values, &mut value).unwrap();
        put(spans, SERIES, Span::Current, name.as_bytes(), value);
    }
    let mut value = Vec::new();
    let names: Vec<&[u8]> = series.iter().map(|(name, _)| name.as_bytes()).collect();
    encode_ranking(names.into_iter(), &mut value).unwrap();
    put(spans, CATALOG, Span::Current, SERIES.as_bytes(), value);
}

fn write_shards(
    folder: &Path,
    dataset: &str,
    span: Span,
    records: &Records,
    terms: Option<&Terms>,
    dictionary: Option<&[u8]>,
) -> Vec<ShardEntry> {
    let mut entries = Vec::new();
    for run in PartitionRun::split(3).unwrap() {
        let identity = Identity {
            dataset: dataset.to_owned(),
            span,
            run,
        };
        let mut bytes = Vec::new();
        let writer = match dictionary {
            None => ShardWriter::new(&mut bytes, &identity),
            Some(dictionary) => {
                ShardWriter::compressing(&mut bytes, &identity, dictionary.to_vec())
            }
        };
        let mut writer = writer.unwrap();
        for ((hash, key), value) in records {
            if run.contains(key::partition_of(*hash)) {
                writer.append(key, value).unwrap();
                for term in terms.and_then(|terms| terms.get(key)).into_iter().flatten() {
                    writer.add_term(term).unwrap();
                }
            }
        }
        let written = writer.finish().unwrap();
        if written.len_records > 0 {
            let blob = written.digest.to_hex().to_string();
            replace(&folder.join(&blob), &bytes);
            entries.push(ShardEntry {
                dataset: dataset.to_owned(),
                span: span.to_string(),
                first_partition: run.first,
                end_partition: run.end,
                blob,
                size_bytes: written.len_bytes,
                records: written.len_records,
            });
        }
    }
    entries
}

/// Writes a file in the place of an earlier one, which may be mapped.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let aside = path.with_extension("aside");
    std::fs::write(&aside, bytes).unwrap();
    std::fs::rename(aside, path).unwrap();
}

fn manifest(
    as_of: Day,
    shops: &[Shop],
    payments: &[Payment],
    mut shards: Vec<ShardEntry>,
) -> Manifest {
    shards.sort();
    let days: BTreeSet<Day> = payments.iter().map(|payment| payment.day).collect();
    let (first, last) = (days.first().unwrap(), days.last().unwrap());
    let rows = Rows {
        read: payments.len() as u64,
        used: payments.len() as u64,
        ..Rows::default()
    };
    Manifest {
        format_version: 1,
        id: format!("{as_of}-000000000000").parse().unwrap(),
        as_of: as_of.to_string(),
        transactions: Some(Transactions {
            days: [first.to_string(), last.to_string()],
            currency: "GBP".into(),
            currency_exponent: 2,
            rows,
            stores: shops.len() as u64,
            card_key: "00".into(),
        }),
        packed: BTreeMap::new(),
        inputs: vec![],
        configuration: BTreeMap::new(),
        shards,
    }
}
