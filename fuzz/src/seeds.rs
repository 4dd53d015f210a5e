//! What fuzzing starts from: the golden files, and shards with every width of index line.

use std::path::{Path, PathBuf};

use nightshard_format::{
    key::{self, PARTITIONS, PartitionRun},
    shard::{Identity, Samples, Shard, ShardWriter, Span},
};

use crate::values::LEN_KINDS;

/// Keys that seeds hold, to be looked for whatever has become of them.
#[must_use]
pub fn keys() -> Vec<Vec<u8>> {
    let golden: [&[u8]; 8] = [
        b"bar",
        b"busy",
        b"all",
        b"ibar",
        "wb\u{e4}r".as_bytes(),
        b"amount\0\0",
        b"index",
        b"",
    ];
    let mut keys: Vec<Vec<u8>> = golden.into_iter().map(<[u8]>::to_vec).collect();
    keys.extend((0..60).map(numbered_key));
    keys
}

fn numbered_key(number: usize) -> Vec<u8> {
    format!("key {number:03}").into_bytes()
}

/// Returns the files of a folder, by name.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn folder(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let listed = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.expect("it was listed").path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

fn golden(extension: &str) -> Vec<Vec<u8>> {
    let versions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../format/tests/golden");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(versions).expect("golden files are in the checkout") {
        let path = entry.expect("it was listed").path();
        if path.is_dir() {
            let mut files = folder(&path);
            files.retain(|(path, _)| path.extension().is_some_and(|found| found == extension));
            found.extend(files.into_iter().map(|(_, bytes)| bytes));
        }
    }
    found
}

/// Returns golden and made-up shards.
#[must_use]
pub fn shards() -> Vec<Vec<u8>> {
    let mut shards = golden("shard");
    // Lengths that make distances of no, two and four bytes; and shards of few and no records.
    shards.extend([0, 2, 60].map(compressed));
    for (records, value_len) in [
        (60, |_number| 5),
        (60, |number| number % 7),
        (60, |number| if number % 9 == 0 { 5_000 } else { 3 }),
        (2, |number| number),
        (0, |_number| 0),
    ] as [(usize, fn(usize) -> usize); 5]
    {
        for has_terms in [false, true] {
            shards.push(made_up(records, value_len, has_terms));
        }
    }
    shards
}

fn identity() -> Identity {
    Identity {
        dataset: "made-up".into(),
        span: Span::Current,
        run: PartitionRun {
            first: 0,
            end: PARTITIONS,
        },
    }
}

/// Returns a shard whose values are compressed, all but the empty one and one that is short.
fn compressed(records: usize) -> Vec<u8> {
    let value = |number: usize| match number {
        0 => String::new(),
        1 => "short".into(),
        _ => format!(
            "the {number}th of some values, whose square is {}",
            number * number
        ),
    };
    let mut samples = Samples::new();
    (0..400).for_each(|number| samples.add(value(number).as_bytes()));
    let dictionary = samples.dictionary().expect("memory suffices");
    let dictionary = dictionary.expect("the values are alike");
    let mut keys: Vec<_> = (0..records)
        .map(|number| (numbered_key(number), number))
        .collect();
    keys.sort_by(|(left, _), (right, _)| key::order(left).cmp(&key::order(right)));
    let mut file = Vec::new();
    let writer = ShardWriter::compressing(&mut file, &identity(), dictionary);
    let mut writer = writer.expect("the dictionary is one");
    for (key, number) in keys {
        let appended = writer.append(&key, value(number).as_bytes());
        appended.expect("keys are in order");
    }
    writer.finish().expect("there are no terms");
    file
}

fn made_up(records: usize, value_len: fn(usize) -> usize, has_terms: bool) -> Vec<u8> {
    let mut keys: Vec<_> = (0..records)
        .map(|number| (numbered_key(number), number))
        .collect();
    keys.sort_by(|(left, _), (right, _)| key::order(left).cmp(&key::order(right)));
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity()).expect("a vector takes anything");
    for (key, number) in keys {
        let value = vec![b'v'; value_len(number)];
        writer.append(&key, &value).expect("keys are in order");
        if has_terms {
            writer.add_term(&key).expect("there is a record");
        }
    }
    writer.finish().expect("terms differ");
    file
}

/// Returns the golden manifests.
#[must_use]
pub fn manifests() -> Vec<Vec<u8>> {
    golden("json")
}

/// Returns the values of all golden shards, and those by themselves, with the byte before that says what they are.
#[must_use]
pub fn values() -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut put = |stored: &[u8]| {
        for kind in 0..LEN_KINDS {
            let kind = u8::try_from(kind).expect("there are few");
            values.push([&[kind][..], stored].concat());
        }
    };
    golden("value").iter().for_each(|value| put(value));
    for file in golden("shard") {
        let shard = Shard::open(file).expect("golden files are right");
        for record in shard.iter() {
            let record = record.expect("golden files are right");
            put(record.value.stored());
        }
    }
    values
}
