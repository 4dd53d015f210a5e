//! The fixed structures of a shard: header, section table, trailer (docs/format.md, "Shard").

use std::{fmt, str::FromStr};

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Error, Result,
    bytes::Bytes,
    calendar::{MONTHS, Month},
    key::{PARTITIONS, PartitionRun},
};

/// The newest format version, which this release writes.
pub const FORMAT_VERSION: u16 = 1;

/// The longest name of a dataset.
pub const DATASET_LEN_MAX: usize = 32;

pub(super) const HEADER_MAGIC: [u8; 8] = *b"NIGHTSHD";
pub(super) const TRAILER_MAGIC: [u8; 8] = *b"SHARDEND";
pub(super) const HEADER_LEN: usize = 64;
pub(super) const TRAILER_LEN: usize = 32;
pub(super) const ENTRY_LEN: usize = 40;
/// Sections begin at multiples of this, so that each line of the point index is a cache line.
pub(super) const SECTION_ALIGNMENT: usize = 64;
/// More sections than any version defines; bounds what a hostile footer can make us read.
pub(super) const SECTIONS_MAX: usize = 64;

/// The time that a shard covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// What summarises everything up to the generation's `as_of`.
    Current,
    /// One calendar month.
    Month(Month),
}

impl Span {
    fn code(self) -> u32 {
        match self {
            Self::Current => 0,
            Self::Month(month) => month.0.cast_unsigned() + 1,
        }
    }

    fn from_code(code: u32) -> Result<Self> {
        match code.checked_sub(1) {
            None => Ok(Self::Current),
            Some(months) if MONTHS.contains(&months.cast_signed()) => {
                Ok(Self::Month(Month(months.cast_signed())))
            }
            Some(_) => Err(Error::corrupt("header", "its span is no month")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("current"),
            Self::Month(month) => month.fmt(f),
        }
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "current" {
            Ok(Self::Current)
        } else {
            text.parse().map(Self::Month)
        }
    }
}

/// What a shard is, stored in its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the dataset: 1 to [`DATASET_LEN_MAX`] of `a-z`, `0-9`, `_` and `-`.
    pub dataset: String,
    /// The time covered.
    pub span: Span,
    /// The partitions covered.
    pub run: PartitionRun,
}

impl Identity {
    pub(super) fn encode(&self) -> Result<[u8; HEADER_LEN]> {
        if !is_dataset_name(self.dataset.as_bytes()) {
            return Err(Error::invalid(
                "header",
                format!("{:?} is no dataset name", self.dataset),
            ));
        }
        let mut header = [0; HEADER_LEN];
        header[..8].copy_from_slice(&HEADER_MAGIC);
        header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        header[12..14].copy_from_slice(&self.run.first.to_le_bytes());
        header[14..16].copy_from_slice(&self.run.end.to_le_bytes());
        header[16..20].copy_from_slice(&self.span.code().to_le_bytes());
        header[24..24 + self.dataset.len()].copy_from_slice(self.dataset.as_bytes());
        let checksum = xxh3_64(&header[..56]);
        header[56..].copy_from_slice(&checksum.to_le_bytes());
        Ok(header)
    }

