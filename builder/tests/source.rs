//! Input files to canonical transactions: every row accounted for, whatever the files hold.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nightshard_builder::layout::{self, Field, Layout};
use nightshard_builder::row_outcome::{Location, Reason, RowSink, Rule};
use nightshard_builder::source::{
    Error, InputSummary, Inputs, Parser, Reader, ReaderOptions, RowsRead,
};
use nightshard_builder::transaction::Transaction;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const SMALL: ReaderOptions = ReaderOptions {
    block_bytes: 32,
    record_bytes_max: 4096,
};

const HEADER: &str = "store_id,card_id,ts,amount_minor,currency\n";

/// A transaction that outlives its block.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Row {
    tx_id: String,
    store_id: String,
    card_id: String,
    day: i32,
    second_of_day: Option<u32>,
    amount_minor: i64,
    currency: String,
    category: String,
    region: String,
    installments: Option<u16>,
    points_used: bool,
    carried: Vec<String>,
    content: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcomes {
    rows: Vec<(u64, Row)>,
    rejected: Vec<(u64, Field, Reason)>,
    excluded: Vec<(u64, Rule)>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl RowSink for Outcomes {
    type Error = Error;

    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<(), Error> {
        let row = Row {
            tx_id: text(row.tx_id),
            store_id: text(row.store_id),
            card_id: text(row.card_id),
            day: row.day,
            second_of_day: row.second_of_day,
            amount_minor: row.amount_minor,
            currency: text(row.currency),
            category: text(row.category),
            region: text(row.region),
            installments: row.installments,
            points_used: row.points_used,
            carried: row.carried.iter().map(text).collect(),
            content: row.content,
        };
        self.rows.push((at.line, row));
        Ok(())
    }

    fn rejected(&mut self, at: Location, field: Field, reason: Reason) {
        self.rejected.push((at.line, field, reason));
    }

    fn excluded(&mut self, at: Location, rule: Rule) {
        self.excluded.push((at.line, rule));
    }
}

fn read_all(
    inputs: &Inputs,
    layout: &Layout,
    options: ReaderOptions,
) -> Result<(Outcomes, RowsRead, Vec<InputSummary>), Error> {
    let mut reader = Reader::new(inputs, Arc::new(layout.clone()), options);
    let mut parser = Parser::new(layout, 7);
    let (mut outcomes, mut read, mut buffer) = (Outcomes::default(), RowsRead::default(), vec![]);
    while let Some(block) = reader.next_block(buffer)? {
        let more = parser.parse(&block, &mut outcomes)?;
        read.transactions += more.transactions;
        read.rejected += more.rejected;
        read.excluded += more.excluded;
        buffer = block.into_buffer();
    }
    Ok((outcomes, read, reader.finish()))
}

/// A folder with one file of these bytes.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read_as(layout: &Layout, name: &str, bytes: &[u8]) -> Result<Outcomes, Error> {
    let (_folder, path) = file(name, bytes);
    let inputs = Inputs::resolve(&[path.to_str().unwrap()])?;
    let (outcomes, read, _) = read_all(&inputs, layout, SMALL)?;
    assert_eq!(read.transactions, outcomes.rows.len() as u64);
    assert_eq!(read.rejected, outcomes.rejected.len() as u64);
    assert_eq!(read.excluded, outcomes.excluded.len() as u64);
    for block_bytes in [1, 7, 100, 1 << 20] {
        let options = ReaderOptions {
            block_bytes,
            ..SMALL
        };
        assert_eq!(
            read_all(&inputs, layout, options)?.0,
            outcomes,
            "blocks of {block_bytes}"
        );
    }
    Ok(outcomes)
}

fn read(bytes: impl AsRef<[u8]>) -> Result<Outcomes, Error> {
    read_as(
        &Layout::builtin("canonical").unwrap(),
        "in.csv",
        bytes.as_ref(),
    )
}

fn rejects(rows: &str) -> Vec<(u64, Field, Reason)> {
    read(format!("{HEADER}{rows}")).unwrap().rejected
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Rows enough to fill several blocks, none like another.
fn many_rows() -> String {
    let row = |n: u32| format!("s{},c{},2018-03-05T12:00:00,{n},KRW\n", n % 7, n % 11);
    (0..500).map(row).collect()
}

#[test]
fn a_canonical_row_is_read_field_by_field() {
    let rows = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,\
                installments,card_company,channel,age_band,gender,segment\n\
                t1, s1 ,c1,1970-01-02T00:01:05,-250,krw,FOOD,SEL,37.5,127.0,3,,card,30,F,x\n\
                ,s2,,1969-12-31,9,USD,,,,,,,,,,\n";
    let outcomes = read(rows).unwrap();
    let (line, mut first) = outcomes.rows[0].clone();
    first.content = 0;
    assert_eq!(line, 2);
    let expected = Row {
        tx_id: "t1".into(),
        store_id: "s1".into(),
        card_id: "c1".into(),
        day: 1,
        second_of_day: Some(65),
        amount_minor: -250,
        currency: "KRW".into(),
        category: "FOOD".into(),
        region: "SEL".into(),
        installments: Some(3),
        ..Row::default()
    };
    assert_eq!(first, expected);
    let (line, mut second) = outcomes.rows[1].clone();
    second.content = 0;
    assert_eq!(line, 3);
    let expected = Row {
        store_id: "s2".into(),
        day: -1,
        amount_minor: 9,
        currency: "USD".into(),
        ..Row::default()
    };
    assert_eq!(second, expected);
}

#[test]
fn line_ends_byte_order_marks_and_blank_lines_do_not_matter() {
    let plain = read(format!(
        "{HEADER}s,c,2018-03-05,1,KRW\ns,c,2018-03-06,2,KRW\n"
    ))
    .unwrap();
    assert_eq!(plain.rows.len(), 2);
    let variants = [
        "\u{feff}store_id,card_id,ts,amount_minor,currency\r\ns,c,2018-03-05,1,KRW\r\ns,c,2018-03-06,2,KRW",
        "store_id, Card_ID ,ts,AMOUNT_MINOR,currency\ns,c,2018-03-05,1,KRW\ns,c,2018-03-06,2,KRW,,\n\n  \n",
        "\"store_id\",card_id,ts,amount_minor,currency\n\"s\",c,2018-03-05,1,KRW\r\ns,\"c\",2018-03-06,\"2\",KRW",
    ];
    for variant in variants {
        assert_eq!(read(variant).unwrap(), plain);
    }
    let spread = read(format!(
        "\n\n{HEADER}\n\ns,c,2018-03-05,1,KRW\n \n\ns,c,2018-03-06,2,KRW\n"
    ));
    let lines: Vec<u64> = spread.unwrap().rows.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [6, 9]);
}

