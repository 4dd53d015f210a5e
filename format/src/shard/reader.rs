//! Reader of a shard over any bytes.

use fst::{IntoStreamer, Streamer};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    index,
    layout::{
        ENTRY_LEN, HEADER_LEN, Identity, SECTION_ALIGNMENT, SECTIONS_MAX, Section, SectionKind,
        TRAILER_LEN, Trailer,
    },
};
use crate::{
    Error, Result,
    bytes::Bytes,
    key::{self, KEY_LEN_MAX},
};

/// An opened shard.
///
/// [`Shard::open`] checks the structure in constant time; [`Shard::verify`] reads every byte and
/// must have succeeded before lookups are trusted. Point lookups in unverified bytes never panic,
/// and always compare the whole key.
#[derive(Debug)]
pub struct Shard<B> {
    bytes: B,
    identity: Identity,
    sections: Vec<Section>,
    records: Section,
    point_index: Section,
    ordered_index: Option<Section>,
}

/// One key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Checks header, trailer, section table and bounds.
    ///
    /// # Errors
    /// [`Error::NotAShard`], [`Error::UnknownVersion`] or [`Error::Corrupt`].
    ///
    /// # Complexity
    /// Constant: nothing but the first and the last bytes is read.
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
        let len_bytes = index::slots_for(records.len_items).checked_mul(8);
        if len_bytes != Some(point_index.len_bytes) || point_index.len_items != records.len_items {
            return Err(Error::corrupt(
                "point index",
                "its size does not fit its records",
            ));
        }
        Ok(Self {
            identity,
            sections,
            records,
            point_index,
            ordered_index,
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

    /// Returns (name, bytes, items) of every known section, in file order.
    pub fn section_sizes(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.sections.iter().map(|section| {
            let name = match section.kind {
                SectionKind::RECORDS => "records",
                SectionKind::POINT_INDEX => "point_index",
                SectionKind::ORDERED_INDEX => "ordered_index",
                _ => "unknown",
            };
            (name, section.len_bytes, section.len_items)
        })
    }

    /// Returns the value of `key`, or `None` if there is no such key.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record lies outside its section.
    ///
    /// # Complexity
    /// One cache miss for the index and one for the record, on average.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>> {
        self.get_hashed(key::hash(key), key)
    }

    /// Returns the value of `key`, whose [`key::hash`] the caller has at hand.
    ///
    /// # Errors
    /// As [`Shard::get`].
    pub fn get_hashed(&self, hash: u64, key: &[u8]) -> Result<Option<&[u8]>> {
        for offset in index::candidates(self.section_bytes(&self.point_index), hash) {
            let record = self.record_at(offset)?;
            if record.key == key {
                return Ok(Some(record.value));
            }
        }
        Ok(None)
    }

    /// Returns the records in the order of (partition, key).
    #[must_use]
    pub fn iter(&self) -> Records<'_> {
        Records {
            rest: Bytes::new(self.section_bytes(&self.records), "records"),
        }
    }

    /// Calls `visit` with each term of the ordered index that begins with `prefix`, in the
    /// terms' order, and its record, until `visit` returns false.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the index or a record is damaged.
    pub fn visit_prefix<'a>(
        &'a self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], Record<'a>) -> bool,
    ) -> Result<()> {
        let Some(section) = &self.ordered_index else {
            return Ok(());
        };
        let map = fst::Map::new(self.section_bytes(section)).map_err(index_error)?;
        let mut terms = map.range().ge(prefix).into_stream();
        while let Some((term, offset)) = terms.next() {
            if !term.starts_with(prefix) || !visit(term, self.record_at(offset)?) {
                break;
            }
        }
        Ok(())
    }

    /// Reads every byte and checks it: checksums, padding, the order of keys, both indexes.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the structure at fault.
    pub fn verify(&self) -> Result<()> {
        self.verify_checksums()?;
        let offsets = self.verify_records()?;
        let table = self.section_bytes(&self.point_index);
        if index::occupied(table) != offsets.len() {
            // Each record has its slot, so whatever else there is leads nowhere.
            return Err(Error::corrupt(
                "point index",
                "it has more entries than records",
            ));
        }
        self.verify_terms(&offsets)
    }

    /// Checks order, partitions and number of the records and that the point index finds each;
    /// returns where they begin.
    fn verify_records(&self) -> Result<Vec<u64>> {
        let len = self.section_bytes(&self.records).len();
        let mut last: Option<(u16, &[u8])> = None;
        let mut offsets = Vec::new();
        let mut records = self.iter();
        loop {
            let offset = (len - records.rest.rest().len()) as u64;
            let Some(record) = records.next().transpose()? else {
                break;
            };
            let partition = key::partition_of(key::hash(record.key));
            if !self.identity.run.contains(partition) {
                return Err(Error::corrupt(
                    "records",
                    "a key is of another shard's partitions",
                ));
            }
            if last.is_some_and(|last| last >= (partition, record.key)) {
                return Err(Error::corrupt("records", "keys are out of order"));
            }
            let found = self.get(record.key)?.map(<[u8]>::as_ptr);
            if found != Some(record.value.as_ptr()) {
                return Err(Error::corrupt(
                    "point index",
                    "it does not lead to a record",
                ));
            }
            last = Some((partition, record.key));
            offsets.push(offset);
        }
        if offsets.len() as u64 == self.len() {
            Ok(offsets)
        } else {
            Err(Error::corrupt(
                "records",
                "their number is not the stated one",
            ))
        }
    }

    /// Checks that the terms ascend, are as many as stated, and lead to one of `offsets` each.
    fn verify_terms(&self, offsets: &[u64]) -> Result<()> {
        let Some(section) = &self.ordered_index else {
            return Ok(());
        };
        let map = fst::Map::new(self.section_bytes(section)).map_err(index_error)?;
        map.as_fst().verify().map_err(index_error)?;
        let damaged = |problem| Err(Error::corrupt("ordered index", problem));
        let mut last: Option<Vec<u8>> = None;
        let mut count = 0_u64;
        let mut terms = map.stream();
        while let Some((term, offset)) = terms.next() {
            if last.as_deref().is_some_and(|last| last >= term) {
                return damaged("its terms are out of order");
            }
            if offsets.binary_search(&offset).is_err() {
                return damaged("a term leads to no record");
            }
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(term);
            count += 1;
        }
        if count == section.len_items {
            Ok(())
        } else {
            damaged("the number of its terms is not the stated one")
        }
    }

    fn verify_checksums(&self) -> Result<()> {
        let all = self.bytes.as_ref();
        for section in &self.sections {
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

    fn section_bytes(&self, section: &Section) -> &[u8] {
        let within = |value| usize::try_from(value).expect("open has checked that it is in memory");
        let start = within(section.offset);
        &self.bytes.as_ref()[start..start + within(section.len_bytes)]
    }

    fn record_at(&self, offset: u64) -> Result<Record<'_>> {
        let records = self.section_bytes(&self.records);
        let start = records
            .get(to_index(offset)?..)
            .ok_or_else(|| Error::corrupt("point index", "it leads outside the records"))?;
        read_record(&mut Bytes::new(start, "record"))
    }
}

/// The records of a shard, in the order of (partition, key).
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: Bytes<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = read_record(&mut self.rest);
        if record.is_err() {
            // Nothing after a damaged length can be found again.
            self.rest = Bytes::new(&[], "records");
        }
        Some(record)
    }
}

fn read_record<'a>(bytes: &mut Bytes<'a>) -> Result<Record<'a>> {
    let (key_len, value_len) = (bytes.length()?, bytes.length()?);
    if key_len > KEY_LEN_MAX {
        return Err(Error::corrupt("record", "its key is too long"));
    }
    Ok(Record {
        key: bytes.take(key_len)?,
        value: bytes.take(value_len)?,
    })
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

fn to_index(offset: u64) -> Result<usize> {
    usize::try_from(offset).map_err(|_large| Error::corrupt("offset", "it exceeds memory"))
}

fn index_error(error: fst::Error) -> Error {
    Error::corrupt("ordered index", error.to_string())
}
