//! Packed tables against a plain map, whatever the format, the memory and the threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use nightshard_builder::{
    Error,
    build::Quiet,
    pack::{Compression, PackPlan, PackedTable, TableFormat, pack},
};
use nightshard_format::{
    manifest::OnDuplicate,
    shard::{Mapped, Search, Shard},
};
use proptest::prelude::*;
use tempfile::TempDir;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A folder with the files of a table.
struct Files {
    folder: TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    fn write(files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        let write = |(name, bytes): &(&str, &[u8])| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let paths = files.iter().map(write).collect();
        Self { folder, paths }
    }

    fn plan(&self) -> PackPlan {
        PackPlan {
            files: self.paths.clone(),
            format: None,
            dataset: "table".into(),
            key: "k".into(),
            values: vec![],
            on_duplicate: OnDuplicate::Error,
            is_ordered: false,
            compression: Compression::None,
            media_type: None,
            runs: 4,
            memory_bytes: 64 << 20,
            threads: 2,
            scratch: self.folder.path().to_owned(),
            staging: tempfile::tempdir_in(self.folder.path()).unwrap().keep(),
        }
    }
}

fn shards(packed: &PackedTable) -> Vec<Shard<Mapped>> {
    let open = |shard: &nightshard_builder::emit::Staged| {
        let opened = Shard::open(Mapped::open(&shard.path).unwrap()).unwrap();
        opened.verify().unwrap();
        opened
    };
    packed.shards.iter().map(open).collect()
}

fn content(packed: &PackedTable) -> Map {
    let shards = shards(packed);
    let records = shards.iter().flat_map(Shard::iter).map(Result::unwrap);
    records
        .map(|record| {
            (
                record.key.to_vec(),
                record.value.read().unwrap().into_owned(),
            )
        })
        .collect()
}

