//! Rows that cannot be used.

use std::path::PathBuf;

use serde_json::Value;

use crate::serving::{HEADER, UNSEEN, keeps_secrets, row, rows};
use crate::support::repository::TestRepository;

#[test]
fn rows_that_cannot_be_used_are_counted_named_and_never_shown() {
    let long = "x".repeat(10_000_000);
    let huge = "9".repeat(40);
    let day = "2018-01-05";
    let unseen = |id, ts: &str, amount: &str| row(id, UNSEEN, ts, amount);
    let cases: [(&str, String, usize, &[&str]); 8] = [
        (
            "repeated.csv",
            rows(0..5) + HEADER + &rows(5..9) + HEADER,
            9,
            &["7,record,repeated header", "12,record,repeated header"],
        ),
        (
            "half_written.csv",
            rows(0..5) + &unseen(5, day, "1")[..20],
            5,
            &["7,record,wrong number of fields"],
        ),
        (
            "dates.csv",
            rows(0..1)
                + &unseen(1, "2018-02-29", "1")
                + &unseen(2, "2018-13-01", "1")
                + &unseen(3, "2018-01-05T25:00:00", "1")
                + &unseen(4, "05/01/2018", "1")
                + &unseen(5, "", "1")
                + &unseen(6, "0018-01-05", "1")
                + &row(7, "leap", "2016-02-29T23:59:59", "1"),
            2,
            &[
                "3,ts,impossible date",
                "4,ts,impossible date",
                "5,ts,impossible date",
                "6,ts,impossible date",
                "7,ts,missing",
                "8,ts,date out of range",
            ],
        ),
        (
            "amounts.csv",
            rows(0..1)
                + &unseen(1, day, &huge)
                + &unseen(2, day, "100000000000001")
                + &unseen(3, day, "-100000000000001")
                + &row(4, "most", day, "100000000000000")
                + &row(5, "least", day, "-100000000000000")
                + &unseen(6, day, "")
                + &unseen(7, day, "1.5")
                + &unseen(8, day, "one"),
            3,
            &[
                "10,amount_minor,not a number",
                "3,amount_minor,overflow",
                "4,amount_minor,overflow",
                "5,amount_minor,overflow",
                "8,amount_minor,missing",
                "9,amount_minor,more digits than the unit has",
            ],
        ),
        (
            "long_lines.csv",
            rows(0..2) + UNSEEN + &long + "\n" + &rows(2..3) + &unseen(3, day, &long) + &rows(4..6),
            5,
            &["4,record,record too long", "6,record,record too long"],
        ),
        (
            // One id a store: rows of other stores, and rows without one, are others.
            "ids.csv",
            rows(0..3)
                + &rows(1..2)
                + &unseen(7, day, "100")
                + &unseen(7, day, "200")
                + &unseen(7, day, "100")
                + &row(7, "other", day, "100")
                + &row(7, "other", day, "100")[1..]
                + &row(7, "other", day, "100")[1..],
            6,
            &[
                "6,tx_id,one id with different content",
                "7,tx_id,one id with different content",
                "8,tx_id,one id with different content",
            ],
        ),
        (
            "quotes.csv",
            rows(0..9_000)
                + &row(9_000, "\"Smith, Jones\nand \"\"Sons\"\"\"", day, "1")
                + &row(9_001, "\"Smith, Jones and \"\"Sons\"\"\"", day, "1")
                + &rows(9_002..9_010)
                + &format!("9010,\"{UNSEEN},,,,\n")
                + &rows(9_011..20_000),
            19_998,
            &[
                "9002,store_id,control character",
                "9013,record,quote never closed",
            ],
        ),
        (
            "fields.csv",
            rows(0..1)
                + &format!("1,{UNSEEN}\n")
                + &unseen(2, day, "1").replace("GBP", "GBP,more")
                + &unseen(3, day, "1").replace("GBP", "")
                + &unseen(4, day, "1").replace("GBP", "pounds")
                + &row(5, "", day, "1")
                + "\n"
                + &rows(6..7),
            2,
            &[
                "3,record,wrong number of fields",
                "4,record,wrong number of fields",
                "5,currency,missing",
                "6,currency,not a currency code",
                "7,store_id,missing",
            ],
        ),
    ];
    for (name, body, used, rejected) in cases {
        accounts_for(name, (HEADER.to_owned() + &body).as_bytes(), used, rejected);
    }
    let with_unknown = (HEADER.to_owned() + &rows(0..3))
        .lines()
        .zip(["colour", UNSEEN, UNSEEN, ""])
        .map(|(line, colour)| format!("{colour},{line},{colour}\n"))
        .collect::<String>();
    accounts_for("unknown_columns.csv", with_unknown.as_bytes(), 3, &[]);
    // The byte for é in another encoding.
    let mut bytes = (HEADER.to_owned() + &rows(0..1)).into_bytes();
    bytes.extend_from_slice(b"1,caf\xe9,,2018-01-05,1,GBP\n");
    let rejected = ["3,store_id,invalid encoding"];
    accounts_for("latin1.csv", &bytes, 1, &rejected);
}

/// Builds, and checks that the rows used and rejected are those expected, and that rows add up.
#[track_caller]
fn accounts_for(name: &str, content: &[u8], used: usize, rejected: &[&str]) {
    let repository = TestRepository::new();
    let input = repository.write(name, content);
    let outcome = repository.build([input], &["--json", "--no-gate"]);
    let outcome = outcome.succeeded();
    let built = outcome.json();
    let rows = &built["rows"];
    assert_eq!(rows["used"], used, "{name}: {rows}");
    let sum = |counts: &Value| -> u64 {
        counts
            .as_object()
            .unwrap()
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum()
    };
    let (rejected_rows, excluded_rows) = (sum(&rows["rejected"]), sum(&rows["excluded"]));
    assert_eq!(
        rows["read"],
        used as u64 + rejected_rows + excluded_rows,
        "{name}: {rows}"
    );
    assert_eq!(rejected_rows, rejected.len() as u64, "{name}: {rows}");
    let generation = built["generation"].as_str().unwrap();
    let mut expected: Vec<String> = rejected.iter().map(|row| format!("{name},{row}")).collect();
    expected.sort();
    assert_eq!(repository.quarantine(generation), expected);
    assert_eq!(repository.manifest(generation)["rows"], *rows, "{name}");
    keeps_secrets(&repository, &outcome);
    assert_eq!(repository.litter(), Vec::<PathBuf>::new());
}
