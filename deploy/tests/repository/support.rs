//! Small generations, a fixed environment, and storage that fails on command.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use nightshard_deploy::{Environment, Repository, Staged};
use nightshard_format::{
    calendar::{Day, Month},
    key::{self, PartitionRun},
    manifest::{Manifest, Rows, ShardEntry, Transactions},
    record::{
        self, DayCards, EntityKind, MonthBuilder, MonthTotals, Posting, RankBy, StoreProfile,
        SummaryBuilder, encode_postings, encode_ranking, ranking_key,
    },
    shard::{Identity, ShardWriter, Span},
};
use nightshard_storage::{Error, Listed, LocalFolder, ObjectName, Result, Storage};

/// Keys and values of one dataset and span.
pub(crate) type Table = BTreeMap<Vec<u8>, Vec<u8>>;

/// The tables of a generation.
pub(crate) type Tables = BTreeMap<(&'static str, Span), Table>;

/// Writes a generation of `stores` stores that sell every day of `months` months from January
/// 2018 on, into `folder`. The last month's amounts depend on `seed`, all else does not.
pub(crate) fn stage(folder: &Path, stores: u32, months: u32, seed: i64) -> Staged {
    let nowhere = StoreProfile::default();
    stage_forged(folder, (stores, &nowhere), months, seed, |_tables| ())
}

/// Like [`stage`], of stores that are known as `profile`, with records that `forge` has its way with.
fn stage_forged(
    folder: &Path,
    (stores, profile): (u32, &StoreProfile),
    months: u32,
    seed: i64,
    forge: impl FnOnce(&mut Tables),
) -> Staged {
    let months: Vec<Month> = (1..=months)
        .map(|month| Month::new(2018, month).unwrap())
        .collect();
    let mut tables = Tables::new();
    let ids: Vec<Vec<u8>> = (0..stores)
        .map(|store| format!("s{store}").into_bytes())
        .collect();
    let mut rows = 0;
    for (store, id) in ids.iter().enumerate() {
        let mut summary = SummaryBuilder::new();
        for month in &months {
            let seed = if Some(month) == months.last() {
                seed
            } else {
                0
            };
            let (value, totals) = month_of(*month, store as i64 + seed, &mut summary);
            rows += totals.statistics.count;
            let table = tables
                .entry((record::STORES, Span::Month(*month)))
                .or_default();
            table.insert(id.clone(), value);
            summary.month(totals);
        }
        let mut value = Vec::new();
        summary.finish(profile, &mut value).unwrap();
        let table = tables.entry((record::STORES, Span::Current)).or_default();
        table.insert(id.clone(), value);
    }
    let mut ranking = Vec::new();
    encode_ranking(ids.iter().map(Vec::as_slice), &mut ranking).unwrap();
    let table = tables.entry((record::RANKINGS, Span::Current)).or_default();
    table.insert(ranking_key(RankBy::Amount, None, None), ranking);
    let mut postings = Vec::new();
    let store = |id| Posting {
        kind: EntityKind::Store,
        id,
    };
    let mut sorted = ids.clone();
    sorted.sort();
    encode_postings(sorted.iter().map(|id| store(id.as_slice())), &mut postings);
    let table = tables.entry((record::SEARCH, Span::Current)).or_default();
    table.insert(b"store".to_vec(), postings);
    let last_day = months.last().unwrap().days().last;
    forge(&mut tables);
    finish(folder, &tables, last_day, u64::from(stores), rows)
}

/// Takes a store out of the shards, though not out of the lists that name it.
pub(crate) fn remove_store(tables: &mut Tables, id: &[u8]) {
    for ((dataset, _), table) in tables {
        if *dataset == record::STORES {
            table.remove(id);
        }
    }
}

/// Returns the record and the totals of a store's month: two or three rows a day, two cards of
/// which one came the day before.
fn month_of(month: Month, seed: i64, summary: &mut SummaryBuilder) -> (Vec<u8>, MonthTotals) {
    let mut builder = MonthBuilder::new();
    builder.begin(month);
    let first = Day::from_civil(2018, 1, 1).unwrap();
    for day in month.days().iter() {
        let returning = [record::Run {
            distance: 1,
            count: 1,
        }];
        let cards = DayCards {
            first_ever: 1,
            returning: if day == first { &[] } else { &returning },
            buyers: &[],
            ..DayCards::default()
        };
        let amounts = [-5 - seed, 100 + i64::from(day.0 % 7), 5_000 + seed];
        builder.day(day, &amounts[usize::from(day.0 % 3 == 0)..], cards);
        summary.day(day, cards);
    }
    let (statistics, cards) = builder.totals();
    let mut value = Vec::new();
    builder.finish(&mut value);
    let totals = MonthTotals {
        month,
        statistics,
        cards,
    };
    (value, totals)
}

fn finish(folder: &Path, tables: &Tables, last_day: Day, stores: u64, rows: u64) -> Staged {
    let mut shards = Vec::new();
    let mut paths = Vec::new();
    for ((dataset, span), table) in tables {
        for run in PartitionRun::split(2).unwrap() {
            let (path, entry) = write_shard(folder, dataset, *span, run, table);
            paths.push((path, entry.blob.clone()));
            shards.push(entry);
        }
    }
    shards.sort();
    let manifest = Manifest {
        format_version: 1,
        id: format!("{last_day}-000000000000").parse().unwrap(),
        as_of: last_day.to_string(),
        transactions: Some(Transactions {
            days: ["2018-01-01".into(), last_day.to_string()],
            currency: "GBP".into(),
            currency_exponent: 2,
            rows: Rows {
                read: rows,
                used: rows,
                ..Rows::default()
            },
            stores,
            card_key: "00".into(),
        }),
        packed: BTreeMap::new(),
        inputs: vec![],
        configuration: BTreeMap::new(),
        shards,
    };
    let report = folder.join("gate.json");
    fs::write(&report, "{}").unwrap();
    Staged {
        manifest: with_id(manifest),
        shards: paths,
        build_json: b"{\"threads\": 2}".to_vec(),
        reports: vec![("gate.json".into(), report)],
    }
}

/// Gives a manifest the id that its content has.
pub(crate) fn with_id(mut manifest: Manifest) -> Manifest {
    manifest.id = manifest.compute_id().unwrap();
    manifest
}

pub(crate) fn write_shard(
    folder: &Path,
    dataset: &str,
    span: Span,
    run: PartitionRun,
    table: &Table,
) -> (PathBuf, ShardEntry) {
    let identity = Identity {
        dataset: dataset.into(),
        span,
        run,
    };
    let mut records: Vec<_> = table
        .iter()
        .map(|(key, value)| (key::hash(key), key, value))
        .filter(|(hash, ..)| run.contains(key::partition_of(*hash)))
        .collect();
    records.sort();
    let path = folder.join(format!("{dataset}-{span}-{}", run.first));
    let mut writer = ShardWriter::new(fs::File::create(&path).unwrap(), &identity).unwrap();
    for (_, key, value) in records {
        writer.append(key, value).unwrap();
        if dataset == record::SEARCH {
            writer.add_term(key).unwrap();
        }
    }
    let written = writer.finish().unwrap();
    let entry = ShardEntry {
        dataset: dataset.into(),
        span: span.to_string(),
        first_partition: run.first,
        end_partition: run.end,
        blob: written.digest.to_hex().to_string(),
        size_bytes: written.len_bytes,
        records: written.len_records,
    };
    (path, entry)
}

/// A fixed clock, and nonces that count.
#[derive(Debug, Default)]
pub(crate) struct FixedEnvironment {
    name: String,
    nonces: AtomicU64,
}

impl FixedEnvironment {
    pub(crate) fn named(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            nonces: AtomicU64::new(0),
        })
    }
}

