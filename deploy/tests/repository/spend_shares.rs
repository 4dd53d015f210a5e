//! Shares of observed spend that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{
        MonthTotals, SPEND_SHARES, STORES, SpendShare, StoreProfile, Summary, encode_month_stores,
    },
    shard::Span,
};

use crate::support::{Table, Tables, assert_found};

/// Gives every store a record of a month of 2018, by what January's totals make of it, and says of how many more stores
/// there are records.
fn add_records(
    tables: &mut Tables,
    month: u32,
    own: impl Fn(&MonthTotals) -> i128,
    more_stores: u64,
) {
    let month = Month::new(2018, month).unwrap();
    let stores = tables[&(STORES, Span::Current)].iter();
    let records = stores.map(|(key, value)| {
        let summary = Summary::parse(value).unwrap();
        let own = own(&summary.months[0]);
        let mut value = Vec::new();
        SpendShare { own, cell: 9 }.encode(&mut value);
        (key.clone(), value)
    });
    let table: Table = records.collect();
    let mut value = Vec::new();
    encode_month_stores(table.len() as u64 + more_stores, &mut value);
    tables.insert((SPEND_SHARES, Span::Month(month)), table);
    let key = month.to_string().into_bytes();
    tables.insert(
        (SPEND_SHARES, Span::Current),
        BTreeMap::from([(key, value)]),
    );
}

fn sold(totals: &MonthTotals) -> i128 {
    totals.statistics.sale_sum().cast_signed()
}

fn paid_back(totals: &MonthTotals) -> i128 {
    totals.statistics.refund_sum
}

/// A forgery of records, and what is to be found of it, if anything.
type Forgery = (fn(&mut Tables), Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn what_cards_did_not_spend_is_found() {
    let of_rows = "its cards spent more than the store sold, or less than it paid back";
    let forgeries: [Forgery; 6] = [
        (|tables| add_records(tables, 1, sold, 0), None),
        (|tables| add_records(tables, 1, paid_back, 0), None),
        (
            |tables| add_records(tables, 1, |totals| sold(totals) + 1, 0),
            Some(of_rows),
        ),
        (
            |tables| add_records(tables, 1, |totals| paid_back(totals) - 1, 0),
            Some(of_rows),
        ),
        (
            |tables| add_records(tables, 7, sold, 0),
            Some("the store has no row in it"),
        ),
        (
            |tables| add_records(tables, 1, sold, 1),
            Some("the stores of a month are not those that it is said to have"),
        ),
    ];
    let known = StoreProfile {
        region: Some("leeds".into()),
        category: Some("food".into()),
        ..StoreProfile::default()
    };
    for (forge, problem) in forgeries {
        assert_found(&known, forge, problem).await;
    }
    let nowhere = StoreProfile {
        region: None,
        ..known
    };
    let forge = |tables: &mut Tables| add_records(tables, 1, sold, 0);
    let problem = Some("the store's region or category is not known");
    assert_found(&nowhere, forge, problem).await;
}