#[test]
fn compression_is_told_by_the_first_bytes_and_may_have_several_members() {
    let rows = many_rows();
    let plain = format!("{HEADER}{rows}");
    let expected = read(&plain).unwrap();
    assert_eq!(expected.rows.len(), 500);
    let (one, two) = plain.as_bytes().split_at(777);
    let layout = Layout::builtin("canonical").unwrap();
    for (name, bytes) in [
        ("in.csv", gzip(plain.as_bytes())),
        ("in.csv", zst(plain.as_bytes())),
        ("in.csv.zst", gzip(plain.as_bytes())),
        ("in.csv.gz", [gzip(one), gzip(two)].concat()),
        ("in.csv.zst", [zst(one), zst(two)].concat()),
        ("in.csv.gz", plain.clone().into_bytes()),
    ] {
        assert_eq!(read_as(&layout, name, &bytes).unwrap(), expected, "{name}");
    }
}

#[test]
fn json_lines_give_the_same_transactions_as_csv() {
    let csv = read(
        "tx_id,store_id,card_id,ts,amount_minor,currency,region\n\
         t\"1,s,c,2018-03-05,12,KRW,\n,한식,,2018-03-06 01:02,-3,KRW,서울\n",
    );
    let json = "{\"tx_id\":\"t\\\"1\",\"store_id\":\"s\",\"CARD_ID\":\"c\",\"ts\":\"2018-03-05\",\
                \"amount_minor\":12,\"currency\":\"KRW\",\"region\":null,\"other\":{\"a\":[1]}}\r\n\
                {\"amount_minor\":\"-3\",\"store_id\":\"\\ud55c식\",\"ts\":\"2018-03-06 01:02\",\
                \"currency\":\"KRW\",\"region\":\"서울\"}";
    let layout = Layout::builtin("canonical").unwrap();
    let json = read_as(&layout, "in.jsonl", json.as_bytes()).unwrap();
    let without_lines = |outcomes: Outcomes| -> Vec<Row> {
        outcomes.rows.into_iter().map(|(_, row)| row).collect()
    };
    assert_eq!(without_lines(json), without_lines(csv.unwrap()));
}

#[test]
fn malformed_json_costs_its_line_only() {
    let good = r#"{"store_id":"s","ts":"2018-03-05","amount_minor":1e3,"currency":"KRW"}"#;
    let lines = [
        good,
        r#"{"store_id":"s","#,
        r#"["store_id"]"#,
        r#"{"store_id":{"a":1},"ts":"2018-03-05","amount_minor":1,"currency":"KRW"}"#,
        r#"{} {}"#,
        r#"{"ts":"2018-03-05","amount_minor":1,"currency":"KRW"}"#,
        good,
    ];
    let layout = Layout::builtin("canonical").unwrap();
    let outcomes = read_as(&layout, "in.json", lines.join("\n").as_bytes()).unwrap();
    let amounts: Vec<_> = outcomes
        .rows
        .iter()
        .map(|(line, r)| (*line, r.amount_minor))
        .collect();
    assert_eq!(amounts, [(1, 1000), (7, 1000)]);
    let malformed = |line| (line, Field::Record, Reason::MalformedJson);
    let missing = (6, Field::StoreId, Reason::Missing);
    assert_eq!(
        outcomes.rejected,
        [
            malformed(2),
            malformed(3),
            malformed(4),
            malformed(5),
            missing
        ]
    );
    let array = read_as(&layout, "in.json", format!("[{good}]").as_bytes());
    assert!(matches!(array, Err(Error::NotJsonLines { .. })));
    assert_eq!(
        read_as(&layout, "in.jsonl", b"").unwrap(),
        Outcomes::default()
    );
}

