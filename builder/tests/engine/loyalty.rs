//! What takes each card of a store, place, market or merchant as a whole, against each card by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use nightshard_builder::build::BuildPlan;
use nightshard_format::{
    calendar::{Day, Period},
    generation::Generation,
    histogram::Cell,
    record::{
        CATEGORIES, CardSales, LOYALTY, LoyaltyRecord, MARKET_ALL, MARKETS, MERCHANT_LOYALTY,
        MERCHANTS, MonthRecord, PLACE_LOYALTY, PeriodVisits, REGION_CATEGORIES, REGIONS, STORES,
        VISIT_NUMBERS, loyalty_dataset, loyalty_key, loyalty_periods, loyalty_spans,
        region_category_key, visit_class,
    },
    regular::RegularRule,
    returning::ReturnRule,
    shard::Span,
};

use super::{
    Row, build,
    determinism::KS,
    generated, read_rows,
    support::{TestBuild, build_either_way},
    transactions,
};

/// What each card bought for on which day.
type Cards = BTreeMap<String, BTreeMap<Day, u128>>;

fn cards_of(rows: &[&Row]) -> Cards {
    let mut cards = Cards::new();
    let sales = rows
        .iter()
        .filter(|row| row.amount > 0 && !row.card.is_empty());
    for row in sales {
        let days = cards.entry(row.card.clone()).or_default();
        *days.entry(row.day).or_default() += u128::from(row.amount.unsigned_abs());
    }
    cards
}

fn check_period(
    cards: &Cards,
    period: Period,
    visits: Option<&PeriodVisits>,
    rule: RegularRule,
    as_of: Day,
) {
    let is_in = |day: &Day| period.days().is_none_or(|days| days.contains(*day));
    let in_period = |days: &BTreeMap<Day, u128>| {
        let days = days.iter().filter(|(day, _)| is_in(day));
        (
            days.clone().count(),
            days.map(|(_, sales)| sales).sum::<u128>(),
        )
    };
    let mut classes = BTreeMap::<u64, u64>::new();
    for (number, _) in cards
        .values()
        .map(in_period)
        .filter(|(number, _)| *number > 0)
    {
        *classes
            .entry(VISIT_NUMBERS[visit_class(number as u64)])
            .or_default() += 1;
    }
    let Some(visits) = visits else {
        assert!(classes.is_empty(), "{period}");
        return;
    };
    let found = visits
        .visits
        .iter()
        .map(|run| (u64::from(run.distance), run.count));
    assert!(found.eq(classes), "{period}");
    let end = period.days().map_or(as_of, |days| days.last.min(as_of));
    for end in [visits.last, end] {
        let mut regulars = CardSales::default();
        for days in cards.values() {
            let first = Day(end.0 + 1 - rule.days().cast_signed());
            if days.range(first..=end).count() >= rule.visits() as usize {
                let (_, sales) = in_period(days);
                regulars.add(CardSales { cards: 1, sales });
            }
        }
        assert_eq!(visits.regulars_on(end), regulars, "{period} {end}");
    }
}

/// Checks the smallest value, the cards and the sales of each score of money, of a period that has scores.
fn check_money(cards: &Cards, period: Period, visits: &PeriodVisits) {
    let Some(quintiles) = &visits.quintiles else {
        return;
    };
    let is_in = |day: &Day| period.days().is_none_or(|days| days.contains(*day));
    let of_card = |days: &BTreeMap<Day, u128>| -> u128 {
        let sales = days.iter().filter(|(day, _)| is_in(day));
        sales.map(|(_, sales)| sales).sum()
    };
    let low = |sales: u128| Cell::of(i64::try_from(sales).unwrap()).low();
    let bought = cards.values().map(of_card).filter(|sales| *sales > 0);
    let mut bought: Vec<u128> = bought.collect();
    bought.sort_unstable();
    let lows: Vec<i64> = bought.iter().map(|sales| low(*sales)).collect();
    let mut expected = BTreeMap::<u8, (i64, u64, u128)>::new();
    for (sales, own) in bought.iter().zip(&lows) {
        let smaller = lows.partition_point(|other| other < own);
        let score = u8::try_from(1 + 5 * smaller / lows.len()).unwrap();
        let of = expected.entry(score).or_insert((*own, 0, 0));
        of.1 += 1;
        of.2 += sales;
    }
    let found = quintiles.money.iter();
    let found = found.map(|it| (it.score, (it.from, it.of.cards, it.of.sales)));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{period}");
}

/// Checks all records of a key, and returns how many regulars there are.
fn check_key(
    rows: &[&Row],
    generation: &Generation<Vec<u8>>,
    (dataset, key): (&str, &[u8]),
    rule: RegularRule,
) -> u64 {
    let store = String::from_utf8_lossy(key);
    let of_loyalty = loyalty_dataset(dataset).unwrap();
    let key = loyalty_key(dataset, key);
    let as_of: Day = generation.manifest().as_of.parse().unwrap();
    let cards = cards_of(rows);
    let mut regulars = 0;
    for span in loyalty_spans(rows.iter().map(|row| row.day.month())) {
        let value = generation.get(of_loyalty, span, &key).unwrap();
        let value = value.unwrap_or_else(|| panic!("{store} has no loyalty of {span}"));
        let record = LoyaltyRecord::parse(span, value.in_place().unwrap()).unwrap();
        record.verify().unwrap();
        for (_, period) in loyalty_periods(span) {
            check_period(&cards, period, record.find(period), rule, as_of);
            let found = record.find(period);
            found.iter().for_each(|it| check_money(&cards, period, it));
            regulars += found.map_or(0, |visits| visits.regulars_on(visits.last).cards);
        }
    }
    regulars
}

