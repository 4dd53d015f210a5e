//! Buyers: cards on the days on which they have a sale.
//!
//! Most days of a card have one, so what is kept is how its days with a sale differ from its days.

use super::{
    changes::{self, Change, net_changes},
    day_lists::{DayLists, DayListsBuilder},
};
use crate::{Result, bytes::put_varint};

/// Gathers how the buyers of a month differ from its cards.
#[derive(Debug, Default)]
pub(super) struct BuyersBuilder {
    days: DayListsBuilder,
    /// As seen from the month's first day.
    entering: Vec<Change>,
}

impl BuyersBuilder {
    pub(super) fn clear(&mut self) {
        self.days.clear();
        self.entering.clear();
    }

    /// Adds the changes of the day that is `offset` days after the month's first.
    pub(super) fn day(&mut self, offset: u32, day: &[Change]) {
        if day.is_empty() {
            return;
        }
        changes::encode(day, self.days.begin_day(offset));
        let entering = day.iter().filter_map(|change| entering(*change, offset));
        self.entering.extend(entering);
    }

    /// Returns the lists of the days.
    pub(super) fn days(&self) -> &DayListsBuilder {
        &self.days
    }

    /// Appends the changes of the month.
    pub(super) fn encode_month(&mut self, out: &mut Vec<u8>) {
        net_changes(&mut self.entering);
        let mut bytes = Vec::new();
        changes::encode(&self.entering, &mut bytes);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(&bytes);
    }
}

/// Returns a change as seen from the month's first day, `offset` days before its own, unless it is
/// about cards that were there in the month before.
pub(super) fn entering(change: Change, offset: u32) -> Option<Change> {
    match change.distance {
        0 => Some(change),
        distance => (distance > offset).then(|| Change {
            distance: distance - offset,
            ..change
        }),
    }
}

/// Reads the changes of a day, passing each to `visit`.
pub(super) fn read_day(
    days: &mut DayLists<'_>,
    offset: u32,
    mut visit: impl FnMut(Change),
) -> Result<()> {
    days.read(offset, |bytes, is_wanted| {
        changes::decode(bytes, |change| {
            if is_wanted {
                visit(change);
            }
        })
    })
}
