//! Records of who pays that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{
        DEMOGRAPHICS, DemographicCell, Label, MARKET_ALL, MARKETS, PLACE_DEMOGRAPHICS, PlaceCell,
        PlaceDemographics, STORES, StoreProfile, Summary, atoms_key, encode_demographics,
        encode_month_stores,
    },
    shard::Span,
};

use crate::support::{Tables, assert_found};

/// Gives every store a record of one cell in January, in which `change` has its way, and says of how many more or
/// fewer stores there are records.
fn add_demographics(tables: &mut Tables, change: impl Fn(&mut DemographicCell<'_>), more: u64) {
    let month = Month::new(2018, 1).unwrap();
    let stores = tables[&(STORES, Span::Current)].clone();
    let record = |value: &[u8]| {
        let summary = Summary::parse(value).unwrap();
        let totals = summary.months.iter().find(|totals| totals.month == month);
        let totals = totals.unwrap();
        let mut cell = DemographicCell {
            labels: [Label::Text(b"30s"), Label::Unknown, Label::Merged],
            count: totals.statistics.count,
            sum: totals.statistics.sum,
            cards: totals.cards,
        };
        change(&mut cell);
        let mut value = Vec::new();
        encode_demographics(&[cell], &mut value);
        value
    };
    let table = stores
        .iter()
        .map(|(key, value)| (key.clone(), record(value)));
    let table: BTreeMap<_, _> = table.collect();
    put_count(tables, DEMOGRAPHICS, table.len() as u64 + more);
    tables.insert((DEMOGRAPHICS, Span::Month(month)), table);
}

/// Says in `current` how many records January has.
fn put_count(tables: &mut Tables, dataset: &'static str, records: u64) {
    let mut value = Vec::new();
    encode_month_stores(records, &mut value);
    let current = BTreeMap::from([(b"2018-01".to_vec(), value)]);
    tables.insert((dataset, Span::Current), current);
}

/// Gives the market the summary and the months of a store, and a record of January of all its rows in one cell, in
/// which `change` has its way; says of how many records there are.
fn add_market(tables: &mut Tables, change: impl Fn(&mut PlaceDemographics<'_>), records: u64) {
    let month = Month::new(2018, 1).unwrap();
    let stores = &tables[&(STORES, Span::Current)];
    let (store, summary) = stores.iter().next().unwrap();
    let (store, summary) = (store.clone(), summary.clone());
    let months = Summary::parse(&summary).unwrap().months;
    for totals in &months {
        let record = tables[&(STORES, Span::Month(totals.month))][&store].clone();
        let market = BTreeMap::from([(MARKET_ALL.to_vec(), record)]);
        tables.insert((MARKETS, Span::Month(totals.month)), market);
    }
    let totals = months.iter().find(|totals| totals.month == month).unwrap();
    let count = totals.statistics.count;
    let labels = [Label::Text(&b"30s"[..]), Label::Unknown, Label::Unknown];
    let mut record = PlaceDemographics {
        count,
        cells: vec![PlaceCell { labels, count }],
    };
    change(&mut record);
    let mut value = Vec::new();
    record.encode(&mut value);
    let market = BTreeMap::from([(MARKET_ALL.to_vec(), summary)]);
    tables.insert((MARKETS, Span::Current), market);
    let table = BTreeMap::from([(atoms_key(MARKETS, MARKET_ALL), value)]);
    tables.insert((PLACE_DEMOGRAPHICS, Span::Month(month)), table);
    put_count(tables, PLACE_DEMOGRAPHICS, records);
}

/// A forgery of records, and what is to be found of it, if anything.
type Forgery = (fn(&mut Tables), Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn demographics_that_are_not_those_of_the_months_are_found() {
    let of_others = "its cells are not the rows and cards of the store";
    let of_market = "its cells have more rows than the place";
    let forgeries: [Forgery; 9] = [
        (|tables| add_demographics(tables, |_right| (), 0), None),
        (
            |tables| add_demographics(tables, |cell| cell.count += 1, 0),
            Some(of_others),
        ),
        (
            |tables| add_demographics(tables, |cell| cell.sum -= 1, 0),
            Some(of_others),
        ),
        (
            |tables| add_demographics(tables, |cell| cell.cards -= 1, 0),
            Some(of_others),
        ),
        (
            |tables| add_demographics(tables, |_right| (), 1),
            Some("the stores of a month are not those that it is said to have"),
        ),
        (|tables| add_market(tables, |_right| (), 1), None),
        (
            |tables| {
                let change = |record: &mut PlaceDemographics<'_>| {
                    record.count += 1;
                    record.cells[0].count += 1;
                };
                add_market(tables, change, 1);
            },
            Some(of_market),
        ),
        (
            |tables| add_market(tables, |record| record.count += 1, 1),
            Some("its cells are not all its rows"),
        ),
        (
            |tables| add_market(tables, |_right| (), 2),
            Some("the stores of a month are not those that it is said to have"),
        ),
    ];
    let nowhere = StoreProfile::default();
    for (forge, problem) in forgeries {
        assert_found(&nowhere, forge, problem).await;
    }
}