#[test]
fn unreadable_files_are_errors_that_name_the_file() {
    let is_error = |bytes: &[u8], check: fn(&Error) -> bool| {
        let error = read(bytes).unwrap_err();
        assert!(check(&error), "{error:?}");
        assert!(error.to_string().contains("in.csv"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    };
    let whole = format!("{HEADER}{}", many_rows());
    is_error(b"", |e| matches!(e, Error::Empty { .. }));
    is_error(b"\n \n", |e| matches!(e, Error::Empty { .. }));
    is_error(&gzip(b""), |e| matches!(e, Error::Empty { .. }));
    is_error(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", |e| {
        matches!(e, Error::Binary { .. })
    });
    is_error(b"\xff\xfes\0t\0o\0r\0e\0", |e| {
        matches!(e, Error::Binary { .. })
    });
    for compressed in [gzip(whole.as_bytes()), zst(whole.as_bytes())] {
        for len in [compressed.len() - 1, compressed.len() / 2, 12] {
            is_error(&compressed[..len], |e| matches!(e, Error::EndsEarly { .. }));
        }
        let mut damaged = compressed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let check = |e: &Error| matches!(e, Error::Damaged { .. } | Error::EndsEarly { .. });
        is_error(&damaged, check);
    }
    let trailing = [gzip(whole.as_bytes()), b"rubbish".to_vec()].concat();
    is_error(&trailing, |e| {
        matches!(e, Error::Damaged { .. } | Error::EndsEarly { .. })
    });
    let missing = Inputs::resolve(&["/nowhere/in.csv"]).unwrap_err();
    assert!(
        matches!(missing, Error::Read { .. }) && missing.to_string().contains("/nowhere/in.csv")
    );
}

#[test]
fn a_header_that_lacks_columns_is_an_error_that_names_them_and_shows_no_row() {
    let error = |bytes: &str| read(bytes).unwrap_err().to_string();
    let headerless = error("s1,4111111111111111,2018-03-05,1,KRW\n");
    assert!(headerless.contains("lacks store_id, card_id, ts, amount_minor, currency"));
    assert!(!headerless.contains("4111"));
    let semicolons = error(&HEADER.replace(',', ";"));
    assert!(semicolons.contains("lacks store_id") && semicolons.contains("delimiter ','"));
    assert!(error("store_id,card_id,ts,currency\n").contains("lacks amount_minor (delimiter"));
    let returns = error(&format!("{HEADER}s,c,2018-03-05,1,KRW\n").replace('\n', "\r"));
    assert!(returns.contains("in.csv: its lines end in carriage returns alone"));
    let half_written = error("store_id,card_id,ts,amo");
    assert!(half_written.contains("lacks amount_minor, currency"));
}

#[test]
fn a_header_alone_has_no_rows() {
    assert_eq!(read(HEADER).unwrap(), Outcomes::default());
    assert_eq!(read(HEADER.trim_end()).unwrap(), Outcomes::default());
}

#[test]
fn unknown_columns_are_passed_over_and_the_first_of_two_alike_counts() {
    let rows = "x,store_id,card_id,ts,amount_minor,currency,currency,y\n\
                1,s,c,2018-03-05,1,KRW,USD,2\n";
    let outcomes = read(rows).unwrap();
    assert_eq!(outcomes.rows[0].1.currency, "KRW");
}

#[test]
fn a_row_that_is_cut_short_is_rejected() {
    let wrong = |line| (line, Field::Record, Reason::WrongNumberOfFields);
    assert_eq!(rejects("s,c,2018-03-05,1"), [wrong(2)]);
    let rows = "s,c,2018-03-05,1,KRW\ns\ns,c,2018-03-05,1,KRW,x\ns,c,2018-03-05,1,KRW,,,\n";
    assert_eq!(rejects(rows), [wrong(3), wrong(4)]);
    // A file of another delimiter behind a right header.
    assert_eq!(rejects("s;c;2018-03-05;1;KRW\n"), [wrong(2)]);
}

#[test]
fn a_header_among_the_rows_is_rejected_by_name() {
    let rows = format!("s,c,2018-03-05,1,KRW\n{HEADER}s,c,2018-03-05,1,KRW\n");
    assert_eq!(rejects(&rows), [(3, Field::Record, Reason::RepeatedHeader)]);
    let rows = format!(
        "s,c,2018-03-05,1,KRW\n\"store_id\",{}",
        &HEADER.to_uppercase()[9..]
    );
    assert_eq!(rejects(&rows), [(3, Field::Record, Reason::RepeatedHeader)]);
}

#[test]
fn every_fault_of_a_field_is_named() {
    let long = "x".repeat(1025);
    for (row, field, reason) in [
        (",c,2018-03-05,1,KRW", Field::StoreId, Reason::Missing),
        ("  ,c,2018-03-05,1,KRW", Field::StoreId, Reason::Missing),
        (
            &format!("{long},c,2018-03-05,1,KRW"),
            Field::StoreId,
            Reason::TooLong,
        ),
        (
            &format!("s,{long},2018-03-05,1,KRW"),
            Field::CardId,
            Reason::TooLong,
        ),
        ("s,c,,1,KRW", Field::Ts, Reason::Missing),
        ("s,c,2018-02-30,1,KRW", Field::Ts, Reason::ImpossibleDate),
        ("s,c,05/03/2018,1,KRW", Field::Ts, Reason::ImpossibleDate),
        ("s,c,0018-03-05,1,KRW", Field::Ts, Reason::DateOutOfRange),
        (
            "s,c,2018-03-05T00:00:00Z,1,KRW",
            Field::Ts,
            Reason::OffsetWithoutZone,
        ),
        ("s,c,2018-03-05,,KRW", Field::AmountMinor, Reason::Missing),
        (
            "s,c,2018-03-05,x,KRW",
            Field::AmountMinor,
            Reason::NotANumber,
        ),
        (
            "s,c,2018-03-05,1.5,KRW",
            Field::AmountMinor,
            Reason::TooPrecise,
        ),
        (
            "s,c,2018-03-05,100000000000001,KRW",
            Field::AmountMinor,
            Reason::Overflow,
        ),
        (
            "s,c,2018-03-05,-9999999999999999999999,KRW",
            Field::AmountMinor,
            Reason::Overflow,
        ),
        ("s,c,2018-03-05,1,", Field::Currency, Reason::Missing),
        (
            "s,c,2018-03-05,1,WON1",
            Field::Currency,
            Reason::NotACurrency,
        ),
        (
            "s,c,2018-03-05,1,K1W",
            Field::Currency,
            Reason::NotACurrency,
        ),
    ] {
        assert_eq!(rejects(row), [(2, field, reason)], "{row}");
    }
    let sound = "s,,2018-03-05,100000000000000,KRW";
    assert_eq!(rejects(&format!("{}{sound}\n{sound}", &long[..0])), []);
    let longest = format!("{},c,2018-03-05,1,KRW", &long[..1024]);
    assert_eq!(rejects(&longest), []);
}

#[test]
fn quotes_may_begin_deep_in_the_file_and_hold_line_breaks() {
    let mut rows = many_rows();
    rows = rows.replace('\n', ",\n");
    rows.push_str("\"s,1\",\"c\"\"2\"\"\",2018-03-05,1,KRW,\"a\n\nb\"\ns\"x,c,2018-03-05,2,KRW,\n");
    let header = HEADER.replace('\n', ",note\n");
    let outcomes = read(format!("{header}{rows}")).unwrap();
    assert_eq!(outcomes.rejected, []);
    let tail: Vec<_> = outcomes.rows[500..]
        .iter()
        .map(|(line, row)| (*line, row.store_id.as_str(), row.card_id.as_str()))
        .collect();
    assert_eq!(tail, [(502, "s,1", "c\"2\""), (505, "s\"x", "c")]);
}

#[test]
fn a_quote_that_is_never_closed_costs_one_line() {
    let sound = "s,c,2018-03-05,1,KRW\n";
    let rows = format!("{sound}\"s,c,2018-03-05,1,KRW\n{}", sound.repeat(1000));
    let outcomes = read(format!("{HEADER}{rows}")).unwrap();
    assert_eq!(
        outcomes.rejected,
        [(3, Field::Record, Reason::QuoteNeverClosed)]
    );
    assert_eq!(outcomes.rows.len(), 1001);
    // Too near the end of the file for the limit to matter.
    let outcomes = read(format!("{HEADER}{sound}s,\"c,2018-03-05,1,KRW\n{sound}")).unwrap();
    assert_eq!(
        outcomes.rejected,
        [(3, Field::Record, Reason::QuoteNeverClosed)]
    );
    assert_eq!(outcomes.rows.len(), 2);
}

#[test]
fn a_quote_that_meets_a_later_one_costs_one_line_and_joins_no_rows() {
    let rows = "t1,north,c1,2018-03-05,100,EUR\n\
                t2,\"north,c2,2018-03-05,200,EUR\n\
                t3,north,c3,2018-03-05,300,EUR\n\
                t4,north,c4,2018-03-05,400,EUR\n\
                t5,\"north\",c5,2018-03-05,500,EUR\n\
                t6,\"nor\"th,c6,2018-03-05,600,EUR\n\
                t7,\"north\" ,c7,2018-03-05,700,EUR\n\
                t8,\"north\",c8,2018-03-05,800,\"EUR\"\r\n";
    let outcomes = read(format!("tx_id,{HEADER}{rows}")).unwrap();
    let fault = |line, reason| (line, Field::Record, reason);
    assert_eq!(
        outcomes.rejected,
        [
            fault(3, Reason::QuoteNeverClosed),
            fault(7, Reason::TextAfterQuote),
            fault(8, Reason::TextAfterQuote),
        ]
    );
    let kept = outcomes.rows.iter().map(|(_, row)| row);
    let kept: Vec<_> = kept
        .map(|row| (row.tx_id.as_str(), row.store_id.as_str(), row.amount_minor))
        .collect();
    let north = |tx_id, amount| (tx_id, "north", amount);
    assert_eq!(
        kept,
        [
            north("t1", 100),
            north("t3", 300),
            north("t4", 400),
            north("t5", 500),
            north("t8", 800)
        ]
    );
}

#[test]
fn control_characters_cost_their_row_where_they_would_be_kept() {
    let control = |line, field| (line, field, Reason::ControlCharacter);
    let header = "note,tx_id,store_id,card_id,ts,amount_minor,currency,category,region\r\n";
    let rows = "a\u{7}b,t1,s,c,2018-03-05,1,KRW,x,y\r\n\
                ,t\u{0}2,s,c,2018-03-05,1,KRW,x,y\r\n\
                ,t3,s\u{1b}1,c,2018-03-05,1,KRW,x,y\r\n\
                ,t4,s,c\u{7f}1,2018-03-05,1,KRW,x,y\r\n\
                ,t5,s,c,2018-03-05,1,KRW,\"x\r\nx\",y\r\n\
                ,t6,s,c,2018-03-05,1,KRW,x,y\rz\r\n\
                ,t7,s,c,2018-03-05,1,KRW,\tx\t,y\tz\r\n\
                \"\r\n\",t8,s,c,2018-03-05,1,KRW,x,y\r\n";
    let outcomes = read(format!("{header}{rows}")).unwrap();
    let kept: Vec<_> = outcomes.rows.iter().map(|(_, row)| &*row.tx_id).collect();
    assert_eq!(kept, ["t1", "t8"]);
    let faults = [
        control(3, Field::TxId),
        control(4, Field::StoreId),
        control(5, Field::CardId),
        control(6, Field::Category),
        control(8, Field::Region),
        control(9, Field::Region),
    ];
    assert_eq!(outcomes.rejected, faults);
    // Line breaks that only quotes and escapes hide, and tabs among tabs.
    for quoted in [
        "\"a\nb\",,2018-03-05,1,KRW\n",
        "\"a\tb\",,2018-03-05,1,KRW\n",
    ] {
        let delimited = format!("{HEADER}{quoted}").replace(',', "\t");
        let tabs = layout_of_canonical("delimiter = \"\\t\"");
        let outcomes = read_as(&tabs, "in.tsv", delimited.as_bytes()).unwrap();
        assert_eq!(outcomes.rejected, [control(2, Field::StoreId)], "{quoted}");
    }
    let canonical = Layout::builtin("canonical").unwrap();
    let object = "{\"store_id\":\"a\\u0000b\",\"ts\":\"2018-03-05\",\"amount_minor\":1,\"currency\":\"KRW\"}";
    let outcomes = read_as(&canonical, "in.jsonl", object.as_bytes()).unwrap();
    assert_eq!(outcomes.rejected, [control(1, Field::StoreId)]);
}

/// The canonical layout with another beginning.
fn layout_of_canonical(head: &str) -> Layout {
    let text = include_str!("../src/layout/canonical.toml");
    Layout::parse("test", &format!("{head}\n{text}")).unwrap()
}

#[test]
fn a_line_of_ten_megabytes_costs_only_itself_and_no_memory() {
    let sound = "s,c,2018-03-05,1,KRW\n";
    let long = "x".repeat(10_000_000);
    let quoted = format!("\"{}\",c,2018-03-05,1,KRW\n", "y".repeat(10_000_000));
    let bytes = format!("{HEADER}{sound}{long}\n{sound}{quoted}{sound}{long}");
    let (_folder, path) = file("in.csv", bytes.as_bytes());
    let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
    let layout = Arc::new(Layout::builtin("canonical").unwrap());
    for block_bytes in [1 << 16, 1 << 20] {
        let options = ReaderOptions {
            block_bytes,
            ..ReaderOptions::default()
        };
        let mut reader = Reader::new(&inputs, Arc::clone(&layout), options);
        let (mut outcomes, mut buffer) = (Outcomes::default(), Vec::new());
        let mut parser = Parser::new(&layout, 0);
        while let Some(block) = reader.next_block(buffer).unwrap() {
            parser.parse(&block, &mut outcomes).unwrap();
            buffer = block.into_buffer();
            assert!(buffer.len() <= options.record_bytes_max + 3 * block_bytes);
        }
        let lines: Vec<u64> = outcomes.rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 6]);
        let too_long = |line| (line, Field::Record, Reason::RecordTooLong);
        assert_eq!(outcomes.rejected, [too_long(3), too_long(5), too_long(7)]);
        assert_eq!(reader.finish()[0].size_bytes, bytes.len() as u64);
    }
}

