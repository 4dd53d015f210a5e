//! Reading: one thread cuts files into blocks, others parse them.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use nightshard_format::key::KEY_LEN_MAX;

use super::{
    PackPlan,
    blocks::{Block, Spare, Table, read_file},
    columns, delimited,
    json_lines::Members,
    outbox::{Deposit, Outbox},
};
use crate::{
    Error, Result,
    build::{Progress, Stage},
    source::InputSummary,
};

/// Bits of a row's place that tell its line.
pub(super) const LINE_BITS: u32 = 40;
/// The largest block, in bytes.
const BLOCK_LEN_MAX: u64 = 1 << 20;
/// The smallest block, in bytes.
const BLOCK_LEN_MIN: u64 = 1 << 14;

/// What was read.
pub(super) struct Read {
    pub(super) rows: u64,
    pub(super) inputs: Vec<InputSummary>,
    pub(super) deposits: Vec<Deposit>,
}

/// Why a block cannot be packed.
pub(super) enum RowError {
    /// A row is wrong.
    Row { line: u64, problem: String },
    /// The first row of a file has these columns and none of keys.
    NoKey { names: Vec<String> },
    /// It is not the row's fault.
    Other(Error),
}

/// Returns where a row stands among all: by file, then by line.
fn place(file: u32, line: u64) -> u64 {
    u64::from(file) << LINE_BITS | line
}

/// Names the file and line of a place.
pub(super) fn file_and_line(plan: &PackPlan, place: u64) -> (PathBuf, u64) {
    let file = usize::try_from(place >> LINE_BITS).expect("it counts files");
    (plan.files[file].clone(), place & ((1 << LINE_BITS) - 1))
}

/// The first failure among blocks; whatever threads there are, it is the same one, since all
/// blocks before it are parsed.
#[derive(Default)]
struct Failures {
    first: Mutex<Option<(u64, Error)>>,
    any: AtomicBool,
}

impl Failures {
    fn add(&self, place: u64, error: Error) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(known, _)| place < *known) {
            *first = Some((place, error));
        }
        self.any.store(true, Relaxed);
    }

    fn take(self) -> Option<Error> {
        let first = self.first.into_inner();
        let first = first.unwrap_or_else(PoisonError::into_inner);
        first.map(|(_, error)| error)
    }
}

/// What all workers share.
struct Parsing<'a> {
    plan: &'a PackPlan,
    members: Members<'a>,
    rows: AtomicU64,
    failures: Failures,
    spare: Spare,
}

/// Reads all files.
pub(super) fn read(plan: &PackPlan, progress: &dyn Progress) -> Result<Read> {
    if plan.files.len() as u64 >> (u64::BITS - LINE_BITS) > 0 {
        return Err(Error::option("--input", "there are too many files"));
    }
    let workers = plan.threads.max(1);
    let parsing = Parsing {
        plan,
        members: Members::of(plan),
        rows: AtomicU64::new(0),
        failures: Failures::default(),
        spare: Spare::default(),
    };
    let (send, receive) = sync_channel(workers);
    let receive = Mutex::new(receive);
    let (inputs, deposits) = thread::scope(|scope| {
        let run = || scope.spawn(|| parsing.work(&receive, workers));
        let running: Vec<_> = (0..workers).map(|_| run()).collect();
        let mut take = |block| !parsing.failures.any.load(Relaxed) && send.send(block).is_ok();
        let inputs = read_files(plan, progress, &parsing.spare, &mut take);
        drop(send);
        let joined = running.into_iter().map(|worker| {
            let joined = worker.join();
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        (inputs, joined.collect::<Result<Vec<Deposit>>>())
    });
    // A row before the place where a file could not be read comes first.
    if let Some(error) = parsing.failures.take() {
        return Err(error);
    }
    let inputs = inputs?;
    let rows = parsing.rows.into_inner();
    if rows > 0
        && let Some(name) = parsing.members.unseen()
    {
        return Err(Error::option("--value", format!("no row has {name:?}")));
    }
    Ok(Read {
        rows,
        inputs,
        deposits: deposits?,
    })
}

/// Reads the files in order, until nobody wants more blocks.
fn read_files(
    plan: &PackPlan,
    progress: &dyn Progress,
    spare: &Spare,
    take: &mut dyn FnMut(Block) -> bool,
) -> Result<Vec<InputSummary>> {
    let sizes = plan.files.iter().map(std::fs::metadata);
    let sizes = sizes.map(|metadata| metadata.map_or(0, |metadata| metadata.len()));
    progress.begin(Stage::Read, sizes.sum());
    // A worker has a block and one waits for it; rows take the other half of the memory.
    let block_len = plan.memory_bytes / (8 * plan.threads.max(1) as u64);
    let block_len = block_len.clamp(BLOCK_LEN_MIN, BLOCK_LEN_MAX);
    let block_len = usize::try_from(block_len).expect("it is small");
    let mut inputs = Vec::new();
    for (file, path) in (0..).zip(&plan.files) {
        match read_file(plan, (file, path), (block_len, spare), take)? {
            Some(summary) => {
                progress.advance(summary.size_bytes);
                inputs.push(summary);
            }
            None => break,
        }
    }
    Ok(inputs)
}

impl Parsing<'_> {
    /// Parses blocks until there are no more, and returns their rows.
    fn work(&self, blocks: &Mutex<Receiver<Block>>, workers: usize) -> Result<Deposit> {
        let budget = self.plan.memory_bytes / 2 / workers as u64;
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        let mut outbox = Outbox::new(budget, &self.plan.scratch);
        loop {
            let received = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = received else {
                return outbox.into_deposit();
            };
            if let Err((line, error)) = self.parse(&block, &mut outbox) {
                self.failures.add(place(block.file, line), error);
            }
            self.spare.keep(block.bytes);
        }
    }

    /// Parses a block; an error comes with its line.
    fn parse(&self, block: &Block, outbox: &mut Outbox) -> Result<(), (u64, Error)> {
        let mut rows = 0;
        let take = |line, key: &[u8], value: &[u8]| {
            rows += 1;
            if key.len() > KEY_LEN_MAX {
                let problem = format!("the key has {} bytes, not up to {KEY_LEN_MAX}", key.len());
                return Err(RowError::Row { line, problem });
            }
            let pushed = outbox.push(place(block.file, line), key, value);
            pushed.map_err(RowError::Other)
        };
        let parsed = match &block.table {
            Table::Delimited(dialect, columns) => {
                self.members.see_all();
                delimited::parse((*dialect, columns), block, take)
            }
            Table::JsonLines(dialect) => self.members.parse(*dialect, block, take),
            #[cfg(feature = "parquet")]
            Table::Parquet(group) => {
                self.members.see_all();
                group.parse(block.first_line, take)
            }
        };
        self.rows.fetch_add(rows, Relaxed);
        let path = || self.plan.files[block.file as usize].clone();
        parsed.map_err(|error| match error {
            RowError::Row { line, problem } => {
                let path = path();
                let row = Error::Row {
                    path,
                    line,
                    problem,
                };
                (line, row)
            }
            RowError::NoKey { names } => {
                let error = columns::missing("--key", &path(), &self.plan.key, &names);
                (block.first_line, error)
            }
            RowError::Other(error) => (block.first_line, error),
        })
    }
}
