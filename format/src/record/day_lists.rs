//! Lists that only some days of a month have: a mask of these days, and the lists one after the other.

use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
};

/// Gathers the lists of a month.
#[derive(Debug, Default)]
pub(super) struct DayListsBuilder {
    day_mask: u32,
    lists: Vec<u8>,
}

impl DayListsBuilder {
    pub(super) fn clear(&mut self) {
        self.day_mask = 0;
        self.lists.clear();
    }

    /// Returns where to append the list of the day that is `offset` days after the month's first.
    pub(super) fn begin_day(&mut self, offset: u32) -> &mut Vec<u8> {
        self.day_mask |= 1 << offset;
        &mut self.lists
    }

    pub(super) fn is_empty(&self) -> bool {
        self.day_mask == 0
    }

    /// Appends the lists.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.lists.len() as u64 + 4);
        out.extend_from_slice(&self.day_mask.to_le_bytes());
        out.extend_from_slice(&self.lists);
    }
}

/// The lists of a month, read in place and in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayLists<'a> {
    day_mask: u32,
    bytes: Bytes<'a>,
}

impl<'a> DayLists<'a> {
    /// Reads the head of the lists of a month that has rows on the days `day_mask`.
    pub(super) fn parse(bytes: &'a [u8], day_mask: u32) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, "month record");
        let listed = bytes.u32()?;
        if listed == 0 || listed & !day_mask != 0 {
            let problem = "it has lists of no day, or of one without rows";
            return Err(Error::corrupt("month record", problem));
        }
        Ok(Self {
            day_mask: listed,
            bytes,
        })
    }

    /// Returns whether all lists were read.
    pub(super) fn is_empty(&self) -> bool {
        self.day_mask == 0 && self.bytes.is_empty()
    }

    /// Reads the list of the day that is `offset` days after the month's first, if it has one, and
    /// passes over those before it. Days ascend from one call to the next.
    pub(super) fn read(
        &mut self,
        offset: u32,
        mut list: impl FnMut(&mut Bytes<'a>, bool) -> Result<()>,
    ) -> Result<()> {
        while self.day_mask != 0 && self.day_mask.trailing_zeros() <= offset {
            let is_wanted = self.day_mask.trailing_zeros() == offset;
            self.day_mask &= self.day_mask - 1;
            list(&mut self.bytes, is_wanted)?;
        }
        Ok(())
    }
}
