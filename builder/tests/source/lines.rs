//! Bytes to records: line ends, quotes, encodings and compression.

use std::sync::Arc;

use nightshard_builder::layout::{Field, Layout};
use nightshard_builder::row_outcome::Reason;
use nightshard_builder::source::{Inputs, Parser, Reader, ReaderOptions};

use crate::outcomes::{
    HEADER, Outcomes, file, gzip, layout, layout_of_canonical, many_rows, read, read_as, zst,
};

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
