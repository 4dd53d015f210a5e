//! What is measured of a rival, in a process of its own.

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{
    dataset::{self, Dataset, Key, Pattern},
    files,
    rivals::{Opening, Rival},
};

/// Keys of one call of a batch.
const BATCH: usize = 1_000;
/// Values that are compared whole before anything is timed.
const COMPARED: usize = 1_000;

/// What building took.
#[derive(Debug, Serialize)]
pub(crate) struct Built {
    build_s: f64,
    peak_bytes: u64,
    file_bytes: u64,
}

pub(crate) fn build<R: Rival>(dataset: Dataset, folder: &Path) -> Result<Built> {
    let begun = Instant::now();
    R::build(dataset, folder)?;
    // Not everybody does so, and it takes as long as writing.
    files::sync(folder)?;
    Ok(Built {
        build_s: begun.elapsed().as_secs_f64(),
        peak_bytes: status_bytes("VmHWM")?,
        file_bytes: files::size(folder)?,
    })
}

/// What lookups took.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    in_memory: bool,
    open_s: f64,
    peak_bytes: u64,
    index_bytes: Option<u64>,
    /// Bytes that are mapped in huge pages.
    huge_bytes: u64,
    /// Of each round: nanoseconds a lookup.
    ns: Vec<BTreeMap<&'static str, f64>>,
}

pub(crate) fn measure<R: Rival>(
    opening: Opening,
    folder: &Path,
    lookups: usize,
    rounds: u64,
    seed: u64,
) -> Result<Measured> {
    files::fill_cache(folder, opening.huge())?;
    let begun = Instant::now();
    let rival = R::open(opening, folder)?;
    let open_s = begun.elapsed().as_secs_f64();
    let peak_bytes = status_bytes("VmHWM")?;
    rival.warm()?;
    compare(&rival, opening.dataset)?;
    let ns = (0..rounds).map(|round| {
        let seed = seed + round;
        Run {
            rival: &rival,
            dataset: opening.dataset,
            lookups,
            seed,
        }
        .all()
    });
    let ns = ns.collect::<Result<_>>()?;
    Ok(Measured {
        in_memory: R::IN_MEMORY,
        open_s,
        peak_bytes,
        index_bytes: rival.index_bytes(),
        huge_bytes: huge_bytes()?,
        ns,
    })
}

/// Compares values whole, and looks for keys that are not there.
fn compare<R: Rival>(rival: &R, dataset: Dataset) -> Result<()> {
    let mut expected = Vec::new();
    for number in dataset.numbers(Pattern::Hit, 0, COMPARED) {
        dataset.put_value(number, &mut expected);
        let equal = rival.get(&dataset::key(number), |value| value == expected);
        ensure!(equal == Some(true), "it has another value of key {number}");
    }
    let missing = dataset.numbers(Pattern::Miss, 0, COMPARED);
    let found = missing
        .iter()
        .filter(|number| rival.get(&dataset::key(**number), |_| ()).is_some());
    ensure!(
        found.count() == 0 || !R::VERIFIES,
        "it has keys that are not there"
    );
    Ok(())
}

/// Lookups of one rival.
struct Run<'a, R> {
    rival: &'a R,
    dataset: Dataset,
    lookups: usize,
    seed: u64,
}

