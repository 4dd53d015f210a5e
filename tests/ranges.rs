//! Statistics over any range of days against a plain oracle over the same rows: no difference.
//!
//! The oracle reads the file with the csv crate, tells cards apart with a hash set, and has a
//! calendar of its own. Integers have to be equal; means and deviations may be off by a few units
//! in the last place of a double, since the oracle divides and takes roots in its own order.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io::Read,
    ops::Range,
    path::Path,
};

use flate2::read::GzDecoder;
use serde_json::Value;
use support::{
    calendar::{Date, dates},
    data,
    random::{self, Random},
    repository::TestRepository,
    server::TestServer,
};

/// How far a mean or a deviation may be off, as a share of it: eight units in the last place.
const TOLERANCE: f64 = 8.0 * f64::EPSILON;

/// What statistics are grouped by, apart from `all`.
const GROUPS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

#[test]
fn ten_thousand_ranges_of_real_payments_equal_the_oracle() {
    let Some(folder) = data::folder() else { return };
    let input = folder.join("birmingham/birmingham_dev.csv.gz");
    let setup = Setup::build(&input, "GBP");
    let seed = random::seed(20_181_231);
    let of_stores = setup.check(Subject::AnyStore, 9_000, seed);
    let of_market = setup.check(Subject::Market, 1_000, seed + 1);
    // Cases without rows prove little: most must have some.
    assert!(
        of_stores > 6_000 && of_market > 900,
        "{of_stores} {of_market}"
    );
}

#[test]
fn ranges_of_generated_payments_equal_the_oracle() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("payments.csv");
    // So few stores and cards that cards come again, and that days have many rows.
    let size = [
        "--stores",
        "20",
        "--cards",
        "300",
        "--transactions",
        "60000",
    ];
    let days = ["--from", "2018-10-05", "--to", "2020-03-20", "--seed", "7"];
    data::generate(&input, &[size, days].concat());
    let setup = Setup::build(&input, "EUR");
    let seed = random::seed(5_102_018);
    let of_stores = setup.check(Subject::AnyStore, 1_500, seed);
    let of_market = setup.check(Subject::Market, 300, seed + 1);
    assert!(
        of_stores > 1_200 && of_market > 250,
        "{of_stores} {of_market}"
    );
}

/// What a case asks about.
#[derive(Debug, Clone, Copy)]
enum Subject {
    AnyStore,
    Market,
}

/// A served build and the oracle over its input.
struct Setup {
    _repository: TestRepository,
    server: TestServer,
    oracle: Oracle,
}

impl Setup {
    fn build(input: &Path, currency: &str) -> Self {
        let repository = TestRepository::new();
        repository.build([input], &[]).succeeded();
        let server = TestServer::start(&repository.path());
        let oracle = Oracle::read(input, currency);
        Self {
            _repository: repository,
            server,
            oracle,
        }
    }

    /// Asks so many random questions, and returns how many of the answers had rows.
    fn check(&self, subject: Subject, cases: usize, seed: u64) -> usize {
        let mut random = Random::new(seed);
        let mut client = self.server.connect();
        let mut with_rows = 0;
        for case in 0..cases {
            let question = self.oracle.ask(subject, &mut random);
            let target = question.target(&self.oracle.dates);
            let expected = self.oracle.answer(&question);
            let answer = client.data(&target);
            let rows = answer["rows"].as_array().unwrap();
            let equal = rows.len() == expected.len()
                && rows
                    .iter()
                    .zip(&expected)
                    .all(|(row, expected)| expected.equals(row));
            assert!(
                equal,
                "seed {seed}, case {case}: {target}\n{expected:#?}\n{answer:#}"
            );
            with_rows += usize::from(!rows.is_empty());
        }
        with_rows
    }
}

/// A row, as the oracle needs it.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Index among the oracle's dates.
    date: usize,
    /// Number of the card; `None` without one.
    card: Option<u32>,
    amount: i64,
}

/// All rows, and what they mean.
struct Oracle {
    dates: Vec<Date>,
    /// From the first to the last date that has rows.
    data: Range<usize>,
    market: Vec<Row>,
    stores: BTreeMap<String, Vec<Row>>,
    /// Every store as often as it has rows, and once.
    stores_by_rows: Vec<String>,
}

/// A request for statistics.
#[derive(Debug)]
struct Question {
    /// The store; `None` for the market.
    store: Option<String>,
    group_by: &'static str,
    min: Option<usize>,
    max: Option<usize>,
}

/// One row that the server has to answer.
#[derive(Debug, Default)]
struct Expected {
    period: String,
    is_partial: bool,
    amounts: Vec<i64>,
    cards: HashSet<u32>,
}

impl Oracle {
    fn read(input: &Path, currency: &str) -> Self {
        let dates = dates();
        let index_of: HashMap<&str, usize> = dates
            .iter()
            .enumerate()
            .map(|(index, date)| (date.day.as_str(), index))
            .collect();
        let mut cards: HashMap<String, u32> = HashMap::new();
        let mut stores: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut reader = csv::Reader::from_reader(open(input));
        for record in reader.deserialize() {
            let record: HashMap<String, String> = record.unwrap();
            if record["currency"] != currency {
                continue;
            }
            let known = u32::try_from(cards.len()).unwrap();
            let card = &record["card_id"];
            let card = (!card.is_empty()).then(|| *cards.entry(card.clone()).or_insert(known));
            let row = Row {
                date: index_of[&record["ts"][..10]],
                card,
                amount: record["amount_minor"].parse().unwrap(),
            };
            stores
                .entry(record["store_id"].clone())
                .or_default()
                .push(row);
        }
        let market: Vec<Row> = stores.values().flatten().copied().collect();
        let first = market.iter().map(|row| row.date).min().unwrap();
        let last = market.iter().map(|row| row.date).max().unwrap();
        let stores_by_rows = stores
            .iter()
            .flat_map(|(store, rows)| std::iter::repeat_n(store.clone(), rows.len() + 1))
            .collect();
        Self {
            dates,
            data: first..last + 1,
            market,
            stores,
            stores_by_rows,
        }
    }

