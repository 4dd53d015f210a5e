//! Records of loyalty that are not those of the months.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month, Period},
    record::{
        self, CardSales, PeriodVisits, Quintiles, RecencyFrequency, Run, Score, VisitsOf,
        encode_loyalty, has_quintiles, loyalty_dataset, loyalty_key, loyalty_periods,
        loyalty_spans,
    },
    shard::Span,
};

use crate::support::{Bench, Tables};

/// Of the 59 cards of two months, each comes on two days in a row, the last one once.
fn visits(period: Period) -> Option<PeriodVisits> {
    let number = |month: Month| month.number();
    let (day, once, twice) = match period {
        Period::Month(month) if number(month) == 1 => (31, 1, 30),
        Period::Month(month) if number(month) == 2 => (59, 2, 27),
        Period::Month(_) => return None,
        _ => (59, 1, 58),
    };
    let last = Day(Day::from_civil(2017, 12, 31).unwrap().0 + day);
    if period.days().is_some_and(|days| !days.contains(last)) {
        return None;
    }
    let of = CardSales {
        cards: once + twice,
        sales: 1_000,
    };
    let score = 1;
    let quintiles = || Quintiles {
        recency: vec![Score {
            score,
            from: last,
            of,
        }],
        frequency: vec![Score { score, from: 1, of }],
        money: vec![Score { score, from: 5, of }],
        both: vec![RecencyFrequency {
            recency: score,
            frequency: score,
            of,
        }],
    };
    let run = |distance, count| Run { distance, count };
    Some(PeriodVisits {
        last,
        visits: vec![run(1, once), run(2, twice)],
        regulars: Vec::new(),
        quintiles: has_quintiles(period).then(quintiles),
    })
}

/// Gives every store its records, in which `change` has its way with each period.
fn add_loyalty(tables: &mut Tables, change: impl Fn(&mut VisitsOf)) {
    let stores = tables[&(record::STORES, Span::Current)].clone();
    let months = [1, 2].map(|month| Month::new(2018, month).unwrap());
    for span in loyalty_spans(months.into_iter()) {
        let periods = loyalty_periods(span).map(|(_, period)| period);
        let mut periods: Vec<VisitsOf> = periods
            .filter_map(|period| Some((period, visits(period)?)))
            .collect();
        periods.iter_mut().for_each(&change);
        let mut value = Vec::new();
        encode_loyalty(span, &periods, &mut value).unwrap();
        let table = stores.keys().map(|key| (key.clone(), value.clone()));
        let table: BTreeMap<_, _> = table.collect();
        tables.insert((record::LOYALTY, span), table);
    }
}

/// Makes the records of the first store those of a market or merchant, and takes the loyalty of all stores away.
fn as_of_many(tables: &mut Tables, dataset: &'static str, key: &[u8]) {
    let of_loyalty = loyalty_dataset(dataset).unwrap();
    for ((of, span), table) in tables.clone() {
        let Some((_store, value)) = table.into_iter().next() else {
            continue;
        };
        if of == record::STORES {
            let table = BTreeMap::from([(key.to_vec(), value)]);
            tables.insert((dataset, span), table);
        } else if of == record::LOYALTY {
            tables.remove(&(of, span));
            let table = BTreeMap::from([(loyalty_key(dataset, key), value)]);
            tables.insert((of_loyalty, span), table);
        }
    }
}

fn february() -> Period {
    Period::Month(Month::new(2018, 2).unwrap())
}

/// A forgery of records, and what is to be found of it.
type Forgery = (fn(&mut Tables), &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn loyalty_that_is_not_that_of_the_months_is_found() {
    let forgeries: [Forgery; 6] = [
        (
            // The months say who comes back, and have neither cohorts nor second visits.
            |tables| add_loyalty(tables, |_right| ()),
            "its cohorts of 2018-02 are not the buyers of before",
        ),
        (
            |tables| {
                add_loyalty(tables, |_right| ());
                tables.remove(&(record::LOYALTY, Span::Current));
            },
            "current has no record",
        ),
        (
            |tables| {
                add_loyalty(tables, |(period, visits)| {
                    if *period == february() {
                        visits.visits[0].count -= 1;
                    }
                });
            },
            "its cards of 2018-02 are not the buyers of its months",
        ),
        (
            |tables| {
                add_loyalty(tables, |_right| ());
                as_of_many(tables, record::MARKETS, record::MARKET_ALL);
            },
            "its cohorts of 2018-02 are not the buyers of before",
        ),
        (
            |tables| {
                add_loyalty(tables, |_right| ());
                as_of_many(tables, record::MARKETS, record::MARKET_ALL);
                tables.remove(&(record::PLACE_LOYALTY, Span::Current));
            },
            "\"all\": current has no record",
        ),
        (
            |tables| {
                add_loyalty(tables, |(period, visits)| {
                    if *period == february() {
                        visits.visits[0].count -= 1;
                    }
                });
                as_of_many(tables, record::MERCHANTS, b"m");
            },
            "its cards of 2018-02 are not the buyers of its months",
        ),
    ];
    for (forge, problem) in forgeries {
        let bench = Bench::new();
        let repository = bench.repository();
        let staged = bench.stage_forged(forge);
        repository.publish(&staged).await.unwrap();
        let id = &staged.manifest.id;
        let verification = repository.verify(id, |_progress| {}).await.unwrap();
        let [damage] = &verification.damage[..] else {
            panic!("{:?}", verification.damage)
        };
        assert_eq!(damage.shard, None);
        assert!(damage.problem.contains(problem), "{}", damage.problem);
    }
}
