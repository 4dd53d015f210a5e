//! Values as they are, compressed with a dictionary of their shard, and without one: bytes a
//! value, time to write and to read it.
//!
//! ```sh
//! cargo bench --bench values [-- TABLE.csv]
//! ```
//!
//! Values are the rows of a table as JSON objects: of their first columns, whole, and three in one.
//! Without a table, rows are made up. All is in memory; lookups are in no order.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints, may fail, and has small numbers"
)]

mod support;

use std::time::Instant;

use nightshard_format::{
    key::{self, PartitionRun},
    shard::{Identity, Samples, Shard, ShardWriter, Span},
};
use support::{median, print_machine};

/// Rows that are read of a table.
const ROWS: usize = 120_000;
/// Columns of the short values.
const COLUMNS: usize = 4;
const ROUNDS: usize = 5;

type Row = Vec<String>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let table = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    let len = if is_test { 2_000 } else { ROWS };
    let (names, rows) = table.map_or_else(|| made_up(len), |path| read(path, len));
    print_machine();
    println!(
        "values       bytes  plain: bytes  write ns  read ns  compressed: bytes  write ns  \
              train ms  read ns  no dictionary: bytes  read ns"
    );
    let object = |columns: usize, row: &Row| {
        let members = names.iter().zip(row).take(columns);
        let members = members.map(|(name, text)| format!("{name:?}:{text:?}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let whole: Vec<String> = rows.iter().map(|row| object(names.len(), row)).collect();
    let short = rows.iter().map(|row| object(COLUMNS, row)).collect();
    let three = whole
        .chunks(3)
        .map(|rows| format!("[{}]", rows.join(",")))
        .collect();
    for (name, values) in [("short", short), ("rows", whole), ("three rows", three)] {
        measure(name, values);
    }
}

fn read(path: &str, len: usize) -> (Row, Vec<Row>) {
    let mut table = csv::Reader::from_path(path).unwrap();
    let row = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Row>();
    let names = row(table.headers().unwrap());
    let rows = table
        .records()
        .take(len)
        .map(|record| row(&record.unwrap()));
    (names, rows.collect())
}

fn made_up(len: usize) -> (Row, Vec<Row>) {
    let names = [
        "order", "city", "placed", "amount", "customer", "status", "weight_g", "note",
    ];
    let cities = ["Leeds", "York", "Hull", "Bath", "Derby", "Truro", "Wells"];
    let states = ["paid", "sent", "returned"];
    let mut state = 1_u64;
    let mut random = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut row = |number: usize| {
        vec![
            format!("o{number:09}"),
            cities[random(7) as usize].into(),
            format!(
                "2018-{:02}-{:02}T{:02}:{:02}",
                random(12) + 1,
                random(28) + 1,
                random(24),
                random(60)
            ),
            format!("{}.{:02}", random(300), random(100)),
            format!("{:016x}", random(1 << 31) * 0x1_0001),
            states[random(3) as usize].into(),
            random(20_000).to_string(),
            format!("to be left at door {} of the house", random(40)),
        ]
    };
    let rows = (0..len).map(&mut row).collect();
    (names.map(Into::into).into(), rows)
}

/// Prints a line of the table.
fn measure(name: &str, values: Vec<String>) {
    let count = values.len() as f64;
    let mut records: Vec<([u8; 8], String)> = (0_u64..).map(u64::to_le_bytes).zip(values).collect();
    records.sort_by(|(left, _), (right, _)| key::order(left).cmp(&key::order(right)));
    let raw: usize = records.iter().map(|(_, value)| value.len()).sum();

    let begun = Instant::now();
    let mut samples = Samples::new();
    records
        .iter()
        .for_each(|(_, value)| samples.add(value.as_bytes()));
    let dictionary = samples.dictionary().unwrap();
    let train_ms = begun.elapsed().as_millis();
    let (plain, plain_ns) = write(&records, None);
    let (compressed, compressed_ns) = write(&records, dictionary);
    let per_value = |shard: &Shard<Vec<u8>>| shard.bytes().len() as f64 / count;

    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.include_contentsize(false).unwrap();
    let frames: Vec<Vec<u8>> = records
        .iter()
        .map(|(_, value)| compressor.compress(value.as_bytes()).unwrap())
        .collect();
    let alone: usize = frames.iter().map(Vec::len).sum();
    let mut decompressor = zstd::bulk::Decompressor::new().unwrap();
    let alone_ns = read_ns(records.len(), |at| {
        let len = records[at].1.len();
        decompressor.decompress(&frames[at], len).unwrap().len()
    });
    println!(
        "{name:<12} {:5.0} {:13.0} {plain_ns:9.0} {:8.0} {:18.0} {compressed_ns:9.0} {train_ms:9} \
         {:8.0} {:21.0} {alone_ns:8.0}",
        raw as f64 / count,
        per_value(&plain),
        read_ns(records.len(), |at| look_up(&plain, &records[at].0)),
        per_value(&compressed),
        read_ns(records.len(), |at| look_up(&compressed, &records[at].0)),
        per_value(&plain) + (alone as f64 - raw as f64) / count,
    );
}

/// Writes a shard; returns the time for a value, too.
fn write(records: &[([u8; 8], String)], dictionary: Option<Vec<u8>>) -> (Shard<Vec<u8>>, f64) {
    let identity = Identity {
        dataset: "values".into(),
        span: Span::Current,
        run: PartitionRun {
            first: 0,
            end: 1024,
        },
    };
    let begun = Instant::now();
    let mut file = Vec::new();
    let writer = match dictionary {
        None => ShardWriter::new(&mut file, &identity),
        Some(dictionary) => ShardWriter::compressing(&mut file, &identity, dictionary),
    };
    let mut writer = writer.unwrap();
    for (key, value) in records {
        writer.append(key, value.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    let ns = begun.elapsed().as_nanos() as f64 / records.len() as f64;
    let shard = Shard::open(file).unwrap();
    shard.verify().unwrap();
    (shard, ns)
}

fn look_up(shard: &Shard<Vec<u8>>, key: &[u8]) -> usize {
    let value = shard.get(key).unwrap().unwrap();
    value
        .read()
        .unwrap()
        .iter()
        .map(|byte| usize::from(*byte))
        .sum()
}

/// Returns the median of the time to read a value, of all values in no order.
fn read_ns(len: usize, mut read: impl FnMut(usize) -> usize) -> f64 {
    let mut round = || {
        let begun = Instant::now();
        // A prime that divides no number of values: every value once.
        let sum: usize = (0..len).map(|at| read(at * 1_000_003 % len)).sum();
        std::hint::black_box(sum);
        begun.elapsed().as_nanos() as f64 / len as f64
    };
    let rounds: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    median(&rounds)
}
