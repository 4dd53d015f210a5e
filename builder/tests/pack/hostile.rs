//! Input that is wrong, or looks as if it were.

use nightshard_builder::{
    build::Quiet,
    pack::{PackPlan, pack},
};

use crate::support::{Files, content, map, problem};

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

/// Packs one file by its column `k`, with the values of its column `v`.
fn pack_file(name: &str, bytes: &[u8]) -> Result<crate::support::Map, String> {
    let files = Files::write(&[(name, bytes)]);
    let plan = PackPlan {
        values: vec!["v".into()],
        ..files.plan()
    };
    match pack(&plan, &Quiet) {
        Ok(packed) => Ok(content(&packed)),
        Err(_) => Err(problem(&plan)),
    }
}

#[test]
fn a_quote_in_tsv_is_a_character_and_joins_no_lines() {
    let rows = b"k\tv\n1\t\"big\n2\tmid\n\"3\"\tbig\"\n";
    let expected = map(&[("1", "\"big"), ("2", "mid"), ("\"3\"", "big\"")]);
    assert_eq!(pack_file("t.tsv", rows).as_ref(), Ok(&expected));
}

#[test]
fn how_lines_end_and_files_begin_does_not_matter() {
    let expected = map(&[("a", "1"), ("b", "")]);
    for bytes in [
        &b"k,v\na,1\nb,\n"[..],
        b"k,v\na,1\nb,",
        b"k,v\r\na,1\r\nb,\r\n",
        b"k,v\r\na,1\nb,",
        b"\xef\xbb\xbfk,v\r\na,1\r\n\r\nb,\r\n\r\n",
        b"\n\nk,v\n\na,1\n\nb,\n",
    ] {
        assert_eq!(pack_file("t.csv", bytes).as_ref(), Ok(&expected));
        let tabs: Vec<u8> = bytes
            .iter()
            .map(|byte| if *byte == b',' { b'\t' } else { *byte })
            .collect();
        assert_eq!(pack_file("t.tsv", &tabs).as_ref(), Ok(&expected));
    }
    for bytes in [
        &b"{\"k\":\"a\",\"v\":1}\n{\"k\":\"b\",\"v\":\"\"}\n"[..],
        b"{\"k\":\"a\",\"v\":1}\n{\"k\":\"b\",\"v\":\"\"}",
        b"\xef\xbb\xbf{\"k\":\"a\",\"v\":1}\r\n\r\n{\"k\":\"b\",\"v\":\"\"}\r\n",
        b" { \"k\" : \"a\" , \"v\" : 1 } \n\t{\"v\":\"\",\"k\":\"b\"}",
    ] {
        assert_eq!(pack_file("t.jsonl", bytes).as_ref(), Ok(&expected));
    }
}

#[test]
fn zero_bytes_and_line_breaks_within_a_field_are_kept() {
    let csv = pack_file("t.csv", b"k,v\na\0,\"x\n\0\r\ny\"\n");
    assert_eq!(csv, Ok(map(&[("a\0", "x\n\0\r\ny")])));
    let lines = pack_file("t.jsonl", b"{\"k\":\"a\\u0000\",\"v\":\"\\u0000\\n\"}\n");
    assert_eq!(lines, Ok(map(&[("a\0", "\0\n")])));
    let bare = pack_file("t.jsonl", b"{\"k\":\"a\0\",\"v\":1}\n");
    assert!(bare.unwrap_err().contains("t.jsonl:1: no JSON object"));
}

#[test]
fn a_number_is_a_key_as_it_is_written() {
    let lines = b"{\"k\":1,\"v\":\"a\"}\n{\"k\":1.0,\"v\":\"b\"}\n{\"k\":1e0,\"v\":\"c\"}\n\
        {\"k\":-0,\"v\":\"d\"}\n{\"k\":false,\"v\":\"e\"}\n";
    let expected = [
        ("1", "a"),
        ("1.0", "b"),
        ("1e0", "c"),
        ("-0", "d"),
        ("false", "e"),
    ];
    assert_eq!(pack_file("t.jsonl", lines), Ok(map(&expected)));
    let twice = pack_file("t.jsonl", b"{\"k\":1,\"v\":2}\n{\"k\":\"1\",\"v\":3}\n").unwrap_err();
    assert!(
        twice.contains("t.jsonl:2: key \"1\" is also at "),
        "{twice}"
    );
}

