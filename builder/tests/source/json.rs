//! JSON lines.

use nightshard_builder::layout::{Field, Layout};
use nightshard_builder::row_outcome::Reason;
use nightshard_builder::source::Error;

use crate::outcomes::{Outcomes, Row, read, read_as};

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
