//! What changed between two generations, of one repository or of two.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use nightshard_format::{
    Error as FormatError, Result as FormatResult,
    diff::{Change, Changes, compare, pieces},
    key::PartitionRun,
    manifest::{Manifest, ShardEntry},
    record,
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

use crate::{Error, Mover, Movers, Repository, Result, bounded};

/// What changed in one dataset and span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableDiff {
    /// The dataset.
    pub dataset: String,
    /// `current` or a month.
    pub span: String,
    /// How many records became what.
    pub changes: Changes,
    /// Shards of the later generation that are the same file as one of the earlier.
    pub shards_equal: u64,
    /// Shards of both that were read, since there is no such file in the other.
    pub shards_read: u64,
    /// The first keys that are not the same, in the order of hashes.
    pub keys: Vec<(Change, Vec<u8>)>,
    /// Of stores, those whose totals changed most.
    pub movers: Movers,
}

/// What a comparison is to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// Of this dataset alone.
    pub dataset: Option<String>,
    /// So many keys of each table that are not the same.
    pub keys_max: usize,
    /// So many stores whose totals changed most.
    pub movers_max: usize,
}

/// A generation to compare.
#[derive(Debug, Clone)]
pub struct Side {
    /// Where its blobs are.
    pub repository: Repository,
    /// What it is.
    pub manifest: Manifest,
}

/// Some shards of a table that have the same partitions in both generations.
struct Piece {
    table: usize,
    from: Vec<ShardEntry>,
    to: Vec<ShardEntry>,
}

/// Compares two generations, record by record where their files differ.
///
/// Files of one digest are not read: they are the same. Others are verified and read once, on all
/// processors, and nothing is kept of them.
///
/// # Shape
/// One for each dataset and span of either, ascending.
///
/// # Errors
/// [`Error::MissingBlob`] or [`Error::BadBlob`] for a file that cannot be used,
/// [`Error::Incomparable`] for records that cannot be read though their files were verified.
pub async fn diff(from: Side, to: Side, options: DiffOptions) -> Result<Vec<TableDiff>> {
    let dataset = options.dataset.as_deref();
    let (mut tables, pieces) = cut(&from.manifest, &to.manifest, dataset);
    let to_read = |side: fn(&Piece) -> &Vec<ShardEntry>| -> Vec<ShardEntry> {
        let different = |piece| {
            let equal = Piece::equal(piece);
            let entries = side(piece).iter();
            entries.filter(move |entry| !equal.contains(&entry.blob))
        };
        pieces.iter().flat_map(different).cloned().collect()
    };
    from.repository.fetch(&to_read(|piece| &piece.from)).await?;
    to.repository.fetch(&to_read(|piece| &piece.to)).await?;
    bounded::blocking(move || {
        let compared: Vec<Result<TableDiff>> = pieces
            .par_iter()
            .map(|piece| piece.compare(&from, &to, &options))
            .collect();
        for (piece, compared) in pieces.iter().zip(compared) {
            tables[piece.table].add(compared?, &options);
        }
        Ok(tables)
    })
    .await?
}

/// A table's shards, of the earlier generation and of the later one.
type Sides<'a> = [Vec<&'a ShardEntry>; 2];

/// Returns the tables, of which nothing was compared yet, and what is to be compared.
fn cut(from: &Manifest, to: &Manifest, dataset: Option<&str>) -> (Vec<TableDiff>, Vec<Piece>) {
    let mut shards = BTreeMap::<(&str, &str), Sides<'_>>::new();
    for (side, manifest) in [from, to].into_iter().enumerate() {
        for entry in &manifest.shards {
            if dataset.is_none_or(|dataset| dataset == entry.dataset) {
                let table = shards.entry((&entry.dataset, &entry.span)).or_default();
                table[side].push(entry);
            }
        }
    }
    let mut tables = Vec::new();
    let mut all = Vec::new();
    for ((dataset, span), [from, to]) in shards {
        let cut = |entries: &[&ShardEntry], range: Range<usize>| {
            let entries = entries[range].iter();
            entries.map(|entry| (*entry).clone()).collect()
        };
        for (old, new) in pieces(&runs(&from), &runs(&to)) {
            all.push(Piece {
                table: tables.len(),
                from: cut(&from, old),
                to: cut(&to, new),
            });
        }
        tables.push(TableDiff {
            dataset: dataset.to_owned(),
            span: span.to_owned(),
            ..TableDiff::default()
        });
    }
    (tables, all)
}

