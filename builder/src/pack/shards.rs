//! Writing: each run of partitions to a shard, all runs at once.

use std::cmp::Ordering;

use nightshard_format::{
    key::{self, PartitionRun},
    manifest::OnDuplicate,
    shard::{Samples, Span},
};
use rayon::prelude::*;

use super::{
    Compression, PackPlan,
    outbox::{Deposit, Row},
    read::file_and_line,
};
use crate::{
    Error, Result,
    build::Progress,
    emit::{ShardSet, Staged, Staging},
};

/// So much of a key is shown in a message.
const SHOWN_KEY_LEN: usize = 100;

/// What was written.
pub(super) struct Written {
    /// The shards, in the manifest's order.
    pub(super) shards: Vec<Staged>,
    /// Rows left out because another one with their key counts.
    pub(super) duplicates: u64,
}

/// Writes the shards of all runs that have rows.
pub(super) fn write(
    plan: &PackPlan,
    deposits: &[Deposit],
    progress: &dyn Progress,
) -> Result<Written> {
    let runs = PartitionRun::split(plan.runs)
        .map_err(|error| Error::option("--shards", error.to_string()))?;
    let staging = Staging::new(&plan.staging, plan.runs)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(plan.threads.max(1))
        .build()
        .map_err(|error| Error::option("--threads", error.to_string()))?;
    let write = |run| {
        let written = write_run(plan, &staging, run, deposits);
        progress.advance(1);
        written
    };
    // Collected first: which error rayon would stop at depends on the threads.
    let written: Vec<Result<Written>> =
        pool.install(|| runs.into_par_iter().with_max_len(1).map(write).collect());
    let mut all = Written {
        shards: Vec::new(),
        duplicates: 0,
    };
    for run in written {
        let run = run?;
        all.shards.extend(run.shards);
        all.duplicates += run.duplicates;
    }
    all.shards.sort();
    Ok(all)
}

fn write_run(
    plan: &PackPlan,
    staging: &Staging,
    run: PartitionRun,
    deposits: &[Deposit],
) -> Result<Written> {
    let mut partitions = run.first..run.end;
    let mut ahead = Vec::new();
    let dictionary = match plan.compression {
        Compression::None => None,
        Compression::Zstd => {
            let mut samples = Samples::new();
            while !samples.is_full()
                && let Some(partition) = partitions.next()
            {
                let partition = Partition::take(plan, deposits, partition)?;
                partition.rows().for_each(|row| samples.add(row.value));
                ahead.push(partition);
            }
            samples.dictionary()?
        }
    };
    let mut set = ShardSet::new(staging, &plan.dataset, run).compressing(dictionary);
    let mut duplicates = 0;
    let mut write = |partition: Partition| -> Result<()> {
        for row in partition.rows() {
            let writer = set.writer(Span::Current)?;
            writer.append(row.key, row.value)?;
            if plan.is_ordered {
                writer.add_term(row.key)?;
            }
        }
        duplicates += partition.duplicates;
        Ok(())
    };
    ahead.into_iter().try_for_each(&mut write)?;
    for partition in partitions {
        write(Partition::take(plan, deposits, partition)?)?;
    }
    Ok(Written {
        shards: set.finish()?,
        duplicates,
    })
}

/// The rows of a partition.
struct Partition {
    bytes: Vec<u8>,
    /// Where those begin that count, in the order of (hash, key).
    chosen: Vec<usize>,
    /// How many do not, because another one with their key does.
    duplicates: u64,
}

impl Partition {
    /// Takes the rows of a partition from where they were deposited.
    fn take(plan: &PackPlan, deposits: &[Deposit], partition: u16) -> Result<Self> {
        let mut bytes = Vec::new();
        for deposit in deposits {
            deposit.take(partition, &mut bytes)?;
        }
        let entries = sorted(&bytes);
        let same_key = |a: &Entry, b: &Entry| {
            a.hash == b.hash && Row::at(&bytes, a.start).key == Row::at(&bytes, b.start).key
        };
        let of_keys = entries.chunk_by(same_key);
        let chosen = of_keys.map(|of_key| choose(plan, &bytes, of_key));
        let chosen = chosen.collect::<Result<Vec<usize>>>()?;
        Ok(Self {
            duplicates: (entries.len() - chosen.len()) as u64,
            chosen,
            bytes,
        })
    }

    /// Returns the rows that count.
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let starts = self.chosen.iter();
        starts.map(|start| Row::at(&self.bytes, *start))
    }
}

/// Where a row begins, and what it is ordered by first.
struct Entry {
    hash: u64,
    start: usize,
}

/// Returns the rows in the order of (hash, key, place).
fn sorted(rows: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let row = Row::at(rows, start);
        let hash = key::hash(row.key);
        entries.push(Entry { hash, start });
        start += row.len();
    }
    entries.sort_unstable_by(|a, b| {
        a.hash.cmp(&b.hash).then_with(|| {
            let (a, b) = (Row::at(rows, a.start), Row::at(rows, b.start));
            let by_key: Ordering = a.key.cmp(b.key);
            by_key.then(a.order.cmp(&b.order))
        })
    });
    entries
}

/// Chooses among rows of one key, which are in the order of their places, and returns where the
/// one that counts begins.
fn choose(plan: &PackPlan, rows: &[u8], of_key: &[Entry]) -> Result<usize> {
    let (first, last) = (of_key[0].start, of_key[of_key.len() - 1].start);
    match plan.on_duplicate {
        OnDuplicate::First => Ok(first),
        OnDuplicate::Last => Ok(last),
        OnDuplicate::Error if of_key.len() == 1 => Ok(first),
        OnDuplicate::Error => {
            let (first, second) = (Row::at(rows, first), Row::at(rows, of_key[1].start));
            let (path, line) = file_and_line(plan, second.order);
            let (earlier, earlier_line) = file_and_line(plan, first.order);
            let shown = &first.key[..first.key.len().min(SHOWN_KEY_LEN)];
            let shown = String::from_utf8_lossy(shown);
            let earlier = earlier.display();
            let problem = format!(
                "key {shown:?} is also at {earlier}:{earlier_line}: \
                 --on-duplicate first or last chooses"
            );
            Err(Error::Row {
                path,
                line,
                problem,
            })
        }
    }
}
