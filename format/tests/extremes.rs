//! Keys and values at the ends of what there may be.

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

fn get<'a, B: AsRef<[u8]>>(shard: &'a Shard<B>, key: &[u8]) -> Option<&'a [u8]> {
    let found = shard.get(key).unwrap();
    found.map(|value| value.in_place().unwrap())
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
        assert_eq!(get(&shard, key), Some(value.as_slice()), "{}", key.len());
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
        let found = get(&shard, key).unwrap();
        if *key == huge {
            assert_eq!(found.len(), LEN);
            assert!(found.iter().all(|byte| *byte == 0));
        } else {
            assert_eq!(found, key);
        }
    }
    assert_eq!(get(&shard, b"none"), None);
}
