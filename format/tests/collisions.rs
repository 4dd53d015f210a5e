//! Keys that xxh3-64 does not tell apart: found one by one, and refused when repeated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers stay small")]

use nightshard_format::{
    Error,
    key::{PartitionRun, hash},
    shard::{Identity, Shard, ShardWriter, Span},
};

/// The 64-bit words at 0 and 16 of xxh3's default secret.
///
/// Of a key of 32 bytes, xxh3-64 multiplies the words, each after an exclusive or with a word of
/// the secret, in pairs. A word that is the secret's own makes a product of 0, whatever the other
/// one of the pair is.
const SECRETS: [[u8; 8]; 2] = [
    [0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe],
    [0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb],
];

fn key(number: u64) -> Vec<u8> {
    let digits = format!("{number:08}");
    [&SECRETS[0][..], digits.as_bytes(), &SECRETS[1], &[0; 8]].concat()
}

/// A writer of all partitions.
fn writer(file: &mut Vec<u8>) -> ShardWriter<&mut Vec<u8>> {
    let identity = Identity {
        dataset: "collisions".into(),
        span: Span::Current,
        run: PartitionRun {
            first: 0,
            end: 1024,
        },
    };
    ShardWriter::new(file, &identity).unwrap()
}

#[test]
fn keys_of_one_hash_are_written_verified_and_found() {
    assert!((0..500).all(|number| hash(&key(number)) == hash(&key(0))));
    for value_len in [|_| 3, |number| number % 9, |number| number % 2 * 9_000] {
        let value = |number: u64| vec![number as u8; value_len(number as usize)];
        let mut file = Vec::new();
        let mut writer = writer(&mut file);
        for number in 0..500 {
            writer.append(&key(number), &value(number)).unwrap();
            writer.add_term(&key(number)).unwrap();
        }
        writer.finish().unwrap();
        let shard = Shard::open(file).unwrap();
        shard.verify().unwrap();
        let keys: Vec<Vec<u8>> = (0..510).map(key).collect();
        let asked: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        shard.get_many(&asked, |number, found| {
            let expected = (number < 500).then(|| value(number as u64));
            for found in [found, shard.get_checked(asked[number])] {
                let found = found.unwrap().map(|value| value.in_place().unwrap());
                assert_eq!(found, expected.as_deref());
            }
        });
    }
}

#[test]
fn keys_of_one_hash_come_in_their_own_order_each_once() {
    for wrong in [5, 4] {
        let mut file = Vec::new();
        let mut writer = writer(&mut file);
        writer.append(&key(5), b"").unwrap();
        let refused = writer.append(&key(wrong), b"").unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }));
        writer.append(&key(6), b"").unwrap();
    }
}
