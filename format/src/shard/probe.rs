//! One lookup in steps, so that many lookups can wait for memory together.

use super::{
    index::{IndexLine, Place, Shape},
    prefetch::prefetch,
    stored::StoredRecord,
};
use crate::{Error, Result, bytes::Bytes};

/// Bytes of a record that a lookup reads: lengths and a key of usual length.
const HEAD_LEN: usize = 32;

/// A key being looked for, in steps of one cache miss each.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    hash: u64,
    line: Option<IndexLine<'a>>,
    records: &'a [u8],
    /// Whether the shard is not to be read; there is no line then.
    is_refused: bool,
}

impl<'a> Probe<'a> {
    /// Finds the index line of a hash, and reads nothing of it.
    #[inline]
    pub(super) fn new(hash: u64, shape: &'a Shape, index: &'a [u8], records: &'a [u8]) -> Self {
        Self {
            hash,
            line: shape.line(index, hash),
            records,
            is_refused: false,
        }
    }

    /// Makes the probe of a shard that is not to be read.
    #[cold]
    pub(super) fn refused(hash: u64) -> Self {
        Self {
            hash,
            line: None,
            records: &[],
            is_refused: true,
        }
    }

    /// Has the index line brought into the cache.
    #[inline]
    pub(super) fn touch_line(self) {
        if let Some(line) = self.line {
            line.prefetch();
        }
    }

    /// Has the record that the key is likely in brought into the cache.
    #[inline]
    pub(super) fn touch_record(self) {
        let Some(line) = self.line else { return };
        let candidates = line.candidates(self.hash);
        if candidates != 0
            && let Some(bytes) = self.likely(line, candidates)
        {
            // A key of usual length that begins in one line may end in the next.
            prefetch(bytes);
            prefetch(bytes.get(HEAD_LEN..).unwrap_or_default());
        }
    }

    /// Returns the record of `key`, whose hash this is; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the index leads outside the records, or a record is none;
    /// [`Error::Refused`] if the shard is.
    #[inline]
    pub(super) fn find(self, key: &[u8]) -> Result<Option<StoredRecord<'a>>> {
        let Some(line) = self.line else {
            return match self.is_refused {
                true => Err(Error::Refused),
                false => Ok(None),
            };
        };
        let candidates = line.candidates(self.hash);
        if candidates != 0 {
            let likely = self.likely(line, candidates);
            if let Some(stored) = likely.and_then(|bytes| StoredRecord::glance(bytes, key)) {
                return Ok(Some(stored));
            }
        } else if !line.has_more() {
            return Ok(None);
        }
        self.find_in(line, key)
    }

    /// Returns the records from the first of the candidates on.
    #[inline]
    fn likely(&self, line: IndexLine<'a>, candidates: u32) -> Option<&'a [u8]> {
        let offset = line.offset_of(candidates.trailing_zeros())?;
        self.records.get(usize::try_from(offset).ok()?..)
    }

    /// Looks through all records of the line that may have the key.
    #[cold]
    fn find_in(self, line: IndexLine<'a>, key: &[u8]) -> Result<Option<StoredRecord<'a>>> {
        let mut candidates = line.candidates(self.hash);
        while candidates != 0 {
            let place = line.place(candidates.trailing_zeros());
            let stored = StoredRecord::read(&mut self.at(place)?)?;
            if stored.key == key {
                return Ok(Some(stored));
            }
            candidates &= candidates - 1;
        }
        if line.has_more() {
            let (place, end) = line.without_entry(self.records.len() as u64);
            self.find_among(place, end, key)
        } else {
            Ok(None)
        }
    }

    /// Looks through the records from `place` on that end before `end`.
    fn find_among(&self, place: Place, end: u64, key: &[u8]) -> Result<Option<StoredRecord<'a>>> {
        let mut bytes = self.at(place)?;
        let len_behind = self.records.len().checked_sub(to_index(end)?);
        let len_behind = len_behind.ok_or_else(outside)?;
        while bytes.rest().len() > len_behind {
            let stored = StoredRecord::read(&mut bytes)?;
            if stored.key == key {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    fn at(&self, place: Place) -> Result<Bytes<'a>> {
        match place {
            Place::At(offset) => self.at_offset(offset),
            Place::Behind { offset, records } => self.behind(offset, records),
        }
    }

    fn at_offset(&self, offset: u64) -> Result<Bytes<'a>> {
        let rest = self.records.get(to_index(offset)?..);
        Ok(Bytes::new(rest.ok_or_else(outside)?, "record"))
    }

    fn behind(&self, offset: u64, records: u32) -> Result<Bytes<'a>> {
        let mut bytes = self.at_offset(offset)?;
        for _ in 0..records {
            StoredRecord::read(&mut bytes)?;
        }
        Ok(bytes)
    }
}

