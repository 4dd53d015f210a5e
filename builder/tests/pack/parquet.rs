//! Parquet files of other writers, against the text that their maker wrote beside them.

use std::{fs, path::Path, sync::Arc};

use nightshard_builder::{
    Error,
    build::Quiet,
    pack::{PackPlan, pack},
};
use nightshard_format::manifest::OnDuplicate;
use parquet::{
    data_type::{
        ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
        FloatType,
    },
    file::writer::SerializedFileWriter,
    schema::parser::parse_message_type,
};
use proptest::prelude::*;

use crate::support::{Files, content, digests, map, problem};

const TYPES: [&str; 6] = [
    "types-polars-uncompressed",
    "types-polars-snappy",
    "types-polars-gzip",
    "types-polars-zstd",
    "types-duckdb-snappy",
    "types-duckdb-v2",
];

fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parquet");
    fs::read(folder.join(name)).unwrap()
}

/// A file of data, in a folder of its own.
fn file(name: &str) -> Files {
    Files::write(&[(name, &read(name))])
}

fn plan(files: &Files, key: &str, values: &[&str]) -> PackPlan {
    PackPlan {
        key: key.into(),
        values: values.iter().map(ToString::to_string).collect(),
        ..files.plan()
    }
}

#[test]
fn parquet_of_any_writer_and_codec_is_packed_as_the_same_json_lines() {
    let lines = file("types.jsonl");
    let all_but_i32_and_u32 = [
        "key", "i8", "i16", "i64", "u8", "u16", "u64", "f32", "f64", "flag", "text", "bytes",
        "small", "middle", "large", "whole", "day", "time", "ms", "us", "ns", "utc",
    ];
    for name in TYPES {
        let parquet = file(&format!("{name}.parquet"));
        let whole_rows = match name {
            "types-duckdb-v2" => &all_but_i32_and_u32[..],
            _ => &[],
        };
        for values in [
            whole_rows,
            &all_but_i32_and_u32,
            &["i8"],
            &["time"],
            &["text"],
            &["large"],
        ] {
            let pack = |files| pack(&plan(files, "key", values), &Quiet).unwrap();
            let (of_lines, of_parquet) = (pack(&lines), pack(&parquet));
            assert_eq!(content(&of_parquet), content(&of_lines), "{name}");
            assert_eq!(digests(&of_parquet), digests(&of_lines), "{name}");
        }
    }
}

#[test]
fn one_value_is_bytes_and_any_type_can_be_a_key() {
    for name in TYPES {
        let files = file(&format!("{name}.parquet"));
        let bytes = content(&pack(&plan(&files, "key", &["bytes"]), &Quiet).unwrap());
        assert_eq!(bytes[&b"a"[..]], b"\x00\xff\xfe");
        assert_eq!(bytes[&b"null"[..]], b"null");
        // The row without a value is the third.
        let text = problem(&plan(&files, "u64", &["key"]));
        assert!(
            text.ends_with(&format!("{name}.parquet:3: the key is null")),
            "{text}"
        );
    }
    let files = file("others.parquet");
    let uuid = pack(&plan(&files, "uuid", &["uuid", "v"]), &Quiet).unwrap();
    let key = "00112233-4455-6677-8899-aabbccddeeff";
    let value = format!("{{\"uuid\":\"{key}\",\"v\":1}}");
    assert_eq!(content(&uuid), map(&[(key, &value)]));
}

#[test]
fn columns_that_cannot_be_packed_are_named_and_others_beside_them_can() {
    let files = file("others.parquet");
    let path = files.paths[0].display().to_string();
    for (key, values, expected) in [
        ("key", &[][..], "--value: {path}: column \"list\" is nested"),
        (
            "key",
            &["struct"],
            "--value: {path}: column \"struct\" is nested",
        ),
        (
            "key",
            &["v", "map"],
            "--value: {path}: column \"map\" is nested",
        ),
        (
            "key",
            &["interval"],
            "--value: {path}: column \"interval\" is of type FIXED_LEN_BYTE_ARRAY (INTERVAL)",
        ),
        ("list", &["v"], "--key: {path}: column \"list\" is nested"),
        (
            "k",
            &["v"],
            "--key: {path} has no \"k\": it has key, v, list, struct, map, interval, uuid",
        ),
    ] {
        let text = problem(&plan(&files, key, values));
        assert!(
            text.starts_with(&expected.replace("{path}", &path)),
            "{text}"
        );
    }
    let packed = pack(&plan(&files, "key", &["v"]), &Quiet).unwrap();
    assert_eq!(content(&packed), map(&[("a", "1")]));
}

