//! Streaming writer of a shard.

use std::io::Write;

use blake3::Hasher;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    blocks::BLOCK_LEN,
    compress::Compressor,
    index::{Entry, LINE_LEN, Lengths, LineBuilder, OFFSET_END, Shape},
    layout::{
        CODEC_COMPRESSED, CODEC_PLAIN, HEADER_LEN, Identity, SECTION_ALIGNMENT, Section,
        SectionKind, TERMS_OF_RECORD_MAX, TRAILER_LEN, Trailer,
    },
    stored,
};
use crate::{
    Error, Result,
    key::{self, KEY_LEN_MAX},
};

/// Values up to this length are copied to one piece with the rest of their record: hashing pieces
/// costs more.
const GATHERED_LEN_MAX: usize = 64 << 10;

/// What a finished shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// BLAKE3 of the whole file: its name as a blob.
    pub digest: blake3::Hash,
    /// Length of the file.
    pub len_bytes: u64,
    /// Records in it.
    pub len_records: u64,
}

/// Writes a shard front to back; nothing is patched afterwards.
///
/// # Shape
/// Records come in the order of [`key::order`], each key once. Memory grows with the number
/// of records (16 bytes each) and with the terms of the ordered index, never with values.
///
/// # Examples
/// ```
/// use nightshard_format::{key::PartitionRun, shard::{Identity, Shard, ShardWriter, Span}};
///
/// let identity = Identity {
///     dataset: "capitals".into(),
///     span: Span::Current,
///     run: PartitionRun { first: 0, end: 1024 },
/// };
/// let mut file = Vec::new();
/// let mut writer = ShardWriter::new(&mut file, &identity)?;
/// writer.append(b"france", b"paris")?;
/// writer.finish()?;
///
/// let shard = Shard::open(file)?;
/// shard.verify()?;
/// let found = shard.get(b"france")?.expect("it was appended");
/// assert_eq!(found.in_place()?, b"paris");
/// assert!(shard.get(b"spain")?.is_none());
/// # Ok::<(), nightshard_format::Error>(())
/// ```
pub struct ShardWriter<W> {
    output: W,
    identity: Identity,
    offset: u64,
    digest: Hasher,
    section_checksum: Xxh3,
    /// Of values, unless they are stored as they are.
    compressor: Option<Compressor>,
    /// Every record, in order.
    entries: Vec<Entry>,
    /// Where the last record begins.
    last_offset: u64,
    /// (term, offset), unsorted until the end.
    terms: Vec<(Vec<u8>, u64)>,
    last_key: Vec<u8>,
    /// A record that is put together, or what comes before a long value.
    record: Vec<u8>,
    /// Bytes not yet written: whole blocks are, since BLAKE3 and system calls want large pieces.
    buffer: Vec<u8>,
    block_sums: Vec<u8>,
}

impl<W: Write> ShardWriter<W> {
    /// Starts a shard by writing its header.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none, [`Error::Io`] if writing fails.
    pub fn new(output: W, identity: &Identity) -> Result<Self> {
        Self::start(output, identity, None)
    }

    /// Starts a shard whose values are compressed with a dictionary, which [`super::Samples`] make,
    /// as far as that makes them shorter.
    ///
    /// # Errors
    /// As [`ShardWriter::new`], and [`Error::Invalid`] for a dictionary that is none.
    pub fn compressing(output: W, identity: &Identity, dictionary: Vec<u8>) -> Result<Self> {
        Self::start(output, identity, Some(Compressor::new(dictionary)?))
    }

    fn start(output: W, identity: &Identity, compressor: Option<Compressor>) -> Result<Self> {
        let mut writer = Self {
            output,
            identity: identity.clone(),
            offset: 0,
            digest: Hasher::new(),
            section_checksum: Xxh3::new(),
            compressor,
            entries: Vec::new(),
            last_offset: 0,
            terms: Vec::new(),
            last_key: Vec::new(),
            record: Vec::new(),
            buffer: Vec::new(),
            block_sums: Vec::new(),
        };
        writer.put(&identity.encode()?)?;
        Ok(writer)
    }

