//! Input that is wrong, or looks as if it were.

use crate::support::{Files, problem};

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