fn to_index(offset: u64) -> Result<usize> {
    usize::try_from(offset).map_err(|_large| outside())
}

fn outside() -> Error {
    Error::corrupt("point index", "it leads outside the records")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::{PARTITIONS, PartitionRun},
        shard::{
            index::{Entry, Lengths, LineBuilder},
            stored::{check_of, put_lengths},
        },
    };

    const ALL: PartitionRun = PartitionRun {
        first: 0,
        end: PARTITIONS,
    };

    /// Records of these keys and value lengths under these hashes, which ascend, and their index.
    fn build(records: &[(u64, Vec<u8>, usize)]) -> (Shape, Vec<u8>, Vec<u8>) {
        let (mut bytes, mut entries) = (Vec::new(), Vec::new());
        for (hash, key, value_len) in records {
            let (start, value) = (bytes.len(), vec![0xab; *value_len]);
            put_lengths(&mut bytes, key, &value);
            bytes.extend(key);
            bytes.extend(value);
            let check = check_of(&[&bytes[start..]]);
            bytes.extend(check);
            let len = (bytes.len() - start) as u64;
            entries.push(Entry { hash: *hash, len });
        }
        let mut index = Vec::new();
        let shape = Shape::of(&Lengths::of(&entries), ALL);
        let put = |line: &[u8; 64]| {
            index.extend(line);
            Ok(())
        };
        let mut lines = LineBuilder::new(shape, put).unwrap();
        entries.iter().for_each(|entry| lines.push(*entry).unwrap());
        lines.finish().unwrap();
        assert_eq!(Shape::decode(&index, ALL).unwrap(), shape);
        (shape, index, bytes)
    }

    fn assert_all_found(records: &[(u64, Vec<u8>, usize)]) {
        let (shape, index, bytes) = build(records);
        for (hash, key, value_len) in records {
            let probe = Probe::new(*hash, &shape, &index, &bytes);
            probe.touch_line();
            probe.touch_record();
            let found = probe.find(key).unwrap().unwrap();
            assert_eq!(found.key, key);
            assert_eq!(found.check().unwrap().value.len(), *value_len);
            let missing = [&key[..], b"!"].concat();
            assert!(probe.find(&missing).unwrap().is_none());
        }
    }

    #[test]
    fn keys_of_one_and_the_same_hash_are_told_apart() {
        for hash in [0, 0xabcd, u64::MAX] {
            for value_len in [0, 1] {
                let record = |at: u8| (hash, vec![b'k', at], usize::from(at) * value_len);
                assert_all_found(&(0..200).map(record).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn records_of_any_lengths_are_found_in_lines_of_any_fill() {
        // The same for all, within two bytes, beyond two bytes for few and for many of them.
        let lengths: [fn(u64) -> usize; 4] = [
            |_| 7,
            |at| (at % 4_000) as usize,
            |at| if at % 97 == 3 { 70_000 } else { 5 },
            |at| (at % 7) as usize * 9_000,
        ];
        for length in lengths {
            for crowd in [1, 50] {
                // With a crowd, hashes are in steps, so that lines are empty or overflow.
                let record = |at: u64| {
                    let hash = (at / crowd * crowd) << 53 | at;
                    (hash, at.to_le_bytes().to_vec(), length(at))
                };
                assert_all_found(&(0..2_000).map(record).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn no_damage_of_a_line_leads_to_a_wrong_value_or_a_panic() {
        for step in [1, 900] {
            let record = |at: u64| (at << 55 | at, vec![u8::try_from(at).unwrap(); 3], 5);
            let mut records: Vec<_> = (0..60).map(record).collect();
            records[7].2 *= step;
            let (shape, index, bytes) = build(&records);
            for at in 64..index.len() {
                for bit in 0..8 {
                    let mut index = index.clone();
                    index[at] ^= 1 << bit;
                    for (hash, key, _) in &records {
                        let probe = Probe::new(*hash, &shape, &index, &bytes);
                        probe.touch_record();
                        if let Ok(Some(found)) = probe.find(key) {
                            assert_eq!(found.key, key);
                        }
                    }
                }
            }
        }
    }
}