    /// Appends a record that is found by its key alone.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that is too long, not of this shard's partitions, repeated or
    /// out of order; [`Error::Io`] if writing fails.
    pub fn append(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let hash = key::hash(key);
        self.check_order(key, hash)?;
        let Some(mut compressor) = self.compressor.take() else {
            return self.append_stored(hash, key, value);
        };
        let stored = compressor.store(value);
        let appended = stored.and_then(|stored| self.append_stored(hash, key, stored));
        self.compressor = Some(compressor);
        appended
    }

    /// Appends a record whose value is as it is to be stored.
    fn append_stored(&mut self, hash: u64, key: &[u8], value: &[u8]) -> Result<()> {
        let offset = self.offset - HEADER_LEN as u64;
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        stored::put_lengths(&mut record, key, value);
        record.extend_from_slice(key);
        if value.len() <= GATHERED_LEN_MAX {
            record.extend_from_slice(value);
            record.extend(stored::check_of(&[&record]));
            self.put_of_record(&record)?;
        } else {
            let check = stored::check_of(&[&record, value]);
            let parts = [&record, value, &check];
            parts.iter().try_for_each(|part| self.put_of_record(part))?;
        }
        self.record = record;
        self.last_offset = offset;
        let len = self.offset - HEADER_LEN as u64 - offset;
        self.entries.push(Entry { hash, len });
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        Ok(())
    }

    fn put_of_record(&mut self, bytes: &[u8]) -> Result<()> {
        self.section_checksum.update(bytes);
        self.put(bytes)
    }

    /// Makes the record just appended findable in the ordered index by `term`.
    ///
    /// # Shape
    /// A term names one record: the same term twice is an error when the shard is finished.
    ///
    /// # Errors
    /// [`Error::Invalid`] before the first record.
    pub fn add_term(&mut self, term: &[u8]) -> Result<()> {
        if self.entries.is_empty() {
            return Err(Error::invalid("ordered index", "no record yet"));
        }
        self.terms.push((term.to_vec(), self.last_offset));
        Ok(())
    }

