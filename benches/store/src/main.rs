//! Builds one rival's table, or measures its lookups, and prints a line of JSON.
//!
//! benches/store/run.py calls this for each of them, each time in a process of its own.

mod arena;
mod dataset;
mod files;
mod measure;
mod rivals;

use std::{
    io::{BufWriter, Write, stdout},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use nightshard_format::shard::{HugePages, IndexResidence, MemoryPolicy, RecordAccess};
use serde::Serialize;

use crate::{
    dataset::{Dataset, Pattern},
    rivals::{Fst, HashTable, Lmdb, Nightshard, Opening, PerfectHash, Redb, Rival},
};

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    keys: u64,
    /// Bytes of a value.
    #[arg(long)]
    value: usize,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Nightshard,
    Hashbrown,
    PerfectHash,
    Fst,
    Lmdb,
    Redb,
    #[cfg(feature = "rocksdb")]
    Rocksdb,
    #[cfg(feature = "rocksdb")]
    RocksdbPlain,
    #[cfg(feature = "sparkey")]
    Sparkey,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes the table into a folder.
    Build { rival: Name, folder: PathBuf },
    /// Looks keys up, with everything in memory.
    Measure {
        rival: Name,
        folder: PathBuf,
        #[arg(long)]
        lookups: usize,
        /// Everything is looked up so often.
        #[arg(long, default_value_t = 1)]
        rounds: u64,
        #[arg(long)]
        seed: u64,
        /// Has files mapped in huge pages.
        #[arg(long)]
        huge: bool,
    },
    /// Looks keys up, with little in memory.
    Cold {
        rival: Name,
        folder: PathBuf,
        /// Seconds to look up before anything is measured, and then again.
        #[arg(long)]
        seconds: u64,
        #[arg(long)]
        seed: u64,
        /// How Nightshard's records are read in.
        #[arg(long, default_value = "random")]
        records: RecordAccess,
        /// When Nightshard's indexes are read in.
        #[arg(long, default_value = "on-demand")]
        indexes: IndexResidence,
        /// What is read into huge pages.
        #[arg(long, default_value = "none")]
        huge_pages: HugePages,
    },
    /// Prints keys and values, for a rival that is not here.
    Records,
    /// Prints keys to look up.
    Keys {
        pattern: Pattern,
        #[arg(long)]
        lookups: usize,
        #[arg(long)]
        seed: u64,
    },
}

fn main() -> Result<()> {
    let Arguments {
        keys,
        value,
        command,
    } = Arguments::parse();
    let dataset = Dataset {
        keys,
        value_len: value,
    };
    let opening = |cold, memory| Opening {
        dataset,
        cold,
        memory,
    };
    match command {
        Command::Build { rival, folder } => run(
            rival,
            &Build {
                dataset,
                folder: &folder,
            },
        ),
        Command::Measure {
            rival,
            folder,
            lookups,
            rounds,
            seed,
            huge,
        } => {
            let huge_pages = match huge {
                true => HugePages::All,
                false => HugePages::None,
            };
            let memory = MemoryPolicy {
                huge_pages,
                ..MemoryPolicy::UNADVISED
            };
            let opening = opening(false, memory);
            run(
                rival,
                &Measure {
                    opening,
                    folder: &folder,
                    lookups,
                    rounds,
                    seed,
                },
            )
        }
        Command::Cold {
            rival,
            folder,
            seconds,
            seed,
            records,
            indexes,
            huge_pages,
        } => {
            let memory = MemoryPolicy {
                records,
                indexes,
                huge_pages,
            };
            let (opening, time) = (opening(true, memory), Duration::from_secs(seconds));
            run(
                rival,
                &Cold {
                    opening,
                    folder: &folder,
                    time,
                    seed,
                },
            )
        }
        Command::Records => print_records(dataset),
        Command::Keys {
            pattern,
            lookups,
            seed,
        } => {
            let numbers = dataset.numbers(pattern, seed, lookups);
            let keys: Vec<_> = numbers.into_iter().flat_map(dataset::key).collect();
            Ok(stdout().write_all(&keys)?)
        }
    }
}

/// Something to do with any rival.
trait Task {
    fn run<R: Rival>(&self) -> Result<impl Serialize>;
}

struct Build<'a> {
    dataset: Dataset,
    folder: &'a Path,
}

impl Task for Build<'_> {
    fn run<R: Rival>(&self) -> Result<impl Serialize> {
        measure::build::<R>(self.dataset, self.folder)
    }
}

struct Measure<'a> {
    opening: Opening,
    folder: &'a Path,
    lookups: usize,
    rounds: u64,
    seed: u64,
}

impl Task for Measure<'_> {
    fn run<R: Rival>(&self) -> Result<impl Serialize> {
        let Self {
            opening,
            folder,
            lookups,
            rounds,
            seed,
        } = *self;
        measure::measure::<R>(opening, folder, lookups, rounds, seed)
    }
}

struct Cold<'a> {
    opening: Opening,
    folder: &'a Path,
    time: Duration,
    seed: u64,
}

impl Task for Cold<'_> {
    fn run<R: Rival>(&self) -> Result<impl Serialize> {
        measure::cold::<R>(self.opening, self.folder, self.time, self.seed)
    }
}

fn run(name: Name, task: &impl Task) -> Result<()> {
    match name {
        Name::Nightshard => print(task.run::<Nightshard>()?),
        Name::Hashbrown => print(task.run::<HashTable>()?),
        Name::PerfectHash => print(task.run::<PerfectHash>()?),
        Name::Fst => print(task.run::<Fst>()?),
        Name::Lmdb => print(task.run::<Lmdb>()?),
        Name::Redb => print(task.run::<Redb>()?),
        #[cfg(feature = "rocksdb")]
        Name::Rocksdb => print(task.run::<rivals::Rocks>()?),
        #[cfg(feature = "rocksdb")]
        Name::RocksdbPlain => print(task.run::<rivals::Plain>()?),
        #[cfg(feature = "sparkey")]
        Name::Sparkey => print(task.run::<rivals::Sparkey>()?),
    }
}

fn print(result: impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(&result)?);
    Ok(())
}

fn print_records(dataset: Dataset) -> Result<()> {
    let (mut output, mut value) = (BufWriter::new(stdout().lock()), Vec::new());
    for number in 0..dataset.keys {
        dataset.put_value(number, &mut value);
        output.write_all(&dataset::key(number))?;
        output.write_all(&value)?;
    }
    Ok(output.flush()?)
}
