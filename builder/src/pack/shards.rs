//! Writing: each run of partitions to a shard, all runs at once.

use std::cmp::Ordering;

use nightshard_format::{
    key::{self, PartitionRun},
    manifest::OnDuplicate,
    shard::Span,
};
use rayon::prelude::*;

use super::{
    PackPlan,
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
    let mut set = ShardSet::new(staging, &plan.dataset, run);
    let mut duplicates = 0;
    for partition in run.first..run.end {
        let mut rows = Vec::new();
        for deposit in deposits {
            deposit.take(partition, &mut rows)?;
        }
        let entries = sorted(&rows);
        let same_key = |a: &Entry, b: &Entry| {
            a.hash == b.hash && Row::at(&rows, a.start).key == Row::at(&rows, b.start).key
        };
        for of_key in entries.chunk_by(same_key) {
            let chosen = choose(plan, &rows, of_key)?;
            set.append(Span::Current, chosen.key, chosen.value)?;
            if plan.is_ordered {
                set.add_term(Span::Current, chosen.key)?;
            }
            duplicates += of_key.len() as u64 - 1;
        }
    }
    Ok(Written {
        shards: set.finish()?,
        duplicates,
    })
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

/// Chooses among rows of one key, which are in the order of their places.
fn choose<'r>(plan: &PackPlan, rows: &'r [u8], of_key: &[Entry]) -> Result<Row<'r>> {
    let (first, last) = (of_key[0].start, of_key[of_key.len() - 1].start);
    let (first, last) = (Row::at(rows, first), Row::at(rows, last));
    match plan.on_duplicate {
        OnDuplicate::First => Ok(first),
        OnDuplicate::Last => Ok(last),
        OnDuplicate::Error if of_key.len() == 1 => Ok(first),
        OnDuplicate::Error => {
            let second = Row::at(rows, of_key[1].start);
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
