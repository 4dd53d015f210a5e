//! Any table into shards: rows by one of their columns, without the domain of cards.
//!
//! A [`PackPlan`] names files, format and columns. One thread reads the files block by block,
//! others parse blocks and sort rows by the partition of their key, spilling what exceeds memory;
//! then each run of partitions becomes a shard. The same rows give the same bytes whatever the
//! threads and the memory, and, unless the first or the last row of a key is to count, whatever
//! the order of files.

mod blocks;
mod columns;
mod delimited;
mod format;
mod json_lines;
mod merge;
mod outbox;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
mod run_writer;
mod shards;

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use nightshard_format::{
    key::{PARTITIONS, PartitionRun},
    manifest::{Input, InputRole, OnDuplicate, Packed, Rows, check_dataset_name},
};
use serde::Serialize;

pub use format::TableFormat;

use crate::{
    Error, Result,
    build::{Progress, Stage},
    emit::Staged,
    source::InputSummary,
};

/// Least `--memory` of a pack, in bytes.
pub const MEMORY_MIN: u64 = 1 << 20;

/// Most `--threads` of a pack: one for each partition.
pub const THREADS_MAX: usize = PARTITIONS as usize;
/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As they are, so that they are read in place.
    None,
    /// By zstd with a dictionary for each shard, in shards where that pays.
    Zstd,
}

/// What to pack, and within which bounds.
#[derive(Debug, Clone)]
pub struct PackPlan {
    /// The files, in the order that decides which of several rows is the first.
    pub files: Vec<PathBuf>,
    /// How they are written; without one, their names tell.
    pub format: Option<TableFormat>,
    /// The name of the dataset.
    pub dataset: String,
    /// The column of keys.
    pub key: String,
    /// The columns of values: one for its text alone, none for whole rows.
    pub values: Vec<String>,
    /// Which of several rows with one key counts.
    pub on_duplicate: OnDuplicate,
    /// Whether keys can be found in their order, too.
    pub is_ordered: bool,
    /// How values are stored.
    pub compression: Compression,
    /// What values are; without one, text for one column and JSON otherwise.
    pub media_type: Option<String>,
    /// Runs that the partitions are cut into, a shard each.
    pub runs: u16,
    /// Memory for rows, in bytes.
    pub memory_bytes: u64,
    /// Threads that parse and write.
    pub threads: usize,
    /// Folder for rows that do not fit in memory.
    pub scratch: PathBuf,
    /// Empty folder that the shards are written into.
    pub staging: PathBuf,
}

/// A packed dataset in its staging folder.
#[derive(Debug)]
pub struct PackedTable {
    /// What the manifest says of it.
    pub packed: Packed,
    /// The files that it was made from.
    pub inputs: Vec<Input>,
    /// The shards, in the manifest's order.
    pub shards: Vec<Staged>,
    /// How it went.
    pub report: PackReport,
}

/// How packing went: what may differ between packs of the same rows.
#[derive(Debug, Clone, Serialize)]
pub struct PackReport {
    /// Version of the program.
    pub release: String,
    /// The dataset.
    pub dataset: String,
    /// The input files, in order.
    pub inputs: Vec<PathBuf>,
    /// Those of CSV or TSV that end without a line break: the last row of each may be cut.
    pub without_line_end: Vec<PathBuf>,
    /// Threads that parsed and wrote.
    pub threads: usize,
    /// `--memory`, in bytes.
    pub memory_bytes: u64,
    /// How values were to be stored.
    pub compression: Compression,
    /// What was written to the scratch folder for want of memory, in bytes.
    pub spilled_bytes: u64,
    /// Seconds in all.
    pub seconds: f64,
}

/// Packs a table.
///
/// # Errors
/// [`Error::Option`] for a plan that does not fit the files, [`Error::Source`] for a file that
/// cannot be read, [`Error::Row`] for the first row that cannot be packed or for a key that is
/// there twice, [`Error::NoRows`] without a row, [`Error::File`] if scratch or staging take no
/// more.
pub fn pack(plan: &PackPlan, progress: &dyn Progress) -> Result<PackedTable> {
    let started = Instant::now();
    plan.check()?;
    let read = read::read(plan, progress)?;
    if read.rows == 0 {
        return Err(Error::NoRows("the input has none at all".into()));
    }
    progress.begin(Stage::Finish, plan.runs.into());
    let spilled_bytes = read.deposits.iter().map(outbox::Deposit::spilled_bytes);
    let spilled_bytes = spilled_bytes.sum();
    let written = shards::write(plan, &read.deposits, progress)?;
    let open_ended = read.inputs.iter().filter(|input| input.is_open_ended);
    Ok(PackedTable {
        packed: plan.describe(read.rows, written.duplicates),
        inputs: read.inputs.iter().map(|input| plan.input(input)).collect(),
        shards: written.shards,
        report: PackReport {
            release: env!("CARGO_PKG_VERSION").into(),
            dataset: plan.dataset.clone(),
            inputs: plan.files.clone(),
            without_line_end: open_ended.map(|input| input.path.clone()).collect(),
            threads: plan.threads,
            memory_bytes: plan.memory_bytes,
            compression: plan.compression,
            spilled_bytes,
            seconds: started.elapsed().as_secs_f64(),
        },
    })
}

impl PackPlan {
    fn check(&self) -> Result<()> {
        check_dataset_name(&self.dataset)
            .map_err(|error| Error::option("--dataset", error.to_string()))?;
        if self.memory_bytes < MEMORY_MIN {
            return Err(Error::option("--memory", "at least 1MiB is needed"));
        }
        if self.threads > THREADS_MAX {
            let problem = format!("at most {THREADS_MAX} are of use");
            return Err(Error::option("--threads", problem));
        }
        PartitionRun::split(self.runs)
            .map_err(|error| Error::option("--shards", error.to_string()))?;
        let mut seen = BTreeSet::new();
        match self.values.iter().find(|name| !seen.insert(*name)) {
            Some(name) => Err(Error::option("--value", format!("{name:?} is given twice"))),
            None => Ok(()),
        }
    }

    /// Returns what the manifest says of the dataset.
    fn describe(&self, rows: u64, duplicates: u64) -> Packed {
        let media_type = match self.values.len() {
            1 => "text/plain; charset=utf-8",
            _ => "application/json",
        };
        let mut rows = Rows {
            read: rows,
            used: rows - duplicates,
            ..Rows::default()
        };
        if duplicates > 0 {
            rows.excluded.insert("duplicate".into(), duplicates);
        }
        Packed {
            media_type: self.media_type.clone().unwrap_or_else(|| media_type.into()),
            key: self.key.clone(),
            values: self.values.clone(),
            on_duplicate: self.on_duplicate,
            rows,
        }
    }

    fn input(&self, summary: &InputSummary) -> Input {
        Input::File {
            role: InputRole::Packed,
            dataset: Some(self.dataset.clone()),
            blake3: summary.digest.to_hex().to_string(),
            size_bytes: summary.size_bytes,
        }
    }
}
