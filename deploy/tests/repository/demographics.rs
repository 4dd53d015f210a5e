//! Records of who pays that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{
        DEMOGRAPHICS, DemographicCell, Label, MarketDemographics, STORES, Summary,
        encode_demographics,
    },
    shard::Span,
};

use crate::support::{Bench, Tables};

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
    let market = MarketDemographics {
        stores: table.len() as u64 + more,
        count: 0,
        cells: Vec::new(),
    };
    let mut value = Vec::new();
    market.encode(&mut value);
    tables.insert((DEMOGRAPHICS, Span::Month(month)), table);
    let key = month.to_string().into_bytes();
    tables.insert(
        (DEMOGRAPHICS, Span::Current),
        BTreeMap::from([(key, value)]),
    );
}

/// A forgery of records, and what is to be found of it, if anything.
type Forgery = (fn(&mut Tables), Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn demographics_that_are_not_those_of_the_months_are_found() {
    let of_others = "its cells are not the rows and cards of the store";
    let forgeries: [Forgery; 5] = [
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
    ];
    for (forge, problem) in forgeries {
        let bench = Bench::new();
        let repository = bench.repository();
        let staged = bench.stage_forged(forge);
        repository.publish(&staged).await.unwrap();
        let id = &staged.manifest.id;
        let verification = repository.verify(id, |_progress| {}).await.unwrap();
        let found: Vec<&str> = (verification.damage.iter())
            .map(|damage| damage.problem.as_str())
            .collect();
        match problem {
            None => assert_eq!(found, [""; 0]),
            Some(problem) => {
                let [found] = found[..] else {
                    panic!("{found:?}")
                };
                assert!(found.contains(problem), "{found}");
            }
        }
    }
}
