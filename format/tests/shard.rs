//! The shard against a plain map, and against damage.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use nightshard_format::{
    Error,
    key::{PartitionRun, hash, order, partition_of},
    shard::{Identity, Mapped, Shard, ShardWriter, Span, Value},
};
use proptest::prelude::*;

const ALL: PartitionRun = PartitionRun {
    first: 0,
    end: 1024,
};

fn identity(run: PartitionRun) -> Identity {
    Identity {
        dataset: "test".into(),
        span: Span::Current,
        run,
    }
}

/// Writes the records of a map whose partitions lie in `run`; every key is a term, too.
fn write(records: &BTreeMap<Vec<u8>, Vec<u8>>, run: PartitionRun) -> Vec<u8> {
    let mut ordered: Vec<_> = records
        .iter()
        .map(|(key, value)| (hash(key), key, value))
        .filter(|(hash, ..)| run.contains(partition_of(*hash)))
        .collect();
    ordered.sort();
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity(run)).unwrap();
    for (_, key, value) in ordered {
        writer.append(key, value).unwrap();
        writer.add_term(key).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.len_bytes, file.len() as u64);
    assert_eq!(written.digest, blake3::hash(&file));
    file
}

/// Returns the bytes of a value that was found, decompressed if need be.
fn read(found: Option<Value<'_>>) -> Option<Vec<u8>> {
    found.map(|value| value.read().unwrap().into_owned())
}

fn small() -> BTreeMap<Vec<u8>, Vec<u8>> {
    (0..12_u8)
        .map(|i| (vec![b'k'; i.into()], vec![i; usize::from(i) * 3]))
        .collect()
}

proptest! {
    #[test]
    fn a_shard_answers_as_a_map_does(
        records in prop::collection::btree_map(
            prop::collection::vec(0_u8..3, 0..6), prop::collection::vec(any::<u8>(), 0..40), 0..80),
        probes in prop::collection::vec(prop::collection::vec(0_u8..3, 0..6), 0..40),
        runs in 1_u16..9,
    ) {
        let mut found = BTreeMap::new();
        for run in PartitionRun::split(runs).unwrap() {
            let shard = Shard::open(write(&records, run)).unwrap();
            shard.verify().unwrap();
            let keys: Vec<&[u8]> = records.keys().chain(&probes).map(Vec::as_slice).collect();
            let mut many = Vec::new();
            shard.get_many(&keys, |number, value| many.push((number, read(value.unwrap()))));
            for (number, key) in keys.into_iter().enumerate() {
                let expected = records.get(key).filter(|_| run.contains(partition_of(hash(key))));
                let expected = expected.cloned();
                prop_assert_eq!(&read(shard.get(key).unwrap()), &expected);
                prop_assert_eq!(&read(shard.get_checked(key).unwrap()), &expected);
                prop_assert_eq!(&many[number], &(number, expected));
            }
            for record in shard.iter() {
                let record = record.unwrap();
                found.insert(record.key.to_vec(), record.value.read().unwrap().into_owned());
            }
        }
        prop_assert_eq!(found, records);
    }
}

