//! A shard taken apart and put together with every checksum right (docs/format.md, "Shard").
//!
//! This is written from the document, not with the package: it makes what no writer would.

use xxhash_rust::xxh3::xxh3_64;

const HEADER_LEN: usize = 64;
const TRAILER_LEN: usize = 32;
const ENTRY_LEN: usize = 40;
const ALIGNMENT: usize = 64;
const BLOCK_LEN: usize = 64 << 10;

const RECORDS: u32 = 1;
const ORDERED_INDEX: u32 = 3;
const BLOCK_SUMS: u32 = 4;

/// A section as the table describes it.
#[derive(Debug, Clone)]
pub struct Section {
    /// What it holds.
    pub kind: u32,
    /// How it is encoded (2 bytes), how it is summed (2 bytes).
    pub codecs: [u8; 4],
    /// How many items it says it has.
    pub items: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A file in parts, none of which need make sense.
#[derive(Debug, Clone)]
pub struct ShardFile {
    /// The header without its checksum.
    pub header: [u8; HEADER_LEN - 8],
    /// The sections, in file order.
    pub sections: Vec<Section>,
    /// Version and reserved field of the trailer.
    pub trailer: [u8; 4],
}

impl ShardFile {
    /// Takes a file apart, whatever its checksums; `None` if its sections cannot be found.
    #[must_use]
    pub fn parse(file: &[u8]) -> Option<Self> {
        let (body, trailer) = file.split_last_chunk::<TRAILER_LEN>()?;
        let table_at = usize::try_from(u64_at(trailer, 0)?).ok()?;
        let table = body.get(table_at..)?;
        let mut sections = Vec::new();
        for entry in table.as_chunks::<ENTRY_LEN>().0 {
            let start = usize::try_from(u64_at(entry, 8)?).ok()?;
            let len = usize::try_from(u64_at(entry, 16)?).ok()?;
            sections.push(Section {
                kind: u32::from_le_bytes(*entry.first_chunk()?),
                codecs: *entry[4..].first_chunk()?,
                items: u64_at(entry, 24)?,
                bytes: body.get(start..start.checked_add(len)?)?.to_vec(),
            });
        }
        Some(Self {
            header: *file.first_chunk()?,
            sections,
            trailer: *trailer[12..].first_chunk()?,
        })
    }

    /// Puts the file together, with every checksum that the document has.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut file = self.header.to_vec();
        file.extend(xxh3_64(&self.header).to_le_bytes());
        let mut table = Vec::new();
        for section in &self.sections {
            let mut bytes = section.bytes.clone();
            match section.kind {
                ORDERED_INDEX => sum_fst(&mut bytes),
                BLOCK_SUMS => sum_blocks(&mut bytes, &file),
                _ => {}
            }
            table.extend(section.kind.to_le_bytes());
            table.extend(section.codecs);
            for field in [file.len() as u64, bytes.len() as u64, section.items] {
                table.extend(field.to_le_bytes());
            }
            table.extend(xxh3_64(&bytes).to_le_bytes());
            file.extend(bytes);
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        }
        let mut summed = table.clone();
        summed.extend((file.len() as u64).to_le_bytes());
        summed.extend((table.len() as u32).to_le_bytes());
        summed.extend(self.trailer);
        file.extend(&summed);
        file.extend(xxh3_64(&summed).to_le_bytes());
        file.extend(b"SHARDEND");
        file
    }

    /// Writes the checks of the records anew, as far as they can be found.
    pub fn check_records(&mut self) {
        let records = self
            .sections
            .iter_mut()
            .filter(|section| section.kind == RECORDS);
        records.for_each(|section| {
            check_records(&mut section.bytes);
        });
    }
}

/// Returns nothing once a record does not end within `bytes`.
fn check_records(mut bytes: &mut [u8]) -> Option<()> {
    while !bytes.is_empty() {
        let (key_len, key_len_len) = varint(bytes)?;
        let (value_len, value_len_len) = varint(bytes.get(key_len_len..)?)?;
        let len = (key_len_len + value_len_len)
            .checked_add(key_len)?
            .checked_add(value_len)?;
        let (record, rest) = bytes.split_at_mut_checked(len)?;
        let (check, rest) = rest.split_at_mut_checked(4)?;
        check.copy_from_slice(&xxh3_64(record).to_le_bytes()[..4]);
        bytes = rest;
    }
    Some(())
}

fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Writes the checksum that `fst` has at its end.
fn sum_fst(bytes: &mut [u8]) {
    if let Some((summed, sum)) = bytes.split_last_chunk_mut::<4>() {
        let masked = crc32c::crc32c(summed).rotate_right(15);
        *sum = masked.wrapping_add(0xa282_ead8).to_le_bytes();
    }
}

/// Writes the sums of the blocks of `before`, as far as there is room for them.
fn sum_blocks(sums: &mut [u8], before: &[u8]) {
    let sums = sums.as_chunks_mut::<8>().0;
    for (sum, block) in sums.iter_mut().zip(before.chunks(BLOCK_LEN)) {
        *sum = xxh3_64(block).to_le_bytes();
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
