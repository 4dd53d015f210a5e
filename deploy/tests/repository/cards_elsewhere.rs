//! Records of what cards do elsewhere that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{
        BEFORE_AFTER, BesideRecord, Label, LabelledCards, ORIGINS, STORES, StoreProfile, Summary,
        encode_month_stores, encode_origins,
    },
    shard::Span,
};

use crate::support::{Tables, assert_found};

/// Gives every store a record of a dataset with one cell in `month`, of so many more cards than it has, and says of how
/// many more stores there are records.
fn add_records(
    tables: &mut Tables,
    dataset: &'static str,
    month: (i32, u32),
    label: Label<&[u8]>,
    more_cards: u64,
    more_stores: u64,
) {
    let month = Month::new(month.0, month.1).unwrap();
    let stores = tables[&(STORES, Span::Current)].clone();
    let record = |value: &[u8]| {
        let summary = Summary::parse(value).unwrap();
        let totals = summary.months.iter().find(|totals| totals.month == month);
        let cards = totals.map_or(1, |totals| totals.cards) + more_cards;
        let cells = vec![LabelledCards { label, cards }];
        let mut value = Vec::new();
        match dataset {
            ORIGINS => encode_origins(&cells, &mut value),
            _ => {
                let lists = [vec![], vec![], cells, vec![]];
                BesideRecord { lists }.encode(&mut value);
            }
        }
        value
    };
    let table = stores
        .iter()
        .map(|(key, value)| (key.clone(), record(value)));
    let table: BTreeMap<_, _> = table.collect();
    let mut value = Vec::new();
    encode_month_stores(table.len() as u64 + more_stores, &mut value);
    tables.insert((dataset, Span::Month(month)), table);
    let key = month.to_string().into_bytes();
    tables.insert((dataset, Span::Current), BTreeMap::from([(key, value)]));
}

/// A forgery of records, and what is to be found of it, if anything.
type Forgery = (fn(&mut Tables, &'static str), Option<&'static str>);

const JANUARY: (i32, u32) = (2018, 1);
const LEEDS: Label<&[u8]> = Label::Text(b"leeds");

#[tokio::test(flavor = "multi_thread")]
async fn what_cards_did_not_do_in_a_month_is_found() {
    let forgeries: [Forgery; 5] = [
        (
            |tables, dataset| add_records(tables, dataset, JANUARY, LEEDS, 0, 0),
            None,
        ),
        (
            |tables, dataset| add_records(tables, dataset, JANUARY, LEEDS, 1, 0),
            Some("its cells have more cards than the store"),
        ),
        (
            |tables, dataset| add_records(tables, dataset, JANUARY, Label::Merged, 0, 0),
            Some("a cell is merged, and nothing is to be hidden"),
        ),
        (
            |tables, dataset| add_records(tables, dataset, (2019, 7), LEEDS, 0, 0),
            Some("the store has no row in it"),
        ),
        (
            |tables, dataset| add_records(tables, dataset, JANUARY, LEEDS, 0, 1),
            Some("the stores of a month are not those that it is said to have"),
        ),
    ];
    let forgeries = [ORIGINS, BEFORE_AFTER]
        .into_iter()
        .flat_map(|dataset| forgeries.map(|(forge, problem)| (dataset, forge, problem)));
    let nowhere = StoreProfile::default();
    for (dataset, forge, problem) in forgeries {
        assert_found(&nowhere, |tables| forge(tables, dataset), problem).await;
    }
}
