//! What loyalty needs beside buyers: second visits, and months of first visits (docs/format.md, "Month
//! record").

use std::collections::BTreeMap;

use super::{
    day_lists::{DayLists, DayListsBuilder},
    runs::{self, Run},
};
use crate::{Result, bytes::put_varint};

/// Gathers the second visits and the cohorts of a month.
#[derive(Debug, Default)]
pub(super) struct LoyaltyBuilder {
    second: DayListsBuilder,
    /// Buyers by months since that of their first sale.
    cohorts: BTreeMap<u32, u64>,
}

impl LoyaltyBuilder {
    pub(super) fn clear(&mut self) {
        self.second.clear();
        self.cohorts.clear();
    }

    /// Adds what the day that is `offset` days after the month's first brings.
    pub(super) fn day(&mut self, offset: u32, second: &[Run], cohorts: &[Run]) {
        if !second.is_empty() {
            runs::encode(second, self.second.begin_day(offset));
        }
        for run in cohorts {
            *self.cohorts.entry(run.distance).or_default() += run.count;
        }
    }

    pub(super) fn has_second(&self) -> bool {
        !self.second.is_empty()
    }

    pub(super) fn has_cohorts(&self) -> bool {
        !self.cohorts.is_empty()
    }

    /// Appends what there is of both.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if self.has_second() {
            self.second.encode(out);
        }
        if self.has_cohorts() {
            let run = |(distance, count): (&u32, &u64)| Run {
                distance: *distance,
                count: *count,
            };
            let cohorts: Vec<Run> = self.cohorts.iter().map(run).collect();
            let mut bytes = Vec::new();
            runs::encode(&cohorts, &mut bytes);
            put_varint(out, bytes.len() as u64);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Reads the second visits of a day, passing each run to `visit`.
pub(super) fn read_day(
    days: &mut DayLists<'_>,
    offset: u32,
    mut visit: impl FnMut(Run),
) -> Result<()> {
    days.read(offset, |bytes, is_wanted| {
        runs::decode(bytes, |run| {
            if is_wanted {
                visit(run);
            }
        })
    })
}