#[test]
fn bytes_that_are_not_utf8_cost_their_row_where_they_are_read() {
    let rows = b"note,store_id,card_id,ts,amount_minor,currency\n\
                 \xe9,s,c,2018-03-05,1,KRW\n,caf\xe9,c,2018-03-05,1,KRW\n,s,\xff,2018-03-05,1,KRW\n\
                 \xef\xbf\xbd,\xef\xbf\xbd,c,2018-03-05,1,KRW\n";
    let outcomes = read(rows).unwrap();
    let lines: Vec<u64> = outcomes.rows.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 5]);
    let invalid = |line, field| (line, field, Reason::InvalidEncoding);
    assert_eq!(
        outcomes.rejected,
        [invalid(3, Field::StoreId), invalid(4, Field::CardId)]
    );
}

const MINIMAL: &str = "[fields]\nstore_id = { columns = ['store'] }\nts = { columns = ['ts'] }\n\
                       amount_minor = { columns = ['amount'], factor = 100 }\n\
                       currency = { constant = 'EUR' }\n";

fn layout(head: &str) -> Layout {
    Layout::parse("test", &format!("{head}\n{MINIMAL}")).unwrap()
}

#[test]
fn other_encodings_are_decoded() {
    let rows = "store,ts,amount\n\"한식, 서울\",2018-03-05,1\nüß|,2018-03-05,2\n";
    let read_in = |label: &str, rows: &str| {
        let (bytes, _, _) = encoding_rs::Encoding::for_label(label.as_bytes())
            .unwrap()
            .encode(rows);
        read_as(&layout(&format!("encoding = '{label}'")), "in.csv", &bytes).unwrap()
    };
    let korean = read_in("euc-kr", &rows.replace("üß", "가"));
    assert_eq!(korean.rows[0].1.store_id, "한식, 서울");
    let latin = read_in("windows-1252", &rows.replace("한식, 서울", "æ"));
    assert_eq!(latin.rows[1].1.store_id, "üß|");
    let damaged = b"store,ts,amount\ns\xff,2018-03-05,1\ns,2018-03-05,1\n";
    let outcomes = read_as(&layout("encoding = 'euc-kr'"), "in.csv", damaged).unwrap();
    assert_eq!(
        outcomes.rejected,
        [(2, Field::StoreId, Reason::InvalidEncoding)]
    );
    assert_eq!(outcomes.rows.len(), 1);
}

