//! Headers, and rows that do not fit theirs.

use nightshard_builder::layout::Field;
use nightshard_builder::row_outcome::Reason;

use crate::outcomes::{HEADER, Outcomes, read, rejects};

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
