//! Declared tests, counted over rows and against plain counts.

use std::{collections::HashMap, path::PathBuf};

use nightshard_format::quality::{Status, TestResult};
use proptest::prelude::*;
use rayon::ThreadPool;

use super::{
    DataTests, Definition, RowTests, results,
    value::{Record, Value},
};
use crate::{Result, exchange::Scratch, layout::Field, layout::Layout, row_outcome::Location};

/// A row of texts; the number of its amount beside them.
#[derive(Debug, Clone, Default)]
struct Row {
    texts: HashMap<Field, String>,
    amount: Option<i32>,
}

impl Record for Row {
    fn value(&self, field: Field) -> Value<'_> {
        match field {
            Field::AmountMinor => self
                .amount
                .map_or(Value::Null, |amount| Value::Number(amount.into())),
            field => match self.texts.get(&field) {
                Some(text) => Value::Text(text.as_bytes()),
                None => Value::Null,
            },
        }
    }
}

fn declared(text: &str) -> Vec<Definition> {
    #[derive(serde::Deserialize)]
    struct Config {
        data_tests: Vec<Definition>,
    }
    toml::from_str::<Config>(text).unwrap().data_tests
}

fn compile(text: &str) -> Result<DataTests> {
    let layout = Layout::builtin("canonical").unwrap();
    DataTests::compile(&declared(text), &layout, 7)
}

fn pool() -> ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
    pool.build().unwrap()
}

/// Tests rows on some workers, with so many bytes for what has to be unique.
fn run(
    tests: &DataTests,
    rows: &[(Location, Row)],
    workers: usize,
    bytes: usize,
) -> Vec<TestResult> {
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::new(folder.path());
    let new = || RowTests::new(tests, bytes, &scratch);
    let mut all: Vec<RowTests<'_>> = (0..workers).map(|_| new()).collect();
    for (index, (at, row)) in rows.iter().enumerate() {
        all[index * 5 % workers].test(*at, row).unwrap();
    }
    let files: Vec<PathBuf> = (0..4).map(|file| format!("{file}.csv").into()).collect();
    results(tests, all, &files, (&pool(), bytes))
        .unwrap()
        .results
}

const TESTS: &str = r#"
    [[data_tests]]
    test = "unique"
    column = "tx_id"

    [[data_tests]]
    test = "unique"
    columns = ["store_id", "tx_id"]
    where = "amount_minor > 0"

    [[data_tests]]
    test = "not_null"
    column = "card_id"
    severity = "warn"

    [[data_tests]]
    test = "range"
    column = "amount_minor"
    min = -3
    max = 4
"#;

/// Rows that fail each of [`TESTS`], counted plainly.
fn expected(rows: &[(Location, Row)]) -> [(u64, Vec<Location>); 4] {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|(at, _)| *at);
    let text = |row: &Row, field| row.texts.get(&field).cloned();
    let mut seen = std::collections::HashSet::new();
    let mut pairs = std::collections::HashSet::new();
    let mut failed: [(u64, Vec<Location>); 4] = Default::default();
    for (at, row) in rows {
        let tx = text(row, Field::TxId);
        let pair = text(row, Field::StoreId).zip(tx.clone());
        let is_selected = row.amount.is_some_and(|it| it > 0);
        let fails = [
            tx.is_some_and(|tx| !seen.insert(tx)),
            is_selected && pair.is_some_and(|pair| !pairs.insert(pair)),
            text(row, Field::CardId).is_none(),
            row.amount.is_some_and(|it| !(-3..=4).contains(&it)),
        ];
        for (test, fails) in failed.iter_mut().zip(fails) {
            test.0 += if fails { 1 } else { 0 };
            if fails && test.1.len() < super::NAMED_MAX {
                test.1.push(*at);
            }
        }
    }
    failed
}