#[test]
fn the_funda_layout_tells_points_from_instalments() {
    let rows = "store_id,card_id,card_company,transacted_date,transacted_time,installment_term,\
                region,type_of_business,amount\n\
                0,0,b,2016-06-01,13:13,0,,기타 미용업,1857.142857\n\
                0,1,h,2016-06-01,18:12,63,,,857\n0,2,c,2016-06-01,,2,서울 강남구,,-5\n";
    let layout = Layout::builtin("funda").unwrap();
    let outcomes = read_as(&layout, "in.csv", rows.as_bytes()).unwrap();
    assert_eq!(
        outcomes.rejected,
        [(2, Field::AmountMinor, Reason::TooPrecise)]
    );
    let rows: Vec<_> = outcomes.rows.into_iter().map(|(_, row)| row).collect();
    let read = |row: &Row| {
        (
            row.second_of_day,
            row.installments,
            row.points_used,
            row.amount_minor,
        )
    };
    assert_eq!(
        read(&rows[0]),
        (Some(18 * 3600 + 12 * 60), Some(3), true, 8570)
    );
    assert_eq!(read(&rows[1]), (None, Some(2), false, -50));
    assert_eq!(
        (rows[1].currency.as_str(), rows[1].region.as_str()),
        ("KRW", "서울 강남구")
    );
}

#[test]
fn the_payments_layout_takes_the_customer_for_the_card() {
    let rows = "transaction_id,transaction_ts,customer_id,merchant_id,amount,currency,latitude,\
                longitude,device_id,payment_method,is_foreign\n\
                t,2018-03-05T23:30:00+01:00,u,m,12.3,USD,,,d,card,0\n";
    let layout = Layout::builtin("payments").unwrap();
    let outcomes = read_as(&layout, "in.csv", rows.as_bytes()).unwrap();
    let row = &outcomes.rows[0].1;
    assert_eq!((row.store_id.as_str(), row.card_id.as_str()), ("m", "u"));
    assert_eq!(
        (row.amount_minor, row.second_of_day),
        (1230, Some(22 * 3600 + 1800))
    );
}

#[test]
fn amounts_in_the_currencys_own_unit_are_scaled_by_it() {
    let header = "transaction_id,transaction_ts,customer_id,merchant_id,amount,currency\n";
    let layout = Layout::builtin("payments").unwrap();
    let outcome = |amount: &str, currency: &str| {
        let rows = format!("{header}t,2018-03-05T12:00:00Z,u,m,{amount},{currency}\n");
        let outcomes = read_as(&layout, "in.csv", rows.as_bytes()).unwrap();
        let amount = outcomes.rows.first().map(|(_, row)| row.amount_minor);
        amount.ok_or_else(|| (outcomes.rejected[0].1, outcomes.rejected[0].2))
    };
    for (amount, currency, minor) in [
        ("500", "JPY", 500),
        ("500.0", "krw", 500),
        ("1.234", "KWD", 1234),
        ("-12.3", "USD", -1230),
        ("7", "EUR", 700),
        ("0.0001", "CLF", 1),
    ] {
        assert_eq!(outcome(amount, currency), Ok(minor), "{amount} {currency}");
    }
    let too_precise = Err((Field::AmountMinor, Reason::TooPrecise));
    for (amount, currency) in [("500.5", "JPY"), ("1.2345", "KWD"), ("1.234", "USD")] {
        assert_eq!(
            outcome(amount, currency),
            too_precise,
            "{amount} {currency}"
        );
    }
    let no_currency = (Field::Currency, Reason::NotACurrency);
    assert_eq!(outcome("x", "YEN?"), Err(no_currency));
    // A factor is the same for all currencies.
    let fixed = MINIMAL.replace("constant = 'EUR'", "columns = ['currency']");
    let fixed = Layout::parse("test", &fixed).unwrap();
    let rows = b"store,ts,amount,currency\ns,2018-03-05,500,JPY\n";
    let outcomes = read_as(&fixed, "in.csv", rows).unwrap();
    assert_eq!(outcomes.rows[0].1.amount_minor, 50_000);
}

#[test]
fn layouts_find_columns_by_spelling_fall_back_and_carry() {
    let toml = "delimiter = ';'\ncarry = ['Till', 'Absent']\n[fields]\n\
                store_id = { columns = ['Shop', 'Store Name'], constant = 'none' }\n\
                card_id = { columns = ['Card'], strip = '*x' }\n\
                ts = { columns = ['Date'], formats = ['%d/%m/%Y %H:%M', '%d/%m/%Y'] }\n\
                amount_minor = { columns = ['Billed'], fallback = ['Paid'], factor = 100, \
                decimal = ',', round = true }\n\
                currency = { columns = ['Billed In'], fallback = ['Paid In'], \
                follow_amount = true, constant = 'GBP' }\n\
                status = { columns = ['State'], cancelled = ['void'] }\n";
    let layout = Layout::parse("test", toml).unwrap();
    let rows = "STORE NAME ;Card;Date;Billed;Paid;Paid In;State;Till\n\
                s;**12*;31/12/2018 08:30;1,005;2;usd;;t1\n\
                ;*x;01/01/2019;;-2;usd;;t2\n\
                s;1;01/01/2019;;2;;;t3\n\
                s;1;01/01/2019;1;;;VOID;t4\n\
                s;1;01/31/2019;1;;;;t5\n";
    let outcomes = read_as(&layout, "in.txt", rows.as_bytes()).unwrap();
    assert_eq!(outcomes.excluded, [(5, Rule::Cancelled)]);
    assert_eq!(outcomes.rejected, [(6, Field::Ts, Reason::ImpossibleDate)]);
    let rows: Vec<_> = outcomes.rows.into_iter().map(|(_, row)| row).collect();
    let names = |r: &Row| (r.store_id.clone(), r.card_id.clone(), r.carried.join("/"));
    assert_eq!(names(&rows[0]), ("s".into(), "12".into(), "t1/".into()));
    assert_eq!(
        names(&rows[1]),
        ("none".into(), String::new(), "t2/".into())
    );
    let money = |r: &Row| (r.amount_minor, r.currency.clone(), r.day, r.second_of_day);
    assert_eq!(money(&rows[0]), (101, "GBP".into(), 17896, Some(30_600)));
    assert_eq!(money(&rows[1]), (-200, "USD".into(), 17897, None));
    assert_eq!(money(&rows[2]), (200, "GBP".into(), 17897, None));
}

