//! Compressed values against a plain map, against damage, and against forgery.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use std::collections::BTreeMap;

use forge::{Section, assert_found, encode};
use nightshard_format::{
    Error, Result,
    bytes::put_varint,
    key::{PartitionRun, hash},
    shard::{COMPRESSED_LEN_MAX, DICTIONARY_LEN_MAX, Identity, Samples, Shard, ShardWriter, Span},
};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

fn row(number: u32) -> Vec<u8> {
    let colour = ["red", "green", "blue"][number as usize % 3];
    let size = number.wrapping_mul(2_654_435_761) >> 20;
    format!(r#"{{"number":{number},"colour":"{colour}","size":{size}}}"#).into_bytes()
}

/// A dictionary of rows in this order, of less than a kilobyte.
fn dictionary_of(numbers: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut samples = Samples::new();
    numbers.for_each(|number| samples.add(&row(number)));
    samples.dictionary().unwrap().unwrap()
}

fn dictionary() -> Vec<u8> {
    dictionary_of(0..300)
}

fn write(records: &Map, dictionary: Vec<u8>) -> Vec<u8> {
    let identity = Identity {
        dataset: "test".into(),
        span: Span::Current,
        run: PartitionRun {
            first: 0,
            end: 1024,
        },
    };
    let mut ordered: Vec<_> = records.iter().collect();
    ordered.sort_by_key(|(key, _)| (hash(key), *key));
    let mut file = Vec::new();
    let mut writer = ShardWriter::compressing(&mut file, &identity, dictionary).unwrap();
    for (key, value) in ordered {
        writer.append(key, value).unwrap();
        writer.add_term(key).unwrap();
    }
    writer.finish().unwrap();
    file
}

fn small() -> Map {
    let rows = (0..6_u32).map(|number| (vec![b'k'; number as usize], row(number * 50)));
    let odd = [(b"none".to_vec(), vec![]), (b"odd".to_vec(), vec![7, 1, 9])];
    rows.chain(odd).collect()
}

/// Values that compress, values that do not, and empty ones.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u32>().prop_map(row),
        prop::collection::vec(any::<u8>(), 0..40),
        (any::<u8>(), 0..300_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_compressed_shard_answers_as_a_map_does(
        records in prop::collection::btree_map(
            prop::collection::vec(0_u8..3, 0..6), any_value(), 0..40),
    ) {
        let file = write(&records, dictionary());
        prop_assert!(file == write(&records, dictionary()), "the same values, other bytes");
        let shard = Shard::open(file).unwrap();
        shard.verify().unwrap();
        prop_assert!(shard.is_compressed());
        let keys: Vec<&[u8]> = records.keys().map(Vec::as_slice).collect();
        let mut many = Vec::new();
        shard.get_many(&keys, |_number, found| {
            many.push(found.unwrap().unwrap().read().unwrap().into_owned());
        });
        prop_assert!(many.iter().eq(records.values()));
        let mut listed = Map::new();
        for record in shard.iter() {
            let record = record.unwrap();
            listed.insert(record.key.to_vec(), record.value.read().unwrap().into_owned());
        }
        prop_assert_eq!(&listed, &records);
        for (key, value) in &records {
            let found = shard.get_checked(key).unwrap().unwrap();
            prop_assert_eq!(found.len_bytes().unwrap(), value.len());
            prop_assert!(found.stored().len() <= value.len() + 1);
            match found.in_place() {
                Ok(stored) => prop_assert_eq!(stored, value),
                Err(error) => prop_assert!(matches!(error, Error::Compressed), "{}", error),
            }
        }
    }
}

#[test]
fn rows_that_are_alike_are_stored_in_two_thirds_at_most() {
    let records: Map = (1_000..2_000)
        .map(|number| (row(number), row(number)))
        .collect();
    let shard = Shard::open(write(&records, dictionary())).unwrap();
    let values = shard.iter().map(|record| record.unwrap().value);
    let stored: usize = values.map(|value| value.stored().len()).sum();
    let raw: usize = records.values().map(Vec::len).sum();
    assert!(stored * 3 < raw * 2, "{stored} of {raw}");
}

#[test]
fn no_dictionary_is_made_of_what_is_random_little_or_nothing() {
    let mut random = Samples::new();
    for number in 0..2_000_u32 {
        random.add(blake3::hash(&number.to_le_bytes()).as_bytes());
    }
    let mut little = Samples::new();
    (0..4).for_each(|number| little.add(&row(number)));
    let mut empty = Samples::new();
    (0..1_000).for_each(|_| empty.add(&[]));
    for samples in [Samples::new(), random, little, empty] {
        assert_eq!(samples.dictionary().unwrap(), None);
    }
    let mut long = Samples::new();
    for number in 0..1_000 {
        long.add(&row(number).repeat(1_000));
    }
    assert!(long.is_full());
    assert!(long.dictionary().unwrap().is_some());
}

#[test]
fn what_is_no_dictionary_is_refused_by_the_writer() {
    let identity = Identity {
        dataset: "test".into(),
        span: Span::Current,
        run: PartitionRun { first: 0, end: 1 },
    };
    let magic = dictionary()[..8].to_vec();
    for wrong in [
        vec![],
        b"no dictionary at all".to_vec(),
        magic,
        vec![0; 2 << 20],
    ] {
        let refused = ShardWriter::compressing(Vec::new(), &identity, wrong)
            .and_then(|mut writer| writer.append(b"k", b"value"));
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }
}

#[test]
fn every_flipped_bit_of_a_compressed_shard_is_an_error_and_no_lookup_panics() {
    let records = small();
    let file = write(&records, dictionary());
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            let Ok(shard) = Shard::open(damaged) else {
                continue;
            };
            assert!(shard.verify().is_err(), "byte {at} bit {bit}");
            for key in records.keys() {
                if let Ok(Some(value)) = shard.get(key) {
                    let _damaged = (value.read(), value.in_place(), value.len_bytes());
                }
            }
        }
    }
}

