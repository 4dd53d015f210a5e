//! Month records and summaries against sums over plain rows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::{
    calendar::{Day, DayRange, Month, quarter_of},
    histogram::{Cell, FineHistogram},
    record::{
        Change, DayCards, HalfHour, MonthBuilder, MonthRecord, MonthTotals, Run, StoreProfile,
        Summary, SummaryBuilder, net_changes,
    },
    statistics::Statistics,
};
use proptest::prelude::*;

/// A plain row: day, amount, card.
type Row = (Day, i64, Option<u8>);

/// The records of one key, written from its rows.
struct Written {
    months: BTreeMap<Month, Vec<u8>>,
    summary: Vec<u8>,
    loyalty: BTreeMap<Day, DayLoyalty>,
}

/// The cards of a day by the distance to each card's previous day, 0 for none, found by looking at
/// every earlier day.
fn distances(rows: &[Row], day: Day, counts: impl Fn(&Row) -> bool) -> BTreeMap<u32, u64> {
    let cards = |day: Day| -> BTreeSet<u8> {
        let rows = rows.iter().filter(|row| row.0 == day && counts(row));
        rows.filter_map(|row| row.2).collect()
    };
    let mut found = BTreeMap::new();
    for card in cards(day) {
        let earlier = rows
            .iter()
            .filter(|row| row.0 < day && row.2 == Some(card) && counts(row));
        let before = earlier.map(|row| row.0).max();
        let distance = before.map_or(0, |before| (day.0 - before.0).cast_unsigned());
        *found.entry(distance).or_default() += 1;
    }
    found
}

fn is_sale(row: &Row) -> bool {
    row.1 > 0
}

/// Cards never seen before, the others by distance, and by how much buyers differ.
fn cards_of(rows: &[Row], day: Day) -> (u64, Vec<Run>, Vec<Change>) {
    let mut cards = distances(rows, day, |_| true);
    let change = |sign: i64| {
        move |(distance, count): (&u32, &u64)| Change {
            distance: *distance,
            cards: sign * count.cast_signed(),
        }
    };
    let buyers = distances(rows, day, is_sale);
    let mut changes: Vec<Change> = buyers.iter().map(change(1)).collect();
    changes.extend(cards.iter().map(change(-1)));
    net_changes(&mut changes);
    let first_ever = cards.remove(&0).unwrap_or_default();
    let runs = cards
        .into_iter()
        .map(|(distance, count)| Run { distance, count });
    (first_ever, runs.collect(), changes)
}

/// What loyalty needs of a day: second visits by the distance to the first, and first visits in a month by
/// months since that of the first one ever.
#[derive(Default, Clone)]
struct DayLoyalty {
    second: Vec<Run>,
    cohorts: Vec<Run>,
}

/// What loyalty needs, by going through the days with a sale of one card after the other.
fn loyalty_of(rows: &[Row]) -> BTreeMap<Day, DayLoyalty> {
    let mut days: BTreeMap<u8, BTreeSet<Day>> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_sale(row)) {
        if let Some(card) = row.2 {
            days.entry(card).or_default().insert(row.0);
        }
    }
    let mut second: BTreeMap<(Day, u32), u64> = BTreeMap::new();
    let mut cohorts = second.clone();
    for days in days.values() {
        let days: Vec<Day> = days.iter().copied().collect();
        if let [first, again, ..] = days[..] {
            *second
                .entry((again, (again.0 - first.0).cast_unsigned()))
                .or_default() += 1;
        }
        let in_new_months = days
            .windows(2)
            .filter(|pair| pair[0].month() != pair[1].month());
        for day in in_new_months.map(|pair| pair[1]) {
            let months = (day.month().0 - days[0].month().0).cast_unsigned();
            *cohorts.entry((day, months)).or_default() += 1;
        }
    }
    let mut found: BTreeMap<Day, DayLoyalty> = BTreeMap::new();
    for ((day, distance), count) in second {
        found
            .entry(day)
            .or_default()
            .second
            .push(Run { distance, count });
    }
    for ((day, distance), count) in cohorts {
        found
            .entry(day)
            .or_default()
            .cohorts
            .push(Run { distance, count });
    }
    found
}

/// The half hour of a row, as if it followed from its amount and its card; some are not known.
fn half_hour_of(row: &Row) -> Option<u8> {
    let number = (row.1.unsigned_abs() + u64::from(row.2.unwrap_or_default())) % 53;
    u8::try_from(number).ok().filter(|number| *number < 48)
}

/// The rows of a day by half hour.
fn hours_of(rows: &[Row], day: Day) -> Vec<HalfHour> {
    let mut hours = BTreeMap::<u8, (u64, i128)>::new();
    for row in rows.iter().filter(|row| row.0 == day) {
        if let Some(hour) = half_hour_of(row) {
            let (count, sum) = hours.entry(hour).or_default();
            *count += 1;
            *sum += i128::from(row.1);
        }
    }
    let hours = hours.into_iter().map(|(half_hour, (count, sum))| HalfHour {
        half_hour,
        count,
        sum,
    });
    hours.collect()
}