impl Environment for FixedEnvironment {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_546_300_800)
    }

    fn nonce(&self) -> String {
        let number = self.nonces.fetch_add(1, Ordering::SeqCst);
        format!("{}-{number}", self.name)
    }

    fn writer(&self) -> String {
        self.name.clone()
    }
}

/// A repository in a temporary folder, and a folder for what is staged.
#[derive(Debug)]
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    staged: AtomicU64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            staged: AtomicU64::new(0),
        }
    }

    /// The repository's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(LocalFolder::new(self.root()))
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::with_environment(self.storage(), FixedEnvironment::named("test"))
    }

    /// Stages a generation in a folder of its own.
    pub(crate) fn stage(&self, stores: u32, months: u32, seed: i64) -> Staged {
        stage(&self.new_folder(), stores, months, seed)
    }

    /// Stages a generation of five stores and two months, with records that `forge` has its way
    /// with.
    pub(crate) fn stage_forged(&self, forge: impl FnOnce(&mut Tables)) -> Staged {
        self.stage_forged_of(&StoreProfile::default(), forge)
    }

    /// Likewise, of stores that are known as `profile`.
    pub(crate) fn stage_forged_of(
        &self,
        profile: &StoreProfile,
        forge: impl FnOnce(&mut Tables),
    ) -> Staged {
        stage_forged(&self.new_folder(), (5, profile), 2, 0, forge)
    }

    pub(crate) fn new_folder(&self) -> PathBuf {
        let number = self.staged.fetch_add(1, Ordering::SeqCst);
        let folder = self.folder.path().join(format!("staged-{number}"));
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// The file of a blob.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        self.root().join("blobs").join(digest)
    }
}