#[test]
fn the_birmingham_layout_pairs_each_amount_with_its_currency() {
    let text = include_str!("../../tests/data/birmingham_raw.toml");
    let layout = Layout::parse("birmingham_raw", text).unwrap();
    let money = |header: &str, row: &str| {
        let file = format!(
            "TRANS DATE,MERCHANT NAME,CARD NUMBER,{header}\n\
                            29/04/2014,shell kings 587,************5770,{row}\n"
        );
        let outcomes = read_as(&layout, "2014-04.csv", file.as_bytes()).unwrap();
        let row = &outcomes.rows[0].1;
        assert_eq!(
            (row.card_id.as_str(), row.day, row.second_of_day),
            ("5770", 16_189, None)
        );
        (row.amount_minor, row.currency.clone())
    };
    let billed = "ORIGINAL GROSS AMT,ORIGINAL CUR,BILLING GROSS AMT,BILLING CUR CODE";
    assert_eq!(money(billed, "60.5,EUR,52.32,GBP"), (5232, "GBP".into()));
    let original = "ORIGINAL GROSS AMT,ORIGINAL CUR,TRANS ORIGINAL NET AMT,BILLING CUR CODE";
    assert_eq!(money(original, "60.5,EUR,50,GBP"), (6050, "EUR".into()));
    let twice = "ORIGINAL GROSS AMT,BILLING CUR CODE,BILLING CUR CODE";
    assert_eq!(money(twice, "-60,GBP,USD"), (-6000, "GBP".into()));
    assert_eq!(
        money("ORIGINAL GROSS AMT,Directorates", "0.01,x"),
        (1, "GBP".into())
    );
}

#[test]
fn faulty_layouts_are_refused_with_the_key_at_fault() {
    let refusal = |toml: &str| Layout::parse("my.toml", toml).unwrap_err().to_string();
    let replaced = |from: &str, to: &str| refusal(&MINIMAL.replace(from, to));
    for (message, parts) in [
        (refusal("delimitor = ';'"), ["my.toml, line 1", "delimitor"]),
        (replaced("store_id", "shop_id"), ["line 2", "shop_id"]),
        (
            replaced("columns = ['ts']", "colums = ['ts']"),
            ["line 3", "colums"],
        ),
        (
            replaced("factor = 100", "factor = 0"),
            ["fields.amount_minor", "factor"],
        ),
        (
            replaced("factor = 100", "factor = 100, unit = 'major'"),
            ["fields.amount_minor", "factor stands beside unit"],
        ),
        (
            replaced("factor = 100", "unit = 'cents'"),
            ["line 4", "cents"],
        ),
        (
            replaced("['ts']", "['ts'], unit = 'major'"),
            ["fields.ts", "unit"],
        ),
        (
            replaced("ts = { columns = ['ts'] }\n", ""),
            ["fields.ts", "missing"],
        ),
        (
            replaced("columns = ['store']", "round = true"),
            ["fields.store_id", "round"],
        ),
        (
            replaced("columns = ['store']", ""),
            ["fields.store_id", "neither"],
        ),
        (
            replaced("'EUR'", "'Euro'"),
            ["fields.currency", "capital letters"],
        ),
        (
            replaced("columns = ['store']", r#"constant = "a\nb""#),
            ["fields.store_id", "control"],
        ),
        (
            replaced("['ts']", "['ts'], formats = ['%Q!%']"),
            ["fields.ts", "format"],
        ),
        (
            replaced("['ts']", "['ts'], formats = ['%s']"),
            ["fields.ts", "%s needs a zone"],
        ),
        (
            refusal(&format!(
                "zone = 'UTC'\ntime_precision = 'date'\n{}",
                MINIMAL.replace("['ts']", "['ts'], formats = ['%s']")
            )),
            ["fields.ts", "time_precision"],
        ),
        (
            refusal(&format!("encoding = 'utf-16'\n{MINIMAL}")),
            ["encoding", "convert"],
        ),
        (
            refusal(&format!("encoding = 'x'\n{MINIMAL}")),
            ["encoding", "\"x\": no such"],
        ),
        (
            refusal(&format!("zone = 'Mars'\n{MINIMAL}")),
            ["zone", "\"Mars\": no such"],
        ),
        (
            refusal(&format!("delimiter = 'x'\n{MINIMAL}")),
            ["delimiter", "not a tab"],
        ),
        (
            refusal(&format!("time = {{ columns = ['t'] }}\n{MINIMAL}")),
            ["time", "without date"],
        ),
    ] {
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let error = Layout::named_or_file("/nowhere.toml").unwrap_err();
    assert!(matches!(error, layout::Error::Read { .. }));
    assert_eq!(Layout::named_or_file("funda").unwrap().name(), "funda");
}

#[test]
fn content_depends_on_values_not_on_how_they_are_written() {
    let content = |header: &str, row: &str| {
        read(format!("{header}\n{row}\n")).unwrap().rows[0]
            .1
            .content
    };
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,gender";
    let first = content(header, "t,s,c,2018-03-05T00:00:00,5,KRW,ab,c,");
    let turned = "gender,region,x,category,currency,amount_minor,ts,card_id,store_id,tx_id";
    let other = content(turned, ",\"c\",?,ab,krw, 05 ,2018-03-05 00:00,c,s,t");
    assert_eq!(first, other);
    for different in [
        "t,s,c,2018-03-05T00:00:00,5,KRW,a,bc,",
        "t,s,c,2018-03-05T00:00:00,5,KRW,ab,,c",
        "t,s,c,2018-03-05,5,KRW,ab,c,",
        "t,s,c,2018-03-05T00:00:00,-5,KRW,ab,c,",
        ",s,c,2018-03-05T00:00:00,5,KRW,ab,c,",
    ] {
        assert_ne!(content(header, different), first, "{different}");
    }
}

#[test]
fn the_spelling_of_a_number_a_flag_or_a_date_is_no_content() {
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency,lat,lon,points_used,fee_minor,\
                  deposit_minor,settles_on,is_foreign,installments,age_band\n";
    let content = |row: &str| {
        let outcomes = read(format!("{header}t,s,c,2018-03-05,5,KRW,{row}\n")).unwrap();
        outcomes.rows[0].1.content
    };
    let plain = content("52.5,-0.13,0,5,1000,2018-03-07,1,3,30");
    for alike in [
        "52.50,-.130,0.0,5.0,1e3,2018-03-07T00:00:00,true,3.0,30",
        "+52.5,-00.13,-0,05,1000.,2018-03-07 12:00,Y,03,30",
    ] {
        assert_eq!(content(alike), plain, "{alike}");
    }
    for different in [
        "52.51,-0.13,0,5,1000,2018-03-07,1,3,30",
        "52.5,0.13,0,5,1000,2018-03-07,1,3,30",
        "52.5,-0.13,,5,1000,2018-03-07,1,3,30",
        "52.5,-0.13,0,50,1000,2018-03-07,1,3,30",
        "52.5,-0.13,0,5,100,2018-03-07,1,3,30",
        "52.5,-0.13,0,5,1000,2018-03-08,1,3,30",
        "52.5,-0.13,0,5,1000,2018-03-07,0,3,30",
        "52.5,-0.13,0,5,1000,2018-03-07,1,3,30.0",
    ] {
        assert_ne!(content(different), plain, "{different}");
    }
}

#[test]
fn a_term_is_a_whole_number_however_it_is_spelled() {
    let header = HEADER.replace('\n', ",installments\n");
    let term = |term: &str| {
        let outcomes = read(format!("{header}s,c,2018-03-05,1,KRW,{term}\n")).unwrap();
        let row = outcomes.rows.into_iter().next();
        row.map(|(_, row)| row.installments)
            .ok_or_else(|| outcomes.rejected[0])
    };
    for (text, months) in [("3", 3), ("3.0", 3), ("12.00", 12), ("+3", 3), ("036", 36)] {
        assert_eq!(term(text), Ok(Some(months)), "{text}");
    }
    assert_eq!(term(""), Ok(None));
    for text in ["3.5", "-3", "x", "70000", ".", "3.0.0"] {
        let fault = (2, Field::Installments, Reason::NotANumber);
        assert_eq!(term(text), Err(fault), "{text}");
    }
}

#[test]
fn of_several_spellings_the_first_that_is_there_counts_in_csv_and_in_json() {
    let toml = "[fields]\nstore_id = { columns = ['a', 'b'], fallback = ['c', 'd'] }\n\
                segment = { columns = ['b', 'a'] }\nts = { columns = ['ts'] }\n\
                amount_minor = { constant = '1' }\ncurrency = { constant = 'EUR' }\n";
    let layout = Layout::parse("test", toml).unwrap();
    let outcomes_of = |fields: &[(&str, &str)]| {
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> = fields.iter().map(|(_, value)| *value).collect();
        let csv = format!("ts,{}\n2018-03-05,{}\n", names.join(","), values.join(","));
        let members: Vec<String> = fields
            .iter()
            .map(|(name, value)| match *value {
                "" => format!("\"{name}\":null"),
                value => format!("\"{name}\":\"{value}\""),
            })
            .collect();
        let json = format!("{{\"ts\":\"2018-03-05\",{}}}\n", members.join(","));
        let store = |name: &str, text: &str| {
            let outcomes = read_as(&layout, name, text.as_bytes()).unwrap();
            outcomes.rows.first().map(|(_, row)| row.store_id.clone())
        };
        (store("in.csv", &csv), store("in.jsonl", &json))
    };
    for (fields, store) in [
        (&[("a", "x"), ("b", "y")][..], Some("x")),
        (&[("b", "y"), ("a", "x")], Some("x")),
        (&[("b", "y")], Some("y")),
        (&[("a", ""), ("b", "y")], None),
        (&[("a", ""), ("b", "y"), ("d", "z")], Some("z")),
        (&[("a", ""), ("c", ""), ("d", "z")], None),
        (&[("d", "z")], Some("z")),
    ] {
        let store = store.map(str::to_owned);
        assert_eq!(outcomes_of(fields), (store.clone(), store), "{fields:?}");
    }
}

fn touch(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, HEADER).unwrap();
    }
}

