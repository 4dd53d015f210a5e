//! Reader of a shard over any bytes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    batch, blocks,
    dictionary::Dictionary,
    index::Shape,
    layout::{
        CODEC_COMPRESSED, ENTRY_LEN, HEADER_LEN, Identity, SECTION_ALIGNMENT, SECTIONS_MAX,
        Section, SectionKind, TERMS_OF_RECORD_MAX, TRAILER_LEN, Trailer,
    },
    probe::Probe,
    stored::StoredRecord,
    value::Value,
};
use crate::{Error, Result, bytes::Bytes, key};

/// An opened shard.
///
/// [`Shard::open`] checks the structure in constant time; [`Shard::verify`] reads every byte and
/// must have succeeded before lookups are trusted. Point lookups in unverified bytes never panic,
/// and always compare the whole key.
#[derive(Debug)]
pub struct Shard<B> {
    bytes: B,
    pub(super) identity: Identity,
    pub(super) sections: Vec<Section>,
    pub(super) records: Section,
    pub(super) point_index: Section,
    pub(super) shape: Shape,
    pub(super) ordered_index: Option<Section>,
    pub(super) block_sums: Option<Section>,
    /// There is one exactly if values are compressed.
    dictionary: Option<Box<Dictionary>>,
    /// Whether damage was found since it was verified.
    refused: AtomicBool,
}