/// Checks what is found of stores that are known as `profile`.
pub(crate) async fn assert_found(
    profile: &StoreProfile,
    forge: impl FnOnce(&mut Tables),
    problem: Option<&str>,
) {
    let bench = Bench::new();
    let repository = bench.repository();
    let staged = bench.stage_forged_of(profile, forge);
    repository.publish(&staged).await.unwrap();
    let id = &staged.manifest.id;
    let verification = repository.verify(id, |_progress| {}).await.unwrap();
    let found: Vec<&str> = (verification.damage.iter())
        .map(|damage| damage.problem.as_str())
        .collect();
    match problem {
        None => assert_eq!(found, [""; 0]),
        Some(problem) => {
            let [found] = found[..] else {
                panic!("{found:?}")
            };
            assert!(found.contains(problem), "{found}");
        }
    }
}

/// Returns a runtime on one thread whose time goes on once nothing else can: all that happens in it
/// follows from what is run.
pub(crate) fn simulated() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// What a failing operation leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing: it was never done.
    Before,
    /// Everything: only its answer is lost.
    After,
}

/// Storage that does so many operations that change something and fails the others.
#[derive(Debug)]
pub(crate) struct FailingStorage {
    inner: Arc<dyn Storage>,
    failure: Failure,
    fails: std::ops::Range<u64>,
    done: AtomicU64,
    lists: AtomicU64,
}

impl FailingStorage {
    /// Fails the changing operations whose number, from 0, is in `fails`.
    pub(crate) fn new(
        inner: Arc<dyn Storage>,
        failure: Failure,
        fails: std::ops::Range<u64>,
    ) -> Self {
        Self {
            inner,
            failure,
            fails,
            done: AtomicU64::new(0),
            lists: AtomicU64::new(0),
        }
    }

    /// How often something was listed.
    pub(crate) fn lists(&self) -> u64 {
        self.lists.load(Ordering::SeqCst)
    }

    /// Changing operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    async fn change<T>(
        &self,
        name: &str,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let failing = self
            .fails
            .contains(&self.done.fetch_add(1, Ordering::SeqCst));
        let fail = Err(Error::Failed {
            action: "create",
            name: name.to_owned(),
            location: "failing storage".into(),
            source: "injected".into(),
        });
        match (failing, self.failure) {
            (false, _) => operation.await,
            (true, Failure::Before) => fail,
            (true, Failure::After) => {
                operation.await?;
                fail
            }
        }
    }
}

#[async_trait]
impl Storage for FailingStorage {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.change(name.as_str(), self.inner.create(name, bytes))
            .await
    }

    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.change(name.as_str(), self.inner.create_from_file(name, file))
            .await
    }

    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.change(name.as_str(), self.inner.replace_from_file(name, file))
            .await
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>> {
        self.inner.get(name, limit_bytes).await
    }

    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>> {
        self.inner.get_range(name, range).await
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list(folder).await
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.size(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        self.change(name.as_str(), self.inner.delete(name)).await
    }

    async fn clear_unfinished(&self, now: SystemTime) -> Result<u64> {
        self.inner.clear_unfinished(now).await
    }

    fn local_path(&self, name: &ObjectName) -> Option<PathBuf> {
        self.inner.local_path(name)
    }
}