fn rows() -> impl Strategy<Value = Vec<(Location, Row)>> {
    let text = |values: &'static str| prop::option::weighted(0.9, values);
    let row = (
        text("[a-j]{1,2}"),
        text("[ab]"),
        text("c"),
        prop::option::of(-5..6_i32),
    );
    let row = row.prop_map(|(tx, store, card, amount)| {
        let texts = [
            (Field::TxId, tx),
            (Field::StoreId, store),
            (Field::CardId, card),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(field, text)| Some((field, text?)));
        Row {
            texts: texts.collect(),
            amount,
        }
    });
    prop::collection::vec((0..4_u32, row), 0..300).prop_map(|rows| {
        let rows = rows.into_iter().enumerate();
        rows.map(|(line, (file, row))| {
            let line = line as u64 * 7_919 % 1_000;
            (Location { file, line }, row)
        })
        .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn failures_are_counted_and_named_as_a_plain_count_does(rows in rows()) {
        let tests = compile(TESTS).unwrap();
        let expected = expected(&rows);
        for (workers, bytes) in [(1, 1 << 30), (3, 1), (2, 4_096)] {
            let results = run(&tests, &rows, workers, bytes);
            for (result, (failures, named)) in results.iter().zip(&expected) {
                prop_assert_eq!(result.failures, *failures, "{}", result.name);
                let file = |name: &str| name.strip_suffix(".csv")?.parse::<u32>().ok();
                let found: Vec<Location> = result.first_failures.iter().map(|row| Location {
                    file: file(&row.file).unwrap(),
                    line: row.line,
                }).collect();
                prop_assert_eq!(&found, named, "{}", result.name);
            }
        }
    }
}

/// More values than a slice has room for are looked through in several.
#[test]
fn values_of_many_slices_are_each_compared_with_all() {
    let tests = compile("[[data_tests]]\ntest = \"unique\"\ncolumn = \"tx_id\"").unwrap();
    let rows: Vec<(Location, Row)> = (0..600_000_u64)
        .map(|line| {
            let texts = [(Field::TxId, (line % 500_000).to_string())];
            let row = Row {
                texts: texts.into(),
                amount: None,
            };
            (Location { file: 0, line }, row)
        })
        .collect();
    let results = run(&tests, &rows, 2, 1);
    assert_eq!((results[0].rows, results[0].failures), (600_000, 100_000));
    assert_eq!(results[0].first_failures[0].line, 500_000);
    assert_eq!(results[0].status, Status::Blocked);
}

#[test]
fn what_may_fail_does_not_fail_the_test() {
    let rows: Vec<(Location, Row)> = (0..10_u64)
        .map(|line| {
            let amount = i32::try_from(line).ok();
            (
                Location { file: 0, line },
                Row {
                    amount,
                    ..Row::default()
                },
            )
        })
        .collect();
    for (limits, severity, status) in [
        ("", "block", Status::Blocked),
        ("", "warn", Status::Warned),
        ("max_failures = 2", "block", Status::Blocked),
        ("max_failures = 3", "block", Status::Passed),
        ("max_share = 0.29", "warn", Status::Warned),
        ("max_share = 0.3", "warn", Status::Passed),
        (
            "max_share = 1.0\nmax_failures = 2",
            "block",
            Status::Blocked,
        ),
        (
            "max_share = 0.0\nmax_failures = 3",
            "block",
            Status::Blocked,
        ),
    ] {
        let text = format!(
            "[[data_tests]]\ntest = \"range\"\ncolumn = \"amount_minor\"\nmax = 6\n\
             severity = \"{severity}\"\n{limits}\n"
        );
        let results = run(&compile(&text).unwrap(), &rows, 1, 1);
        assert_eq!(
            (results[0].failures, results[0].status),
            (3, status),
            "{limits}"
        );
    }
}

/// 0.29 times 100 is less than 29.
#[test]
fn a_share_that_is_just_reached_may_fail() {
    for (rows, failures) in [(100, 29), (100, 57), (1_000, 3), (3, 1), (1, 0), (0, 0)] {
        let share = f64::from(failures) / f64::from(rows.max(1));
        let text = format!(
            "[[data_tests]]\ntest = \"range\"\ncolumn = \"amount_minor\"\nmin = {failures}\n\
             max_share = {share:?}\n"
        );
        let rows: Vec<(Location, Row)> = (0..rows)
            .map(|line| {
                let row = Row {
                    amount: Some(line),
                    ..Row::default()
                };
                let line = line.unsigned_abs().into();
                (Location { file: 0, line }, row)
            })
            .collect();
        let results = run(&compile(&text).unwrap(), &rows, 1, 1);
        assert_eq!(results[0].failures, u64::try_from(failures).unwrap());
        assert_eq!(results[0].status, Status::Passed, "{share}");
    }
}

#[test]
fn null_fails_not_null_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("regions.csv");
    std::fs::write(&file, "region\nnorth\n").unwrap();
    let text = format!(
        "[[data_tests]]\ntest = \"not_null\"\ncolumn = \"region\"\n\
         [[data_tests]]\ntest = \"unique\"\ncolumn = \"region\"\n\
         [[data_tests]]\ntest = \"accepted_values\"\ncolumn = \"region\"\nvalues = [\"north\"]\n\
         [[data_tests]]\ntest = \"references\"\ncolumn = \"region\"\nfile = {file:?}\n\
         [[data_tests]]\ntest = \"range\"\ncolumn = \"lat\"\nmin = 1\n\
         [[data_tests]]\ntest = \"expression\"\nexpression = \"region = 'north'\"\n"
    );
    let tests = compile(&text).unwrap();
    let rows = [0, 1].map(|line| (Location { file: 0, line }, Row::default()));
    let failures = |rows: &[(Location, Row)]| -> Vec<u64> {
        let results = run(&tests, rows, 1, 1);
        results.iter().map(|result| result.failures).collect()
    };
    assert_eq!(failures(&rows), [2, 0, 0, 0, 0, 0]);
    let south = rows.map(|(at, mut row)| {
        row.texts.insert(Field::Region, "south".into());
        (at, row)
    });
    assert_eq!(failures(&south), [0, 1, 2, 2, 0, 2]);
}

#[test]
fn what_is_declared_wrongly_is_named_with_its_test_and_key() {
    for (keys, problem) in [
        (
            "column = \"tx_id\"",
            "test 1: test: is missing: one of unique, not_null",
        ),
        (
            "test = \"uniq\"",
            "test 1: test: \"uniq\" is none of unique",
        ),
        (
            "name = \"a\"\ntest = \"unique\"",
            "test \"a\": column: is missing",
        ),
        (
            "test = \"unique\"\ncolumn = \"colour\"",
            "column: \"colour\" is no field",
        ),
        (
            "test = \"unique\"\ncolumn = \"record\"",
            "column: \"record\" is no field",
        ),
        ("test = \"unique\"\ncolumns = []", "columns: at least one"),
        (
            "test = \"unique\"\ncolumn = \"tx_id\"\ncolumns = [\"ts\"]",
            "columns: stands beside",
        ),
        (
            "test = \"unique\"\ncolumns = [\"ts\", \"tx_id\", \"ts\"]",
            "columns: \"ts\" stands twice",
        ),
        (
            "test = \"not_null\"\ncolumn = \"ts\"\nmin = 1",
            "min: does not belong to the test not_null",
        ),
        (
            "test = \"range\"\ncolumn = \"lat\"",
            "min: is missing, and so is max",
        ),
        (
            "test = \"range\"\ncolumn = \"region\"\nmin = 1",
            "column: region is neither",
        ),
        (
            "test = \"range\"\ncolumn = \"lat\"\nmin = \"x\"",
            "min: lat is a number: a number is expected",
        ),
        (
            "test = \"range\"\ncolumn = \"ts\"\nmax = 1",
            "max: ts is a time: a local date or time such as",
        ),
        (
            "test = \"range\"\ncolumn = \"ts\"\nmin = 2018-03-05T10:00:00+09:00",
            "min: ts is a time: a local date or time such as",
        ),
        (
            "test = \"range\"\ncolumn = \"lat\"\nmin = nan",
            "min: a value is",
        ),
        (
            "test = \"range\"\ncolumn = \"amount_minor\"\nmin = 7\nmax = 6.5",
            "min: is above max",
        ),
        (
            "test = \"range\"\ncolumn = \"ts\"\nmin = 2018-03-05T10:00:01\nmax = 2018-03-05T10:00:00",
            "min: is above max",
        ),
        (
            "test = \"range\"\ncolumn = \"ts\"\nmin = \"2018-03-06\"\nmax = \"2018-03-05T23:00:00\"",
            "min: is above max",
        ),
        (
            "test = \"accepted_values\"\ncolumn = \"region\"",
            "values: is missing",
        ),
        (
            "test = \"accepted_values\"\ncolumn = \"region\"\nvalues = []",
            "values: at least one",
        ),
        (
            "test = \"accepted_values\"\ncolumn = \"age_band\"\nvalues = [20]",
            "values: age_band is a text",
        ),
        (
            "test = \"references\"\ncolumn = \"region\"",
            "file: is missing",
        ),
        (
            "test = \"references\"\ncolumn = \"lat\"\nfile = \"x\"",
            "column: lat is no text",
        ),
        (
            "test = \"references\"\ncolumn = \"region\"\nfile = \"/nowhere.csv\"",
            "file: cannot read input /nowhere.csv: No such",
        ),
        (
            "test = \"expression\"\nexpression = \"1 +\"",
            "expression: character 4: ",
        ),
        ("test = \"expression\"", "expression: is missing"),
        (
            "test = \"unique\"\ncolumn = \"ts\"\nwhere = \"1\"",
            "where: character 1: ",
        ),
        (
            "test = \"unique\"\ncolumn = \"ts\"\nmax_share = 1.5",
            "max_share: a share is from 0 to 1",
        ),
        (
            "test = \"unique\"\ncolumn = \"ts\"\nname = \"\"",
            "name: a name is a line",
        ),
        (
            "test = \"unique\"\ncolumn = \"ts\"\n[[data_tests]]\ntest = \"unique\"\ncolumn = \"ts\"",
            "test 2: name: another test has it",
        ),
    ] {
        let error = compile(&format!("[[data_tests]]\n{keys}"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("data_tests: test "), "{error}");
        assert!(error.contains(problem), "{keys}: {error}");
    }
    for keys in [
        "column = \"amount_minor\"\nmin = 7\nmax = 7",
        "column = \"ts\"\nmin = \"2018-03-05T10:00:00\"\nmax = \"2018-03-05\"",
    ] {
        assert!(compile(&format!("[[data_tests]]\ntest = \"range\"\n{keys}")).is_ok());
    }
    let many = "[[data_tests]]\ntest = \"not_null\"\ncolumn = \"ts\"\n".repeat(1_001);
    let error = compile(&many).unwrap_err().to_string();
    assert_eq!(error, "data_tests: 1001 are more than 1000");
    let funda = Layout::builtin("funda").unwrap();
    let segment = declared("[[data_tests]]\ntest = \"not_null\"\ncolumn = \"segment\"");
    let error = DataTests::compile(&segment, &funda, 7)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the layout funda has no field \"segment\""),
        "{error}"
    );
}