#[test]
fn every_truncation_of_a_compressed_shard_is_an_error() {
    let file = write(&small(), dictionary());
    for len in 0..file.len() {
        assert!(Shard::open(&file[..len]).is_err(), "{len}");
    }
}

/// A shard of one record, whose value is stored so, and of one dictionary.
fn one_record(stored: &[u8], dictionary: &[u8]) -> Vec<Section> {
    let mut record = Vec::new();
    put_varint(&mut record, 1);
    put_varint(&mut record, stored.len() as u64);
    record.push(b'k');
    record.extend(stored);
    record.extend_from_slice(&xxh3_64(&record).to_le_bytes()[..4]);
    let mut index = [0; 128];
    index[0] = 1;
    index[8..16].copy_from_slice(&(record.len() as u64).to_le_bytes());
    index[64] = 1;
    index[72..74].copy_from_slice(&hash(b"k").to_le_bytes()[..2]);
    let records = Section {
        codec: 1,
        ..Section::new(1, 1, record)
    };
    let index = Section::new(2, 1, index.into());
    vec![records, index, Section::new(5, 1, dictionary.into())]
}

fn open(sections: &[Section]) -> Result<Shard<Vec<u8>>> {
    Shard::open(encode((0, 1024), sections))
}

/// Reads a value that is stored so, by itself and while all is verified.
fn read(stored: &[u8], dictionary: &[u8]) -> Result<Vec<u8>> {
    let shard = open(&one_record(stored, dictionary))?;
    let found = shard.get(b"k")?.unwrap();
    let read = found.read().map(|value| value.into_owned());
    assert_eq!(shard.verify().is_ok(), read.is_ok());
    read
}

/// Length and frame of a row.
fn frame_of(number: u32) -> (usize, Vec<u8>) {
    let (key, value) = (b"k".to_vec(), row(number));
    let shard = Shard::open(write(&[(key, value.clone())].into(), dictionary())).unwrap();
    let stored = shard.get(b"k").unwrap().unwrap().stored();
    assert_eq!(usize::from(stored[0]), value.len());
    (value.len(), stored[1..].to_vec())
}

fn with_length(len: u64, frame: &[u8]) -> Vec<u8> {
    let mut stored = Vec::new();
    put_varint(&mut stored, len);
    [&stored, frame].concat()
}

