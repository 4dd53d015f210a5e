//! Packed tables on the command line: packed, found, listed, counted, kept.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{fs, path::Path};

use support::program::run;
use tempfile::TempDir;

/// A folder with a table, and the arguments that pack it into a repository there.
fn table(folder: &Path, name: &str, text: &str, more: &[&str]) -> Vec<String> {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    let repository = folder.join("tables");
    let mut arguments: Vec<String> = vec![
        "pack".into(),
        "--input".into(),
        file.display().to_string(),
        "--key".into(),
        "sku".into(),
        "--output".into(),
        repository.display().to_string(),
    ];
    // Tables of three rows become others here, which no night's do.
    arguments.push("--no-gate".into());
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

const PRICES: &str = "sku,price,name\nsku-2,2.50,tea\nsku-1,1.50,milk\nother,0,\"a\tb\"\n";

#[test]
fn a_table_is_packed_and_its_values_are_found_listed_and_counted() {
    let folder = TempDir::new().unwrap();
    let more = [
        "--dataset",
        "prices",
        "--ordered",
        "--as-of",
        "2018-03-05",
        "--json",
    ];
    let packed = run(table(folder.path(), "prices.csv", PRICES, &more));
    assert_eq!(packed.code, Some(0), "{packed:?}");
    assert!(packed.stdout.contains("\"used\":3"), "{packed:?}");
    let repository = folder.path().join("tables").display().to_string();

    let got = run(["get", &repository, "prices", "sku-2"]);
    let value = r#"{"sku":"sku-2","price":"2.50","name":"tea"}"#;
    assert_eq!((got.code, &*got.stdout), (Some(0), value));
    let none = run(["get", &repository, "prices", "sku-3"]);
    assert_eq!(none.code, Some(1));
    assert!(
        none.stderr.contains("no key \"sku-3\" in prices"),
        "{none:?}"
    );
    let unknown = run(["get", &repository, "others", "sku-3"]);
    unknown.failed(2, &["no dataset \"others\": the generation has prices"]);

    let keys = run(["scan", &repository, "prices", "--keys"]);
    assert_eq!(keys.stdout, "other\nsku-1\nsku-2\n");
    let few = run([
        "scan",
        &repository,
        "prices",
        "--prefix",
        "sku",
        "--limit",
        "1",
    ]);
    let expected = "sku-1\t{\"sku\":\"sku-1\",\"price\":\"1.50\",\"name\":\"milk\"}\n";
    assert_eq!(few.stdout, expected);
    let lines = run([
        "scan",
        &repository,
        "prices",
        "--prefix",
        "o",
        "--json",
        "--keys",
    ]);
    assert_eq!(lines.stdout, "{\"key\":\"other\"}\n");

    let stats = run(["stats", &repository, "--json"]).json();
    let prices = &stats["datasets"]["prices"];
    assert_eq!(
        (&prices["records"], &prices["records_without_entry"]),
        (&3.into(), &0.into())
    );
    let inspected = run(["inspect", &repository]);
    assert!(
        inspected.stdout.contains("prices: sku to all columns"),
        "{inspected:?}"
    );
    let verified = run(["verify", &repository]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn compressed_values_are_told_and_read_like_others() {
    let mut rows = String::from("sku,price,name\n");
    for row in 0..4_000 {
        rows.push_str(&format!(
            "sku-{row},{row}.50,a name that many things have\n"
        ));
    }
    let folder = TempDir::new().unwrap();
    let options = [
        "--dataset",
        "prices",
        "--compression",
        "zstd",
        "--shards",
        "2",
    ];
    let packed = run(table(folder.path(), "prices.csv", &rows, &options));
    assert_eq!(packed.code, Some(0), "{packed:?}");
    let repository = folder.path().join("tables").display().to_string();
    let stats = run(["stats", &repository, "--json"]).json();
    let prices = &stats["datasets"]["prices"];
    assert_eq!(
        (&prices["shards_compressed"], &prices["shards"]),
        (&2.into(), &2.into())
    );
    assert!(prices["section_bytes"]["dictionary"].as_u64() > Some(0));
    let value = r#"{"sku":"sku-7","price":"7.50","name":"a name that many things have"}"#;
    let got = run(["get", &repository, "prices", "sku-7"]);
    assert_eq!((got.code, &*got.stdout), (Some(0), value));
    let listed = run(["scan", &repository, "prices", "--prefix", "sku-7", "--json"]);
    assert_eq!(listed.stdout.lines().count(), 111);
    assert!(listed.stdout.contains(r#"7.50\",\"name\":"#), "{listed:?}");
    let inspected = run([
        "inspect",
        &repository,
        "--dataset",
        "prices",
        "--key",
        "sku-7",
    ]);
    let hexadecimal: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(inspected.stdout.contains(&hexadecimal), "{inspected:?}");
    let verified = run(["verify", &repository]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn packing_again_replaces_the_dataset_alone_and_a_failure_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let repository = folder.path().join("tables").display().to_string();
    let pack = |name: &str, text: &str, more: &[&str]| run(table(folder.path(), name, text, more));
    let first = pack(
        "a.csv",
        "sku,v\na,1\n",
        &["--dataset", "one", "--value", "v"],
    );
    assert_eq!(first.code, Some(0), "{first:?}");
    let second = pack(
        "b.tsv",
        "sku\tv\na\t2\n",
        &["--dataset", "two", "--value", "v"],
    );
    assert_eq!(second.code, Some(0), "{second:?}");
    let third = pack(
        "c.jsonl",
        "{\"sku\":\"a\",\"v\":3}\n",
        &["--dataset", "one", "--value", "v"],
    );
    assert_eq!(third.code, Some(0), "{third:?}");
    let again = pack(
        "c.jsonl",
        "{\"sku\":\"a\",\"v\":3}\n",
        &["--dataset", "one", "--value", "v"],
    );
    assert!(again.stdout.contains("already current"), "{again:?}");
    let as_of = || run(["inspect", &repository, "--json"]).json()["as_of"].clone();
    let day = ["--dataset", "two", "--value", "v", "--as-of", "2099-03-05"];
    for more in [&day[..], &day[..4]] {
        let later = pack("b.jsonl", "{\"sku\":\"a\",\"v\":2}\n", more);
        assert_eq!(later.code, Some(0), "{later:?}");
        assert_eq!(as_of(), "2099-03-05");
    }
    let value = |dataset: &str| run(["get", &repository, dataset, "a"]).stdout;
    assert_eq!((value("one"), value("two")), ("3".into(), "2".into()));

    for (text, more, code, expected) in [
        (
            "sku,v\na,1\na,2\n",
            vec!["--dataset", "one"],
            1,
            "d.csv:3: key \"a\" is also at",
        ),
        (
            "sku,v\na\n",
            vec!["--dataset", "one"],
            1,
            "d.csv:2: the row has not 2 fields",
        ),
        (
            "ku,v\na,1\n",
            vec!["--dataset", "one"],
            2,
            "has no \"sku\": it has ku, v",
        ),
        (
            "sku,v\na,1\n",
            vec!["--dataset", "stores"],
            2,
            "--dataset: \"stores\" is not free",
        ),
        (
            "sku,v\na,1\n",
            vec!["--dataset", "one", "--value", "v", "sku", "v"],
            2,
            "--value: \"v\" is given twice",
        ),
        (
            "\"a\x1b[31m\",\"b\nc\"\n1,2\n",
            vec!["--dataset", "one"],
            2,
            "it has a [31m, b c",
        ),
        ("", vec!["--dataset", "one"], 1, "d.csv is empty"),
    ] {
        let more = [&more[..], &["-q"]].concat();
        pack("d.csv", text, &more).failed(code, &[expected]);
    }
    assert_eq!((value("one"), value("two")), ("3".into(), "2".into()));
}

/// The library that reads Parquet panics at this byte, which was told before the error was.
#[cfg(feature = "parquet")]
#[test]
fn damage_that_surprises_the_reader_of_parquet_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("builder/tests/data/parquet");
    let mut bytes = fs::read(data.join("tiny.parquet")).unwrap();
    bytes[124] ^= 1;
    let file = folder.path().join("tiny.parquet").display().to_string();
    fs::write(&file, bytes).unwrap();
    let repository = folder.path().join("tables").display().to_string();
    let files = ["--input", &file, "--output", &repository];
    let options = ["--key", "key", "--dataset", "one", "-q"];
    let packed = run([&["pack"][..], &files, &options].concat());
    packed.failed(1, &["tiny.parquet", "its content contradicts itself"]);
}

#[test]
fn a_table_that_may_be_cut_in_its_last_row_is_named() {
    let folder = TempDir::new().unwrap();
    let warned = |name: &str, text: &str| {
        let packed = run(table(folder.path(), name, text, &["--dataset", "prices"]));
        assert_eq!(packed.code, Some(0), "{packed:?}");
        let words = format!("{name}: ends without a line break; its last row may be cut");
        packed.stderr.contains(&words)
    };
    assert!(!warned("whole.csv", PRICES));
    assert!(warned("cut.csv", PRICES.trim_end()));
    assert!(!warned("lines.jsonl", "{\"sku\":\"a\"}"));
    assert!(!warned("header.csv", "sku\na\n"));
}

#[test]
fn a_build_keeps_packed_datasets_and_a_pack_keeps_transactions() {
    let folder = TempDir::new().unwrap();
    let repository = folder.path().join("tables").display().to_string();
    let rows = "tx_id,store_id,card_id,ts,amount_minor,currency\n1,bar,c1,2018-03-05,900,EUR\n";
    let input = folder.path().join("rows.csv");
    fs::write(&input, rows).unwrap();
    let input = input.display().to_string();
    let build = ["build", "-q", "--input", &input, "--output", &repository];
    assert_eq!(run(build).code, Some(0));
    let more = ["-q", "--dataset", "prices", "--value", "price"];
    let packed = run(table(folder.path(), "prices.csv", PRICES, &more));
    assert_eq!(packed.code, Some(0), "{packed:?}");
    let rebuilt = run(build);
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    let facts = run(["inspect", &repository, "--json"]).json();
    assert_eq!(
        (&facts["stores"], &facts["as_of"]),
        (&1.into(), &"2018-03-05".into())
    );
    assert_eq!(facts["packed"]["prices"]["rows"]["used"], 3);
    assert_eq!(run(["get", &repository, "prices", "sku-1"]).stdout, "1.50");
    let other_day = [&more[..], &["--as-of", "1999-01-01"]].concat();
    let refused = run(table(folder.path(), "prices.csv", PRICES, &other_day));
    refused.failed(2, &["--as-of 1999-01-01", "is of 2018-03-05"]);

    // What finds a record by other terms than its key lists it no more often.
    let named = folder.path().join("stores.csv");
    fs::write(&named, "store_id,store_name\nbar,Walmart\n").unwrap();
    let named = named.display().to_string();
    assert_eq!(
        run([&build[..], &["--stores", &named]].concat()).code,
        Some(0)
    );
    for (prefix, expected) in [("w", "wwalmart\n"), ("i", "ibar\n"), ("wm", "")] {
        let listed = run(["scan", &repository, "search", "--keys", "--prefix", prefix]);
        assert_eq!(
            (listed.code, &*listed.stdout),
            (Some(0), expected),
            "{prefix}"
        );
    }
}

/// What is stored otherwise is not what changed.
#[test]
fn generations_that_differ_in_how_records_are_stored_have_the_same_records() {
    let rows: String = (0..3_000)
        .map(|row| format!("sku-{row},a name that many things have {}\n", row % 7))
        .collect();
    let rows = format!("sku,v\n{rows}");
    let folder = TempDir::new().unwrap();
    let repository = folder.path().join("tables").display().to_string();
    let first = ["-q", "--dataset", "one", "--shards", "2"];
    for (more, expected) in [
        (&[][..], ""),
        (
            &["--compression", "zstd"],
            "in other files: 4 of both were read",
        ),
        (&["--ordered"], "in other files: 4 of both were read"),
        (&["--shards", "3"], "in other files: 5 of both were read"),
    ] {
        let first = if more.contains(&"--shards") {
            &first[..3]
        } else {
            &first
        };
        let packed = run(table(
            folder.path(),
            "a.csv",
            &rows,
            &[first, more].concat(),
        ));
        assert_eq!(packed.code, Some(0), "{packed:?}");
        if !expected.is_empty() {
            let same = run(["diff", &repository]);
            let expected = format!("every record is the same, {expected}\n");
            assert!(same.stdout.ends_with(&expected), "{same:?}");
        }
    }
}

#[test]
fn keys_of_an_ordered_dataset_are_found_by_similarity_and_by_expression_within_some_work() {
    let folder = TempDir::new().unwrap();
    let repository = folder.path().join("tables").display().to_string();
    let text = "sku,v\nberlin,1\nbern,2\nbonn,3\nbremen,4\n";
    for (dataset, ordered) in [("cities", &["--ordered"][..]), ("heap", &[])] {
        let more = [&["-q", "--value", "v", "--dataset", dataset], ordered].concat();
        let packed = run(table(folder.path(), "a.csv", text, &more));
        assert_eq!(packed.code, Some(0), "{packed:?}");
    }
    let scan = |more: &[&str]| run([&["scan", &repository, "cities", "--keys"], more].concat());
    for (more, expected) in [
        (&["--fuzzy", "born"][..], "bern\nbonn\n"),
        (&["--fuzzy", "born", "--distance", "0"], ""),
        (&["--fuzzy", "berln", "--distance", "2"], "berlin\nbern\n"),
        (&["--regex", "b.*n"], "berlin\nbern\nbonn\nbremen\n"),
        (&["--regex", "be[^r]*"], ""),
        (&["--regex", "b.*n", "--limit", "2"], "berlin\nbern\n"),
    ] {
        let found = scan(more);
        assert_eq!(
            (found.code, &*found.stdout),
            (Some(0), expected),
            "{more:?}"
        );
    }
    let exhausted = scan(&["--regex", "b.*n", "--work", "8"]);
    assert_eq!(exhausted.code, Some(1), "{exhausted:?}");
    assert!(exhausted.stderr.contains("--work 8"), "{exhausted:?}");
    assert!(
        "berlin\nbern\nbonn\n".starts_with(&exhausted.stdout),
        "{exhausted:?}"
    );
    for (more, words) in [
        (
            &["--fuzzy", "born", "--distance", "4"][..],
            "--fuzzy: cannot search",
        ),
        (&["--regex", "("], "--regex: cannot search"),
        (&["--distance", "1"], "--fuzzy"),
        (&["--regex", "a", "--fuzzy", "b"], "--regex"),
        (&["--regex", "a", "--prefix", "b"], "--prefix"),
    ] {
        scan(more).failed(2, &[words]);
    }
    for option in ["--fuzzy", "--regex"] {
        let refused = run(["scan", &repository, "heap", option, "born"]);
        refused.failed(2, &["heap was not packed with --ordered"]);
    }
}

#[test]
fn what_changed_between_two_generations_is_counted_and_named() {
    let folder = TempDir::new().unwrap();
    let repository = folder.path().join("tables").display().to_string();
    let pack = |name: &str, text: &str, more: &[&str]| {
        let more = [&["-q", "--value", "v", "--dataset"], more].concat();
        let packed = run(table(folder.path(), name, text, &more));
        assert_eq!(packed.code, Some(0), "{packed:?}");
    };
    pack("a.csv", "sku,v\nsame,1\ngone,2\nother,3\n", &["one"]);
    run(["diff", &repository]).failed(1, &["no generation was current before", "--from"]);
    pack("b.csv", "sku,v\na,1\n", &["two", "--shards", "4"]);
    let diff = |more: &[&str]| run([&["diff", &repository], more].concat());
    let added = diff(&[]);
    assert!(
        added
            .stdout
            .contains("two      current      1        0        0          0"),
        "{added:?}"
    );
    assert!(!added.stdout.contains("one "), "{added:?}");

    // Cut into other shards, so that no file is the same.
    pack(
        "c.csv",
        "sku,v\nsame,1\nother,4\nnew\ttab,5\n",
        &["one", "--shards", "3"],
    );
    let changed = diff(&["--keys", "--dataset", "one"]);
    assert_eq!(changed.code, Some(0), "{changed:?}");
    for line in [
        "one      current      1        1        1          1",
        "added\tone\tcurrent\tnew\\ttab",
        "removed\tone\tcurrent\tgone",
        "changed\tone\tcurrent\tother",
    ] {
        assert!(
            changed.stdout.lines().any(|known| known == line),
            "{line}\n{changed:?}"
        );
    }
    let json = diff(&["--json", "--keys", "--limit", "2"]).json();
    let tables = json["tables"].as_array().unwrap();
    let counts = |table: &serde_json::Value| {
        let names = ["added", "removed", "changed", "unchanged", "shards_read"];
        names.map(|name| table[name].as_u64().unwrap())
    };
    assert_eq!(counts(&tables[0])[..4], [1, 1, 1, 1]);
    assert_eq!(tables[0]["keys"].as_array().unwrap().len(), 2);
    // Files that are the same are not read.
    assert_eq!(counts(&tables[1]), [0, 0, 0, 1, 0]);
    assert!(json["members"]["inputs"].is_array(), "{json}");

    let ids = run(["generations", &repository, "--json"]).json();
    let id = |at: usize| {
        ids["generations"][at]["generation"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, last) = (id(0), id(2));
    let backwards = diff(&["--from", &last, "--to", &first, "--json"]).json();
    let tables = backwards["tables"].as_array().unwrap();
    assert_eq!(counts(&tables[0])[..4], [1, 1, 1, 1]);
    assert_eq!(counts(&tables[1])[..4], [0, 1, 0, 0]);
    // A repository and itself.
    let same = diff(&[&repository]);
    assert!(same.stdout.contains("every record is the same"), "{same:?}");
    diff(&["--dataset", "none"]).failed(2, &["--dataset \"none\""]);
}