    pub(super) fn decode(header: &[u8; HEADER_LEN]) -> Result<Self> {
        let mut bytes = Bytes::new(header, "header");
        if bytes.array()? != HEADER_MAGIC {
            return Err(Error::NotAShard("it does not begin as one"));
        }
        let version = bytes.u16()?;
        if version != FORMAT_VERSION {
            return Err(unknown_version(version));
        }
        if xxh3_64(&header[..56]) != Bytes::new(&header[56..], "header").u64()? {
            return Err(Error::corrupt("header", "its checksum does not match"));
        }
        let flags = bytes.u16()?;
        let run = PartitionRun {
            first: bytes.u16()?,
            end: bytes.u16()?,
        };
        let span = Span::from_code(bytes.u32()?)?;
        let reserved = bytes.u32()?;
        let name = bytes.take(DATASET_LEN_MAX)?;
        let len = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(DATASET_LEN_MAX);
        let (name, padding) = name.split_at(len);
        let valid = flags == 0
            && reserved == 0
            && run.first < run.end
            && run.end <= PARTITIONS
            && is_dataset_name(name)
            && padding.iter().all(|byte| *byte == 0);
        if !valid {
            return Err(Error::corrupt("header", "a field is out of its bounds"));
        }
        Ok(Self {
            dataset: String::from_utf8_lossy(name).into_owned(),
            span,
            run,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, span, run } = self;
        write!(f, "{dataset} {span} partitions {}..{}", run.first, run.end)
    }
}

/// Refuses a version that is not the one known; an older one will get its own branch.
pub(super) fn unknown_version(found: u16) -> Error {
    Error::UnknownVersion {
        found: found.into(),
        newest: FORMAT_VERSION.into(),
    }
}

fn is_dataset_name(name: &[u8]) -> bool {
    (1..=DATASET_LEN_MAX).contains(&name.len())
        && name
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// The most terms that an ordered index has for each record, on average. A few nodes of a transducer
/// can stand for more terms than anybody could wait for; words have half as many rotations at most.
pub(super) const TERMS_PER_RECORD_MAX: u64 = 256;

/// What a section holds. Readers skip kinds that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SectionKind(pub(super) u32);

impl SectionKind {
    pub(super) const RECORDS: Self = Self(1);
    pub(super) const POINT_INDEX: Self = Self(2);
    pub(super) const ORDERED_INDEX: Self = Self(3);
    pub(super) const BLOCK_SUMS: Self = Self(4);

    /// All that this release knows.
    pub(super) const KNOWN: [Self; 4] = [
        Self::RECORDS,
        Self::POINT_INDEX,
        Self::ORDERED_INDEX,
        Self::BLOCK_SUMS,
    ];

    pub(super) fn is_known(self) -> bool {
        Self::KNOWN.contains(&self)
    }
}

/// How a section's bytes are encoded: only as they are, so far.
pub(super) const CODEC_PLAIN: u16 = 0;
/// How a section is summed: xxh3-64, so far.
pub(super) const CHECKSUM_XXH3_64: u16 = 1;

/// One entry of the section table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) kind: SectionKind,
    pub(super) offset: u64,
    pub(super) len_bytes: u64,
    pub(super) len_items: u64,
    pub(super) checksum: u64,
}

impl Section {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.kind.0.to_le_bytes());
        out.extend_from_slice(&CODEC_PLAIN.to_le_bytes());
        out.extend_from_slice(&CHECKSUM_XXH3_64.to_le_bytes());
        for field in [self.offset, self.len_bytes, self.len_items, self.checksum] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    pub(super) fn decode(bytes: &mut Bytes<'_>) -> Result<Self> {
        let kind = SectionKind(bytes.u32()?);
        let (codec, checksum) = (bytes.u16()?, bytes.u16()?);
        // What is skipped may be encoded and summed in ways that are not known, either.
        if kind.is_known() && codec != CODEC_PLAIN {
            return Err(Error::corrupt(
                "section table",
                format!("codec {codec} is not known"),
            ));
        }
        if kind.is_known() && checksum != CHECKSUM_XXH3_64 {
            return Err(Error::corrupt(
                "section table",
                format!("checksum {checksum} is not known"),
            ));
        }
        Ok(Self {
            kind,
            offset: bytes.u64()?,
            len_bytes: bytes.u64()?,
            len_items: bytes.u64()?,
            checksum: bytes.u64()?,
        })
    }
}

/// The last bytes of a shard, from which the section table is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trailer {
    pub(super) table_offset: u64,
    pub(super) table_len: u32,
}

impl Trailer {
    pub(super) fn encode(&self, table: &[u8]) -> [u8; TRAILER_LEN] {
        let mut trailer = [0; TRAILER_LEN];
        trailer[..8].copy_from_slice(&self.table_offset.to_le_bytes());
        trailer[8..12].copy_from_slice(&self.table_len.to_le_bytes());
        trailer[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        let checksum = table_checksum(table, &trailer);
        trailer[16..24].copy_from_slice(&checksum.to_le_bytes());
        trailer[24..].copy_from_slice(&TRAILER_MAGIC);
        trailer
    }

    /// Reads a trailer; its checksum is compared by [`Trailer::check`], once the table is found.
    pub(super) fn decode(trailer: &[u8; TRAILER_LEN]) -> Result<Self> {
        let mut bytes = Bytes::new(trailer, "trailer");
        let (table_offset, table_len) = (bytes.u64()?, bytes.u32()?);
        let (version, reserved) = (bytes.u16()?, bytes.u16()?);
        let _checksum = bytes.u64()?;
        if bytes.array()? != TRAILER_MAGIC {
            return Err(Error::NotAShard(
                "it does not end as one: cut short, or something else",
            ));
        }
        if version != FORMAT_VERSION {
            return Err(unknown_version(version));
        }
        if reserved != 0 {
            return Err(Error::corrupt("trailer", "a reserved field is set"));
        }
        Ok(Self {
            table_offset,
            table_len,
        })
    }

    pub(super) fn check(trailer: &[u8; TRAILER_LEN], table: &[u8]) -> Result<()> {
        if table_checksum(table, trailer) == Bytes::new(&trailer[16..], "trailer").u64()? {
            Ok(())
        } else {
            Err(Error::corrupt(
                "section table",
                "its checksum does not match",
            ))
        }
    }
}

/// Sums the section table together with the fields of the trailer before the checksum.
fn table_checksum(table: &[u8], trailer: &[u8; TRAILER_LEN]) -> u64 {
    let mut summed = Vec::with_capacity(table.len() + 16);
    summed.extend_from_slice(table);
    summed.extend_from_slice(&trailer[..16]);
    xxh3_64(&summed)
}
