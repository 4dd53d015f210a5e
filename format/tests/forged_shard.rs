//! Shards whose checksums are right and whose content is not: what no flipped bit leads to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nightshard_format::{
    Error,
    bytes::put_varint,
    key::{hash, partition_of},
    shard::Shard,
};
use xxhash_rust::xxh3::xxh3_64;

/// A section as its table entry describes it.
#[derive(Clone)]
struct Section {
    kind: u32,
    codec: u16,
    checksum_kind: u16,
    items: u64,
    bytes: Vec<u8>,
}

impl Section {
    fn new(kind: u32, items: u64, bytes: Vec<u8>) -> Self {
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
fn encode(partitions: (u16, u16), sections: &[Section]) -> Vec<u8> {
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

/// Twelve keys in order, the sections of a right shard, and the offset of each record.
struct Parts {
    keys: Vec<Vec<u8>>,
    offsets: Vec<u64>,
    sections: Vec<Section>,
}

const RECORDS: usize = 0;
const POINT_INDEX: usize = 1;
const ORDERED_INDEX: usize = 2;

impl Parts {
    fn right() -> Self {
        let mut keys: Vec<Vec<u8>> = (0..12).map(|i| vec![b'a' + i; 3]).collect();
        keys.sort_by_key(|key| (hash(key), key.clone()));
        Self::of(keys)
    }

    /// The sections that a writer would make of these keys, in whatever order they are.
    fn of(keys: Vec<Vec<u8>>) -> Self {
        let mut records = Vec::new();
        let mut offsets = Vec::new();
        for key in &keys {
            offsets.push(records.len() as u64);
            let mut record = Vec::new();
            put_varint(&mut record, key.len() as u64);
            put_varint(&mut record, 1);
            record.extend(key);
            record.push(key[0]);
            records.extend(&record);
            records.extend(&xxh3_64(&record).to_le_bytes()[..4]);
        }
        let count = keys.len() as u64;
        let entries = keys.iter().zip(offsets.iter().copied());
        let mut terms: Vec<_> = entries.map(|(key, at)| (&key[..], at)).collect();
        terms.sort_unstable();
        terms.dedup_by_key(|(term, _)| *term);
        let sections = vec![
            Section::new(1, count, records),
            Section::new(2, count, point_index(&keys)),
            Section::new(3, terms.len() as u64, ordered_index(&terms)),
        ];
        Self {
            keys,
            offsets,
            sections,
        }
    }

    /// Sums the blocks before the sums, so many of them.
    fn add_block_sums(&mut self, of: &[u8], blocks: u64) {
        let sums = of
            .chunks(65_536)
            .flat_map(|block| xxh3_64(block).to_le_bytes());
        self.sections.push(Section::new(4, blocks, sums.collect()));
    }

    fn verify(&self) -> nightshard_format::Result<()> {
        verify((0, 1024), &self.sections)
    }
}

fn verify(partitions: (u16, u16), sections: &[Section]) -> nightshard_format::Result<()> {
    Shard::open(encode(partitions, sections))?.verify()
}

/// The index of records that are all as long as the first, and fall into one line.
fn point_index(keys: &[Vec<u8>]) -> Vec<u8> {
    let record_len = keys[0].len() as u64 + 7;
    let mut lines = [0; 128];
    lines[..8].copy_from_slice(&1_u64.to_le_bytes());
    lines[8..16].copy_from_slice(&record_len.to_le_bytes());
    lines[64] = u8::try_from(keys.len()).unwrap();
    for (at, key) in keys.iter().enumerate() {
        let fingerprint = &hash(key).to_le_bytes()[..2];
        lines[64 + 8 + 2 * at..][..2].copy_from_slice(fingerprint);
    }
    lines.into()
}

fn ordered_index(terms: &[(&[u8], u64)]) -> Vec<u8> {
    let mut builder = fst::MapBuilder::memory();
    for (term, offset) in terms {
        builder.insert(term, *offset).unwrap();
    }
    builder.into_inner().unwrap()
}

#[track_caller]
fn assert_found(verified: nightshard_format::Result<()>, at_fault: &str, expected: &str) {
    match verified {
        Err(Error::Corrupt { structure, problem }) => {
            assert_eq!(structure, at_fault, "{problem}");
            assert!(problem.contains(expected), "{problem}");
        }
        other => panic!("{other:?}, not {expected:?}"),
    }
}

#[test]
fn right_parts_are_right() {
    Parts::right().verify().unwrap();
}

#[test]
fn records_out_of_order_or_repeated_are_found() {
    let mut swapped = Parts::right().keys;
    swapped.swap(3, 4);
    assert_found(Parts::of(swapped).verify(), "records", "out of order");
    let mut repeated = Parts::right().keys;
    repeated[4] = repeated[3].clone();
    let verified = Parts::of(repeated).verify();
    assert!(matches!(verified, Err(Error::Corrupt { .. })));
}

#[test]
fn a_key_of_another_shards_partitions_is_found() {
    let parts = Parts::right();
    let last = partition_of(hash(&parts.keys[11]));
    verify((0, last + 1), &parts.sections).unwrap();
    for partitions in [(0, last), (partition_of(hash(&parts.keys[0])) + 1, 1024)] {
        let verified = verify(partitions, &parts.sections);
        assert_found(verified, "records", "another shard's partitions");
    }
}

#[test]
fn a_number_of_records_other_than_stated_is_found() {
    let mut parts = Parts::right();
    let fewer = Parts::of(parts.keys[..11].to_vec());
    // The table says twelve, but there are eleven, and the index is theirs.
    for section in [RECORDS, POINT_INDEX] {
        parts.sections[section].bytes = fewer.sections[section].bytes.clone();
    }
    assert_found(parts.verify(), "records", "not the stated one");
}

#[test]
fn a_record_whose_check_is_wrong_is_found() {
    let mut parts = Parts::right();
    *parts.sections[RECORDS].bytes.last_mut().unwrap() ^= 1;
    assert_found(parts.verify(), "record", "its check does not match");
    let shard = Shard::open(encode((0, 1024), &parts.sections)).unwrap();
    let last = &parts.keys[11];
    assert_eq!(shard.get(last).unwrap(), Some(&last[..1]));
    let checked = shard.get_checked(last).map(|_| ());
    assert_found(checked, "record", "its check does not match");
    assert!(shard.get_checked(&parts.keys[10]).unwrap().is_some());
}

/// A right shard whose index has another byte at `at`.
fn with_index_byte(at: usize, byte: u8) -> nightshard_format::Result<()> {
    let mut parts = Parts::right();
    parts.sections[POINT_INDEX].bytes[at] = byte;
    parts.verify()
}

#[test]
fn a_point_index_of_other_records_is_found() {
    // Number of entries, offset, a fingerprint, fingerprints of none.
    for (at, byte) in [
        (64, 11),
        (64, 12 + 128),
        (65, 1),
        (72, 0xaa),
        (96, 1),
        (127, 1),
    ] {
        let is_right = Parts::right().sections[POINT_INDEX].bytes[at] == byte;
        assert!(!is_right, "byte {at}");
        let verified = with_index_byte(at, byte);
        assert_found(verified, "point index", "not that of the records");
    }
    // The shortest record: too short, and too long, of which no line says anything.
    for (at, byte) in [(8, 9), (8, 11), (9, 1), (15, 0x80)] {
        let verified = with_index_byte(at, byte);
        assert_found(verified, "point index", "not that of the records");
    }
    // More lines than records need.
    let mut parts = Parts::right();
    let index = &mut parts.sections[POINT_INDEX].bytes;
    index[0] = 2;
    index.extend([0; 64]);
    assert_found(parts.verify(), "point index", "not that of the records");
}

#[test]
fn a_point_index_whose_size_or_shape_is_impossible_is_refused() {
    assert_found(
        with_index_byte(0, 2),
        "point index",
        "does not fit its lines",
    );
    assert_found(
        with_index_byte(0, 0),
        "point index",
        "does not fit its lines",
    );
    assert_found(with_index_byte(16, 3), "point index", "of no width");
    assert_found(with_index_byte(63, 1), "point index", "reserved");
    for len in [0, 63, 64, 127] {
        let mut parts = Parts::right();
        parts.sections[POINT_INDEX].bytes.truncate(len);
        assert!(matches!(parts.verify(), Err(Error::Corrupt { .. })));
    }
    let mut parts = Parts::right();
    parts.sections[POINT_INDEX].items += 1;
    let verified = parts.verify();
    assert_found(verified, "point index", "does not fit its records");
}

#[test]
fn a_lookup_that_a_wrong_index_leads_astray_is_an_error_or_none() {
    let right = Parts::right();
    for at in 64..128 {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut parts = Parts::right();
            parts.sections[POINT_INDEX].bytes[at] = byte;
            let shard = Shard::open(encode((0, 1024), &parts.sections)).unwrap();
            for key in &right.keys {
                if let Ok(Some(value)) = shard.get(key) {
                    assert_eq!(value, &key[..1]);
                }
            }
        }
    }
}

#[test]
fn block_sums_that_are_wrong_or_too_few_are_found() {
    let right = || {
        let mut parts = Parts::right();
        let bytes = encode((0, 1024), &parts.sections);
        let end = bytes.len() - 3 * 40 - 32;
        parts.add_block_sums(&bytes[..end], 1);
        parts
    };
    right().verify().unwrap();
    let mut parts = right();
    parts.sections[3].bytes[0] ^= 1;
    assert_found(parts.verify(), "block", "it begins at byte 0");
    let mut parts = right();
    parts.sections[3].items = 0;
    assert_found(parts.verify(), "block sums", "not as many");
    let mut parts = right();
    parts.sections[3].bytes.clear();
    assert_found(parts.verify(), "block sums", "not as many");
}

#[test]
fn an_ordered_index_that_contradicts_the_records_is_found() {
    let forge = |terms: &[(&[u8], u64)], items| {
        let mut parts = Parts::right();
        parts.sections[ORDERED_INDEX] = Section::new(3, items, ordered_index(terms));
        parts.verify()
    };
    let offsets = Parts::right().offsets;
    let terms: [(&[u8], u64); 2] = [(b"a", offsets[1]), (b"b", offsets[0])];
    forge(&terms, 2).unwrap();
    assert_found(forge(&terms, 1), "ordered index", "not the stated one");
    assert_found(forge(&terms, 3), "ordered index", "not the stated one");
    // Whatever the index says, no more terms are walked than the records may have.
    let too_many = "more terms than its records may have";
    for items in [12 * 256 + 1, u64::MAX] {
        assert_found(forge(&terms, items), "ordered index", too_many);
    }
    assert_found(
        forge(&terms, 12 * 256),
        "ordered index",
        "not the stated one",
    );
    for outside in [offsets[1] + 1, 1 << 20] {
        let verified = forge(&[(b"a", outside)], 1);
        assert_found(verified, "ordered index", "leads to no record");
    }
    // Its own checksum, over terms that another byte would lead astray.
    let mut parts = Parts::right();
    let bytes = &mut parts.sections[ORDERED_INDEX].bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let verified = parts.verify();
    assert!(matches!(
        verified,
        Err(Error::Corrupt {
            structure: "ordered index",
            ..
        })
    ));
}

#[test]
fn a_record_that_is_cut_short_is_found() {
    let mut parts = Parts::right();
    parts.sections[RECORDS].bytes.pop();
    assert_found(parts.verify(), "records", "it ends early");
}

#[test]
fn a_section_that_is_missing_or_there_twice_is_found() {
    for lacking in [RECORDS, POINT_INDEX] {
        let mut parts = Parts::right();
        parts.sections.remove(lacking);
        let verified = parts.verify();
        assert_found(verified, "section table", "a required section is missing");
    }
    for twice in [RECORDS, POINT_INDEX, ORDERED_INDEX] {
        let mut parts = Parts::right();
        parts.sections.push(parts.sections[twice].clone());
        assert_found(parts.verify(), "section table", "a section occurs twice");
    }
}

#[test]
fn a_section_of_an_unknown_kind_is_skipped_whatever_its_codec_and_checksum() {
    for (codec, checksum_kind) in [(0, 1), (9, 1), (0, 7), (0xffff, 0)] {
        let unknown = Section {
            kind: 5,
            codec,
            checksum_kind,
            items: 3,
            bytes: b"of a later release".to_vec(),
        };
        for place in 0..=3 {
            let mut parts = Parts::right();
            parts.sections.insert(place, unknown.clone());
            let shard = Shard::open(encode((0, 1024), &parts.sections)).unwrap();
            shard.verify().unwrap();
            for key in &parts.keys {
                assert_eq!(shard.get(key).unwrap(), Some(&key[..1]));
            }
        }
    }
}

#[test]
fn a_known_section_of_an_unknown_codec_or_checksum_is_refused() {
    for section in [RECORDS, POINT_INDEX, ORDERED_INDEX] {
        let mut parts = Parts::right();
        parts.sections[section].codec = 1;
        assert_found(parts.verify(), "section table", "codec 1 is not known");
        let mut parts = Parts::right();
        parts.sections[section].checksum_kind = 2;
        assert_found(parts.verify(), "section table", "checksum 2 is not known");
    }
}
