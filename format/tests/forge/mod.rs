//! Shards of any sections, with every checksum right.

#![allow(dead_code, reason = "not every test uses all of it")]

use nightshard_format::{Error, shard::Value};
use xxhash_rust::xxh3::xxh3_64;

/// A section as its table entry describes it.
#[derive(Clone)]
pub(crate) struct Section {
    pub(crate) kind: u32,
    pub(crate) codec: u16,
    pub(crate) checksum_kind: u16,
    pub(crate) items: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Section {
    pub(crate) fn new(kind: u32, items: u64, bytes: Vec<u8>) -> Self {
        Self {
            kind,
            codec: 0,
            checksum_kind: 1,
            items,
            bytes,
        }
    }
}

/// Writes a shard of any sections, with every checksum right.
pub(crate) fn encode(partitions: (u16, u16), sections: &[Section]) -> Vec<u8> {
    let mut file = [0; 64].to_vec();
    file[..8].copy_from_slice(b"NIGHTSHD");
    file[8] = 1;
    file[12..14].copy_from_slice(&partitions.0.to_le_bytes());
    file[14..16].copy_from_slice(&partitions.1.to_le_bytes());
    file[24..30].copy_from_slice(b"forged");
    let checksum = xxh3_64(&file[..56]);
    file[56..].copy_from_slice(&checksum.to_le_bytes());
    let mut table = Vec::new();
    for section in sections {
        table.extend(section.kind.to_le_bytes());
        table.extend(section.codec.to_le_bytes());
        table.extend(section.checksum_kind.to_le_bytes());
        for field in [file.len() as u64, section.bytes.len() as u64, section.items] {
            table.extend(field.to_le_bytes());
        }
        table.extend(xxh3_64(&section.bytes).to_le_bytes());
        file.extend(&section.bytes);
        file.resize(file.len().next_multiple_of(64), 0);
    }
    let offset = file.len() as u64;
    table.extend(offset.to_le_bytes());
    table.extend(u32::try_from(table.len() - 8).unwrap().to_le_bytes());
    table.extend([1, 0, 0, 0]);
    table.extend(xxh3_64(&table).to_le_bytes());
    table.extend(b"SHARDEND");
    file.extend(table);
    file
}

pub(crate) fn in_place(found: nightshard_format::Result<Option<Value<'_>>>) -> Option<&[u8]> {
    found.unwrap().map(|value| value.in_place().unwrap())
}

#[track_caller]
pub(crate) fn assert_found<T: std::fmt::Debug>(
    verified: nightshard_format::Result<T>,
    at_fault: &str,
    expected: &str,
) {
    match verified {
        Err(Error::Corrupt { structure, problem }) => {
            assert_eq!(structure, at_fault, "{problem}");
            assert!(problem.contains(expected), "{problem}");
        }
        other => panic!("{other:?}, not {expected:?}"),
    }
}
