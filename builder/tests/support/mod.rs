//! Builds in temporary folders, opened for reading.

use std::{collections::BTreeSet, num::NonZeroU32, path::Path, sync::Arc};

use nightshard_builder::{
    Result,
    build::{BuildPlan, Built, Quiet, RUNS_DEFAULT},
    data_tests::DataTests,
    engine,
    layout::Layout,
    pseudonym::CardKey,
    regions::RegionTable,
    series::SeriesTable,
    source::Inputs,
    stores::StoreTable,
};
use nightshard_format::{
    generation::Generation, histogram::Method, manifest::ShardEntry, regular::RegularRule,
    returning::ReturnRule, staleness::STALE_AFTER_DAYS_DEFAULT,
};
use tempfile::TempDir;

/// A build and the folder that it lies in.
pub(crate) struct TestBuild {
    pub(crate) built: Built,
    _staging: TempDir,
}

/// Returns a plan for some files in the canonical layout; tests change what they are about.
pub(crate) fn plan(inputs: &[&Path], staging: &TempDir) -> BuildPlan {
    let uris: Vec<String> = inputs
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    BuildPlan {
        inputs: Inputs::resolve(&uris).unwrap(),
        layout: Arc::new(Layout::builtin("canonical").unwrap()),
        stores: StoreTable::default(),
        regions: RegionTable::default(),
        series: SeriesTable::default(),
        series_stale_after_days: STALE_AFTER_DAYS_DEFAULT,
        data_tests: DataTests::default(),
        card_key: CardKey::parse(&"5a".repeat(32), "--card-key-file").unwrap(),
        currency: None,
        as_of: None,
        histogram_method: Method::Exact,
        regular: RegularRule::default(),
        returning: ReturnRule::default(),
        privacy_k: NonZeroU32::MIN,
        told: None,
        sensitive_categories: BTreeSet::new(),
        customers: None,
        runs: RUNS_DEFAULT,
        memory_bytes: 256 << 20,
        threads: 2,
        scratch: staging.path().to_owned(),
        staging: staging.path().to_owned(),
    }
}

/// Builds some files, with what `change` changes.
pub(crate) fn build(inputs: &[&Path], change: impl FnOnce(&mut BuildPlan)) -> Result<TestBuild> {
    let staging = tempfile::tempdir().unwrap();
    let mut plan = plan(inputs, &staging);
    change(&mut plan);
    let built = engine::build(&plan, &Quiet)?;
    Ok(TestBuild {
        built,
        _staging: staging,
    })
}

/// Builds a file and a table of stores with plenty of memory and with little, on fewer threads and on more: both are the
/// same, and one is returned.
pub(crate) fn build_either_way(path: &Path, stores: &Path, privacy_k: NonZeroU32) -> TestBuild {
    let [plenty, little] = [(256 << 20, 2), (64 << 20, 5)].map(|(memory, threads)| {
        build(&[path], |plan| {
            plan.stores = StoreTable::read(stores).unwrap();
            plan.privacy_k = privacy_k;
            plan.memory_bytes = memory;
            plan.threads = threads;
        })
        .unwrap()
    });
    assert_eq!(plenty.entries(), little.entries());
    plenty
}

impl TestBuild {
    /// Returns what the manifest says of each shard.
    pub(crate) fn entries(&self) -> Vec<ShardEntry> {
        let shards = self.built.shards.iter();
        shards.map(|shard| shard.entry.clone()).collect()
    }

    /// Opens and verifies the generation.
    pub(crate) fn open(&self) -> Generation<Vec<u8>> {
        let read = |entry: &ShardEntry| {
            let staged = self
                .built
                .shards
                .iter()
                .find(|shard| shard.entry == *entry)
                .unwrap();
            let bytes = std::fs::read(&staged.path).unwrap();
            assert_eq!(blake3::hash(&bytes).to_hex().as_str(), entry.blob);
            Ok::<_, nightshard_format::Error>(bytes)
        };
        let generation = Generation::open(self.built.manifest.clone(), read).unwrap();
        generation
            .shards()
            .for_each(|shard| shard.verify().unwrap());
        generation
    }
}