#[test]
fn a_dimension_table_that_cannot_be_used_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cards.csv");
    let read = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        let keys = format!("test = \"references\"\ncolumn = \"region\"\nfile = {file:?}\n");
        let compiled = compile(&format!("[[data_tests]]\n{keys}file_column = \"Id\""));
        compiled.map_err(|error| error.to_string())
    };
    for (content, problem) in [
        (&b""[..], "cards.csv: line 1: there is no header"),
        (b"name\nx\n", "cards.csv: line 1: there is no column \"Id\""),
        (
            b"id,name\na\n",
            "cards.csv: line 2: fewer or more fields than the header has",
        ),
        (
            b"id\na\ncaf\xe9\n",
            "cards.csv: line 3: \"Id\" is not UTF-8",
        ),
        (b"id,x\n\"a,b\n", "cards.csv: line 2: quote never closed"),
    ] {
        let error = read(content).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    // A byte order mark, repeated and empty values, and other columns do not matter.
    let tests = read(b"\xef\xbb\xbfname,ID \nx,a\ny,a\nz,\n,b\n").unwrap();
    let rows = ["a", "b", "c", ""].map(|region| {
        let texts = (!region.is_empty()).then(|| (Field::Region, region.to_owned()));
        let row = Row {
            texts: texts.into_iter().collect(),
            amount: None,
        };
        (Location { file: 0, line: 1 }, row)
    });
    assert_eq!(run(&tests, &rows, 1, 1)[0].failures, 1);
}