/// A file with a column `k` of one type, and a column `v` of text beside it.
fn two_columns<K: DataType>(kind: &str, keys: &[K::T], values: &[&str]) -> Vec<u8> {
    let schema = format!("message table {{ required {kind}; required binary v (UTF8); }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let wrote = column.typed::<K>().write_batch(keys, None, None);
    assert_eq!(wrote.unwrap(), keys.len());
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let values: Vec<ByteArray> = values.iter().copied().map(ByteArray::from).collect();
    let wrote = column.typed::<ByteArrayType>();
    wrote.write_batch(&values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
    bytes
}

/// Float keys that JSON has no number for all became `null`, and all rows but one were lost.
#[test]
fn a_key_that_is_no_finite_number_is_an_error_of_its_row_and_such_a_value_is_null() {
    let half = |bits: u16| FixedLenByteArray::from(bits.to_le_bytes().to_vec());
    let values = ["first", "second"];
    for (other, as_float, as_half) in [
        ("NaN", f32::NAN, 0x7e00),
        ("inf", f32::INFINITY, 0x7c00),
        ("-inf", f32::NEG_INFINITY, 0xfc00),
    ] {
        let double = two_columns::<DoubleType>("double k", &[1.5, as_float.into()], &values);
        let float = two_columns::<FloatType>("float k", &[1.5, as_float], &values);
        let half = two_columns::<FixedLenByteArrayType>(
            "fixed_len_byte_array(2) k (FLOAT16)",
            &[half(0x3e00), half(as_half)],
            &values,
        );
        for bytes in [double, float, half] {
            let files = Files::write(&[("a.parquet", &bytes)]);
            let last = PackPlan {
                on_duplicate: OnDuplicate::Last,
                ..plan(&files, "k", &["v"])
            };
            let text = problem(&last);
            let expected = format!("a.parquet:2: the key is {other}, which is no finite number");
            assert!(text.ends_with(&expected), "{text}");
            let packed = pack(&plan(&files, "v", &["k"]), &Quiet).unwrap();
            assert_eq!(
                content(&packed),
                map(&[("first", "1.5"), ("second", "null")])
            );
        }
    }
}

/// The rows of groups.parquet, as its maker has them.
fn groups() -> Vec<(String, String)> {
    let value = |row: u64| match row % 7 {
        0 => "null".into(),
        _ => format!("value {}", row % 11),
    };
    let rows = (0..3000).map(|row| ((row * 7919 % 3001).to_string(), value(row)));
    rows.collect()
}

#[test]
fn row_groups_and_pages_are_read_within_any_memory() {
    let files = file("groups.parquet");
    let rows = groups();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(key, value)| (&**key, &**value)).collect();
    for (memory_bytes, threads) in [(1 << 20, 1), (1 << 20, 3), (1 << 30, 2)] {
        let plan = PackPlan {
            memory_bytes,
            threads,
            ..plan(&files, "key", &["v"])
        };
        let packed = pack(&plan, &Quiet).unwrap();
        assert_eq!(packed.packed.rows.read, 3000);
        assert_eq!(content(&packed), map(&rows));
    }
    // Ten keys: the second of row 12, which is the first to come again, is row 1.
    let text = problem(&plan(&files, "v", &["key"]));
    assert!(
        text.ends_with("groups.parquet:1: the key is null"),
        "{text}"
    );
}

#[test]
fn a_key_that_is_there_twice_is_named_with_its_rows() {
    let bytes = read("groups.parquet");
    let files = Files::write(&[("a.parquet", &bytes), ("b.parquet", &bytes)]);
    let text = problem(&plan(&files, "key", &["v"]));
    let number = |text: &str| -> u64 { text.split(':').next().unwrap().parse().unwrap() };
    let (_, second) = text.split_once("b.parquet:").unwrap();
    let (_, first) = text.split_once("a.parquet:").unwrap();
    let (first, second) = (number(first), number(second));
    assert_eq!(first, second);
    let (key, _) = &groups()[usize::try_from(first).unwrap() - 1];
    assert!(text.contains(&format!("key {key:?} is also at")), "{text}");
}

#[test]
fn what_is_no_parquet_or_of_an_unknown_codec_is_an_error() {
    let tiny = read("tiny.parquet");
    for (name, bytes, expected) in [
        ("a.parquet", &b""[..], "it does not begin with PAR1"),
        ("a.parquet", b"k,v\na,1\n", "it does not begin with PAR1"),
        ("a.parquet", b"PAR1", "this Parquet file cannot be read"),
        (
            "a.parquet",
            b"PAR1\xff\xff\xff\xffPAR1",
            "this Parquet file cannot be read",
        ),
        (
            "a.parquet",
            &tiny[..tiny.len() - 1],
            "this Parquet file cannot be read",
        ),
        (
            "lz4.parquet",
            &read("lz4.parquet"),
            "this Parquet file cannot be read",
        ),
    ] {
        let files = Files::write(&[(name, bytes)]);
        let text = problem(&plan(&files, "key", &[]));
        assert!(text.contains(expected), "{text}");
        assert!(
            text.contains(&files.paths[0].display().to_string()),
            "{text}"
        );
    }
}

/// Packs damaged bytes: whatever they are, that ends, in rows or in an error of one line.
fn survives(bytes: &[u8]) {
    let files = Files::write(&[("a.parquet", bytes)]);
    let plan = PackPlan {
        runs: 1,
        threads: 1,
        ..plan(&files, "key", &[])
    };
    if let Err(error) = pack(&plan, &Quiet) {
        let is_told = matches!(
            error,
            Error::Source(_) | Error::Row { .. } | Error::Option { .. } | Error::NoRows(_)
        );
        assert!(is_told, "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn every_flipped_byte_and_every_cut_is_survived() {
    let tiny = read("tiny.parquet");
    for at in 0..tiny.len() {
        survives(&tiny[..at]);
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = tiny.clone();
            bytes[at] ^= flip;
            survives(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damage_anywhere_is_survived(
        name in 0..TYPES.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = read(&format!("{}.parquet", TYPES[name]));
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&bytes);
    }
}