/// One key and its value.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Checks header, trailer, section table and bounds.
    ///
    /// # Errors
    /// [`Error::NotAShard`], [`Error::UnknownVersion`] or [`Error::Corrupt`].
    ///
    /// # Complexity
    /// Constant: nothing but the first and the last bytes is read, and a dictionary of values.
    pub fn open(bytes: B) -> Result<Self> {
        let all = bytes.as_ref();
        let header = all
            .first_chunk()
            .ok_or(Error::NotAShard("it is shorter than a header"))?;
        let identity = Identity::decode(header)?;
        let trailer = all
            .last_chunk()
            .ok_or(Error::NotAShard("it is shorter than a trailer"))?;
        let table = section_table(all, Trailer::decode(trailer)?)?;
        Trailer::check(trailer, table)?;
        let sections = decode_sections(table)?;
        check_bounds(&sections, all.len() - TRAILER_LEN - table.len())?;
        let find = |kind| {
            sections
                .iter()
                .find(|section| section.kind == kind)
                .copied()
        };
        let count = |kind| {
            let sections = sections.iter();
            sections.filter(|section| section.kind == kind).count()
        };
        if SectionKind::KNOWN.into_iter().any(|kind| count(kind) > 1) {
            return Err(Error::corrupt("section table", "a section occurs twice"));
        }
        let missing = || Error::corrupt("section table", "a required section is missing");
        let records = find(SectionKind::RECORDS).ok_or_else(missing)?;
        let point_index = find(SectionKind::POINT_INDEX).ok_or_else(missing)?;
        let ordered_index = find(SectionKind::ORDERED_INDEX);
        if point_index.len_items != records.len_items {
            return Err(Error::corrupt(
                "point index",
                "its size does not fit its records",
            ));
        }
        let terms_max = records.len_items.saturating_mul(TERMS_OF_RECORD_MAX);
        if ordered_index.is_some_and(|section| section.len_items > terms_max) {
            return Err(Error::corrupt(
                "ordered index",
                "it has too many terms for its records",
            ));
        }
        let block_sums = find(SectionKind::BLOCK_SUMS);
        block_sums.as_ref().map_or(Ok(()), blocks::check_section)?;
        let dictionary = find(SectionKind::DICTIONARY);
        if dictionary.is_some() != (records.codec == CODEC_COMPRESSED) {
            let problem = "it is there exactly if values are compressed";
            return Err(Error::corrupt("dictionary", problem));
        }
        let dictionary = dictionary
            .map(|section| Dictionary::digest(&section, section_of(all, &section)))
            .transpose()?;
        let shape = Shape::decode(section_of(all, &point_index), identity.run)?;
        Ok(Self {
            identity,
            sections,
            records,
            point_index,
            shape,
            ordered_index,
            block_sums,
            dictionary: dictionary.map(Box::new),
            refused: AtomicBool::new(false),
            bytes,
        })
    }

    /// Returns what the shard is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns how many records there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.records.len_items
    }

    /// Returns whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes that the shard is read from.
    #[must_use]
    pub fn bytes(&self) -> &B {
        &self.bytes
    }

    /// Has every lookup, iteration and search from now on end with [`Error::Refused`]: for whoever
    /// finds damage in a shard that is in use.
    pub fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Returns whether [`Shard::refuse`] was called.
    #[must_use]
    #[inline]
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns (name, bytes, items) of every known section, in file order.
    pub fn section_sizes(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.sections.iter().map(|section| {
            let name = match section.kind {
                SectionKind::RECORDS => "records",
                SectionKind::POINT_INDEX => "point_index",
                SectionKind::ORDERED_INDEX => "ordered_index",
                SectionKind::BLOCK_SUMS => "block_sums",
                SectionKind::DICTIONARY => "dictionary",
                _ => "unknown",
            };
            (name, section.len_bytes, section.len_items)
        })
    }

    /// Returns whether values are compressed, as far as that makes them shorter.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.dictionary.is_some()
    }

    /// Returns the value of `key`, or `None` if there is no such key.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record lies outside its section, [`Error::Refused`] after
    /// [`Shard::refuse`].
    ///
    /// # Complexity
    /// One cache miss for the index and one for the record, on average.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>> {
        self.get_hashed(key::hash(key), key)
    }

    /// Returns the value of `key`, whose [`key::hash`] the caller has at hand.
    ///
    /// # Errors
    /// As [`Shard::get`].
    #[inline]
    pub fn get_hashed(&self, hash: u64, key: &[u8]) -> Result<Option<Value<'_>>> {
        let found = self.probe(hash).find(key)?;
        Ok(found.map(|stored| self.value(stored)))
    }

    /// Returns the value of `key` after comparing the check of its record.
    ///
    /// This finds damage that came after [`Shard::verify`], at the price of reading the whole
    /// value.
    ///
    /// # Errors
    /// As [`Shard::get`], and [`Error::Corrupt`] for a record whose check does not match.
    pub fn get_checked(&self, key: &[u8]) -> Result<Option<Value<'_>>> {
        let found = self.probe(key::hash(key)).find(key)?;
        let checked = found.map(StoredRecord::check).transpose()?;
        Ok(checked.map(|stored| self.value(stored)))
    }

    /// Looks up many keys, and passes each one's number and value to `visit`, in their order.
    ///
    /// # Complexity
    /// The cache misses of many lookups are waited for together.
    pub fn get_many<'a>(
        &'a self,
        keys: &[&[u8]],
        visit: impl FnMut(usize, Result<Option<Value<'a>>>),
    ) {
        batch::get_many(keys, |_hash| Some(self), visit);
    }

    /// Returns the records in the order of [`key::order`].
    #[must_use]
    pub fn iter(&self) -> Records<'_> {
        self.iter_from(0)
    }

    /// Returns the records from `offset` on, which [`Records::offset`] returned of this shard: for
    /// whoever cannot keep a borrow of the shard between one record and the next.
    ///
    /// There are none behind the last offset; what is no record's beginning reads as damage.
    #[must_use]
    pub fn iter_from(&self, offset: u64) -> Records<'_> {
        let all = self.section_bytes(&self.records);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        Records {
            dictionary: self.dictionary.as_deref(),
            rest: Bytes::new(all.get(start..).unwrap_or_default(), "records"),
            end: all.len(),
            is_refused: self.is_refused(),
        }
    }

    pub(super) fn section_bytes(&self, section: &Section) -> &[u8] {
        section_of(self.bytes.as_ref(), section)
    }

    /// Begins to look for the key of this hash.
    #[inline]
    pub(super) fn probe(&self, hash: u64) -> Probe<'_> {
        if self.is_refused() {
            return Probe::refused(hash);
        }
        let index = self.section_bytes(&self.point_index);
        Probe::new(hash, &self.shape, index, self.section_bytes(&self.records))
    }

    /// Returns the value of a record that was found in this shard.
    #[inline]
    pub(super) fn value<'a>(&'a self, stored: StoredRecord<'a>) -> Value<'a> {
        Value::new(stored.value, self.dictionary.as_deref())
    }

    /// Reads the record that an index says is at `offset`.
    pub(super) fn record_at(&self, offset: u64) -> Result<Record<'_>> {
        let records = self.section_bytes(&self.records);
        let start = records
            .get(to_index(offset)?..)
            .ok_or_else(|| Error::corrupt("point index", "it leads outside the records"))?;
        let stored = StoredRecord::read(&mut Bytes::new(start, "record"))?;
        Ok(stored.record(self.dictionary.as_deref()))
    }
}

