//! Reading the files in use again, block by block and slowly: what was right when it was mapped may
//! not be for ever.
//!
//! A disk, a cable or memory may change a byte of a file after it was verified. A shard in which
//! that is found answers nothing any more, and the follower opens its generation anew.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use nightshard_format::{
    Error,
    manifest::ShardEntry,
    shard::{Mapped, Shard},
};
use tokio::time::Instant;

use crate::{config::Scrub, generation::ServedGeneration, metrics::Metrics, switch::Switch};

/// So many blocks are read between two rests: a mebibyte, which takes a quarter of a millisecond
/// in memory, and is one read of a disk.
const PIECE_BLOCKS: usize = 16;

/// Reads the files of all generations that are kept again, one after the other.
pub struct Scrubber {
    switch: Arc<Switch>,
    metrics: Arc<Metrics>,
    config: Scrub,
}

/// A file in use.
struct InUse {
    /// What it is part of; not held, so that it can be unmapped meanwhile.
    served: Weak<ServedGeneration>,
    entry: ShardEntry,
}

/// What was read at a time.
struct Piece {
    blocks: u64,
    bytes: u64,
    /// Where to go on, unless this was all.
    next: Option<usize>,
    damage: Option<Damage>,
}

/// Where a file is damaged.
struct Damage {
    block: Option<usize>,
    offset: Option<usize>,
    error: Error,
}

impl Scrubber {
    pub(crate) fn new(switch: Arc<Switch>, metrics: Arc<Metrics>, config: Scrub) -> Self {
        Self {
            switch,
            metrics,
            config,
        }
    }

    /// Reads until dropped; at once done if nothing is to be read.
    pub async fn run(self) {
        if self.config.bytes_per_second == 0 {
            return;
        }
        loop {
            let begun = Instant::now();
            if self.round().await {
                self.metrics.scrub_round_ended();
            }
            // A round over little data, or over none that may be read, takes no time by itself.
            tokio::time::sleep_until(begun + self.config.round_min()).await;
        }
    }

    /// Reads each file in use; returns whether there was any to read.
    async fn round(&self) -> bool {
        let mut any = false;
        for file in self.files() {
            any |= self.read(&file).await;
        }
        any
    }

    /// Returns each file in use once.
    fn files(&self) -> Vec<InUse> {
        let mut known = BTreeSet::new();
        let mut files = Vec::new();
        for served in self.switch.mapped() {
            for entry in &served.generation().manifest().shards {
                if known.insert(entry.blob.clone()) {
                    files.push(InUse {
                        served: Arc::downgrade(&served),
                        entry: entry.clone(),
                    });
                }
            }
        }
        files
    }

    /// Reads a file, unless it is no longer in use or is refused already; returns whether its end
    /// was reached.
    async fn read(&self, file: &InUse) -> bool {
        let mut next = Some(0);
        while let Some(from) = next
            && let Some(served) = file.served.upgrade()
        {
            let begun = Instant::now();
            let entry = file.entry.clone();
            // Reading may wait for a disk.
            let reading = tokio::task::spawn_blocking(move || {
                let shard = served.generation().shard(&entry);
                shard
                    .filter(|shard| !shard.is_refused())
                    .map(|shard| read_piece(shard, from))
            });
            let Ok(Some(piece)) = reading.await else {
                return false;
            };
            self.metrics.scrubbed(piece.blocks, piece.bytes);
            if let Some(damage) = &piece.damage {
                self.refuse(&file.entry, damage);
            }
            next = piece.next;
            tokio::time::sleep_until(begun + self.rest(piece.bytes)).await;
            if piece.damage.is_some() {
                return false;
            }
        }
        next.is_none()
    }

    /// Returns how long so many bytes may take at least.
    fn rest(&self, bytes: u64) -> Duration {
        let nanoseconds =
            u128::from(bytes) * 1_000_000_000 / u128::from(self.config.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Says what is damaged, and has nothing more answered from it.
    fn refuse(&self, entry: &ShardEntry, damage: &Damage) {
        let ShardEntry {
            blob,
            dataset,
            span,
            ..
        } = entry;
        let Damage {
            block,
            offset,
            error,
        } = damage;
        tracing::error!(blob, dataset, span, block, offset, %error, "a file in use is damaged");
        for served in self.switch.mapped() {
            let generation = served.generation();
            let entries = generation.manifest().shards.iter();
            entries
                .filter(|other| other.blob == *blob)
                .filter_map(|other| generation.shard(other))
                .for_each(Shard::refuse);
        }
        // Once it is counted, nothing is answered from it.
        self.metrics.damage_found();
        self.switch.wake();
    }
}

/// Reads some blocks from a number on, and what no block's sum covers after the last.
fn read_piece(shard: &Shard<Mapped>, from: usize) -> Piece {
    let blocks = from..shard.len_blocks().min(from + PIECE_BLOCKS);
    let bytes = shard.block(from).start..shard.block(blocks.end).start;
    let is_last = blocks.end == shard.len_blocks();
    if !bytes.is_empty() {
        // Advice that is refused costs time only.
        let _refused = shard.bytes().advise_needed_part(bytes.clone());
    }
    let damage = blocks.clone().find_map(|block| {
        let error = shard.verify_block(block).err()?;
        Some(Damage {
            block: Some(block),
            offset: Some(shard.block(block).start),
            error,
        })
    });
    let damage = damage.or_else(|| {
        let error = is_last.then(|| shard.verify_unsummed().err())??;
        Some(Damage {
            block: None,
            offset: None,
            error,
        })
    });
    let behind = shard.bytes().as_ref().len() - bytes.end;
    let more = if is_last { behind } else { 0 };
    Piece {
        blocks: blocks.len() as u64,
        bytes: (bytes.len() + more) as u64,
        next: (!is_last && damage.is_none()).then_some(blocks.end),
        damage,
    }
}

#[cfg(test)]
mod tests;
