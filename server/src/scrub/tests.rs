use std::{collections::BTreeMap, fs, os::unix::fs::FileExt, path::PathBuf};

use nightshard_format::{
    generation::Generation,
    key::{self, PartitionRun},
    manifest::{Manifest, OnDuplicate, Packed, Rows},
    shard::{Identity, MemoryPolicy, ShardWriter, Span},
};
use tempfile::TempDir;

use super::*;
use crate::{generation::Serving, outlook::Outlook};

/// Two generations that are kept, which have a file of several pieces in common.
struct Fixture {
    folder: TempDir,
    switch: Arc<Switch>,
    metrics: Arc<Metrics>,
    /// The previous generation and the current one.
    served: [Arc<ServedGeneration>; 2],
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let shared = write(&folder, "shared", 2_000);
        let previous = serve(&folder, vec![shared.clone(), write(&folder, "old", 10)]);
        let current = serve(&folder, vec![shared, write(&folder, "new", 10)]);
        let switch = Arc::new(Switch::new(2));
        for (number, served) in [(1, &previous), (2, &current)] {
            let dropped = switch.swap(Serving::new(Arc::clone(served), number));
            assert!(dropped.is_empty());
        }
        Self {
            folder,
            switch,
            metrics: Arc::default(),
            served: [previous, current],
        }
    }

    fn scrubber(&self, bytes_per_second: u64) -> Scrubber {
        let config = Scrub {
            bytes_per_second,
            ..Scrub::default()
        };
        Scrubber::new(Arc::clone(&self.switch), Arc::clone(&self.metrics), config)
    }

    /// Lets a scrubber run for some time of the clock, which is paused.
    async fn run_for(&self, seconds: u64) {
        let run = self.scrubber(u64::MAX).run();
        let ended = tokio::time::timeout(Duration::from_secs(seconds), run).await;
        assert!(ended.is_err());
    }

    fn files(&self) -> BTreeMap<&str, u64> {
        let manifests = self.served.iter().map(|served| served.generation());
        let entries = manifests.flat_map(|generation| &generation.manifest().shards);
        entries
            .map(|entry| (&*entry.blob, entry.size_bytes))
            .collect()
    }

    /// The file of a dataset, and in which generations it is refused.
    fn file(&self, dataset: &str) -> (PathBuf, [bool; 2]) {
        let mut path = None;
        let refused = self.served.each_ref().map(|served| {
            let generation = served.generation();
            let mut entries = generation.manifest().shards.iter();
            let entry = entries.find(|entry| entry.dataset == dataset)?;
            path = Some(self.folder.path().join(&entry.blob));
            Some(generation.shard(entry).unwrap().is_refused())
        });
        (path.unwrap(), refused.map(Option::unwrap_or_default))
    }

    fn metric(&self, name: &str) -> Option<u64> {
        let text = self.metrics.render(None, &Outlook::default(), 0);
        let of_name = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(of_name)
    }
}

/// Writes a shard of so many values of 1,000 bytes.
fn write(folder: &TempDir, dataset: &str, records: u32) -> ShardEntry {
    let run = PartitionRun::split(1).unwrap()[0];
    let identity = Identity {
        dataset: dataset.into(),
        span: Span::Current,
        run,
    };
    let mut keys: Vec<[u8; 4]> = (0..records).map(u32::to_le_bytes).collect();
    keys.sort_by_key(|key| (key::hash(key), *key));
    let mut bytes = Vec::new();
    let mut writer = ShardWriter::new(&mut bytes, &identity).unwrap();
    for key in keys {
        writer.append(&key, &[b'v'; 1_000]).unwrap();
    }
    let written = writer.finish().unwrap();
    let blob = written.digest.to_hex().to_string();
    fs::write(folder.path().join(&blob), &bytes).unwrap();
    ShardEntry {
        dataset: dataset.into(),
        span: Span::Current.to_string(),
        first_partition: run.first,
        end_partition: run.end,
        blob,
        size_bytes: written.len_bytes,
        records: written.len_records,
    }
}

fn serve(folder: &TempDir, shards: Vec<ShardEntry>) -> Arc<ServedGeneration> {
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
    for shard in shards {
        let rows = Rows {
            read: shard.records,
            used: shard.records,
            ..Rows::default()
        };
        let packed = Packed {
            media_type: "text/plain".into(),
            key: "key".into(),
            values: vec![],
            on_duplicate: OnDuplicate::Error,
            rows,
        };
        manifest.put_packed(&shard.dataset.clone(), packed, [], vec![shard]);
    }
    manifest.id = manifest.compute_id().unwrap();
    let open = |entry: &ShardEntry| Mapped::open(&folder.path().join(&entry.blob));
    let generation = Generation::open(manifest, open).unwrap();
    Arc::new(ServedGeneration::new(generation, MemoryPolicy::default()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_round_reads_each_file_of_all_kept_generations_once_and_as_fast_as_is_allowed() {
    let fixture = Fixture::new();
    let bytes: u64 = fixture.files().values().sum();
    let begun = Instant::now();
    assert!(fixture.scrubber(1_000).round().await);
    let taken = begun.elapsed();
    assert_eq!(fixture.metric("nightshard_scrub_bytes_total"), Some(bytes));
    // The clock has milliseconds, and there are few pieces.
    let allowed = Duration::from_millis(bytes);
    let pieces = Duration::from_millis(10);
    assert!(
        (allowed..allowed + pieces).contains(&taken),
        "{taken:?} for {bytes} B"
    );
}

/// Little data was read some hundred times a second, and files that were all refused were looked
/// at without end.
#[tokio::test(start_paused = true)]
async fn rounds_take_their_least_time_and_one_without_anything_to_read_is_none() {
    let fixture = Fixture::new();
    fixture.run_for(95).await;
    assert_eq!(fixture.metric("nightshard_scrub_rounds_total"), Some(10));
    let age = || fixture.metric("nightshard_scrub_round_age_seconds");
    assert_eq!(age(), Some(5));
    for served in &fixture.served {
        served.generation().shards().for_each(Shard::refuse);
    }
    fixture.run_for(95).await;
    assert_eq!(fixture.metric("nightshard_scrub_rounds_total"), Some(10));
    assert_eq!(age(), Some(100));
}

#[tokio::test(start_paused = true)]
async fn damage_is_refused_in_every_generation_that_has_the_file_and_in_no_other_file() {
    let fixture = Fixture::new();
    for (dataset, expected) in [("shared", [true, true]), ("old", [true, false])] {
        let (path, refused) = fixture.file(dataset);
        assert_eq!(refused, [false, false]);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"?", 500).unwrap();
        assert!(fixture.scrubber(u64::MAX).round().await);
        assert_eq!(fixture.file(dataset).1, expected);
    }
    assert_eq!(fixture.file("new").1, [false, false]);
    assert_eq!(fixture.metric("nightshard_scrub_damage_total"), Some(2));
}