/// The records of a shard, in the order of [`key::order`].
#[derive(Debug, Clone)]
pub struct Records<'a> {
    dictionary: Option<&'a Dictionary>,
    rest: Bytes<'a>,
    /// Bytes of all records.
    end: usize,
    /// Whether there is nothing to be read but that.
    is_refused: bool,
}

impl<'a> Records<'a> {
    /// Returns where the next record begins, for [`Shard::iter_from`].
    #[must_use]
    pub fn offset(&self) -> u64 {
        (self.end - self.rest.rest().len()) as u64
    }

    /// Reads the next record; nothing after a damaged one can be found again.
    pub(super) fn next_stored(&mut self) -> Option<Result<StoredRecord<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let stored = match self.is_refused {
            true => Err(Error::Refused),
            false => StoredRecord::read(&mut self.rest),
        };
        if stored.is_err() {
            self.rest = Bytes::new(&[], "records");
        }
        Some(stored)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let stored = self.next_stored()?;
        Some(stored.map(|stored| stored.record(self.dictionary)))
    }
}

/// Returns the bytes of a section whose bounds are checked.
#[inline]
fn section_of<'a>(all: &'a [u8], section: &Section) -> &'a [u8] {
    let within = |value| usize::try_from(value).expect("open has checked that it is in memory");
    let start = within(section.offset);
    &all[start..start + within(section.len_bytes)]
}

fn section_table(all: &[u8], trailer: Trailer) -> Result<&[u8]> {
    let start = to_index(trailer.table_offset)?;
    let len = to_index(trailer.table_len.into())?;
    if start < HEADER_LEN || start.checked_add(len + TRAILER_LEN) != Some(all.len()) {
        return Err(Error::corrupt(
            "trailer",
            "the section table is not where it says",
        ));
    }
    Ok(&all[start..start + len])
}

fn decode_sections(table: &[u8]) -> Result<Vec<Section>> {
    if !table.len().is_multiple_of(ENTRY_LEN) || table.len() > SECTIONS_MAX * ENTRY_LEN {
        return Err(Error::corrupt("section table", "its length is wrong"));
    }
    let mut bytes = Bytes::new(table, "section table");
    let mut sections = Vec::with_capacity(table.len() / ENTRY_LEN);
    while !bytes.is_empty() {
        sections.push(Section::decode(&mut bytes)?);
    }
    Ok(sections)
}

/// Sections follow each other from the header to the table, with less than an alignment between.
fn check_bounds(sections: &[Section], table_offset: usize) -> Result<()> {
    let mut end = HEADER_LEN as u64;
    for section in sections {
        if section.offset != end {
            return Err(Error::corrupt(
                "section table",
                "a section is not where it should be",
            ));
        }
        end = section
            .offset
            .checked_add(section.len_bytes)
            .and_then(|end| end.checked_next_multiple_of(SECTION_ALIGNMENT as u64))
            .ok_or_else(|| Error::corrupt("section table", "a section is too long"))?;
    }
    if end == table_offset as u64 {
        Ok(())
    } else {
        Err(Error::corrupt(
            "section table",
            "sections do not end where the table begins",
        ))
    }
}

pub(super) fn to_index(offset: u64) -> Result<usize> {
    usize::try_from(offset).map_err(|_large| Error::corrupt("offset", "it exceeds memory"))
}

pub(super) fn index_error(error: fst::Error) -> Error {
    Error::corrupt("ordered index", error.to_string())
}
