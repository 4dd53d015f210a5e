//! Records of settlements that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month},
    record::{
        SETTLEMENTS, STORES, Settled, SettlementMonth, SettlementSummary, Stated, StoreProfile,
        Summary,
    },
    shard::Span,
};

use crate::support::{Tables, assert_found};

/// Gives every store a record of January, in which all rows but one settle in February; `change` has its way with it,
/// and `retell` with what is said of it.
fn add_settlements(
    tables: &mut Tables,
    change: impl Fn(&mut SettlementMonth),
    retell: impl Fn(&mut SettlementSummary),
) {
    let month = Month::new(2018, 1).unwrap();
    let stores = tables[&(STORES, Span::Current)].clone();
    let (mut records, mut summaries) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in &stores {
        let summary = Summary::parse(value).unwrap();
        let mut of_month = summary.months.iter().filter(|it| it.month == month);
        let totals = of_month.next().unwrap().statistics;
        let rows = |count, sum| Settled {
            rows: Stated { count, sum },
            ..Settled::default()
        };
        let day = Day::from_civil(2018, 2, 5).unwrap();
        let mut record = SettlementMonth {
            days: vec![(day, rows(totals.count - 1, totals.sum - 100))],
            undated: rows(1, 100),
            points: Stated::default(),
        };
        change(&mut record);
        let mut value = Vec::new();
        record.encode(&mut value).unwrap();
        records.insert(key.clone(), value);
        let mut summary = SettlementSummary {
            months: vec![record.totals(month)],
        };
        retell(&mut summary);
        let mut value = Vec::new();
        summary.encode(&mut value).unwrap();
        summaries.insert(key.clone(), value);
    }
    tables.insert((SETTLEMENTS, Span::Month(month)), records);
    tables.insert((SETTLEMENTS, Span::Current), summaries);
}

/// A forgery of records, and what is to be found of it, if anything.
type Forgery = (fn(&mut Tables), Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn settlements_that_are_not_those_of_the_months_are_found() {
    let of_others = "its rows are not those of the store";
    let said_otherwise = "its rows are not those that it is said to have";
    let forgeries: [Forgery; 7] = [
        (|tables| add_settlements(tables, |_| (), |_| ()), None),
        (
            |tables| add_settlements(tables, |it| it.undated.rows.count += 1, |_| ()),
            Some(of_others),
        ),
        (
            |tables| add_settlements(tables, |it| it.days[0].1.rows.sum -= 1, |_| ()),
            Some(of_others),
        ),
        (
            |tables| add_settlements(tables, |_| (), |it| it.months[0].undated.sum += 1),
            Some(said_otherwise),
        ),
        (
            |tables| {
                add_settlements(
                    tables,
                    |_| (),
                    |summary| {
                        let dated = summary.months[0].dated.as_mut().unwrap();
                        dated.days.last = Day(dated.days.last.0 + 1);
                    },
                );
            },
            Some(said_otherwise),
        ),
        (
            |tables| {
                add_settlements(
                    tables,
                    |_| (),
                    |summary| {
                        let mut other = summary.months[0];
                        other.month = Month(other.month.0 + 1);
                        summary.months.push(other);
                    },
                );
            },
            Some("there is no record"),
        ),
        (
            |tables| {
                add_settlements(tables, |_| (), |_| ());
                tables.remove(&(SETTLEMENTS, Span::Current));
            },
            Some("there are months that no store is said to have"),
        ),
    ];
    let nowhere = StoreProfile::default();
    for (forge, problem) in forgeries {
        assert_found(&nowhere, forge, problem).await;
    }
}
