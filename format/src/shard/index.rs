//! The point index: cache lines of fingerprints over records in the order of their hashes
//! (docs/format.md, "Point index").
//!
//! Because records are ordered by hash, those of a line stand together, and it needs one offset for
//! all of them and a short distance for each. A key is found by reading one line and one record.

use wide::u16x8;

use super::prefetch::prefetch;
use crate::{
    Error, Result,
    bytes::Bytes,
    key::{PARTITIONS, PartitionRun},
};

/// Bytes of a line, and of what stands before the lines.
pub(super) const LINE_LEN: usize = 64;

const LINE_HEADER_LEN: usize = 8;
/// Entries of the widest lines.
const ENTRIES_MAX: u32 = 28;
/// Bytes of fingerprints that are compared at once.
const VECTOR_LEN: usize = 16;
const FINGERPRINT_LEN: usize = 2;
/// A line begins with a byte that counts its entries; the offset is in the bytes above.
pub(super) const COUNT_BITS: u32 = 8;
/// One more than the largest offset that a line can hold.
pub(super) const OFFSET_END: u64 = 1 << (u64::BITS - COUNT_BITS);
/// Of a line's count of entries: records follow that have none.
pub(super) const MORE: u8 = 0x80;

/// Of 64 records, one may be too long for a narrower width.
const LONG_SHARE: u64 = 64;
/// Lines are filled to so many tenths on average: more leaves more records without an entry.
const FILL_TENTHS: u64 = 7;

type Line = [u8; LINE_LEN];

/// How many bytes of an entry tell where its record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// All records are as long as the shortest.
    Zero = 0,
    Two = 2,
    Four = 4,
}

impl Width {
    fn from_bytes(bytes: u8) -> Option<Self> {
        let all = [Self::Zero, Self::Two, Self::Four];
        all.into_iter().find(|width| *width as u8 == bytes)
    }

    /// Entries of a line.
    const fn entries(self) -> usize {
        (LINE_LEN - LINE_HEADER_LEN) / (FINGERPRINT_LEN + self as usize)
    }

    /// Where the fingerprints begin in a line, behind room for all distances.
    const fn fingerprints_at(self) -> usize {
        LINE_HEADER_LEN + self as usize * self.entries()
    }

    /// The distance that stands for any that is too long.
    const fn far(self) -> u64 {
        (1 << (8 * self as u32)) - 1
    }
}

/// A record of an average line that is longer than the shortest by less than this is not too long
/// for distances of two bytes.
const LONG: u64 = Width::Two.far() / Width::Two.entries() as u64;

/// What is said before the lines, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    lines: u64,
    /// Bytes of the shortest record.
    shortest: u64,
    width: Width,
    /// The smallest hash of the shard's partitions.
    first_hash: u64,
    /// Lines for each 2^64 of hash.
    lines_of_hash: u64,
}

impl Shape {
    fn new(lines: u64, shortest: u64, width: Width, run: PartitionRun) -> Self {
        let partitions = u64::from(run.end - run.first);
        Self {
            lines,
            shortest,
            width,
            first_hash: run.first_hash(),
            lines_of_hash: (lines << PARTITION_BITS) / partitions,
        }
    }

    /// Chooses what suits records of these lengths, as docs/format.md says.
    pub(super) fn of(lengths: &Lengths, run: PartitionRun) -> Self {
        let width = if lengths.shortest == lengths.longest {
            Width::Zero
        } else if lengths.long <= lengths.count / LONG_SHARE {
            Width::Two
        } else {
            Width::Four
        };
        let filled = width.entries() as u64 * FILL_TENTHS;
        let lines = (lengths.count * 10).div_ceil(filled);
        Self::new(lines, lengths.shortest, width, run)
    }

    /// Reads what is said before the lines.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it cannot be, or the section has not so many lines.
    pub(super) fn decode(section: &[u8], run: PartitionRun) -> Result<Self> {
        let corrupt = |problem: &str| Error::corrupt("point index", problem);
        let (header, lines) = section
            .split_first_chunk::<LINE_LEN>()
            .ok_or_else(|| corrupt("it ends early"))?;
        let mut bytes = Bytes::new(header, "point index");
        let (count, shortest, width) = (bytes.u64()?, bytes.u64()?, bytes.u8()?);
        let width =
            Width::from_bytes(width).ok_or_else(|| corrupt("its distances are of no width"))?;
        if bytes.rest().iter().any(|byte| *byte != 0) {
            return Err(corrupt("a reserved field is set"));
        }
        let (lines, rest) = lines.as_chunks::<LINE_LEN>();
        if lines.len() as u64 != count || !rest.is_empty() || count >= LINES_END {
            return Err(corrupt("its size does not fit its lines"));
        }
        Ok(Self::new(count, shortest, width, run))
    }

    /// Bytes of the shortest record.
    pub(super) fn shortest(&self) -> u64 {
        self.shortest
    }