    fn check_order(&self, key: &[u8], hash: u64) -> Result<()> {
        let partition = key::partition_of(hash);
        let problem = if key.len() > KEY_LEN_MAX {
            format!("a key of {} bytes exceeds {KEY_LEN_MAX}", key.len())
        } else if !self.identity.run.contains(partition) {
            format!("partition {partition} is not in {}", self.identity)
        } else if let Some(last) = self.entries.last()
            && (hash, key) <= (last.hash, &self.last_key[..])
        {
            "keys are out of order or repeated".into()
        } else if self.offset >= OFFSET_END {
            "the shard exceeds 64 PiB".into()
        } else {
            return Ok(());
        };
        Err(Error::invalid("record", problem))
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.offset += bytes.len() as u64;
        while self.buffer.len() + bytes.len() >= BLOCK_LEN {
            let rest_of_block;
            (rest_of_block, bytes) = bytes.split_at(BLOCK_LEN - self.buffer.len());
            self.buffer.extend_from_slice(rest_of_block);
            self.sum_block();
            self.write_buffer()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn sum_block(&mut self) {
        let sum = xxh3_64(&self.buffer);
        self.block_sums.extend_from_slice(&sum.to_le_bytes());
    }

    fn write_buffer(&mut self) -> Result<()> {
        self.digest.update(&self.buffer);
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn put_padding(&mut self) -> Result<()> {
        let len = self.offset.next_multiple_of(SECTION_ALIGNMENT as u64) - self.offset;
        let len = usize::try_from(len).expect("it is less than the alignment");
        self.put(&[0; SECTION_ALIGNMENT][..len])
    }

    fn put_section(&mut self, kind: SectionKind, items: u64, bytes: &[u8]) -> Result<Section> {
        let section = Section {
            kind,
            codec: CODEC_PLAIN,
            offset: self.offset,
            len_bytes: bytes.len() as u64,
            len_items: items,
            checksum: xxh3_64(bytes),
        };
        self.put(bytes)?;
        self.put_padding()?;
        Ok(section)
    }

    fn put_point_index(&mut self) -> Result<Section> {
        let entries = std::mem::take(&mut self.entries);
        let offset = self.offset;
        let shape = Shape::of(&Lengths::of(&entries), self.identity.run);
        let mut checksum = Xxh3::new();
        let put = |line: &[u8; LINE_LEN]| {
            checksum.update(line);
            self.put(line)
        };
        let mut lines = LineBuilder::new(shape, put)?;
        entries.iter().try_for_each(|entry| lines.push(*entry))?;
        lines.finish()?;
        Ok(Section {
            kind: SectionKind::POINT_INDEX,
            codec: CODEC_PLAIN,
            offset,
            len_bytes: self.offset - offset,
            len_items: entries.len() as u64,
            checksum: checksum.digest(),
        })
    }

    fn put_block_sums(&mut self) -> Result<Section> {
        if !self.buffer.is_empty() {
            self.sum_block();
        }
        let sums = std::mem::take(&mut self.block_sums);
        self.put_section(SectionKind::BLOCK_SUMS, (sums.len() / 8) as u64, &sums)
    }

    /// Writes indexes, section table and trailer, and flushes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a term was added twice, or records have more than 256 terms on
    /// average, [`Error::Io`] if writing fails.
    pub fn finish(mut self) -> Result<Written> {
        let len_records = self.entries.len() as u64;
        let dictionary = self.compressor.take().map(Compressor::into_dictionary);
        let mut sections = vec![Section {
            kind: SectionKind::RECORDS,
            codec: match dictionary {
                None => CODEC_PLAIN,
                Some(_) => CODEC_COMPRESSED,
            },
            offset: HEADER_LEN as u64,
            len_bytes: self.offset - HEADER_LEN as u64,
            len_items: len_records,
            checksum: self.section_checksum.digest(),
        }];
        self.put_padding()?;
        sections.push(self.put_point_index()?);
        if !self.terms.is_empty() {
            if self.terms.len() as u64 > len_records.saturating_mul(TERMS_OF_RECORD_MAX) {
                let problem =
                    format!("records have more than {TERMS_OF_RECORD_MAX} terms on average");
                return Err(Error::invalid("ordered index", problem));
            }
            let (items, bytes) = ordered_index(std::mem::take(&mut self.terms))?;
            sections.push(self.put_section(SectionKind::ORDERED_INDEX, items, &bytes)?);
        }
        if let Some(dictionary) = dictionary {
            sections.push(self.put_section(SectionKind::DICTIONARY, 1, &dictionary)?);
        }
        sections.push(self.put_block_sums()?);
        let mut table = Vec::new();
        sections
            .iter()
            .for_each(|section| section.encode(&mut table));
        let trailer = Trailer {
            table_offset: self.offset,
            table_len: u32::try_from(table.len()).expect("a few sections have short entries"),
        };
        self.put(&table)?;
        let trailer: [u8; TRAILER_LEN] = trailer.encode(&table);
        self.put(&trailer)?;
        self.write_buffer()?;
        self.output.flush()?;
        Ok(Written {
            digest: self.digest.finalize(),
            len_bytes: self.offset,
            len_records,
        })
    }
}

fn ordered_index(mut terms: Vec<(Vec<u8>, u64)>) -> Result<(u64, Vec<u8>)> {
    terms.sort_unstable();
    let mut builder = fst::MapBuilder::memory();
    let problem = |error: fst::Error| Error::invalid("ordered index", error.to_string());
    for (term, offset) in &terms {
        builder.insert(term, *offset).map_err(problem)?;
    }
    Ok((terms.len() as u64, builder.into_inner().map_err(problem)?))
}