fn write(rows: &[Row], by_totals: bool) -> Written {
    let days: BTreeSet<Day> = rows.iter().map(|row| row.0).collect();
    let months: BTreeSet<Month> = days.iter().map(|day| day.month()).collect();
    let mut summary = SummaryBuilder::new();
    let mut builder = MonthBuilder::new();
    let mut written = Written {
        months: BTreeMap::new(),
        summary: Vec::new(),
        loyalty: loyalty_of(rows),
    };
    for month in months {
        builder.begin(month);
        for day in days.iter().filter(|day| day.month() == month) {
            let mut amounts: Vec<i64> = rows
                .iter()
                .filter(|row| row.0 == *day)
                .map(|row| row.1)
                .collect();
            amounts.sort_unstable();
            let (first_ever, returning, buyers) = cards_of(rows, *day);
            let loyalty = written.loyalty.get(day).cloned().unwrap_or_default();
            let cards = DayCards {
                first_ever,
                returning: &returning,
                buyers: &buyers,
                second: &loyalty.second,
                cohorts: &loyalty.cohorts,
            };
            summary.day(*day, cards);
            if by_totals {
                let mut bins = FineHistogram::new();
                amounts
                    .iter()
                    .for_each(|amount| bins.add(Cell::of(*amount), 1));
                builder.day_totals(*day, &Statistics::of(&amounts), &bins, cards);
            } else {
                builder.day(*day, &amounts, cards);
            }
            builder.hours(*day, &hours_of(rows, *day));
        }
        let (statistics, cards) = builder.totals();
        summary.month(MonthTotals {
            month,
            statistics,
            cards,
        });
        let mut bytes = Vec::new();
        builder.finish(&mut bytes);
        written.months.insert(month, bytes);
    }
    let profile = StoreProfile {
        name: Some("Läden".into()),
        ..StoreProfile::default()
    };
    summary.finish(&profile, &mut written.summary).unwrap();
    written
}

/// The buyers of each day come by the distance to their previous day with a sale.
fn check_buyers(rows: &[Row], record: &MonthRecord<'_>, range: DayRange) {
    let mut of_days: BTreeMap<Day, Vec<Change>> = BTreeMap::new();
    let visit = |day, change| of_days.entry(day).or_default().push(change);
    record.visit_buyers(range, visit).unwrap();
    for (day, mut found) in of_days {
        assert!(range.contains(day));
        net_changes(&mut found);
        let expected = distances(rows, day, is_sale);
        let found = found
            .iter()
            .map(|it| (it.distance, it.cards.cast_unsigned()));
        assert!(found.eq(expected), "{day}");
    }
}

/// Second visits come by day, and cohorts by month.
fn check_loyalty(written: &Written, record: &MonthRecord<'_>, month: Month, range: DayRange) {
    let of_days = |days: DayRange| {
        let days = written.loyalty.range(days.first..);
        days.take_while(move |(day, _)| month.days().contains(**day))
    };
    let mut second = Vec::new();
    let visit = |day, run| second.push((day, run));
    record.visit_second_visits(range, visit).unwrap();
    let days = month.days().intersection(range);
    let expected = of_days(days).filter(|(day, _)| days.contains(**day));
    let expected = expected.flat_map(|(day, of_day)| of_day.second.iter().map(|run| (*day, *run)));
    assert!(expected.eq(second), "{range:?}");
    let mut expected = BTreeMap::<u32, u64>::new();
    for run in of_days(month.days()).flat_map(|(_, of_day)| &of_day.cohorts) {
        *expected.entry(run.distance).or_default() += run.count;
    }
    let mut cohorts = BTreeMap::new();
    let visit = |run: Run| assert_eq!(cohorts.insert(run.distance, run.count), None);
    record.visit_cohorts(visit).unwrap();
    assert_eq!(cohorts, expected, "{month}");
}

fn distinct(rows: &[Row], keep: impl Fn(&Row) -> bool) -> u64 {
    rows.iter()
        .filter(|row| keep(row))
        .filter_map(|row| row.2)
        .collect::<BTreeSet<_>>()
        .len() as u64
}