    fn encode(&self) -> Line {
        let mut header = [0; LINE_LEN];
        header[..8].copy_from_slice(&self.lines.to_le_bytes());
        header[8..16].copy_from_slice(&self.shortest.to_le_bytes());
        header[16] = self.width as u8;
        header
    }

    /// Returns which line has the key of this hash, below their number for the hashes of the
    /// shard's partitions.
    #[inline]
    fn line_of(&self, hash: u64) -> u64 {
        let above = hash.wrapping_sub(self.first_hash);
        high(u128::from(above) * u128::from(self.lines_of_hash))
    }

    /// Finds the line of a hash; `None` if the shard has no such line.
    #[inline]
    pub(super) fn line<'a>(&'a self, section: &'a [u8], hash: u64) -> Option<IndexLine<'a>> {
        let number = usize::try_from(self.line_of(hash)).ok()?;
        let lines = section.get((number + 1) * LINE_LEN..)?;
        Some(IndexLine {
            line: lines.first_chunk()?,
            next: &lines[LINE_LEN..],
            shape: self,
        })
    }
}

/// Partitions are as many as this power of two.
const PARTITION_BITS: u32 = PARTITIONS.ilog2();

/// No index has so many lines, so that lines times partitions fit 64 bits.
const LINES_END: u64 = 1 << 48;

/// The upper half of a product.
#[inline]
const fn high(product: u128) -> u64 {
    (product >> 64) as u64
}

/// The low bits of the hash, which do not choose the line.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
const fn fingerprint(hash: u64) -> u16 {
    hash as u16
}

/// One line, and how to read it.
#[derive(Clone, Copy)]
pub(super) struct IndexLine<'a> {
    line: &'a Line,
    /// The lines behind it.
    next: &'a [u8],
    shape: &'a Shape,
}

/// Where a record may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It begins at this offset.
    At(u64),
    /// It is so many records behind the one at `offset`.
    Behind { offset: u64, records: u32 },
}

impl IndexLine<'_> {
    #[inline]
    fn header(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *self.line;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Where the first record begins.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.header() >> COUNT_BITS
    }

    /// Has the line brought into the cache.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self.line);
    }

    /// How many entries there are; more than a line has room for is damage.
    #[inline]
    fn entries(&self) -> u32 {
        u32::from(self.line[0] & !MORE)
    }

    /// Whether records of the line have no entry.
    #[inline]
    pub(super) fn has_more(&self) -> bool {
        self.line[0] & MORE != 0
    }

    /// Returns a bit for each entry whose fingerprint is that of `hash`.
    #[inline]
    pub(super) fn candidates(&self, hash: u64) -> u32 {
        let wanted = u16x8::splat(fingerprint(hash));
        let mask = match self.shape.width {
            Width::Zero => {
                const AT: usize = Width::Zero.fingerprints_at();
                let low = self.equal::<AT>(wanted) | self.equal::<{ AT + 16 }>(wanted) << 8;
                low | self.equal::<{ AT + 32 }>(wanted) << 16 | self.equal_at_end::<AT>(wanted)
            }
            Width::Two => {
                const AT: usize = Width::Two.fingerprints_at();
                self.equal::<AT>(wanted) | self.equal_at_end::<AT>(wanted)
            }
            Width::Four => {
                const AT: usize = Width::Four.fingerprints_at();
                self.equal::<AT>(wanted) | self.equal_at_end::<AT>(wanted)
            }
        };
        // Where damage says that there are more entries than have room, they lead anywhere, and
        // the whole key is compared there.
        mask & !(u32::MAX << (self.entries() % u32::BITS))
    }

    /// Returns a bit for each of the eight lanes at `AT` that is `wanted`.
    #[inline]
    fn equal<const AT: usize>(&self, wanted: u16x8) -> u32 {
        let mut lanes = [0; VECTOR_LEN / FINGERPRINT_LEN];
        let bytes = &self.line[AT..AT + VECTOR_LEN];
        for (lane, pair) in lanes.iter_mut().zip(bytes.as_chunks().0) {
            *lane = u16::from_le_bytes(*pair);
        }
        u16x8::new(lanes).simd_eq(wanted).to_bitmask()
    }

    /// The same of the line's last eight lanes, as lanes of those that begin at `AT`.
    #[inline]
    fn equal_at_end<const AT: usize>(&self, wanted: u16x8) -> u32 {
        const END: usize = LINE_LEN - VECTOR_LEN;
        self.equal::<END>(wanted) << ((END - AT) / FINGERPRINT_LEN)
    }

    /// Returns where the record of an entry begins; `None` if there is no such entry, or the line
    /// does not tell.
    #[inline]
    pub(super) fn offset_of(&self, entry: u32) -> Option<u64> {
        let width = self.shape.width;
        let at = LINE_HEADER_LEN + width as usize * entry as usize;
        let told = u32::from_le_bytes(*self.line.get(at..)?.first_chunk()?);
        let distance = u64::from(told) & width.far();
        if entry >= ENTRIES_MAX || (distance == width.far() && width != Width::Zero) {
            return None;
        }
        let shortest = u64::from(entry).wrapping_mul(self.shape.shortest);
        Some(self.offset().wrapping_add(shortest).wrapping_add(distance))
    }

    /// Returns where the record of an entry is.
    pub(super) fn place(&self, entry: u32) -> Place {
        let behind = Place::Behind {
            offset: self.offset(),
            records: entry,
        };
        self.offset_of(entry).map_or(behind, Place::At)
    }

    /// Returns where the records begin that have no entry, and where they end.
    pub(super) fn without_entry(&self, records_len: u64) -> (Place, u64) {
        let last = self.entries().clamp(1, ENTRIES_MAX) - 1;
        let behind_last = match self.place(last) {
            Place::At(offset) => Place::Behind { offset, records: 1 },
            Place::Behind { offset, records } => Place::Behind {
                offset,
                records: records + 1,
            },
        };
        let next = |line| Self { line, ..*self }.offset();
        (
            behind_last,
            self.next.first_chunk().map_or(records_len, next),
        )
    }
}

