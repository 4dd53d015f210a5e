//! Packed tables against a plain map, whatever the format, the memory and the threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compression;
mod hostile;
#[cfg(feature = "parquet")]
mod parquet;
mod support;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use nightshard_builder::{
    Error,
    build::Quiet,
    pack::{Compression, PackPlan, TableFormat, pack},
};
use nightshard_format::{manifest::OnDuplicate, shard::Search};
use proptest::prelude::*;
use tempfile::TempDir;

use support::{Files, Map, content, digests, map, problem, shards};

#[test]
fn values_are_one_column_several_or_whole_rows() {
    let csv: &[u8] = b"name,k,price\n\"a \"\"b\"\", c\", x ,1.50\nd,,\n";
    let tsv: &[u8] = b"name\tk\tprice\na \"b\", c\t x \t1.50\nd\t\t\n";
    for files in [("t.csv", csv), ("t.tsv", tsv)] {
        let files = Files::write(&[files]);
        let mut plan = files.plan();
        let whole = pack(&plan, &Quiet).unwrap();
        let rows = [
            (" x ", r#"{"name":"a \"b\", c","k":" x ","price":"1.50"}"#),
            ("", r#"{"name":"d","k":"","price":""}"#),
        ];
        assert_eq!(content(&whole), map(&rows));
        assert_eq!(whole.packed.media_type, "application/json");
        plan.staging = files.plan().staging;
        plan.values = vec!["price".into()];
        let one = pack(&plan, &Quiet).unwrap();
        assert_eq!(content(&one), map(&[(" x ", "1.50"), ("", "")]));
        assert_eq!(one.packed.media_type, "text/plain; charset=utf-8");
        plan.staging = files.plan().staging;
        plan.values = vec!["price".into(), "name".into()];
        let two = pack(&plan, &Quiet).unwrap();
        let rows = [
            (" x ", r#"{"price":"1.50","name":"a \"b\", c"}"#),
            ("", r#"{"price":"","name":"d"}"#),
        ];
        assert_eq!(content(&two), map(&rows));
    }
}

#[test]
fn json_lines_keep_their_types() {
    let lines: &[u8] = b"{\"k\": \"a\\u0062\", \"v\": \"x\\ny\", \"n\": 1.50}\n\
                         \n{\"k\": 7, \"n\": 12345678901234567890123, \"v\": {\"b\": [1, null]}}\r\n\
                         {\"k\": true, \"v\": null}";
    let files = Files::write(&[("t.jsonl", lines)]);
    let mut plan = files.plan();
    let whole = content(&pack(&plan, &Quiet).unwrap());
    let row = r#"{"k": "a\u0062", "v": "x\ny", "n": 1.50}"#;
    assert_eq!(whole[&b"ab"[..]], row.as_bytes());
    assert_eq!(whole[&b"true"[..]], br#"{"k": true, "v": null}"#);
    plan.staging = files.plan().staging;
    plan.values = vec!["v".into()];
    let one = content(&pack(&plan, &Quiet).unwrap());
    let rows = [
        ("ab", "x\ny"),
        ("7", r#"{"b": [1, null]}"#),
        ("true", "null"),
    ];
    assert_eq!(one, map(&rows));
    plan.staging = files.plan().staging;
    plan.values = vec!["n".into(), "v".into()];
    let two = content(&pack(&plan, &Quiet).unwrap());
    let number = r#"{"n":12345678901234567890123,"v":{"b": [1, null]}}"#;
    assert_eq!(two[&b"7"[..]], number.as_bytes());
    assert_eq!(two[&b"true"[..]], br#"{"n":null,"v":null}"#);
    plan.values = vec!["colour".into()];
    assert_eq!(problem(&plan), "--value: no row has \"colour\"");
}

#[test]
fn compressed_files_and_a_byte_order_mark_are_read() {
    let table = b"\xef\xbb\xbfk,v\na,1\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(table).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::bulk::compress(table, 1).unwrap();
    for file in [
        ("t.csv", &table[..]),
        ("t.csv.gz", &gzip),
        ("t.csv.zst", &zstd),
    ] {
        let files = Files::write(&[file]);
        let plan = PackPlan {
            values: vec!["v".into()],
            ..files.plan()
        };
        assert_eq!(content(&pack(&plan, &Quiet).unwrap()), map(&[("a", "1")]));
    }
    let files = Files::write(&[("t.csv.gz", &gzip[..gzip.len() - 9])]);
    assert!(problem(&files.plan()).ends_with("file ends early"));
}

#[test]
fn a_key_that_is_there_twice_is_an_error_that_names_both_places_or_is_chosen() {
    let files = Files::write(&[
        ("b.csv", b"k,v\nx,1\ny,2\n"),
        ("a.csv", b"k,v\nz,3\n\nx,4\n"),
    ]);
    let mut plan = files.plan();
    plan.values = vec!["v".into()];
    let text = problem(&plan);
    let (first, second) = (&files.paths[0], &files.paths[1]);
    let expected = format!(
        "{}:4: key \"x\" is also at {}:2: --on-duplicate first or last chooses",
        second.display(),
        first.display()
    );
    assert_eq!(text, expected);
    for (rule, expected) in [(OnDuplicate::First, "1"), (OnDuplicate::Last, "4")] {
        plan.staging = files.plan().staging;
        plan.on_duplicate = rule;
        let packed = pack(&plan, &Quiet).unwrap();
        let rows = [("x", expected), ("y", "2"), ("z", "3")];
        assert_eq!(content(&packed), map(&rows));
        let rows = &packed.packed.rows;
        assert_eq!(
            (rows.read, rows.used, rows.excluded["duplicate"]),
            (4, 3, 1)
        );
    }
}

#[test]
fn a_name_of_transactions_and_too_little_memory_are_wrong_options() {
    let files = Files::write(&[("t.csv", b"k,v\na,1\n")]);
    for (dataset, memory_bytes, option) in
        [("stores", 1 << 20, "--dataset"), ("x", 1 << 19, "--memory")]
    {
        let plan = PackPlan {
            dataset: dataset.into(),
            memory_bytes,
            ..files.plan()
        };
        let error = pack(&plan, &Quiet).unwrap_err();
        assert!(matches!(error, Error::Option { option: it, .. } if it == option));
    }
}

#[test]
fn options_are_looked_at_before_any_file() {
    let mut plan = Files::write(&[]).plan_kept();
    plan.files = vec!["missing.csv".into()];
    let wrong = |option: &str, change: fn(&mut PackPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        let error = pack(&plan, &Quiet).unwrap_err();
        assert!(matches!(error, Error::Option { option: it, .. } if it == option));
    };
    wrong("--shards", |plan| plan.runs = 0);
    wrong("--shards", |plan| plan.runs = 1_025);
    wrong("--threads", |plan| plan.threads = 1_025);
    wrong("--value", |plan| {
        plan.values = vec!["v".into(), "w".into(), "v".into()];
    });
}

#[test]
fn a_disk_that_is_full_is_named() {
    let table = format!("k,v\na,{}\n", "v".repeat(5 << 20));
    let files = Files::write(&[("t.csv", table.as_bytes())]);
    let mut plan = files.plan();
    plan.runs = 1;
    let shard = plan.staging.join("table-current-0000.shard");
    std::os::unix::fs::symlink("/dev/full", shard).unwrap();
    let error = pack(&plan, &Quiet).unwrap_err();
    let Error::File { path, problem } = error else {
        panic!("{error}");
    };
    assert!(path.starts_with(&plan.staging), "{}", path.display());
    assert!(problem.contains("No space left"), "{problem}");
}

#[test]
fn keys_and_values_of_any_length_survive() {
    let key = "k".repeat(65_535);
    let value = "v".repeat(5 << 20);
    let table = format!("k,v\n{key},1\na,{value}\n,\n");
    let files = Files::write(&[("t.csv", table.as_bytes())]);
    let mut plan = files.plan();
    plan.values = vec!["v".into()];
    plan.memory_bytes = 1 << 20;
    plan.is_ordered = true;
    let packed = pack(&plan, &Quiet).unwrap();
    assert_eq!(
        content(&packed),
        map(&[(&key, "1"), ("a", &value), ("", "")])
    );
}

#[test]
fn more_rows_than_memory_give_the_same_bytes() {
    let mut table = String::from("k,v\n");
    for row in 0..40_000_u64 {
        let key = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        table.push_str(&format!("{key:x},{}\n", "v".repeat((row % 90) as usize)));
    }
    let files = Files::write(&[("t.csv", table.as_bytes())]);
    let run = |memory_bytes, threads| {
        let plan = PackPlan {
            values: vec!["v".into()],
            memory_bytes,
            threads,
            ..files.plan()
        };
        pack(&plan, &Quiet).unwrap()
    };
    let large = run(1 << 30, 2);
    assert_eq!(large.report.spilled_bytes, 0);
    assert_eq!(content(&large).len(), 40_000);
    for threads in [1, 2] {
        let small = run(1 << 20, threads);
        assert!(small.report.spilled_bytes > 1 << 20);
        assert_eq!(digests(&small), digests(&large));
    }
}

/// A partition of more rows than memory holds is merged from parts, whose order is that of all.
#[test]
fn few_keys_of_many_or_huge_rows_give_the_same_bytes() {
    let mut table = String::from("k,v\n");
    for row in 0..240_u64 {
        let (key, len) = (row.wrapping_mul(7) % 3, 20_000 + row * 97 % 30_000);
        let fill = char::from(b'a' + u8::try_from(row % 26).unwrap());
        table.push_str(&format!(
            "{key},{row}{}\n",
            fill.to_string().repeat(usize::try_from(len).unwrap())
        ));
    }
    for row in 0..9000_u64 {
        table.push_str(&format!("{},{row} {}\n", row % 5 % 4, "x".repeat(90)));
    }
    let files = Files::write(&[("t.csv", table.as_bytes())]);
    let run = |memory_bytes, threads, on_duplicate| {
        let plan = PackPlan {
            values: vec!["v".into()],
            is_ordered: true,
            memory_bytes,
            threads,
            on_duplicate,
            ..files.plan()
        };
        pack(&plan, &Quiet).map_err(|error| error.to_string())
    };
    for rule in [OnDuplicate::First, OnDuplicate::Last, OnDuplicate::Error] {
        let large = run(1 << 30, 1, rule);
        for threads in [1, 3] {
            match (&large, run(1 << 20, threads, rule)) {
                (Ok(large), Ok(small)) => {
                    assert!(small.report.spilled_bytes > 4 << 20);
                    assert_eq!(content(&small).len(), 4);
                    assert_eq!(digests(&small), digests(large));
                    assert_eq!(small.packed.rows, large.packed.rows);
                }
                (large, small) => {
                    assert_eq!(rule, OnDuplicate::Error);
                    let large = large.as_ref().unwrap_err();
                    assert!(large.contains("is also at"), "{large}");
                    assert_eq!(small.unwrap_err(), *large);
                }
            }
        }
    }
}

fn csv_field(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Writes rows as a file of some format, and returns its name and bytes.
fn write_rows(format: usize, number: usize, rows: &[(String, String)]) -> (String, Vec<u8>) {
    let mut text = String::new();
    let extension = ["csv", "tsv", "jsonl"][format];
    match format {
        0 => {
            text.push_str("v,k\n");
            for (key, value) in rows {
                let (key, value) = (csv_field(key), csv_field(value));
                text.push_str(&format!("{value},{key}\n"));
            }
        }
        1 => {
            text.push_str("v\tk\n");
            rows.iter()
                .for_each(|(key, value)| text.push_str(&format!("{value}\t{key}\n")));
        }
        _ => {
            for (key, value) in rows {
                let row = serde_json::json!({ "k": key, "v": value });
                text.push_str(&format!("{row}\n"));
            }
        }
    }
    (format!("{number}.{extension}"), text.into_bytes())
}

fn write_to(folder: &Path, files: Vec<(String, Vec<u8>)>) -> Vec<PathBuf> {
    let write = |(name, bytes): (String, Vec<u8>)| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    files.into_iter().map(write).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packing_is_a_map(
        files in prop::collection::vec(
            (0..3_usize, prop::collection::vec(("[ab\"\\\\,\t\né]{0,3}", "\\PC{0,9}"), 0..40)),
            1..4,
        ),
        rule in 0..3_usize,
        is_ordered: bool,
        is_compressed: bool,
        runs in 1..9_u16,
    ) {
        let mut files = files;
        for (_, rows) in files.iter_mut().filter(|(format, _)| *format == 1) {
            // What a field of TSV cannot hold.
            rows.iter_mut().for_each(|(key, _)| key.retain(|letter| !"\t\n".contains(letter)));
        }
        let folder = TempDir::new().unwrap();
        let written = files.iter().enumerate().map(|(number, (format, rows))| {
            write_rows(*format, number, rows)
        });
        let paths = write_to(folder.path(), written.collect());
        let on_duplicate = [OnDuplicate::Error, OnDuplicate::First, OnDuplicate::Last][rule];
        let plan = |memory_bytes, threads| PackPlan {
            files: paths.clone(),
            format: None::<TableFormat>,
            dataset: "table".into(),
            key: "k".into(),
            values: vec!["v".into()],
            on_duplicate,
            is_ordered,
            compression: match is_compressed {
                true => Compression::Zstd,
                false => Compression::None,
            },
            media_type: None,
            runs,
            memory_bytes,
            threads,
            scratch: folder.path().to_owned(),
            staging: tempfile::tempdir_in(folder.path()).unwrap().keep(),
        };
        let mut oracle = Map::new();
        let mut is_twice = false;
        for (key, value) in files.iter().flat_map(|(_, rows)| rows) {
            let value = value.as_bytes().to_vec();
            let known = oracle.contains_key(key.as_bytes());
            is_twice |= known;
            if !known || on_duplicate == OnDuplicate::Last {
                oracle.insert(key.as_bytes().to_vec(), value);
            }
        }
        let results = [(1 << 20, 1), (1 << 20, 2), (1 << 30, 2)]
            .map(|(memory, threads)| pack(&plan(memory, threads), &Quiet));
        if oracle.is_empty() || (is_twice && on_duplicate == OnDuplicate::Error) {
            let [a, b, c] = results.map(|result| result.unwrap_err().to_string());
            prop_assert!(a == b && b == c, "{a} {b} {c}");
            return Ok(());
        }
        let [a, b, c] = results.map(Result::unwrap);
        prop_assert!(digests(&a) == digests(&b) && digests(&b) == digests(&c));
        prop_assert_eq!(&content(&a), &oracle);
        if on_duplicate == OnDuplicate::Error {
            let mut reversed = plan(1 << 30, 2);
            reversed.files.reverse();
            prop_assert_eq!(digests(&pack(&reversed, &Quiet).unwrap()), digests(&a));
        }
        let shards = shards(&a);
        prop_assert!(shards.iter().all(|shard| shard.is_ordered() == is_ordered));
        for prefix in ["", "a", "é"] {
            let mut found = Vec::new();
            Search::prefix(prefix.as_bytes()).visit(&shards, u64::MAX, |term, record| {
                assert_eq!(term, record.key);
                found.push(record.key.to_vec());
                true
            })
            .unwrap();
            let keys = oracle.keys().filter(|key| key.starts_with(prefix.as_bytes()));
            let expected: Vec<Vec<u8>> = keys.filter(|_| is_ordered).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