#[test]
fn folders_are_read_in_the_order_of_paths_and_the_rest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    touch(
        folder.path(),
        &[
            "b/2.CSV.gz",
            "b/1.tsv",
            "a.jsonl.zst",
            "c.ndjson",
            "d.json",
            "e.txt",
            "x.stores.csv",
            "x.stores.csv.gz",
            ".hidden.csv",
            "_SUCCESS",
            "readme.md",
            ".git/a.csv",
            "f.csv.bz2",
        ],
    );
    let base = folder.path().to_str().unwrap();
    let inputs = Inputs::resolve(&[base]).unwrap();
    let names = |paths: &[PathBuf]| -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(base).unwrap().display().to_string();
        paths.iter().map(name).collect()
    };
    let taken = [
        "a.jsonl.zst",
        "b/1.tsv",
        "b/2.CSV.gz",
        "c.ndjson",
        "d.json",
        "e.txt",
    ];
    assert_eq!(names(inputs.files()), taken);
    let passed_over = [
        ".git",
        ".hidden.csv",
        "_SUCCESS",
        "f.csv.bz2",
        "readme.md",
        "x.stores.csv",
        "x.stores.csv.gz",
    ];
    assert_eq!(names(inputs.ignored()), passed_over);
    assert_eq!(inputs.size_bytes(), 6 * HEADER.len() as u64);
    // Named itself, a file is taken whatever it is called.
    let uris = [
        format!("file://localhost{base}/x.stores.csv"),
        format!("file://{base}/b"),
    ];
    let named = Inputs::resolve(&uris).unwrap();
    assert_eq!(
        names(named.files()),
        ["b/1.tsv", "b/2.CSV.gz", "x.stores.csv"]
    );
    let twice = Inputs::resolve(&[base.to_owned(), format!("{base}/c.ndjson")]).unwrap_err();
    assert!(matches!(twice, Error::NamedTwice { .. }));
    let empty = Inputs::resolve(&[format!("{base}/.git")]).unwrap();
    assert_eq!(names(empty.files()), [".git/a.csv"]);
    fs::remove_file(folder.path().join(".git/a.csv")).unwrap();
    let none = Inputs::resolve(&[format!("{base}/.git")]).unwrap_err();
    assert!(matches!(none, Error::NoFiles { ignored: 0, .. }));
    assert!(matches!(
        Inputs::resolve(&["s3://a/b"]),
        Err(Error::UnknownScheme { .. })
    ));
}

#[test]
fn repositories_in_a_folder_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "a.csv",
        "output/tmp/build-1/quarantine.csv",
        "other/generations/1/reports/quarantine.csv",
        "other/blobs/b",
        "generations/b.csv",
    ];
    touch(folder.path(), &names);
    let base = folder.path().to_str().unwrap();
    let output = folder.path().join("generations/../output");
    let inputs = Inputs::resolve_beside(&[base], Some(&output)).unwrap();
    let paths = |names: &[&str]| -> Vec<PathBuf> {
        names.iter().map(|name| folder.path().join(name)).collect()
    };
    assert_eq!(inputs.files(), paths(&["a.csv", "generations/b.csv"]));
    assert_eq!(inputs.ignored(), paths(&["other", "output"]));
    for input in ["other", "output"] {
        let uri = format!("{base}/{input}");
        let error = Inputs::resolve_beside(&[&uri], Some(&output)).unwrap_err();
        assert!(matches!(error, Error::IsRepository { .. }));
        assert!(error.to_string().contains(&uri));
    }
    let missing = folder.path().join("missing");
    assert!(Inputs::resolve_beside(&[format!("{base}/a.csv")], Some(&missing)).is_ok());
}

