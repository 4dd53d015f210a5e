//! Keys and values at the ends of what there may be, and keys whose hashes are equal.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek, Write},
};

use nightshard_format::{
    key::{PartitionRun, hash},
    shard::{Identity, Mapped, Shard, ShardWriter, Span},
};

fn identity() -> Identity {
    Identity {
        dataset: "test".into(),
        span: Span::Current,
        run: PartitionRun {
            first: 0,
            end: 1_024,
        },
    }
}

fn shard(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Shard<Vec<u8>> {
    let mut ordered: Vec<_> = records
        .iter()
        .map(|(key, value)| (hash(key), key, value))
        .collect();
    ordered.sort();
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity()).unwrap();
    for (_, key, value) in ordered {
        writer.append(key, value).unwrap();
        writer.add_term(key).unwrap();
    }
    writer.finish().unwrap();
    Shard::open(file).unwrap()
}

/// Eight bytes of XXH3's default secret, as its specification lists them.
const fn secret(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes)
}

const FLIP_LOW: u64 = secret([0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f])
    ^ secret([0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78]);
const FLIP_HIGH: u64 = secret([0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21])
    ^ secret([0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e]);

/// Returns the key of 16 bytes whose halves are these once XXH3 has mixed its secret in.
fn key_of(low: u64, high: u64) -> Vec<u8> {
    let mut key = (low ^ FLIP_LOW).to_le_bytes().to_vec();
    key.extend((high ^ FLIP_HIGH).to_le_bytes());
    key
}

/// Returns keys of equal hashes. XXH3 of 16 bytes is a bijection of
/// `16 + swap(low) + high + fold(low * high)`, where `swap` turns the bytes round and `fold` adds
/// the halves of a product without carries: low halves of few bits leave an equation for the high.
fn colliding(sum: u64) -> Vec<Vec<u8>> {
    let mut keys = vec![key_of(0, sum), key_of(sum.swap_bytes(), 0)];
    // With a low half of 1 the product is the high half itself, and twice that is wanted.
    let twice = sum.wrapping_sub(1_u64.swap_bytes());
    if twice.is_multiple_of(2) {
        keys.extend([0, 1 << 63].map(|top| key_of(1, (twice / 2) ^ top)));
    }
    keys
}

#[test]
fn keys_of_one_hash_are_all_found_with_their_own_values() {
    for sum in [2_u64, 1 << 40, 0x1234_5678_9abc_def0, u64::MAX] {
        let keys = colliding(sum);
        assert!(keys.iter().all(|key| hash(key) == hash(&keys[0])));
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());

        // All but one, each in turn, among others.
        for left_out in 0..=keys.len() {
            let mut records: BTreeMap<Vec<u8>, Vec<u8>> = (0..50_u8)
                .map(|other| (vec![other; 5], vec![other]))
                .collect();
            for (number, key) in keys.iter().enumerate() {
                if number != left_out {
                    records.insert(key.clone(), format!("value {number}").into_bytes());
                }
            }
            let shard = shard(&records);
            shard.verify().unwrap();
            let asked: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            let mut many = vec![None; keys.len()];
            shard.get_many(&asked, |number, value| many[number] = value.unwrap());
            for (number, key) in keys.iter().enumerate() {
                let expected = records.get(key).map(Vec::as_slice);
                assert_eq!(shard.get(key).unwrap(), expected);
                assert_eq!(shard.get_checked(key).unwrap(), expected);
                assert_eq!(many[number], expected);
            }
        }
    }
}

#[test]
fn more_keys_of_one_hash_than_a_line_has_room_for_are_found() {
    // Four of each sum; a low half of 2^k leaves its own equations, which this leaves alone.
    let keys: Vec<Vec<u8>> = (1..20_u64).flat_map(|sum| colliding(sum * 2)).collect();
    let records: BTreeMap<Vec<u8>, Vec<u8>> = keys
        .iter()
        .map(|key| (key.clone(), key[..8].to_vec()))
        .collect();
    assert_eq!(records.len(), 19 * 4);
    let shard = shard(&records);
    shard.verify().unwrap();
    for (key, value) in &records {
        assert_eq!(shard.get(key).unwrap(), Some(value.as_slice()));
    }
}

#[test]
fn keys_and_values_of_every_length_at_the_edges_are_found() {
    let lengths = [0, 1, 127, 128, 16_383, 16_384, 65_535];
    let mut records = BTreeMap::new();
    for key_len in lengths {
        for value_len in lengths.into_iter().chain([2_097_152]) {
            // The empty key is there once, with the last value.
            let mut key = vec![u8::try_from(value_len % 251).unwrap(); key_len];
            key.iter_mut().take(1).for_each(|first| *first ^= 0x80);
            records.insert(key, vec![7; value_len]);
        }
    }
    let shard = shard(&records);
    shard.verify().unwrap();
    for (key, value) in &records {
        assert_eq!(
            shard.get(key).unwrap(),
            Some(value.as_slice()),
            "{}",
            key.len()
        );
    }
    let mut writer = ShardWriter::new(Vec::new(), &identity()).unwrap();
    assert!(writer.append(&vec![1; 65_536], b"").is_err());
}

/// A file of which runs of zeros take no room on the disk.
struct Sparse(File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= 4_096 && bytes.iter().all(|byte| *byte == 0) {
            self.0.seek_relative(i64::try_from(bytes.len()).unwrap())?;
            Ok(bytes.len())
        } else {
            self.0.write(bytes)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let len = self.0.stream_position()?;
        self.0.set_len(len)
    }
}

/// Offsets behind such a value exceed 32 bits, and so does its length.
#[test]
#[ignore = "reads 4 GiB several times: 15 s of a processor"]
fn a_value_of_more_than_four_gibibytes_is_right() {
    const LEN: usize = (4 << 30) + 12_345;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard");
    let mut keys: Vec<Vec<u8>> = (0..40_u8).map(|key| vec![key; 3]).collect();
    keys.sort_by_key(|key| hash(key));
    let (huge, zeros) = (keys[20].clone(), vec![0; LEN]);
    let mut sparse = Sparse(File::create(&path).unwrap());
    let mut writer = ShardWriter::new(&mut sparse, &identity()).unwrap();
    for key in &keys {
        let value = if *key == huge { &zeros[..] } else { &key[..] };
        writer.append(key, value).unwrap();
    }
    let written = writer.finish().unwrap();
    sparse.flush().unwrap();
    assert!(written.len_bytes > LEN as u64);

    let shard = Shard::open(Mapped::open(&path).unwrap()).unwrap();
    shard.verify().unwrap();
    for key in &keys {
        let found = shard.get(key).unwrap().unwrap();
        if *key == huge {
            assert_eq!(found.len(), LEN);
            assert!(found.iter().all(|byte| *byte == 0));
        } else {
            assert_eq!(found, key);
        }
    }
    assert_eq!(shard.get(b"none").unwrap(), None);
}
