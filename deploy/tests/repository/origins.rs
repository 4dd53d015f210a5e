//! Records of where cards come from that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{Label, LabelledCards, ORIGINS, STORES, Summary, encode_month_stores, encode_origins},
    shard::Span,
};

use crate::support::{Bench, Tables};

/// Gives every store a record of one cell in `month`, of so many more cards than it has, and says of how many more
/// stores there are records.
fn add_origins(
    tables: &mut Tables,
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
        let mut value = Vec::new();
        encode_origins(&[LabelledCards { label, cards }], &mut value);
        value
    };
    let table = stores
        .iter()
        .map(|(key, value)| (key.clone(), record(value)));
    let table: BTreeMap<_, _> = table.collect();
    let mut value = Vec::new();
    encode_month_stores(table.len() as u64 + more_stores, &mut value);
    tables.insert((ORIGINS, Span::Month(month)), table);
    let key = month.to_string().into_bytes();
    tables.insert((ORIGINS, Span::Current), BTreeMap::from([(key, value)]));
}

/// A forgery of records, and what is to be found of it, if anything.
type Forgery = (fn(&mut Tables), Option<&'static str>);

const JANUARY: (i32, u32) = (2018, 1);
const LEEDS: Label<&[u8]> = Label::Text(b"leeds");

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_are_not_those_of_the_months_are_found() {
    let forgeries: [Forgery; 5] = [
        (|tables| add_origins(tables, JANUARY, LEEDS, 0, 0), None),
        (
            |tables| add_origins(tables, JANUARY, LEEDS, 1, 0),
            Some("its cells have more cards than the store"),
        ),
        (
            |tables| add_origins(tables, JANUARY, Label::Merged, 0, 0),
            Some("a cell is merged, and nothing is to be hidden"),
        ),
        (
            |tables| add_origins(tables, (2019, 7), LEEDS, 0, 0),
            Some("the store has no row in it"),
        ),
        (
            |tables| add_origins(tables, JANUARY, LEEDS, 0, 1),
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