fn runs(entries: &[&ShardEntry]) -> Vec<PartitionRun> {
    let run = |entry: &&ShardEntry| PartitionRun {
        first: entry.first_partition,
        end: entry.end_partition,
    };
    entries.iter().map(run).collect()
}

impl TableDiff {
    /// Adds what was found in a later piece.
    fn add(&mut self, piece: Self, options: &DiffOptions) {
        self.changes.add(piece.changes);
        self.shards_equal += piece.shards_equal;
        self.shards_read += piece.shards_read;
        let room = options.keys_max.saturating_sub(self.keys.len());
        self.keys.extend(piece.keys.into_iter().take(room));
        for mover in piece.movers.into_vec() {
            self.movers.add(mover, options.movers_max);
        }
    }
}

impl Piece {
    /// Returns the digests of the files that both generations have.
    fn equal(&self) -> BTreeSet<String> {
        let blobs = |entries: &[ShardEntry]| {
            let blobs = entries.iter().map(|entry| entry.blob.clone());
            blobs.collect::<BTreeSet<_>>()
        };
        &blobs(&self.from) & &blobs(&self.to)
    }

    fn compare(&self, from: &Side, to: &Side, options: &DiffOptions) -> Result<TableDiff> {
        let mut found = TableDiff::default();
        let equal = self.equal();
        // A file that both have holds the same keys in both, and no other file holds any of them.
        for entry in self.to.iter().filter(|entry| equal.contains(&entry.blob)) {
            found.shards_equal += 1;
            found.changes.unchanged += entry.records;
        }
        let open = |side: &Side, entries: &[ShardEntry]| {
            let different = entries.iter().filter(|entry| !equal.contains(&entry.blob));
            let shards = different.map(|entry| side.repository.map_entry(entry));
            shards.collect::<Result<Vec<Shard<Mapped>>>>()
        };
        let (old, new) = (open(from, &self.from)?, open(to, &self.to)?);
        found.shards_read = (old.len() + new.len()) as u64;
        let has_movers = self.has_summaries_of_stores() && options.movers_max > 0;
        let (keys, movers) = (&mut found.keys, &mut found.movers);
        let compared = compare(records(&old), records(&new), |difference| {
            if keys.len() < options.keys_max {
                keys.push((difference.change, difference.key().to_vec()));
            }
            if has_movers {
                movers.add(Mover::of(&difference)?, options.movers_max);
            }
            Ok(())
        });
        found
            .changes
            .add(compared.map_err(|source| self.incomparable(from, to, source))?);
        Ok(found)
    }

    /// Returns any of its shards, which are all of one table.
    fn shard(&self) -> &ShardEntry {
        let shard = self.from.first().or(self.to.first());
        shard.expect("a piece has a shard")
    }

    fn has_summaries_of_stores(&self) -> bool {
        let shard = self.shard();
        shard.dataset == record::STORES && shard.span == Span::Current.to_string()
    }

    /// Names the table of both generations: what was read says not in which the fault is.
    fn incomparable(&self, from: &Side, to: &Side, source: FormatError) -> Error {
        let shard = self.shard();
        Error::Incomparable {
            table: format!("{} {}", shard.dataset, shard.span),
            generations: Box::new([from, to].map(|side| side.manifest.id.clone())),
            source,
        }
    }
}

fn records(shards: &[Shard<Mapped>]) -> impl Iterator<Item = FormatResult<Record<'_>>> {
    shards.iter().flat_map(Shard::iter)
}