#[test]
fn keys_of_no_text_and_members_that_are_there_twice_are_refused() {
    for (line, expected) in [
        (r#"{"k":{"x":1},"v":1}"#, "the key is an object"),
        (r#"{"k":["x"],"v":1}"#, "the key is an array"),
        (r#"{"k":null,"v":1}"#, "the key is null"),
        (r#"{"k":1,"v":1,"\u006b":2}"#, "\"k\" is there twice"),
        (r#"{"k":1,"v":1,"v":1}"#, "\"v\" is there twice"),
        (r#"{"k":"\ud800","v":1}"#, "no JSON object"),
        (r#"{"k":1,"v":1}{"k":2,"v":1}"#, "no JSON object"),
        (r#"{"k":01,"v":1}"#, "no JSON object"),
        (r#"{"k":1,"v":NaN}"#, "no JSON object"),
        (r#"{"k":1,"v":1,}"#, "no JSON object"),
        (r#"[{"k":1,"v":1}]"#, "no JSON object"),
    ] {
        let lines = format!("{{\"k\":\"x\",\"v\":0}}\n{line}\n");
        let text = pack_file("t.jsonl", lines.as_bytes()).unwrap_err();
        assert!(text.contains("t.jsonl:2: "), "{text}");
        assert!(text.contains(expected), "{text} has not {expected}");
    }
    // Of members and columns that nobody asked for there may be any number.
    let others = pack_file("t.jsonl", br#"{"x":1,"k":1,"x":2,"v":3}"#);
    assert_eq!(others, Ok(map(&[("1", "3")])));
    let others = pack_file("t.csv", b"x,k,x,v\n1,a,2,3\n");
    assert_eq!(others, Ok(map(&[("a", "3")])));
}

#[test]
fn the_longest_key_is_packed_and_one_byte_more_is_refused() {
    for (len, is_packed) in [(65_535, true), (65_536, false)] {
        let key = "k".repeat(len);
        for (name, table) in [
            ("t.tsv", format!("k\tv\n{key}\t1\n")),
            ("t.jsonl", format!("{{\"k\":\"{key}\",\"v\":1}}\n")),
        ] {
            match pack_file(name, table.as_bytes()) {
                Ok(packed) => assert!(is_packed && packed == map(&[(&key, "1")])),
                Err(text) => {
                    assert!(!is_packed, "{text}");
                    assert!(
                        text.contains("the key has 65536 bytes, not up to 65535"),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_row_of_a_hundred_megabytes_is_refused_and_one_of_sixty_is_not() {
    for (len, is_packed) in [(100_000_000, false), (60_000_000, true)] {
        let value = "v".repeat(len);
        for (name, table, line) in [
            ("t.csv", format!("k,v\na,{value}\n"), 2),
            ("t.jsonl", format!("{{\"k\":\"a\",\"v\":\"{value}\"}}\n"), 1),
        ] {
            match pack_file(name, table.as_bytes()) {
                Ok(packed) => assert!(is_packed && packed[&b"a"[..]].len() == len),
                Err(text) => {
                    assert!(!is_packed, "{text}");
                    let place = format!("{name}:{line}: ");
                    assert!(text.contains(&place), "{text}");
                    let known = ["the row exceeds 64 MiB", "record too long"];
                    assert!(known.iter().any(|end| text.ends_with(end)), "{text}");
                }
            }
        }
    }
}

#[test]
fn json_nested_a_million_deep_ends_without_harm() {
    let depth = 1_000_000;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    for line in [
        format!("{{\"k\":1,\"v\":{open}{close}}}"),
        format!("{{\"k\":1,\"v\":{open}"),
        format!("{{\"k\":1,\"v\":2,\"x\":{open}{close}}}"),
    ] {
        match pack_file("t.jsonl", line.as_bytes()) {
            Ok(packed) => assert_eq!(packed.len(), 1),
            Err(text) => assert!(text.contains("t.jsonl:1: no JSON object"), "{text}"),
        }
    }
}