fn map(records: &[(&str, &str)]) -> Map {
    let records = records.iter();
    records
        .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

fn problem(plan: &PackPlan) -> String {
    let error = pack(plan, &Quiet).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

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
        assert_eq!(one.packed.media_type, "text/plain");
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
fn bad_input_is_an_error_of_one_line_that_names_file_and_line() {
    let long = [b"k,v\n".as_slice(), &[b'x'; 65_536], b",1\n"].concat();
    for (name, bytes, expected) in [
        (
            "t.csv",
            &b"k,v\na,1\nb\n"[..],
            "t.csv:3: the row has not 2 fields",
        ),
        (
            "t.csv",
            b"k,v\na,1,2\n",
            "t.csv:2: the row has not 2 fields",
        ),
        ("t.csv", b"k,v\na,\xff\n", "t.csv:2: column 2 is not UTF-8"),
        ("t.csv", b"k,v\na,\"1\n", "t.csv:2: quote never closed"),
        (
            "t.csv",
            b"k,v\na,\"1\"2\n",
            "t.csv:2: text after a closing quote",
        ),
        ("t.csv", b"", "t.csv is empty"),
        ("t.csv", b"\n\n", "t.csv is empty"),
        ("t.csv", b"k,v\n", "no usable row"),
        ("t.csv", b"k\0,v\n", "is not a text file"),
        ("t.csv", b"k,v\ra,1\r", "carriage returns"),
        ("t.csv", b"a,b\n1,2\n", "--key: "),
        ("t.csv", b"k,k\n1,2\n", "--key: "),
        ("t.csv", b"k,v,v\n1,2,3\n", "--value: "),
        ("t.csv", &long, "t.csv:2: the key has 65536 bytes"),
        ("t.jsonl", b"", "no usable row"),
        (
            "t.jsonl",
            b"{\"k\":1}\n{\"k\":1",
            "t.jsonl:2: no JSON object",
        ),
        ("t.jsonl", b"{\"k\":1}\n[1]\n", "t.jsonl:2: no JSON object"),
        (
            "t.jsonl",
            b"{\"k\":1}\n{\"k\":\"\xff\"}\n",
            "t.jsonl:2: the row is not UTF-8",
        ),
        (
            "t.jsonl",
            b"{\"k\":1}\n{\"k\":null}\n",
            "t.jsonl:2: the key is null",
        ),
        (
            "t.jsonl",
            b"{\"k\":1}\n{\"v\":2}\n",
            "t.jsonl:2: the row has no \"k\"",
        ),
        (
            "t.jsonl",
            b"{\"a\":1,\"b\":2}\n",
            "has no \"k\": it has a, b",
        ),
        ("t.jsonl", b"{\"k\":1,\"k\":2}\n", "\"k\" is there twice"),
        (
            "t.jsonl",
            b"{\"k\":1,\"v\":1,\"v\":2}\n",
            "\"v\" is there twice",
        ),
        ("t.dat", b"k,v\n", "--format: it is needed"),
    ] {
        let text = problem(&Files::write(&[(name, bytes)]).plan_kept());
        assert!(text.contains(expected), "{text:?} has not {expected:?}");
    }
}

impl Files {
    /// A plan whose files outlive this.
    fn plan_kept(self) -> PackPlan {
        let plan = self.plan();
        let _path = self.folder.keep();
        plan
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

/// Digests of the shards.
fn digests(packed: &PackedTable) -> Vec<String> {
    let shards = packed.shards.iter();
    shards.map(|shard| shard.entry.blob.clone()).collect()
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

/// Values that look alike, and fall short of one sample of memory in none of four shards.
fn alike(rows: u64) -> String {
    let mut table = String::from("k,name,note,v\n");
    for row in 0..rows {
        let key = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (city, tens) = (["Leeds", "York", "Hull"][(row % 3) as usize], row / 10);
        let street = key >> 50;
        table.push_str(&format!(
            "{key:x},shop number {row} in {city},open since {tens},{street} High Street\n"
        ));
    }
    table
}

#[test]
fn compressed_values_are_the_same_in_fewer_bytes_whatever_the_memory_and_the_threads() {
    let files = Files::write(&[("t.csv", alike(30_000).as_bytes())]);
    let run = |compression, memory_bytes, threads| {
        let plan = PackPlan {
            compression,
            memory_bytes,
            threads,
            ..files.plan()
        };
        pack(&plan, &Quiet).unwrap()
    };
    let plain = run(Compression::None, 1 << 30, 2);
    assert!(!shards(&plain).iter().any(Shard::is_compressed));
    let large = run(Compression::Zstd, 1 << 30, 2);
    assert!(shards(&large).iter().all(Shard::is_compressed));
    assert_eq!(content(&large), content(&plain));
    let bytes = |packed: &PackedTable| -> u64 {
        let shards = packed.shards.iter();
        shards.map(|shard| shard.entry.size_bytes).sum()
    };
    let (of_large, of_plain) = (bytes(&large), bytes(&plain));
    assert!(of_large * 3 < of_plain * 2, "{of_large} of {of_plain}");
    for threads in [1, 2] {
        let small = run(Compression::Zstd, 1 << 20, threads);
        assert!(small.report.spilled_bytes > 1 << 20);
        assert_eq!(digests(&small), digests(&large));
    }
}

#[test]
fn values_are_stored_as_they_are_where_compression_does_not_pay() {
    let mut random = String::from("k,v\n");
    for row in 0..20_000_u64 {
        let digest = blake3::hash(&row.to_le_bytes());
        random.push_str(&format!("{row},{}\n", &digest.to_hex()[..24]));
    }
    // Too little to make a dictionary of, and the other way round: too little that is alike.
    for table in [alike(50), alike(0) + "a,b,c,d\n", random] {
        let files = Files::write(&[("t.csv", table.as_bytes())]);
        let run = |compression| {
            let plan = PackPlan {
                compression,
                values: vec!["v".into()],
                ..files.plan()
            };
            digests(&pack(&plan, &Quiet).unwrap())
        };
        assert_eq!(run(Compression::Zstd), run(Compression::None));
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
        0 | 1 => {
            let delimiter = [",", "\t"][format];
            text.push_str(&format!("v{delimiter}k\n"));
            for (key, value) in rows {
                let (key, value) = (csv_field(key), csv_field(value));
                text.push_str(&format!("{value}{delimiter}{key}\n"));
            }
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