fn check_range(rows: &[Row], written: &Written, range: DayRange) {
    let mut totals = Statistics::default();
    let mut bins = FineHistogram::new();
    let (mut cards, mut buyers) = (0, 0);
    for (month, bytes) in &written.months {
        let record = MonthRecord::parse(*month, bytes).unwrap();
        record
            .visit_days(range, |_, day| totals.merge(&day))
            .unwrap();
        record.add_bins(range, &mut bins).unwrap();
        cards += record.cards_since(range, range.first).unwrap();
        buyers += record.buyers_since(range, range.first).unwrap();
        check_buyers(rows, &record, range);
        check_loyalty(written, &record, *month, range);
        let mut hours = Vec::new();
        let visit = |day, hour| hours.push((day, hour));
        record.visit_hours(range, visit).unwrap();
        let days = month.days().intersection(range);
        let of_day = |day| hours_of(rows, day).into_iter().map(move |hour| (day, hour));
        assert!(days.iter().flat_map(of_day).eq(hours), "{range:?}");
    }
    let amounts: Vec<i64> = rows
        .iter()
        .filter(|row| range.contains(row.0))
        .map(|row| row.1)
        .collect();
    assert_eq!(totals, Statistics::of(&amounts), "{range:?}");
    let in_range = |row: &Row| range.contains(row.0);
    assert_eq!(cards, distinct(rows, in_range), "{range:?}");
    let sales = |row: &Row| in_range(row) && is_sale(row);
    assert_eq!(buyers, distinct(rows, sales), "{range:?}");
    let mut expected = FineHistogram::new();
    amounts
        .iter()
        .for_each(|amount| expected.add(Cell::of(*amount), 1));
    assert!(bins.iter().eq(expected.iter()), "{range:?}");
}

fn check_summary(rows: &[Row], written: &Written) {
    let summary = Summary::parse(&written.summary).unwrap();
    assert_eq!(summary.profile.name.as_deref(), Some("Läden"));
    assert_eq!(
        summary.days.first,
        rows.iter().map(|row| row.0).min().unwrap()
    );
    assert_eq!(
        summary.days.last,
        rows.iter().map(|row| row.0).max().unwrap()
    );
    assert_eq!(summary.cards, distinct(rows, |_| true));
    assert!(
        summary
            .months
            .iter()
            .map(|month| &month.month)
            .eq(written.months.keys())
    );
    for month in &summary.months {
        let record = MonthRecord::parse(month.month, &written.months[&month.month]).unwrap();
        record.verify().unwrap();
        assert_eq!(
            (record.statistics(), record.cards()),
            (month.statistics, month.cards)
        );
        assert_eq!(
            month.cards,
            distinct(rows, |row| row.0.month() == month.month)
        );
    }
    for (quarter, cards) in summary.quarters {
        assert_eq!(
            cards,
            distinct(rows, |row| quarter_of(row.0.month()) == quarter)
        );
    }
    for (year, cards) in summary.years {
        assert_eq!(cards, distinct(rows, |row| row.0.month().year() == year));
    }
}

/// Every proper beginning of a record is an error, not a panic or another answer.
fn check_truncations(written: &Written) {
    for (month, bytes) in written.months.iter().filter(|(_, bytes)| bytes.len() < 400) {
        for len in 0..bytes.len() {
            let everything = month.days();
            let read = MonthRecord::parse(*month, &bytes[..len]).and_then(|record| {
                record.visit_days(everything, |_, _| ())?;
                record.visit_buyers(everything, |_, _| ())
            });
            assert!(read.is_err(), "{len} of {}", bytes.len());
        }
    }
    for len in 0..written.summary.len() {
        assert!(Summary::parse(&written.summary[..len]).is_err());
    }
}

fn day(offset: i32) -> Day {
    Day(Day::from_civil(2019, 11, 25).unwrap().0 + offset)
}

fn rows_strategy(rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    // Prices repeat, as real ones do, so that both encodings of a day occur.
    let amount = prop_oneof![
        (1_i64..40).prop_map(|n| n * 50),
        -500_i64..0,
        Just(0),
        any::<i32>().prop_map(i64::from)
    ];
    let row = (0_i32..160, amount, prop::option::weighted(0.9, 0_u8..30));
    prop::collection::vec(
        row.prop_map(|(offset, amount, card)| (day(offset), amount, card)),
        rows,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_range_equals_the_rows_in_it(
        rows in rows_strategy(1..400),
        ranges in prop::collection::vec((-5_i32..165, 0_i32..90), 20),
        by_totals: bool,
    ) {
        let written = write(&rows, by_totals);
        check_summary(&rows, &written);
        check_truncations(&written);
        for (first, len) in ranges {
            check_range(&rows, &written, DayRange { first: day(first), last: day(first + len) });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_range_of_a_busy_key_equals_the_rows_in_it(
        rows in rows_strategy(6_000..9_000),
        ranges in prop::collection::vec((-5_i32..165, 0_i32..160), 20),
    ) {
        let written = write(&rows, false);
        let is_rolled_up = written.months.values().any(|bytes| bytes[0] & 1 == 1);
        prop_assert!(is_rolled_up, "some month has a roll-up");
        check_summary(&rows, &written);
        for (first, len) in ranges {
            check_range(&rows, &written, DayRange { first: day(first), last: day(first + len) });
        }
    }
}
