//! The roll-up of a busy month: what spares a request from reading all its days.
//!
//! A directory of the days, the month's histogram cells, and the cards and buyers that enter the
//! month by how long before its first day they were last seen.

use super::{
    changes::{self, Change},
    month_builder::encode_cells,
    runs::{self, Run},
};
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
    histogram::{Cell, FineHistogram},
};

/// Months of at least so many rows have a roll-up; reading the days of others is as fast.
const ROWS_MIN: u64 = 1_024;

/// Returns whether a month of `rows` rows has a roll-up.
pub(super) fn is_due(rows: u64) -> bool {
    rows >= ROWS_MIN
}

/// Gathers a roll-up.
#[derive(Debug, Default)]
pub(super) struct RollUp {
    day_offsets: Vec<(usize, usize)>,
    bins: FineHistogram,
    entering: Vec<Run>,
}

impl RollUp {
    pub(super) fn clear(&mut self) {
        self.day_offsets.clear();
        self.entering.clear();
    }

    pub(super) fn add_day(&mut self, days_offset: usize, cards_offset: usize) {
        self.day_offsets.push((days_offset, cards_offset));
    }

    pub(super) fn add_entering(&mut self, run: Run) {
        self.entering.push(run);
    }

    /// Appends the directory and the cells of a month whose days have the given cells: few months
    /// have a roll-up, so they are added up only here.
    pub(super) fn encode_bins(&mut self, cells_of_days: &[(Cell, u64)], out: &mut Vec<u8>) {
        for (days, cards) in &self.day_offsets {
            for offset in [days, cards] {
                let offset = u32::try_from(*offset).expect(
                    "a day has at most as many amounts, cells and distances as this release allows",
                );
                out.extend_from_slice(&offset.to_le_bytes());
            }
        }
        self.bins.clear();
        for (cell, count) in cells_of_days {
            self.bins.add(*cell, *count);
        }
        let cells: Vec<(Cell, u64)> = self.bins.iter().collect();
        let mut bins = Vec::new();
        encode_cells(&cells, &mut bins);
        put_varint(out, bins.len() as u64);
        out.extend_from_slice(&bins);
    }

    /// Appends the cards that enter the month.
    pub(super) fn encode_entering(&mut self, out: &mut Vec<u8>) {
        self.entering.sort_unstable_by_key(|run| run.distance);
        self.entering.dedup_by(|next, kept| {
            let same = next.distance == kept.distance;
            if same {
                kept.count += next.count;
            }
            same
        });
        runs::encode(&self.entering, out);
    }
}

/// A roll-up read in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct RollUpView<'a> {
    directory: &'a [u8],
    pub(super) bins: &'a [u8],
    /// How the buyers of the month differ from its cards, if they do.
    pub(super) buyers: Option<&'a [u8]>,
    pub(super) entering: &'a [u8],
}

impl<'a> RollUpView<'a> {
    /// Reads the roll-up of a month with `days` days.
    pub(super) fn parse(mut bytes: Bytes<'a>, days: u32, buyers_differ: bool) -> Result<Self> {
        let directory = bytes.take(days as usize * 8)?;
        let bins = bytes.take_prefixed()?;
        let buyers = buyers_differ.then(|| bytes.take_prefixed()).transpose()?;
        Ok(Self {
            directory,
            bins,
            buyers,
            entering: bytes.rest(),
        })
    }

    /// Returns where the `index`-th present day begins among the days and among the cards.
    pub(super) fn day_offsets(&self, index: u32) -> Result<(usize, usize)> {
        let outside = || Error::corrupt("month record", "its directory is too short");
        let entry = self
            .directory
            .get(index as usize * 8..)
            .ok_or_else(outside)?;
        let mut bytes = Bytes::new(entry, "month record");
        Ok((bytes.u32()? as usize, bytes.u32()? as usize))
    }

    pub(super) fn add_bins(&self, bins: &mut FineHistogram) -> Result<()> {
        decode_cells(&mut Bytes::new(self.bins, "month record"), |cell, count| {
            bins.add(cell, count);
        })
    }

    /// Returns how many cards were last seen at most `limit` days before the month, and before it.
    pub(super) fn entering_within(&self, limit: u32) -> Result<u64> {
        runs::count_within(&mut Bytes::new(self.entering, "month record"), limit)
    }

    /// Returns by how many the buyers of the month that were never there before, or last more than
    /// `limit` days before the month, differ from the cards.
    pub(super) fn buyers_above(&self, limit: u32) -> Result<i64> {
        let mut above = 0;
        if let Some(changes) = self.buyers {
            let mut bytes = Bytes::new(changes, "month record");
            changes::decode(&mut bytes, |change: Change| {
                if change.distance == 0 || change.distance > limit {
                    above = i64::saturating_add(above, change.cards);
                }
            })?;
        }
        Ok(above)
    }
}

/// Reads ascending cells, passing each with its count to `visit`.
pub(super) fn decode_cells(bytes: &mut Bytes<'_>, mut visit: impl FnMut(Cell, u64)) -> Result<()> {
    let len = bytes.varint()?;
    let mut index = 0_i64;
    for position in 0..len {
        index = if position == 0 {
            bytes.signed()?
        } else {
            index
                .saturating_add_unsigned(bytes.varint()?)
                .saturating_add(1)
        };
        let count = bytes.varint()?.saturating_add(1);
        let cell = i16::try_from(index).ok().and_then(Cell::from_index);
        visit(
            cell.ok_or_else(|| Error::corrupt("histogram cells", "no such cell"))?,
            count,
        );
    }
    Ok(())
}
