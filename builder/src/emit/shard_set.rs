//! Shards being written into the staging folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nightshard_format::{
    key::{self, PartitionRun},
    manifest::ShardEntry,
    shard::{Identity, ShardWriter, Span},
};

use super::append_file::AppendFile;
use crate::{Error, Result};

/// A finished shard in the staging folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Staged {
    /// What the manifest says of it.
    pub entry: ShardEntry,
    /// Where it lies.
    pub path: PathBuf,
}

/// The folder that shards are written into, cut into so many runs of partitions.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    runs: Vec<PartitionRun>,
}

impl Staging {
    /// Uses `folder`, which is empty and on the file system that will keep the shards.
    ///
    /// # Errors
    /// [`Error::Format`] unless `runs` is 1 to 1,024.
    pub fn new(folder: &Path, runs: u16) -> Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            runs: PartitionRun::split(runs)?,
        })
    }

    /// Returns the run that has `partition`.
    pub(super) fn run_of(&self, partition: u16) -> PartitionRun {
        let after = self.runs.partition_point(|run| run.first <= partition);
        self.runs[after.saturating_sub(1)]
    }

    /// Writes a small dataset of `current` in one go: records in any order, each key once, with
    /// the terms of its ordered index.
    pub(super) fn write_current(
        &self,
        dataset: &str,
        records: impl IntoIterator<Item = CurrentRecord>,
    ) -> Result<Vec<Staged>> {
        let partition_of = |record: &CurrentRecord| key::partition_of(key::hash(&record.key));
        let mut records: Vec<CurrentRecord> = records.into_iter().collect();
        records.sort_unstable_by(|a, b| key::order(&a.key).cmp(&key::order(&b.key)));
        let mut staged = Vec::new();
        let run_of = |record: &CurrentRecord| self.run_of(partition_of(record));
        for of_run in records.chunk_by(|a, b| run_of(a) == run_of(b)) {
            let mut set = ShardSet::new(self, dataset, run_of(&of_run[0]));
            for record in of_run {
                set.append(Span::Current, &record.key, &record.value)?;
                let mut terms = record.terms.iter();
                terms.try_for_each(|term| set.add_term(Span::Current, term))?;
            }
            staged.extend(set.finish()?);
        }
        Ok(staged)
    }
}

/// A record of a dataset's `current` span.
#[derive(Debug)]
pub(super) struct CurrentRecord {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) terms: Vec<Vec<u8>>,
}

/// The shards of one dataset and run, one for each span, written at the same time.
pub(crate) struct ShardSet {
    folder: PathBuf,
    dataset: String,
    run: PartitionRun,
    /// With which values are compressed, where they are.
    dictionary: Option<Vec<u8>>,
    writers: BTreeMap<Span, (PathBuf, ShardWriter<AppendFile>)>,
}

impl ShardSet {
    pub(crate) fn new(staging: &Staging, dataset: &str, run: PartitionRun) -> Self {
        let folder = staging.folder.clone();
        Self {
            folder,
            dataset: dataset.to_owned(),
            run,
            dictionary: None,
            writers: BTreeMap::new(),
        }
    }

    /// Has the values of shards that are not begun compressed with a dictionary, if there is one.
    pub(crate) fn compress(&mut self, dictionary: Option<Vec<u8>>) {
        self.dictionary = dictionary;
    }

    pub(super) fn run(&self) -> PartitionRun {
        self.run
    }

    /// Returns the writer of `span`, started if it is new.
    fn writer(&mut self, span: Span) -> Result<&mut ShardWriter<AppendFile>> {
        use std::collections::btree_map::Entry;
        match self.writers.entry(span) {
            Entry::Occupied(entry) => Ok(&mut entry.into_mut().1),
            Entry::Vacant(entry) => {
                let name = format!("{}-{span}-{:04}.shard", self.dataset, self.run.first);
                let path = self.folder.join(name);
                let identity = Identity {
                    dataset: self.dataset.clone(),
                    span,
                    run: self.run,
                };
                let file = AppendFile(path.clone());
                let writer = match &self.dictionary {
                    None => ShardWriter::new(file, &identity),
                    Some(dictionary) => {
                        ShardWriter::compressing(file, &identity, dictionary.clone())
                    }
                };
                let writer = writer.map_err(|error| at(&path, error))?;
                Ok(&mut entry.insert((path, writer)).1)
            }
        }
    }

    pub(crate) fn append(&mut self, span: Span, key: &[u8], value: &[u8]) -> Result<()> {
        let appended = self.writer(span)?.append(key, value);
        appended.map_err(|error| at(&self.folder, error))
    }

    /// Lets the record appended last be found by a term, too.
    pub(crate) fn add_term(&mut self, span: Span, term: &[u8]) -> Result<()> {
        let added = self.writer(span)?.add_term(term);
        added.map_err(|error| at(&self.folder, error))
    }

    pub(crate) fn finish(self) -> Result<Vec<Staged>> {
        let Self {
            dataset,
            run,
            writers,
            ..
        } = self;
        let finish = |(span, (path, writer)): (Span, (PathBuf, ShardWriter<AppendFile>))| {
            let written = writer.finish().map_err(|error| at(&path, error))?;
            let entry = ShardEntry {
                dataset: dataset.clone(),
                span: span.to_string(),
                first_partition: run.first,
                end_partition: run.end,
                blob: written.digest.to_hex().to_string(),
                size_bytes: written.len_bytes,
                records: written.len_records,
            };
            Ok(Staged { entry, path })
        };
        writers.into_iter().map(finish).collect()
    }
}

/// Names the file at which writing failed; other problems of the format speak for themselves.
fn at(path: &Path, error: nightshard_format::Error) -> Error {
    match error {
        nightshard_format::Error::Io(error) => Error::at(path)(error),
        other => other.into(),
    }
}
