//! Writing: each run of partitions to a shard, all runs at once.

use nightshard_format::{key::PartitionRun, manifest::OnDuplicate};
use rayon::prelude::*;

use super::{
    PackPlan,
    merge::Merge,
    outbox::{Deposit, Entry, Row, sorted},
    read::file_and_line,
    run_writer::RunWriter,
};
use crate::{
    Error, Result,
    build::Progress,
    emit::{Staged, Staging},
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
    let budget = plan.memory_bytes / 2 / plan.threads.max(1) as u64;
    let mut writer = RunWriter::new(plan, staging, run);
    let mut duplicates = 0;
    // Kept from one partition to the next: memory that is touched first costs most.
    let mut rows = Vec::new();
    for partition in run.first..run.end {
        let len_bytes = deposits.iter().map(|deposit| deposit.len_bytes(partition));
        let len_bytes = len_bytes.sum::<u64>();
        duplicates += if len_bytes <= budget {
            rows.clear();
            rows.reserve(usize::try_from(len_bytes).expect("it fits in memory"));
            write_held(plan, deposits, partition, &mut rows, &mut writer)?
        } else {
            rows = Vec::new();
            write_merged(plan, deposits, partition, &mut writer)?
        };
    }
    Ok(Written {
        shards: writer.finish()?,
        duplicates,
    })
}

/// Writes a partition that fits into `rows`; returns how many do not count.
fn write_held(
    plan: &PackPlan,
    deposits: &[Deposit],
    partition: u16,
    rows: &mut Vec<u8>,
    writer: &mut RunWriter<'_>,
) -> Result<u64> {
    for deposit in deposits {
        for part in 0..deposit.parts() {
            deposit.take_part(partition, part, rows)?;
        }
    }
    let rows = &*rows;
    let entries = sorted(rows);
    let same_key = |a: &Entry, b: &Entry| {
        a.hash == b.hash && Row::at(rows, a.start).key == Row::at(rows, b.start).key
    };
    let mut duplicates = 0;
    for of_key in entries.chunk_by(same_key) {
        let at = |entry: &Entry| Row::at(rows, entry.start);
        let (first, last) = (at(&of_key[0]), at(&of_key[of_key.len() - 1]));
        if let Some(second) = of_key.get(1) {
            check_twice(plan, first.key, first.order, at(second).order)?;
        }
        let chosen = match plan.on_duplicate {
            OnDuplicate::Last => last,
            _ => first,
        };
        writer.append(chosen.key, chosen.value)?;
        duplicates += of_key.len() as u64 - 1;
    }
    Ok(duplicates)
}

/// As [`write_held`], of a partition of any size.
fn write_merged(
    plan: &PackPlan,
    deposits: &[Deposit],
    partition: u16,
    writer: &mut RunWriter<'_>,
) -> Result<u64> {
    let mut merge = Merge::new(deposits, partition, &plan.scratch)?;
    let mut value = Vec::new();
    let mut duplicates = 0;
    let mut next = merge.next()?;
    while let Some(mut chosen) = next {
        next = merge.next()?;
        while let Some(row) = next.take_if(|row| row.key == chosen.key) {
            check_twice(plan, &chosen.key, chosen.order, row.order)?;
            if plan.on_duplicate == OnDuplicate::Last {
                chosen = row;
            }
            duplicates += 1;
            next = merge.next()?;
        }
        merge.value(&chosen, &mut value)?;
        writer.append(&chosen.key, &value)?;
    }
    Ok(duplicates)
}

/// Refuses a second row of a key, unless the plan chooses one.
fn check_twice(plan: &PackPlan, key: &[u8], first: u64, second: u64) -> Result<()> {
    if plan.on_duplicate != OnDuplicate::Error {
        return Ok(());
    }
    let (path, line) = file_and_line(plan, second);
    let (earlier, earlier_line) = file_and_line(plan, first);
    let shown = String::from_utf8_lossy(&key[..key.len().min(SHOWN_KEY_LEN)]);
    let earlier = earlier.display();
    let problem = format!(
        "key {shown:?} is also at {earlier}:{earlier_line}: --on-duplicate first or last chooses"
    );
    Err(Error::Row {
        path,
        line,
        problem,
    })
}
