//! Shards whose checksums are right and whose content is not: what no flipped bit leads to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use forge::{Section, assert_found, encode, in_place};
use nightshard_format::{
    Error,
    bytes::put_varint,
    key::{hash, partition_of},
    shard::Shard,
};
use xxhash_rust::xxh3::xxh3_64;

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
    assert_eq!(in_place(shard.get(last)), Some(&last[..1]));
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
                    assert_eq!(value.in_place().unwrap(), &key[..1]);
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
    let too_many = "too many terms for its records";
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

/// Writes a map of all words of `letters` letters `a` and `b`, of which there are 2^letters, in a
/// node each; all lead to the first record.
fn words(letters: usize) -> Vec<u8> {
    let nodes = [0, 0, b'b', b'a', 0x10, 2].into_iter();
    let nodes = nodes.chain((1..letters).flat_map(|_| [1, 1, b'b', b'a', 0x10, 2]));
    let mut bytes = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
    bytes.extend(nodes);
    let root = bytes.len() as u64 - 1;
    bytes.extend((1_u64 << letters).to_le_bytes());
    bytes.extend(root.to_le_bytes());
    let mut crc = !0_u32;
    for byte in &bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    let masked = (!crc).rotate_right(15).wrapping_add(0xa282_ead8);
    bytes.extend(masked.to_le_bytes());
    bytes
}

#[test]
fn more_terms_than_anybody_could_wait_for_are_refused() {
    let with_words = |letters| {
        let mut parts = Parts::right();
        parts.sections[ORDERED_INDEX] = Section::new(3, 1_u64 << letters, words(letters));
        parts.verify()
    };
    // Twelve records may have 3,072 terms.
    with_words(11).unwrap();
    for letters in [12, 60] {
        assert_found(with_words(letters), "ordered index", "too many terms");
    }
    let mut parts = Parts::right();
    parts.sections[ORDERED_INDEX] = Section::new(3, 1 << 11, words(60));
    assert_found(parts.verify(), "ordered index", "not the stated one");
}

#[test]
fn padding_that_is_not_zero_is_found_without_block_sums() {
    let mut file = encode((0, 1024), &Parts::right().sections);
    Shard::open(&file[..]).unwrap().verify().unwrap();
    let records_len = Parts::right().sections[RECORDS].bytes.len();
    assert_ne!(records_len % 64, 0);
    file[64 + records_len] = 1;
    let verified = Shard::open(&file[..]).unwrap().verify();
    assert_found(verified, "padding", "not zero");
}

/// Opens a right shard in which a change was made, and header and table were summed again.
fn open_changed(change: impl FnOnce(&mut Vec<u8>)) -> nightshard_format::Result<()> {
    let mut file = encode((0, 1024), &Parts::right().sections);
    change(&mut file);
    let checksum = xxh3_64(&file[..56]);
    file[56..64].copy_from_slice(&checksum.to_le_bytes());
    let checked = file.len() - 16;
    let checksum = xxh3_64(&file[checked - 16 - 3 * 40..checked]);
    file[checked..checked + 8].copy_from_slice(&checksum.to_le_bytes());
    Shard::open(file).map(|_| ())
}

#[test]
fn fields_of_the_header_out_of_their_bounds_are_found() {
    open_changed(|_| {}).unwrap();
    let changes: [(usize, &[u8]); 9] = [
        // Flags and what is reserved.
        (10, &[1]),
        (11, &[0x80]),
        (20, &[1]),
        // No partition, the wrong way round, beyond the last.
        (12, &[7, 0, 7, 0]),
        (12, &[8, 0, 7, 0]),
        (12, &[0, 0, 1, 4]),
        // Names that are none: with a letter behind the end, with a capital, empty.
        (24, b"forged\0x"),
        (24, b"Forged"),
        (24, &[0; 32]),
    ];
    for (at, bytes) in changes {
        let opened = open_changed(|file| file[at..at + bytes.len()].copy_from_slice(bytes));
        assert_found(opened, "header", "out of its bounds");
    }
    let with_span =
        |code: u32| open_changed(|file| file[16..20].copy_from_slice(&code.to_le_bytes()));
    // January of the year 1 and December of the year 9999 are the first and the last.
    for code in [0, 13, 12 * 9_999 + 12] {
        with_span(code).unwrap();
    }
    for code in [1, 12, 12 * 9_999 + 13, 1 << 31, u32::MAX] {
        assert_found(with_span(code), "header", "no month");
    }
}

#[test]
fn fields_of_the_trailer_out_of_their_bounds_are_found() {
    let reserved = open_changed(|file| {
        let at = file.len() - 18;
        file[at] = 1;
    });
    assert_found(reserved, "trailer", "a reserved field is set");
    let newer = open_changed(|file| {
        let at = file.len() - 20;
        file[at] = 2;
    });
    assert!(matches!(newer, Err(Error::UnknownVersion { found: 2, .. })));
}

#[test]
fn more_sections_than_there_may_be_are_refused() {
    let with_sections = |count| {
        let mut parts = Parts::right();
        parts.sections.resize(count, Section::new(9, 0, Vec::new()));
        parts.verify()
    };
    with_sections(64).unwrap();
    assert_found(with_sections(65), "section table", "its length is wrong");
}

#[test]
fn a_key_that_is_too_long_is_found() {
    let of = |len| Parts::of(vec![vec![b'a'; len]]).verify();
    assert_found(of(65_536), "record", "its key is too long");
    // The index is not that of a record whose length takes so many bytes.
    assert_found(of(65_535), "point index", "not that of the records");
}

#[test]
fn keys_of_one_hash_out_of_order_are_found() {
    // As tests/collisions.rs makes them.
    let key = |last| {
        let (a, b) = (0xbe4b_a423_396c_feb8_u64, 0xdb97_9083_e96d_d4de_u64);
        [a, last, b, 0].map(u64::to_le_bytes).concat()
    };
    assert_eq!(hash(&key(1)), hash(&key(2)));
    Parts::of(vec![key(1), key(2)]).verify().unwrap();
    for keys in [[2, 1], [1, 1]] {
        let verified = Parts::of(keys.map(key).to_vec()).verify();
        assert_found(verified, "records", "out of order");
    }
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
            kind: 6,
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
                assert_eq!(in_place(shard.get(key)), Some(&key[..1]));
            }
        }
    }
}

#[test]
fn a_known_section_of_an_unknown_codec_or_checksum_is_refused() {
    for section in [RECORDS, POINT_INDEX, ORDERED_INDEX] {
        let mut parts = Parts::right();
        for codec in [if section == RECORDS { 2 } else { 1 }, 9] {
            parts.sections[section].codec = codec;
            let problem = format!("codec {codec} is not known");
            assert_found(parts.verify(), "section table", &problem);
        }
        let mut parts = Parts::right();
        parts.sections[section].checksum_kind = 2;
        assert_found(parts.verify(), "section table", "checksum 2 is not known");
    }
}
