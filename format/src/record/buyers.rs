//! Buyers: cards on the days on which they have a sale.
//!
//! Most days of a card have one, so what is kept is how its days with a sale differ from its days.

use super::changes::{self, Change, net_changes};
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
    calendar::Day,
};

/// Gathers how the buyers of a month differ from its cards.
#[derive(Debug, Default)]
pub(super) struct BuyersBuilder {
    day_mask: u32,
    days: Vec<u8>,
    /// As seen from the month's first day.
    entering: Vec<Change>,
}

impl BuyersBuilder {
    pub(super) fn clear(&mut self) {
        self.day_mask = 0;
        self.days.clear();
        self.entering.clear();
    }

    /// Adds the changes of the day that is `offset` days after the month's first.
    pub(super) fn day(&mut self, offset: u32, day: &[Change]) {
        if day.is_empty() {
            return;
        }
        self.day_mask |= 1 << offset;
        changes::encode(day, &mut self.days);
        let entering = day.iter().filter_map(|change| entering(*change, offset));
        self.entering.extend(entering);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.day_mask == 0
    }

    /// Appends the buyer days.
    pub(super) fn encode_days(&self, out: &mut Vec<u8>) {
        put_varint(out, self.days.len() as u64 + 4);
        out.extend_from_slice(&self.day_mask.to_le_bytes());
        out.extend_from_slice(&self.days);
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

/// How the buyers of a month differ from its cards, day by day, read in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct BuyersView<'a> {
    pub(super) day_mask: u32,
    pub(super) days: Bytes<'a>,
}

impl<'a> BuyersView<'a> {
    /// Reads the head of buyer days of a month that has rows on the days `day_mask`.
    pub(super) fn parse(bytes: &'a [u8], day_mask: u32) -> Result<Self> {
        let mut days = Bytes::new(bytes, "month record");
        let differing = days.u32()?;
        if differing == 0 || differing & !day_mask != 0 {
            let problem = "its buyers differ on no day, or on one without rows";
            return Err(Error::corrupt("month record", problem));
        }
        Ok(Self {
            day_mask: differing,
            days,
        })
    }

    /// Passes the changes of `day` to `visit`. Days ascend from one call to the next.
    pub(super) fn visit_until(
        &mut self,
        first_day: Day,
        day: Day,
        mut visit: impl FnMut(Change),
    ) -> Result<()> {
        let offset = (day.0 - first_day.0).cast_unsigned();
        while self.day_mask != 0 && self.day_mask.trailing_zeros() <= offset {
            let is_wanted = self.day_mask.trailing_zeros() == offset;
            self.day_mask &= self.day_mask - 1;
            changes::decode(&mut self.days, |change| {
                if is_wanted {
                    visit(change);
                }
            })?;
        }
        Ok(())
    }
}