#[test]
fn visits_and_regulars_of_every_period_are_those_of_each_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 60_000);
    let rows = read_rows(&path);
    let mut regulars = 0;
    for rule in [RegularRule::default(), RegularRule::new(2, 30).unwrap()] {
        let returning = ReturnRule::new(rule.days(), vec![1, rule.days()], 0).unwrap();
        let change = |plan: &mut BuildPlan| {
            plan.regular = rule;
            plan.returning = returning.clone();
        };
        let test = build(&[&path], change).unwrap();
        let generation = test.open();
        assert_eq!(RegularRule::of(generation.manifest()).unwrap(), rule);
        assert_eq!(ReturnRule::of(generation.manifest()).unwrap(), returning);
        let mut by_store = BTreeMap::<&str, Vec<&Row>>::new();
        for row in &rows {
            by_store.entry(&row.store).or_default().push(row);
        }
        let stores = by_store.iter();
        regulars += stores
            .map(|(store, rows)| check_key(rows, &generation, (STORES, store.as_bytes()), rule))
            .sum::<u64>();
        let all = generation.table(LOYALTY, Span::Current).shards();
        let all: u64 = all.iter().map(|shard| shard.len()).sum();
        assert_eq!(all, transactions(generation.manifest()).stores);
    }
    assert!(regulars > 0);
}

/// The region and the category of a store by its number, and whose it is, if anybody's.
fn place_of(number: usize) -> (&'static str, &'static str, Option<&'static str>) {
    (
        ["north", "south"][number % 2],
        ["food", "fuel", "bars"][number / 2 % 3],
        ["m", "café"].get(number % 5).copied(),
    )
}

/// The rows of the market and of each place and merchant, by dataset and key.
type OfKeys<'a> = BTreeMap<(&'static str, Vec<u8>), Vec<&'a Row>>;

fn rows_of_keys<'a>(rows: &'a [Row], numbers: &BTreeMap<&str, usize>) -> OfKeys<'a> {
    let mut of_keys = OfKeys::new();
    for row in rows {
        let (region, category, merchant) = place_of(numbers[&*row.store]);
        let keys = [
            (MARKETS, Some(MARKET_ALL.to_vec())),
            (REGIONS, Some(region.into())),
            (CATEGORIES, Some(category.into())),
            (
                REGION_CATEGORIES,
                Some(region_category_key(region, category)),
            ),
            (MERCHANTS, merchant.map(Into::into)),
        ];
        for (dataset, key) in keys {
            if let Some(key) = key {
                of_keys.entry((dataset, key)).or_default().push(row);
            }
        }
    }
    of_keys
}

/// Returns the second visits, and the buyers of months who were there in an earlier one, that the market's months have.
fn again_in_market(generation: &Generation<Vec<u8>>) -> (u64, u64) {
    let summary = generation.summary(MARKETS, MARKET_ALL).unwrap().unwrap();
    let (mut second, mut cohorts) = (0, 0);
    for totals in &summary.months {
        let record: MonthRecord<'_> = generation
            .month(MARKETS, MARKET_ALL, totals.month)
            .unwrap()
            .unwrap();
        record
            .visit_second_visits(totals.month.days(), |_day, run| second += run.count)
            .unwrap();
        record.visit_cohorts(|run| cohorts += run.count).unwrap();
    }
    (second, cohorts)
}

fn check_again(rows: &[&Row], generation: &Generation<Vec<u8>>) {
    let cards = cards_of(rows);
    let second = cards.values().filter(|days| days.len() > 1).count();
    let months = cards.values().map(|days| {
        let months: BTreeSet<i32> = days.keys().map(|day| day.month().0).collect();
        months.len() - 1
    });
    let expected = (second as u64, months.sum::<usize>() as u64);
    assert_eq!(again_in_market(generation), expected);
}

fn datasets(test: &TestBuild) -> BTreeSet<String> {
    test.entries().into_iter().map(|it| it.dataset).collect()
}

#[test]
fn cards_of_places_merchants_and_the_market_are_taken_as_a_whole_however_little_memory_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 40_000);
    let rows = read_rows(&path);
    let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.store).collect();
    let numbers: BTreeMap<&str, usize> = ids.into_iter().zip(0..).collect();
    let mut table = "store_id,region,category,merchant_id\n".to_owned();
    for (id, number) in &numbers {
        let (region, category, merchant) = place_of(*number);
        let merchant = merchant.unwrap_or_default();
        writeln!(table, "{id},{region},{category},{merchant}").unwrap();
    }
    let stores = folder.path().join("stores.csv");
    std::fs::write(&stores, table).unwrap();
    let [open, protected] = KS.map(|k| build_either_way(&path, &stores, k));
    let (generation, hidden) = (open.open(), protected.open());
    let rule = RegularRule::default();
    let mut regulars = 0;
    let of_keys = rows_of_keys(&rows, &numbers);
    for ((dataset, key), rows) in &of_keys {
        regulars += check_key(rows, &generation, (*dataset, key.as_slice()), rule);
        if *dataset == MERCHANTS {
            check_key(rows, &hidden, (*dataset, key.as_slice()), rule);
        }
    }
    assert!(regulars > 0);
    check_again(&of_keys[&(MARKETS, MARKET_ALL.to_vec())], &generation);
    assert!(datasets(&open).contains(PLACE_LOYALTY));
    assert!(datasets(&protected).contains(MERCHANT_LOYALTY));
    assert!(!datasets(&protected).contains(PLACE_LOYALTY));
}