    fn rows_of(&self, question: &Question) -> &[Row] {
        question
            .store
            .as_ref()
            .map_or(&self.market, |store| &self.stores[store])
    }

    /// Makes up a question: ranges between any days, near the data's ends or far from them, of
    /// days with rows, short and long, open at either end.
    fn ask(&self, subject: Subject, random: &mut Random) -> Question {
        let store = match subject {
            Subject::Market => None,
            Subject::AnyStore if random.below(3) == 0 => {
                let index = random.below(self.stores.len());
                self.stores.keys().nth(index).cloned()
            }
            Subject::AnyStore => {
                Some(self.stores_by_rows[random.below(self.stores_by_rows.len())].clone())
            }
        };
        let group_by = if random.below(2) == 0 {
            "all"
        } else {
            random.pick(&GROUPS)
        };
        let mut question = Question {
            store,
            group_by,
            min: None,
            max: None,
        };
        let rows = self.rows_of(&question);
        let any_day =
            |random: &mut Random| self.data.start - 40 + random.below(self.data.len() + 80);
        let day_with_rows = |random: &mut Random| rows[random.below(rows.len())].date;
        let (one, other) = match random.below(8) {
            0 | 1 => (any_day(random), any_day(random)),
            2 | 3 => (day_with_rows(random), day_with_rows(random)),
            4 => {
                let day = day_with_rows(random);
                (day, day)
            }
            5 | 6 => {
                let day = day_with_rows(random);
                (day - random.below(20), day + random.below(20))
            }
            _ => (day_with_rows(random), any_day(random)),
        };
        let (min, max) = (one.min(other), one.max(other));
        let open = random.below(10);
        question.min = (open != 0).then_some(min);
        question.max = (open != 1).then_some(max);
        question
    }

    fn answer(&self, question: &Question) -> Vec<Expected> {
        let first = question.min.unwrap_or(self.data.start);
        let last = question.max.unwrap_or(self.data.end - 1);
        let shown = first.max(self.data.start)..(last + 1).min(self.data.end);
        let whole = format!("{}/{}", self.dates[first].day, self.dates[last].day);
        let label = |date: usize| match question.group_by {
            "all" => &whole,
            group_by => self.dates[date].label(group_by),
        };
        let mut expected: BTreeMap<&str, Expected> = BTreeMap::new();
        let rows = self.rows_of(question);
        for row in rows.iter().filter(|row| shown.contains(&row.date)) {
            let period = expected.entry(label(row.date)).or_default();
            period.amounts.push(row.amount);
            period.cards.extend(row.card);
        }
        let is_partial = |period: &str| match question.group_by {
            "all" => shown != (first..last + 1),
            group_by => self.is_cut(period, group_by, &shown),
        };
        expected
            .into_iter()
            .map(|(period, expected)| Expected {
                period: period.to_owned(),
                is_partial: is_partial(period),
                ..expected
            })
            .collect()
    }

    /// Returns whether a period has days that are not shown.
    fn is_cut(&self, period: &str, group_by: &str, shown: &Range<usize>) -> bool {
        let is_in = |date: usize| self.dates[date].label(group_by) == period;
        is_in(shown.start - 1) && is_in(shown.start) || is_in(shown.end - 1) && is_in(shown.end)
    }
}

impl Question {
    fn target(&self, dates: &[Date]) -> String {
        let path = match &self.store {
            Some(store) => format!("/v1/stores/{store}"),
            None => "/v1/markets/all".to_owned(),
        };
        let mut target = format!("{path}/statistics?group_by={}", self.group_by);
        for (name, end) in [("min_date", self.min), ("max_date", self.max)] {
            if let Some(end) = end {
                target.push_str(&format!("&{name}={}", dates[end].day));
            }
        }
        target
    }
}

impl Expected {
    fn equals(&self, row: &Value) -> bool {
        let Self {
            period,
            is_partial,
            amounts,
            cards,
        } = self;
        let refunds = || amounts.iter().filter(|amount| **amount < 0);
        let sum: i64 = amounts.iter().sum();
        let integers = [
            ("count", amounts.len().try_into().unwrap()),
            ("sum", sum),
            ("min", *amounts.iter().min().unwrap()),
            ("max", *amounts.iter().max().unwrap()),
            ("cards", cards.len().try_into().unwrap()),
            ("refund_count", refunds().count().try_into().unwrap()),
            ("refund_sum", refunds().sum()),
        ];
        row["period"] == **period
            && row.get("partial").is_some_and(|partial| *partial == true) == *is_partial
            && integers.iter().all(|(name, value)| row[name] == *value)
            && is_near(&row["mean"], sum as f64 / amounts.len() as f64)
            && is_near(&row["std"], deviation(amounts))
    }
}

/// The deviation by n, from integers of which none is rounded before the last division.
fn deviation(amounts: &[i64]) -> f64 {
    let n = amounts.len() as i128;
    let sum: i128 = amounts.iter().map(|&amount| i128::from(amount)).sum();
    let squares: i128 = amounts
        .iter()
        .map(|&amount| i128::from(amount).pow(2))
        .sum();
    ((n * squares - sum * sum) as f64).sqrt() / n as f64
}

fn is_near(found: &Value, expected: f64) -> bool {
    found
        .as_f64()
        .is_some_and(|found| (found - expected).abs() <= TOLERANCE * expected.abs())
}

fn open(path: &Path) -> Box<dyn Read> {
    let file = File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    }
}