impl<R: Rival> Run<'_, R> {
    fn all(&self) -> Result<BTreeMap<&'static str, f64>> {
        let mut ns = BTreeMap::from([
            ("hit", self.one_by_one(Pattern::Hit)?),
            ("miss", self.one_by_one(Pattern::Miss)?),
            ("dependent", self.dependent(Pattern::Hit)?),
            ("zipf-hit", self.one_by_one(Pattern::ZipfHit)?),
            ("zipf-miss", self.one_by_one(Pattern::ZipfMiss)?),
            ("zipf-dependent", self.dependent(Pattern::ZipfHit)?),
        ]);
        if R::BATCH {
            ns.insert("batch-hit", self.batch(Pattern::Hit)?);
            ns.insert("batch-miss", self.batch(Pattern::Miss)?);
            ns.insert("batch-zipf", self.batch(Pattern::ZipfHit)?);
        }
        Ok(ns)
    }

    /// The keys to look up, others in each run and for each kind.
    fn keys(&self, pattern: Pattern, kind: u64) -> Vec<Key> {
        let seed = self.seed << 8 | kind << 4 | pattern as u64;
        let numbers = self.dataset.numbers(pattern, seed, self.lookups);
        numbers.into_iter().map(dataset::key).collect()
    }

    /// Lookups that know nothing of each other: a processor may begin one before another's end.
    fn one_by_one(&self, pattern: Pattern) -> Result<f64> {
        let keys = self.keys(pattern, 1);
        let (mut found, mut sum) = (0, 0);
        let begun = Instant::now();
        for key in &keys {
            if let Some(byte) = self.rival.get(key, first_byte) {
                found += 1;
                sum += u64::from(byte);
            }
        }
        let took = begun.elapsed();
        black_box(sum);
        self.check(pattern, found)?;
        Ok(self.ns(took))
    }

    /// Lookups of which each one's key depends on the value before.
    fn dependent(&self, pattern: Pattern) -> Result<f64> {
        let keys = self.keys(pattern, 2);
        let (mut at, mut found) = (0, 0);
        let begun = Instant::now();
        for _ in 0..self.lookups {
            let byte = self.rival.get(&keys[at], first_byte);
            found += usize::from(byte.is_some());
            // One or two keys further, as the value says.
            at += 1 + usize::from(byte.unwrap_or(0) & 1);
            if at >= keys.len() {
                at -= keys.len();
            }
        }
        let took = begun.elapsed();
        black_box(at);
        self.check(pattern, found)?;
        Ok(self.ns(took))
    }

    fn batch(&self, pattern: Pattern) -> Result<f64> {
        let keys = self.keys(pattern, 3);
        let keys: Vec<_> = keys.iter().map(|key| &key[..]).collect();
        let (mut found, mut sum) = (0, 0);
        let begun = Instant::now();
        for keys in keys.chunks(BATCH) {
            self.rival.get_many(keys, |value| {
                if let Some(value) = value {
                    found += 1;
                    sum += u64::from(first_byte(value));
                }
            });
        }
        let took = begun.elapsed();
        black_box(sum);
        self.check(pattern, found)?;
        Ok(self.ns(took))
    }

    fn check(&self, pattern: Pattern, found: usize) -> Result<()> {
        let expected = if pattern.hits() { self.lookups } else { 0 };
        ensure!(
            found == expected || !R::VERIFIES,
            "{found} of {expected} found: {pattern:?}"
        );
        Ok(())
    }

    fn ns(&self, took: Duration) -> f64 {
        took.as_nanos() as f64 / self.lookups as f64
    }
}

#[inline]
fn first_byte(value: &[u8]) -> u8 {
    value[0]
}

/// What lookups took with much less memory than data.
#[derive(Debug, Serialize)]
pub(crate) struct Cold {
    open_s: f64,
    first_s: f64,
    /// Lookups until memory is full of what was read.
    warming: u64,
    lookups: u64,
    ns: f64,
    /// Bytes that a lookup had read from the disk.
    read_bytes: f64,
}

/// Looks up keys for a while that fills memory, and then for as long again.
pub(crate) fn cold<R: Rival>(
    opening: Opening,
    folder: &Path,
    time: Duration,
    seed: u64,
) -> Result<Cold> {
    files::drop_cache(folder)?;
    let mut numbers = (0..).flat_map(|round| {
        opening
            .dataset
            .numbers(Pattern::Hit, seed << 32 | round, 1 << 16)
    });
    // Of the whole value, not only of what is on the page of its key.
    let ends = |value: &[u8]| value[0] ^ value[value.len() - 1];
    let begun = Instant::now();
    let rival = R::open(opening, folder)?;
    let open_s = begun.elapsed().as_secs_f64();
    let mut look_up = || {
        let key = dataset::key(numbers.next().expect("they do not end"));
        let begun = Instant::now();
        black_box(rival.get(&key, ends)).expect("the key is there");
        begun.elapsed()
    };
    let first_s = look_up().as_secs_f64();
    let mut for_a_while = || {
        let (mut took, mut lookups) = (Duration::ZERO, 0);
        while took < time {
            took += look_up();
            lookups += 1;
        }
        (took, lookups)
    };
    let (_took, warming) = for_a_while();
    let read_before = read_bytes()?;
    let (took, lookups) = for_a_while();
    Ok(Cold {
        open_s,
        first_s,
        warming,
        lookups,
        ns: took.as_nanos() as f64 / lookups as f64,
        read_bytes: (read_bytes()? - read_before) as f64 / lookups as f64,
    })
}

/// Bytes that this process had read from disks.
fn read_bytes() -> Result<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("read_bytes: "));
    Ok(line.context("no read_bytes")?.parse()?)
}

fn status_bytes(name: &str) -> Result<u64> {
    kilobytes("/proc/self/status", &[name])
}

fn huge_bytes() -> Result<u64> {
    kilobytes(
        "/proc/self/smaps_rollup",
        &["AnonHugePages", "FilePmdMapped"],
    )
}

/// Adds up lines such as `VmHWM:   12 kB`.
fn kilobytes(file: &str, names: &[&str]) -> Result<u64> {
    let mut sum = 0;
    for line in fs::read_to_string(file)?.lines() {
        if let Some((name, value)) = line.split_once(':')
            && names.contains(&name)
        {
            sum += value.trim().trim_end_matches(" kB").parse::<u64>()? << 10;
        }
    }
    Ok(sum)
}
