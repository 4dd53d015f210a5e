//! Reading every byte of a shard.

use fst::Streamer;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Shard,
    index::{Entry, LINE_LEN, Lengths, LineBuilder, Shape},
    layout::{SECTION_ALIGNMENT, Section},
    reader::{index_error, to_index},
    transducer,
};
use crate::{Error, Result, key};

impl<B: AsRef<[u8]>> Shard<B> {
    /// Reads every byte and checks it: checksums, padding, records and their order, values
    /// that are compressed, both indexes.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the structure at fault.
    pub fn verify(&self) -> Result<()> {
        (0..self.len_blocks()).try_for_each(|block| self.verify_block(block))?;
        self.verify_sections(|_section| true)?;
        let offsets = self.verify_records()?;
        self.verify_terms(&offsets)
    }

    /// Checks the records, and that the point index is the one that a writer makes of them;
    /// returns where they begin, if there are terms to lead there.
    fn verify_records(&self) -> Result<Vec<u64>> {
        let mut index = Unread(self.section_bytes(&self.point_index));
        let mut lines = LineBuilder::new(self.shape, |line| index.expect(line))?;
        let mut lengths = Lengths::new(self.shape.shortest());
        let (mut offset, mut count, mut offsets) = (0, 0_u64, Vec::new());
        let has_terms = self.ordered_index.is_some();
        let mut last: Option<(u64, &[u8])> = None;
        let mut records = self.iter();
        while let Some(stored) = records.next_stored().transpose()? {
            let stored = stored.check()?;
            let order = key::order(stored.key);
            if !self.identity.run.contains(key::partition_of(order.0)) {
                return Err(Error::corrupt(
                    "records",
                    "a key is of another shard's partitions",
                ));
            }
            if last.is_some_and(|last| last >= order) {
                return Err(Error::corrupt("records", "keys are out of order"));
            }
            self.value(stored).read()?;
            let (hash, len) = (order.0, stored.len());
            lines.push(Entry { hash, len })?;
            lengths.add(len);
            last = Some(order);
            if has_terms {
                offsets.push(offset);
            }
            offset += len;
            count += 1;
        }
        lines.finish()?;
        if count != self.len() {
            return Err(Error::corrupt(
                "records",
                "their number is not the stated one",
            ));
        }
        if lengths.is_shortest_right() && Shape::of(&lengths, self.identity.run) == self.shape {
            Ok(offsets)
        } else {
            Err(not_of_these_records())
        }
    }

    /// Checks that the terms are as many as stated, and lead to one of `offsets` each.
    fn verify_terms(&self, offsets: &[u64]) -> Result<()> {
        let Some(section) = &self.ordered_index else {
            return Ok(());
        };
        let bytes = self.section_bytes(section);
        let map = fst::Map::new(bytes).map_err(index_error)?;
        map.as_fst().verify().map_err(index_error)?;
        transducer::check(bytes, self.records.len_bytes)?;
        let damaged = |problem| Err(Error::corrupt("ordered index", problem));
        let mut count = 0_u64;
        let mut terms = map.stream();
        // They ascend, since the transitions of each node do.
        while let Some((_term, offset)) = terms.next() {
            if offsets.binary_search(&offset).is_err() {
                return damaged("a term leads to no record");
            }
            count += 1;
            // Few nodes can stand for more terms than anybody could wait for; how many may be
            // stated is bounded by the number of records.
            if count > section.len_items {
                break;
            }
        }
        if count == section.len_items {
            Ok(())
        } else {
            damaged("the number of its terms is not the stated one")
        }
    }

    /// Checks that the terms of a verified shard, if it has an ordered index, are its keys, each of
    /// which leads to its own record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are not.
    pub fn verify_terms_are_keys(&self) -> Result<()> {
        let Some(section) = &self.ordered_index else {
            return Ok(());
        };
        let map = fst::Map::new(self.section_bytes(section)).map_err(index_error)?;
        let mut are_keys = section.len_items == self.len();
        let mut records = self.iter();
        let mut offset = records.offset();
        while are_keys && let Some(record) = records.next() {
            are_keys = map.get(record?.key) == Some(offset);
            offset = records.offset();
        }
        if are_keys {
            Ok(())
        } else {
            Err(Error::corrupt(
                "ordered index",
                "its terms are not the keys",
            ))
        }
    }

    /// Compares the checksums of some sections, and that the padding behind them is zero.
    pub(super) fn verify_sections(&self, of: impl Fn(&Section) -> bool) -> Result<()> {
        let all = self.bytes().as_ref();
        for section in self.sections.iter().filter(|section| of(section)) {
            let bytes = self.section_bytes(section);
            if section.kind.is_known() && xxh3_64(bytes) != section.checksum {
                return Err(Error::corrupt("section", "its checksum does not match"));
            }
            let end = to_index(section.offset)? + bytes.len();
            let padded = end.next_multiple_of(SECTION_ALIGNMENT);
            if all
                .get(end..padded)
                .is_none_or(|padding| padding.iter().any(|byte| *byte != 0))
            {
                return Err(Error::corrupt("padding", "it is not zero"));
            }
        }
        Ok(())
    }
}

/// What of a point index was not yet compared.
struct Unread<'a>(&'a [u8]);

impl Unread<'_> {
    fn expect(&mut self, line: &[u8; LINE_LEN]) -> Result<()> {
        let (found, rest) = self
            .0
            .split_first_chunk()
            .ok_or_else(not_of_these_records)?;
        self.0 = rest;
        if found == line {
            Ok(())
        } else {
            Err(not_of_these_records())
        }
    }
}

fn not_of_these_records() -> Error {
    Error::corrupt("point index", "it is not that of the records")
}