#[cfg(target_os = "linux")]
/// Rows in conflict are named by reading again, which a pipe would hold up for ever.
#[test]
fn what_cannot_be_read_twice_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let error = Inputs::resolve(&[pipe.to_str().unwrap()]).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
}

#[test]
fn a_file_whose_name_no_report_could_hold_is_refused_at_once() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_str().unwrap();
    touch(folder.path(), &["a.csv"]);
    fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9.pdf")), "").unwrap();
    let inputs = Inputs::resolve(&[base]).unwrap();
    assert_eq!(inputs.ignored(), [folder.path().join("caf\u{fffd}.pdf")]);
    fs::write(
        folder.path().join(OsStr::from_bytes(b"caf\xe9.csv")),
        HEADER,
    )
    .unwrap();
    let error = Inputs::resolve(&[base]).unwrap_err();
    assert!(matches!(error, Error::NameNotUtf8 { .. }));
    assert!(error.to_string().contains("caf\u{fffd}.csv"), "{error}");
}

#[test]
fn every_file_is_summed_up_by_the_digest_of_its_stored_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let plain = format!("{HEADER}{}", many_rows()).into_bytes();
    let stored = [
        ("a.csv", plain.clone()),
        ("b.csv.gz", gzip(&plain)),
        ("c.csv.zst", zst(&plain)),
    ];
    for (name, bytes) in &stored {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let inputs = Inputs::resolve(&[folder.path().to_str().unwrap()]).unwrap();
    let layout = Layout::builtin("canonical").unwrap();
    let (outcomes, read, summaries) = read_all(&inputs, &layout, SMALL).unwrap();
    assert_eq!((outcomes.rows.len(), read.total()), (1500, 1500));
    for ((name, bytes), summary) in stored.iter().zip(&summaries) {
        assert_eq!(summary.path, folder.path().join(name));
        assert_eq!(summary.digest, blake3::hash(bytes));
        assert_eq!(summary.size_bytes, bytes.len() as u64);
    }
}

#[test]
fn a_last_row_without_line_break_counts_and_its_file_is_named() {
    let row = "s,c,2018-03-05,1,KRW";
    let json = r#"{"store_id":"s","ts":"2018-03-05","amount_minor":1,"currency":"KRW"}"#;
    let open = format!("{HEADER}{row}\n{row}");
    let files = [
        ("cut.csv", open.clone().into_bytes(), true),
        ("cut.csv.gz", gzip(open.as_bytes()), true),
        ("cut.csv.zst", zst(open.as_bytes()), true),
        ("ended.csv", format!("{open}\n").into_bytes(), false),
        ("blank.csv", format!("{open}\r\n  ").into_bytes(), false),
        ("header.csv", HEADER.trim_end().into(), false),
        ("object.jsonl", json.into(), false),
    ];
    for (name, bytes, is_open_ended) in files {
        let (_folder, path) = file(name, &bytes);
        let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
        let layout = Layout::builtin("canonical").unwrap();
        for block_bytes in [1, 32, 1 << 20] {
            let options = ReaderOptions {
                block_bytes,
                ..SMALL
            };
            let (outcomes, _, summaries) = read_all(&inputs, &layout, options).unwrap();
            assert_eq!(summaries[0].is_open_ended, is_open_ended, "{name}");
            assert_eq!(outcomes.rejected, []);
        }
    }
}

/// Fields of a few characters that matter to CSV.
fn field() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ab\", \n\r;한]{0,6}").unwrap()
}

/// What becomes of a text field: trimmed of ASCII white space.
fn trimmed(field: &str) -> String {
    field
        .trim_matches(|c: char| c.is_ascii_whitespace())
        .to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn well_formed_csv_is_split_as_the_csv_crate_splits_it(
        records in proptest::collection::vec((field(), field(), any::<bool>()), 0..40),
        crlf in any::<bool>(),
        block_bytes in 1_usize..200,
    ) {
        let line_end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut bytes = HEADER.as_bytes().to_vec();
        let mut lines = Vec::new();
        for (store, card, always) in &records {
            lines.push(1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64);
            let style =
                if *always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new()
                .quote_style(style)
                .terminator(line_end)
                .from_writer(Vec::new());
            writer.write_record([store, card, "2018-03-05", "1", "KRW"]).unwrap();
            bytes.extend(writer.into_inner().unwrap());
        }
        let mut csv_reader = csv::ReaderBuilder::new().from_reader(bytes.as_slice());
        let parsed = csv_reader.records().map(|record| record.unwrap());
        let oracle: Vec<_> = lines
            .into_iter()
            .zip(parsed)
            .map(|(line, record)| (line, trimmed(&record[0]), trimmed(&record[1])))
            .collect();
        prop_assert_eq!(oracle.len(), records.len());
        let (_folder, path) = file("in.csv", &bytes);
        let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
        let layout = Layout::builtin("canonical").unwrap();
        let options = ReaderOptions { block_bytes, ..SMALL };
        let (outcomes, read, _) = read_all(&inputs, &layout, options).unwrap();
        prop_assert_eq!(read.total(), oracle.len() as u64);
        let kept: Vec<_> = outcomes.rows.into_iter()
            .map(|(line, row)| (line, row.store_id, row.card_id))
            .collect();
        let rejected: Vec<u64> = outcomes.rejected.iter().map(|(line, _, _)| *line).collect();
        let is_plain = |text: &str| !text.contains(char::is_control);
        let (sound, faulty): (Vec<_>, Vec<_>) = oracle.into_iter().partition(|(_, store, card)| {
            !store.is_empty() && is_plain(store) && is_plain(card)
        });
        prop_assert_eq!(kept, sound);
        prop_assert_eq!(rejected, faulty.into_iter().map(|(line, ..)| line).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_give_the_same_outcomes_however_they_are_divided(
        bytes in proptest::collection::vec(
            proptest::sample::select(b"ab\"\"\",,,\n\n\r \xe9".to_vec()), 0..400),
        block_bytes in 1_usize..64,
        record_bytes_max in HEADER.len()..80,
    ) {
        let bytes = [HEADER.as_bytes(), &bytes].concat();
        let (_folder, path) = file("in.csv", &bytes);
        let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
        let layout = Layout::builtin("canonical").unwrap();
        let small = ReaderOptions { block_bytes, record_bytes_max };
        let large = ReaderOptions { block_bytes: 1 << 16, record_bytes_max };
        let (outcomes, read, _) = read_all(&inputs, &layout, small).unwrap();
        prop_assert_eq!(&outcomes, &read_all(&inputs, &layout, large).unwrap().0);
        prop_assert_eq!(read.total(), (outcomes.rows.len() + outcomes.rejected.len()) as u64);
    }
}
