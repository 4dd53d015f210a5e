//! Nightshard: a generation of one dataset in 16 shards.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{self, AtomicUsize},
    },
    thread,
};

use anyhow::{Result, ensure};
use nightshard_format::{
    generation::Generation,
    key::{self, PARTITIONS, PartitionRun},
    manifest::{MANIFEST_VERSION, Manifest, OnDuplicate, Packed, Rows, ShardEntry},
    shard::{Identity, Mapped, ShardWriter, Span, Value},
    table::Table,
};

use super::{Opening, Rival};
use crate::{
    dataset::{self, Dataset, Key},
    files,
};

const DATASET: &str = "bench";
const SHARDS: u16 = 16;
/// Shards are written by so many threads, one each.
pub(super) const THREADS: usize = 2;

/// The generation stays until the process ends.
pub(crate) struct Nightshard(Table<'static, Mapped>);

/// A record to be: (hash of its key, its number).
type Entry = (u64, u64);

impl Rival for Nightshard {
    const BATCH: bool = true;

    fn build(dataset: Dataset, folder: &Path) -> Result<()> {
        let runs = PartitionRun::split(SHARDS)?;
        let parts = distribute(dataset, &runs);
        let (next, entries) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> Result<()> {
            while let Some(part) = parts.get(next.fetch_add(1, atomic::Ordering::Relaxed)) {
                let (run, mut records) =
                    part.lock().expect("nobody panicked").take().expect("once");
                records.sort_unstable_by(in_order);
                let entry = write_shard(dataset, folder, run, &records)?;
                entries.lock().expect("nobody panicked").push(entry);
            }
            Ok(())
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("no panic"))
        })?;
        let shards = entries.into_inner().expect("nobody panicked");
        fs::write(manifest_of(folder), manifest(shards)?.to_json()?)?;
        Ok(())
    }

    fn open(opening: Opening, folder: &Path) -> Result<Self> {
        let manifest = Manifest::from_json(&fs::read(manifest_of(folder))?)?;
        let memory = opening.memory;
        let generation = Generation::open::<anyhow::Error>(manifest, |entry| {
            Ok(memory.map(&folder.join(&entry.blob))?)
        })?;
        let refused = memory.advise_lookups(generation.shards());
        ensure!(refused.is_empty(), "{}", refused[0]);
        let generation = Box::leak(Box::new(generation));
        Ok(Self(generation.table(DATASET, Span::Current)))
    }

    fn warm(&self) -> Result<()> {
        for shard in self.0.shards() {
            files::touch(shard.bytes().as_ref());
        }
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let found = self.0.get(key);
        let value = found.expect("shards are whole")?;
        Some(read(value.in_place().expect("nothing is compressed")))
    }

    fn get_many(&self, keys: &[&[u8]], mut visit: impl FnMut(Option<&[u8]>)) {
        let visit = |_number, found: nightshard_format::Result<Option<Value<'_>>>| {
            let value = found.expect("shards are whole");
            visit(value.map(|value| value.in_place().expect("nothing is compressed")));
        };
        self.0.get_many(keys, visit);
    }

    fn index_bytes(&self) -> Option<u64> {
        let sections = self
            .0
            .shards()
            .iter()
            .flat_map(|shard| shard.section_sizes());
        let index = sections.filter(|(name, ..)| *name == "point_index");
        Some(index.map(|(_name, bytes, _items)| bytes).sum())
    }
}

/// The order of [`key::order`].
fn in_order(one: &Entry, other: &Entry) -> Ordering {
    let by_key = || dataset::key(one.1).cmp(&dataset::key(other.1));
    one.0.cmp(&other.0).then_with(by_key)
}

/// What a thread takes to write a shard.
type Part = Mutex<Option<(PartitionRun, Vec<Entry>)>>;

fn distribute(dataset: Dataset, runs: &[PartitionRun]) -> Vec<Part> {
    let room = (dataset.keys / u64::from(SHARDS)) as usize;
    let mut parts: Vec<_> = runs
        .iter()
        .map(|_| Vec::with_capacity(room + room / 64))
        .collect();
    for number in 0..dataset.keys {
        let hash = key::hash(&dataset::key(number));
        let part = key::partition_of(hash) * SHARDS / PARTITIONS;
        parts[usize::from(part)].push((hash, number));
    }
    let parts = runs.iter().copied().zip(parts);
    parts.map(|part| Mutex::new(Some(part))).collect()
}

fn write_shard(
    dataset: Dataset,
    folder: &Path,
    run: PartitionRun,
    records: &[Entry],
) -> Result<ShardEntry> {
    let identity = Identity {
        dataset: DATASET.into(),
        span: Span::Current,
        run,
    };
    let temporary = folder.join(format!("{}.part", run.first));
    let file = File::create(&temporary)?;
    let mut writer = ShardWriter::new(&file, &identity)?;
    let mut value = Vec::new();
    for (_hash, number) in records {
        dataset.put_value(*number, &mut value);
        writer.append(&dataset::key(*number), &value)?;
    }
    let written = writer.finish()?;
    file.sync_all()?;
    let blob = written.digest.to_hex().to_string();
    fs::rename(temporary, folder.join(&blob))?;
    Ok(ShardEntry {
        dataset: DATASET.into(),
        span: Span::Current.to_string(),
        first_partition: run.first,
        end_partition: run.end,
        blob,
        size_bytes: written.len_bytes,
        records: written.len_records,
    })
}

fn manifest(mut shards: Vec<ShardEntry>) -> Result<Manifest> {
    shards.sort();
    let records = shards.iter().map(|shard| shard.records).sum();
    let packed = Packed {
        media_type: "text/plain".into(),
        key: "key".into(),
        values: vec!["value".into()],
        on_duplicate: OnDuplicate::Error,
        rows: Rows {
            read: records,
            used: records,
            ..Rows::default()
        },
    };
    let day = "2026-01-01".to_owned();
    let mut manifest = Manifest {
        format_version: MANIFEST_VERSION,
        id: format!("{day}-000000000000").parse()?,
        as_of: day,
        transactions: None,
        packed: [(DATASET.to_owned(), packed)].into(),
        inputs: Vec::new(),
        configuration: BTreeMap::new(),
        shards,
    };
    manifest.id = manifest.compute_id()?;
    Ok(manifest)
}

fn manifest_of(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}