/// What the index knows of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) hash: u64,
    /// Bytes of the record.
    pub(super) len: u64,
}

/// What the shape of an index follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    count: u64,
    shortest: u64,
    longest: u64,
    /// Records that are longer than the shortest by [`LONG`] or more.
    long: u64,
    /// The shortest of those added.
    shortest_added: Option<u64>,
}

impl Lengths {
    /// No lengths yet, of which the shortest will be `shortest`.
    pub(super) fn new(shortest: u64) -> Self {
        Self {
            count: 0,
            shortest,
            longest: shortest,
            long: 0,
            shortest_added: None,
        }
    }

    /// Returns whether the shortest is what it was said to be, now that all are added.
    pub(super) fn is_shortest_right(&self) -> bool {
        self.shortest_added.unwrap_or(0) == self.shortest
    }

    /// The lengths of all entries.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let shortest = entries.iter().map(|entry| entry.len).min();
        let mut lengths = Self::new(shortest.unwrap_or(0));
        entries.iter().for_each(|entry| lengths.add(entry.len));
        lengths
    }

    pub(super) fn add(&mut self, len: u64) {
        self.count += 1;
        self.longest = self.longest.max(len);
        let shortest = self.shortest_added.unwrap_or(len);
        self.shortest_added = Some(shortest.min(len));
        self.long += u64::from(len.saturating_sub(self.shortest) >= LONG);
    }
}

/// Makes the lines of records that come in the order of their hashes.
pub(super) struct LineBuilder<P> {
    shape: Shape,
    put: P,
    /// The records of the line that is not yet full, and its number.
    entries: Vec<Entry>,
    number: u64,
    offset: u64,
}

impl<P: FnMut(&Line) -> Result<()>> LineBuilder<P> {
    /// Begins with what is said before the lines; `put` gets one line after the other.
    ///
    /// # Errors
    /// Those of `put`.
    pub(super) fn new(shape: Shape, mut put: P) -> Result<Self> {
        put(&shape.encode())?;
        Ok(Self {
            shape,
            put,
            entries: Vec::new(),
            number: 0,
            offset: 0,
        })
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// Those of `put`.
    pub(super) fn push(&mut self, entry: Entry) -> Result<()> {
        self.put_until(self.shape.line_of(entry.hash))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Ends the lines.
    ///
    /// # Errors
    /// Those of `put`.
    pub(super) fn finish(mut self) -> Result<()> {
        self.put_until(self.shape.lines)
    }

    /// Puts the lines below `number`.
    fn put_until(&mut self, number: u64) -> Result<()> {
        while self.number < number {
            let line = self.line();
            (self.put)(&line)?;
            self.offset += self.entries.iter().map(|entry| entry.len).sum::<u64>();
            self.entries.clear();
            self.number += 1;
        }
        Ok(())
    }

    fn line(&self) -> Line {
        let width = self.shape.width;
        let indexed = self.entries.len().min(width.entries());
        let more = if indexed < self.entries.len() {
            MORE
        } else {
            0
        };
        let mut line = [0; LINE_LEN];
        let header = self.offset << COUNT_BITS | indexed as u64 | u64::from(more);
        line[..LINE_HEADER_LEN].copy_from_slice(&header.to_le_bytes());
        let mut distance = 0_u64;
        for (at, entry) in self.entries[..indexed].iter().enumerate() {
            let told = distance.min(width.far()).to_le_bytes();
            let start = LINE_HEADER_LEN + width as usize * at;
            line[start..start + width as usize].copy_from_slice(&told[..width as usize]);
            let start = width.fingerprints_at() + FINGERPRINT_LEN * at;
            let fingerprint = fingerprint(entry.hash).to_le_bytes();
            line[start..start + FINGERPRINT_LEN].copy_from_slice(&fingerprint);
            distance += entry.len.saturating_sub(self.shape.shortest);
        }
        line
    }
}