#[test]
fn an_ordered_dataset_has_its_keys_and_nothing_else_as_terms() {
    let keys: [&[u8]; 2] = [b"a", b"b"];
    let cases: [(&[&[u8]], bool); 7] = [
        (&[], true),
        (&[b"a", b"b"], true),
        (&[b"a"], false),
        (&[b"b", b"a"], false),
        (&[b"a", b"c"], false),
        (&[b"a", b"b", b"c"], false),
        (&[b"c", b"d"], false),
    ];
    for (terms, are_keys) in cases {
        let mut records: Vec<(&[u8], &[u8])> = Vec::new();
        for (at, key) in keys.into_iter().enumerate() {
            records.push((key, terms.get(at).copied().unwrap_or_default()));
        }
        records.sort_by_key(|(key, _)| order(key));
        let mut file = Vec::new();
        let mut writer = ShardWriter::new(&mut file, &identity(ALL)).unwrap();
        for (key, term) in records {
            writer.append(key, b"").unwrap();
            if !term.is_empty() {
                writer.add_term(term).unwrap();
            }
        }
        terms
            .iter()
            .skip(2)
            .for_each(|term| writer.add_term(term).unwrap());
        writer.finish().unwrap();
        let shard = Shard::open(file).unwrap();
        shard.verify().unwrap();
        assert_eq!(shard.verify_terms_are_keys().is_ok(), are_keys, "{terms:?}");
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    let file = write(&small(), ALL);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            let verified = Shard::open(damaged).and_then(|shard| shard.verify());
            assert!(verified.is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_an_error() {
    let file = write(&small(), ALL);
    for len in 0..file.len() {
        let error = Shard::open(&file[..len]).unwrap_err();
        assert!(
            matches!(error, Error::NotAShard(_) | Error::Corrupt { .. }),
            "{len}: {error}"
        );
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(Shard::open(&longer).is_err());
    let twice = [&file[..], &file[..]].concat();
    assert!(Shard::open(&twice).is_err());
}

#[test]
fn point_lookups_in_damaged_bytes_never_panic() {
    let records = small();
    let file = write(&records, ALL);
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0xff;
        let Ok(shard) = Shard::open(damaged) else {
            continue;
        };
        for key in records.keys() {
            let _unverified = shard.get(key);
        }
        shard.iter().for_each(drop);
    }
}

#[test]
fn a_newer_version_and_foreign_bytes_are_refused() {
    let file = write(&small(), ALL);
    let mut newer = file.clone();
    newer[8] = 2;
    assert!(matches!(
        Shard::open(newer).unwrap_err(),
        Error::UnknownVersion {
            found: 2,
            newest: 1
        }
    ));
    for foreign in [&b""[..], b"PAR1", &[0; 4096], &[0xff; 4096]] {
        assert!(matches!(
            Shard::open(foreign).unwrap_err(),
            Error::NotAShard(_)
        ));
    }
}

#[test]
fn a_writer_refuses_what_would_break_lookups() {
    let run = PartitionRun { first: 0, end: 512 };
    let mut by_partition: Vec<Vec<u8>> = (0..64_u8).map(|i| vec![i]).collect();
    by_partition.sort_by_key(|key| (hash(key), key.clone()));
    let (inside, outside): (Vec<_>, Vec<_>) = by_partition
        .into_iter()
        .partition(|key| partition_of(hash(key)) < 512);
    let mut writer = ShardWriter::new(Vec::new(), &identity(run)).unwrap();
    writer.append(&inside[1], b"").unwrap();
    for key in [&inside[0], &inside[1], &outside[0], &vec![0; 65_536]] {
        assert!(matches!(
            writer.append(key, b"").unwrap_err(),
            Error::Invalid { .. }
        ));
    }
    writer.append(&inside[2], b"").unwrap();
    writer.add_term(b"same").unwrap();
    writer.add_term(b"same").unwrap();
    assert!(writer.finish().is_err());
    for (terms, is_right) in [(256_u16, true), (257, false)] {
        let mut writer = ShardWriter::new(Vec::new(), &identity(ALL)).unwrap();
        writer.append(b"key", b"").unwrap();
        (0..terms).for_each(|term| writer.add_term(&term.to_le_bytes()).unwrap());
        assert_eq!(writer.finish().is_ok(), is_right);
    }
    for name in ["", "UPPER", "a/b", "a name", &"x".repeat(33)] {
        let wrong = Identity {
            dataset: name.into(),
            ..identity(ALL)
        };
        assert!(ShardWriter::new(Vec::new(), &wrong).is_err(), "{name}");
    }
}

#[test]
fn a_mapped_file_reads_like_bytes_and_an_empty_shard_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for records in [small(), BTreeMap::new()] {
        let path = folder.path().join("shard");
        std::fs::write(&path, write(&records, ALL)).unwrap();
        let shard = Shard::open(Mapped::open(&path).unwrap()).unwrap();
        shard.verify().unwrap();
        assert_eq!(shard.len(), records.len() as u64);
        assert_eq!(shard.is_empty(), records.is_empty());
        assert!(
            records
                .iter()
                .all(|(key, value)| read(shard.get(key).unwrap()).as_ref() == Some(value))
        );
        assert!(shard.get(b"no such key").unwrap().is_none());
    }
}

#[test]
fn the_longest_key_and_empty_ones_are_found() {
    let records: BTreeMap<Vec<u8>, Vec<u8>> =
        [(vec![], vec![]), (vec![7; 65_535], vec![1; 70_000])].into();
    let shard = Shard::open(write(&records, ALL)).unwrap();
    shard.verify().unwrap();
    assert!(
        records
            .iter()
            .all(|(key, value)| read(shard.get(key).unwrap()).as_ref() == Some(value))
    );
}

#[test]
fn iteration_goes_on_where_it_was_left() {
    let shard = Shard::open(write(&small(), ALL)).unwrap();
    let mut offset = 0;
    let mut read = Vec::new();
    loop {
        let mut records = shard.iter_from(offset);
        assert_eq!(records.offset(), offset);
        let Some(record) = records.next() else { break };
        read.push(record.unwrap().key);
        offset = records.offset();
    }
    assert!(
        read.into_iter()
            .eq(shard.iter().map(|record| record.unwrap().key))
    );
    assert!(shard.iter_from(offset + 1).next().is_none());
    assert!(shard.iter_from(u64::MAX).next().is_none());
}

#[test]
fn a_shard_without_terms_is_ordered_only_if_it_is_empty() {
    let write = |records: usize| {
        let mut file = Vec::new();
        let mut writer = ShardWriter::new(&mut file, &identity(ALL)).unwrap();
        (0..records).for_each(|_| writer.append(b"key", b"value").unwrap());
        writer.finish().unwrap();
        Shard::open(file).unwrap()
    };
    assert!(write(0).is_ordered());
    assert!(!write(1).is_ordered());
}
