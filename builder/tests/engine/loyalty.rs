//! What takes each card of a store as a whole, against each card by itself.

use std::collections::BTreeMap;

use nightshard_builder::build::BuildPlan;
use nightshard_format::{
    calendar::{Day, Period},
    generation::Generation,
    record::{
        CardSales, LOYALTY, LoyaltyRecord, PeriodVisits, VISIT_NUMBERS, loyalty_periods,
        loyalty_spans, visit_class,
    },
    regular::RegularRule,
    returning::ReturnRule,
    shard::Span,
};

use super::{Row, build, generated, read_rows, transactions};

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

fn check_store(
    rows: &[&Row],
    generation: &Generation<Vec<u8>>,
    store: &str,
    rule: RegularRule,
) -> u64 {
    let as_of: Day = generation.manifest().as_of.parse().unwrap();
    let cards = cards_of(rows);
    let mut regulars = 0;
    for span in loyalty_spans(rows.iter().map(|row| row.day.month())) {
        let value = generation.get(LOYALTY, span, store.as_bytes()).unwrap();
        let value = value.unwrap_or_else(|| panic!("{store} has no loyalty of {span}"));
        let record = LoyaltyRecord::parse(span, value.in_place().unwrap()).unwrap();
        record.verify().unwrap();
        for (_, period) in loyalty_periods(span) {
            check_period(&cards, period, record.find(period), rule, as_of);
            let found = record.find(period);
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
            .map(|(store, rows)| check_store(rows, &generation, store, rule))
            .sum::<u64>();
        let all = generation.table(LOYALTY, Span::Current).shards();
        let all: u64 = all.iter().map(|shard| shard.len()).sum();
        assert_eq!(all, transactions(generation.manifest()).stores);
    }
    assert!(regulars > 0);
}