#[test]
fn lengths_that_lie_are_found() {
    let (len, frame) = frame_of(1_234);
    let dictionary = dictionary();
    let read = |len, frame: &[u8]| read(&with_length(len, frame), &dictionary);
    let right = len as u64;
    assert_eq!(read(right, &frame).unwrap(), row(1_234));
    for longer in [right + 1, 70_000, COMPRESSED_LEN_MAX as u64] {
        assert_found(read(longer, &frame), "value", "not the stated one");
    }
    for shorter in [1, right - 1] {
        assert_found(read(shorter, &frame), "value", "");
    }
    for more in [COMPRESSED_LEN_MAX as u64 + 1, 1 << 40, u64::MAX] {
        assert_found(read(more, &frame), "value", "more than are ever compressed");
    }
    for cut in 0..frame.len() {
        assert_found(read(right, &frame[..cut]), "value", "");
    }
    let empty_block = [&frame[..1], &frame[1..2], &[1, 0, 0]].concat();
    for (more, len) in [(&frame, 2 * right), (&frame, right), (&empty_block, right)] {
        let several = [&frame[..], more].concat();
        assert_found(read(len, &several), "value", "not one frame");
    }
    // A frame that says its size in its header, too, and is otherwise right.
    let mut sized = frame.clone();
    sized.splice(0..2, [0x20, u8::try_from(len).unwrap()]);
    assert_found(read(right, &sized), "value", "not one frame");
    assert_eq!(read(0, &frame).unwrap(), frame);
    assert_eq!(read(0, b"").unwrap(), b"");
}

#[test]
fn a_length_is_written_in_one_way_only() {
    let (len, frame) = frame_of(1_234);
    let long = u8::try_from(len).unwrap() | 0x80;
    for stored in [
        [&[0x80, 0][..], b"value"].concat(),
        [&[0x80, 0x80, 0][..], b"value"].concat(),
        [&[long, 0][..], &frame].concat(),
    ] {
        assert_found(
            read(&stored, &dictionary()),
            "value",
            "longer than it needs",
        );
    }
}

#[test]
fn a_value_without_its_length_is_found() {
    for stored in [&[][..], &[0x80], &[0xff; 12]] {
        assert_found(read(stored, &dictionary()), "value", "");
    }
}

#[test]
fn a_frame_of_another_dictionary_is_an_error_or_another_value() {
    let (len, frame) = frame_of(1_234);
    let other = dictionary_of((0..300).rev());
    assert_ne!(other, dictionary());
    let read = read(&with_length(len as u64, &frame), &other);
    assert_ne!(read.ok(), Some(row(1_234)));
}

#[test]
fn a_dictionary_that_is_missing_of_no_use_or_none_is_found() {
    let (len, frame) = frame_of(1_234);
    let stored = with_length(len as u64, &frame);
    let right = one_record(&stored, &dictionary());
    open(&right).unwrap().verify().unwrap();
    let forge = |change: &dyn Fn(&mut Vec<Section>)| {
        let mut sections = right.clone();
        change(&mut sections);
        open(&sections).map(drop)
    };
    let missing = forge(&|sections| drop(sections.pop()));
    assert_found(missing, "dictionary", "exactly if values are compressed");
    let useless = forge(&|sections| sections[0].codec = 0);
    assert_found(useless, "dictionary", "exactly if values are compressed");
    let twice = forge(&|sections| sections.push(sections[2].clone()));
    assert_found(twice, "section table", "a section occurs twice");
    let counted = forge(&|sections| sections[2].items = 2);
    assert_found(counted, "dictionary", "out of bounds");
    let long = forge(&|sections| sections[2].bytes.resize(DICTIONARY_LEN_MAX + 1, 0));
    assert_found(long, "dictionary", "out of bounds");
    let compressed = forge(&|sections| sections[2].codec = 1);
    assert_found(compressed, "section table", "codec 1 is not known");
    for len in [0, 3, 4, 8, 40] {
        let cut = forge(&|sections| sections[2].bytes.truncate(len));
        assert_found(cut, "dictionary", "none of zstd");
    }
    let foreign = forge(&|sections| sections[2].bytes = vec![b'x'; 500]);
    assert_found(foreign, "dictionary", "none of zstd");
}
