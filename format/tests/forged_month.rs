//! Month records whose every byte can be read and whose parts do not agree.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nightshard_format::{
    Error,
    bytes::{put_signed, put_varint},
    calendar::Month,
    record::MonthRecord,
    statistics::Statistics,
};

/// The parts of a month record, each of which can be forged.
#[derive(Clone)]
struct Parts {
    flag: u8,
    mask: u32,
    totals: Statistics,
    first_ever: u64,
    entering: u64,
    /// The days, as encoded.
    days: Vec<Vec<u8>>,
    /// Their cards, as encoded.
    cards: Vec<Vec<u8>>,
    /// How buyers differ: on which days, and by what, as encoded; 0 for not at all.
    buyers: (u32, Vec<u8>),
    /// Which days have half hours, and those, as encoded.
    hours: (u32, Vec<u8>),
    /// On which days there are second visits, and those, as encoded.
    second: (u32, Vec<u8>),
    cohorts: Vec<u8>,
    mixes: Vec<u8>,
    /// Added to the first day's places in the directory.
    directory_shift: (u32, u32),
    cells: Vec<u8>,
    changes: Vec<u8>,
    runs: Vec<u8>,
    left_over: Vec<u8>,
}

impl Parts {
    /// The second day has 1,100 rows of 500, the fourth refunds 7 and sells for 250.
    ///
    /// Two cards come for the first time on the second, one after three days and one after forty;
    /// on the fourth two cards come after two days, of which one buys nothing and one bought five
    /// days ago. It and the one after forty days buy for the second time; of three who bought before, one
    /// began in the month before.
    fn right() -> Self {
        let many = Statistics::of(&vec![500; 1_100]);
        let few = Statistics::of(&[-7, 250]);
        let mut totals = many;
        totals.merge(&few);
        Self {
            flag: 63,
            mask: 0b1010,
            totals,
            first_ever: 2,
            entering: 2,
            days: vec![
                day_by_totals(&many, &cells(&[(140, 1_100)])),
                day_by_amounts(&[-7, 250]),
            ],
            cards: vec![
                [&[2][..], &runs(&[(3, 1), (40, 1)])].concat(),
                [&[0][..], &runs(&[(2, 2)])].concat(),
            ],
            buyers: (0b1000, changes(&[(2, -2), (5, 1)])),
            hours: (
                0b1010,
                [hours(&[(24, 1_099, 549_500)]), few_hours()].concat(),
            ),
            second: (0b1010, [runs(&[(40, 1)]), runs(&[(5, 1)])].concat()),
            cohorts: runs(&[(1, 1), (9, 2)]),
            mixes: mixes(1_100),
            directory_shift: (0, 0),
            cells: cells(&[(-7, 1), (115, 1), (140, 1_100)]),
            changes: changes(&[(2, 1)]),
            runs: runs(&[(2, 1), (39, 1)]),
            left_over: Vec::new(),
        }
    }

    /// The same month with four rows of 500 on the second, and so without a roll-up.
    fn right_and_small() -> Self {
        let mut totals = Statistics::of(&[500; 4]);
        totals.merge(&Statistics::of(&[-7, 250]));
        let mut parts = Self::right();
        parts.flag = 62;
        parts.mixes = mixes(4);
        parts.hours.1 = [hours(&[(24, 4, 2_000)]), few_hours()].concat();
        parts.totals = totals;
        parts.days[0] = day_by_amounts(&[500; 4]);
        parts
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.flag];
        out.extend(self.mask.to_le_bytes());
        self.totals.encode(&mut out);
        put_varint(&mut out, self.first_ever);
        put_varint(&mut out, self.entering);
        put_varint(&mut out, self.days.concat().len() as u64);
        put_varint(&mut out, self.cards.concat().len() as u64);
        out.extend(self.days.concat());
        out.extend(self.cards.concat());
        if self.flag & 2 == 2 {
            put_varint(&mut out, self.buyers.1.len() as u64 + 4);
            out.extend(self.buyers.0.to_le_bytes());
            out.extend(&self.buyers.1);
        }
        if self.flag & 4 == 4 {
            put_varint(&mut out, self.hours.1.len() as u64 + 4);
            out.extend(self.hours.0.to_le_bytes());
            out.extend(&self.hours.1);
        }
        if self.flag & 8 == 8 {
            put_varint(&mut out, self.second.1.len() as u64 + 4);
            out.extend(self.second.0.to_le_bytes());
            out.extend(&self.second.1);
        }
        if self.flag & 16 == 16 {
            put_varint(&mut out, self.cohorts.len() as u64);
            out.extend(&self.cohorts);
        }
        if self.flag & 32 == 32 {
            put_varint(&mut out, self.mixes.len() as u64);
            out.extend(&self.mixes);
        }
        if self.flag & 1 == 1 {
            let (mut day, mut card) = self.directory_shift;
            for (of_day, of_cards) in self.days.iter().zip(&self.cards) {
                out.extend(day.to_le_bytes());
                out.extend(card.to_le_bytes());
                day += u32::try_from(of_day.len()).unwrap();
                card += u32::try_from(of_cards.len()).unwrap();
            }
            put_varint(&mut out, self.cells.len() as u64);
            out.extend(&self.cells);
            if self.flag & 2 == 2 {
                put_varint(&mut out, self.changes.len() as u64);
                out.extend(&self.changes);
            }
            out.extend(&self.runs);
        }
        out.extend(&self.left_over);
        out
    }

    fn verify(&self) -> nightshard_format::Result<()> {
        let bytes = self.encode();
        MonthRecord::parse(Month::new(2018, 3).unwrap(), &bytes)?.verify()
    }
}

fn day_by_amounts(amounts: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, amounts.len() as u64 * 2);
    put_signed(&mut out, amounts[0]);
    for pair in amounts.windows(2) {
        put_varint(&mut out, pair[1].abs_diff(pair[0]));
    }
    out
}

fn day_by_totals(totals: &Statistics, cells: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    totals.encode(&mut out);
    put_varint(&mut out, cells.len() as u64);
    out.extend(cells);
    out
}

fn cells(cells: &[(i64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, cells.len() as u64);
    let mut previous = None;
    for (cell, count) in cells {
        match previous {
            None => put_signed(&mut out, *cell),
            Some(previous) => put_varint(&mut out, cell.abs_diff(previous) - 1),
        }
        put_varint(&mut out, count - 1);
        previous = Some(*cell);
    }
    out
}

fn runs(runs: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, runs.len() as u64);
    let mut previous = 0;
    for (distance, count) in runs {
        let step = distance.abs_diff(previous) * 2;
        if *count == 1 {
            put_varint(&mut out, step);
        } else {
            put_varint(&mut out, step + 1);
            put_varint(&mut out, count - 2);
        }
        previous = *distance;
    }
    out
}

fn changes(changes: &[(u64, i64)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, changes.len() as u64);
    let mut previous = 0;
    for (distance, cards) in changes {
        put_varint(&mut out, distance.wrapping_sub(previous));
        put_signed(&mut out, *cards);
        previous = *distance;
    }
    out
}

/// The half hours of the fourth.
fn few_hours() -> Vec<u8> {
    hours(&[(0, 1, -7), (47, 1, 250)])
}

fn hours(hours: &[(u64, u64, i64)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, hours.len() as u64);
    let mut next = 0;
    for (half_hour, count, sum) in hours {
        let step = (half_hour - next) * 2;
        if *count == 1 {
            put_varint(&mut out, step);
        } else {
            put_varint(&mut out, step + 1);
            put_varint(&mut out, count - 2);
        }
        put_signed(&mut out, *sum);
        next = half_hour + 1;
    }
    out
}

/// Mixes where so many rows of 500 are paid by card companies of two texts and points, and two of 243
/// together by none known; only the refund is foreign.
fn mixes(many: u64) -> Vec<u8> {
    let few = [(0, 2, 243), (1, 1, 500)];
    let rest = (many - 1, i64::try_from(many - 1).unwrap() * 500);
    let mut out = vec![2, 1, b'a', 1, b'b'];
    out.extend(0b10_1001_u16.to_le_bytes());
    out.extend(values(&[few[0], few[1], (2, rest.0, rest.1)]));
    out.extend(values(&[(1, many + 1, rest.1 + 750), (2, 1, -7)]));
    out.extend(values(&[(1, 2, 243), (2, many, rest.1 + 500)]));
    out
}

/// Values by their numbers, with counts and sums.
fn values(values: &[(u64, u64, i64)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, values.len() as u64);
    let mut next = 0;
    for (number, count, sum) in values {
        put_varint(&mut out, number - next);
        put_varint(&mut out, count - 1);
        put_signed(&mut out, *sum);
        next = number + 1;
    }
    out
}

/// Forges a part, and expects this problem to be found.
#[track_caller]
fn assert_found(mut parts: Parts, problem: &str, forge: impl FnOnce(&mut Parts)) {
    forge(&mut parts);
    match parts.verify() {
        Err(Error::Corrupt {
            structure: "month record",
            problem: found,
        }) => assert!(found.contains(problem), "{found}"),
        other => panic!("{other:?}, not {problem:?}"),
    }
}

#[test]
fn right_parts_are_right() {
    Parts::right().verify().unwrap();
    Parts::right_and_small().verify().unwrap();
}

#[test]
fn a_first_byte_other_than_0_to_63_is_found() {
    for flag in [64, 127, 0x9f, 0xff] {
        let problem = "its first byte is not 0 to 63";
        assert_found(Parts::right_and_small(), problem, |parts| parts.flag = flag);
    }
}

#[test]
fn bytes_left_over_are_found() {
    for parts in [Parts::right(), Parts::right_and_small()] {
        assert_found(parts, "bytes are left over", |parts| {
            parts.left_over.push(0);
        });
    }
    for parts in [Parts::right(), Parts::right_and_small()] {
        let problem = "bytes are left over after its days";
        assert_found(parts.clone(), problem, |parts| parts.days[1].push(0));
        assert_found(parts, problem, |parts| parts.cards[1].push(0));
    }
    assert_found(Parts::right(), "histogram", |parts| parts.cells.push(0));
}

#[test]
fn totals_that_are_not_those_of_the_days_are_found() {
    let problem = "its totals are not those of its days";
    let forgeries: [fn(&mut Statistics); 8] = [
        |totals| totals.count += 1,
        |totals| totals.sum -= 1,
        |totals| totals.sum_squares += 1,
        |totals| totals.min -= 1,
        |totals| totals.max += 1,
        |totals| totals.refund_count += 1,
        |totals| totals.refund_sum -= 1,
        |totals| totals.zero_count += 1,
    ];
    for forge in forgeries {
        assert_found(Parts::right(), problem, |parts| forge(&mut parts.totals));
    }
    assert_found(Parts::right_and_small(), problem, |parts| {
        (parts.flag, parts.mask) = (0, 0);
        parts.totals = Statistics::default();
        (parts.first_ever, parts.entering) = (0, 0);
        parts.days.clear();
        parts.cards.clear();
    });
}

#[test]
fn cards_that_are_not_those_of_the_days_are_found() {
    let problem = "its cards are not those of its days";
    for parts in [Parts::right(), Parts::right_and_small()] {
        assert_found(parts.clone(), problem, |parts| {
            // Their sum, which the number of distinct cards is, stays the same.
            parts.first_ever += 1;
            parts.entering -= 1;
        });
        // The day before the second lies in the month.
        assert_found(parts, problem, |parts| {
            parts.cards[0] = [&[2][..], &runs(&[(1, 1), (40, 1)])].concat();
            parts.cohorts = runs(&[(1, 1), (9, 1)]);
        });
    }
}

#[test]
fn buyers_that_are_not_among_the_cards_are_found() {
    let problem = "its buyers are not among its cards";
    for forged in [
        changes(&[]),
        changes(&[(2, -3)]),
        changes(&[(0, -1)]),
        changes(&[(5, 1)]),
        changes(&[(2, -1), (5, 2)]),
    ] {
        for parts in [Parts::right(), Parts::right_and_small()] {
            assert_found(parts, problem, |parts| parts.buyers.1.clone_from(&forged));
        }
    }
    for parts in [Parts::right(), Parts::right_and_small()] {
        let problem = "a day has more buyers than sales";
        assert_found(parts.clone(), problem, |parts| {
            parts.buyers.1 = changes(&[(2, -1), (5, 1)]);
        });
        // One sale, and two cards of which nothing says that they buy nothing.
        assert_found(parts, problem, |parts| parts.flag &= !(2 | 8 | 16));
    }
    let problem = "it has lists of no day, or of one without rows";
    for mask in [0, 0b0100, 0b1100] {
        assert_found(Parts::right(), problem, |parts| parts.buyers.0 = mask);
        assert_found(Parts::right(), problem, |parts| parts.hours.0 = mask);
        assert_found(Parts::right(), problem, |parts| parts.second.0 = mask);
    }
    let problem = "its changes do not ascend, or change nothing";
    for forged in [changes(&[(2, -1), (2, -1)]), changes(&[(2, -1), (5, 0)])] {
        assert_found(Parts::right(), problem, |parts| parts.buyers.1 = forged);
    }
    let problem = "bytes are left over after its lists";
    assert_found(Parts::right(), problem, |parts| parts.buyers.1.push(0));
    assert_found(Parts::right(), problem, |parts| parts.hours.1.push(0));
    assert_found(Parts::right(), problem, |parts| parts.second.1.push(0));
}

#[test]
fn second_visits_and_cohorts_that_are_not_those_of_the_buyers_are_found() {
    let problem = "its second visits are not among its buyers";
    for forged in [runs(&[]), runs(&[(3, 1)]), runs(&[(5, 2)]), runs(&[(2, 1)])] {
        for mut parts in [Parts::right(), Parts::right_and_small()] {
            parts.second.0 = 0b1000;
            assert_found(parts, problem, |parts| parts.second.1.clone_from(&forged));
        }
    }
    let problem = "its cohorts are not those of its buyers";
    let mut left_over = runs(&[(1, 3)]);
    left_over.push(0);
    for forged in [
        runs(&[]),
        runs(&[(1, 2)]),
        runs(&[(1, u64::MAX), (2, 4)]),
        left_over,
    ] {
        for parts in [Parts::right(), Parts::right_and_small()] {
            assert_found(parts, problem, |parts| parts.cohorts.clone_from(&forged));
        }
    }
}

#[test]
fn mixes_that_are_not_those_of_the_rows_are_found() {
    let forged = |texts: &[u8], mask: u16, values: &[Vec<u8>]| {
        [texts, &mask.to_le_bytes()[..], &values.concat()[..]].concat()
    };
    let all = |number| values(&[(number, 1_102, 550_243)]);
    let (no, one) = ([0_u8], [1, 1, b'a']);
    let unused = [2, 1, b'a', 1, b'b'];
    let others = "its mixes are not those of its rows";
    let (texts, value) = (
        "the texts of its mixes",
        "its mixes have a value that is none",
    );
    let dimension = "its mixes have no dimension, or one that is none";
    for (problem, mixes) in [
        (
            others,
            forged(&no, 1 << 3, &[values(&[(2, 1_101, 550_243)])]),
        ),
        (
            others,
            forged(&no, 1 << 3, &[values(&[(2, 1_102, 550_242)])]),
        ),
        (
            others,
            forged(
                &no,
                1 << 3,
                &[values(&[(1, u64::MAX, 0), (2, 1_103, 550_243)])],
            ),
        ),
        // Says nothing.
        (others, forged(&no, 1 << 5, &[all(1)])),
        (others, forged(&no, 1 << 4, &[all(0)])),
        (texts, forged(&unused, 1, &[all(1)])),
        (
            texts,
            forged(
                &[2, 1, b'b', 1, b'a'],
                1,
                &[values(&[(1, 1, 0), (2, 1_101, 550_243)])],
            ),
        ),
        (texts, forged(&[1, 0], 1, &[all(1)])),
        (texts, forged(&[1, 1, 0xff], 1, &[all(1)])),
        (value, forged(&one, 1, &[all(2)])),
        (value, forged(&no, 1 << 3, &[all(3)])),
        (value, forged(&no, 1 << 5, &[all(0)])),
        (value, forged(&no, 1 << 4, &[all(1 << 16)])),
        (dimension, forged(&no, 0, &[])),
        (dimension, forged(&no, 1 << 9, &[all(1)])),
        (
            "a dimension without values",
            forged(&no, 1 << 3, &[values(&[])]),
        ),
        (
            "left over after its mixes",
            forged(&no, 1 << 3, &[all(2), vec![0]]),
        ),
        ("ends early", Vec::new()),
    ] {
        assert_found(Parts::right(), problem, |parts| parts.mixes = mixes);
    }
}

#[test]
fn half_hours_that_are_not_those_of_the_days_are_found() {
    let problem = "its half hours are not those of its days";
    for forged in [
        hours(&[]),
        hours(&[(24, 3, 0)]),
        hours(&[(24, u64::MAX, 0), (25, 3, 0)]),
        hours(&[(0, 1, -7), (47, 1, 251)]),
    ] {
        for mut parts in [Parts::right(), Parts::right_and_small()] {
            parts.hours.0 = 0b1000;
            assert_found(parts, problem, |parts| parts.hours.1.clone_from(&forged));
        }
    }
    for forged in [vec![1, 48 * 2, 0], vec![2, 47 * 2, 0, 0, 0]] {
        assert_found(Parts::right(), "no such half hour", |parts| {
            parts.hours = (0b1000, forged);
        });
    }
}

#[test]
fn distances_that_do_not_ascend_from_1_are_found() {
    let problem = "its distances do not ascend";
    for forged in [
        vec![1, 0],
        vec![2, 6, 0],
        vec![2, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 2],
    ] {
        assert_found(Parts::right_and_small(), problem, |parts| {
            parts.cards[0] = [&[2][..], &forged].concat();
        });
    }
}

#[test]
fn a_day_whose_histogram_is_not_that_of_its_totals_is_found() {
    let many = Statistics::of(&vec![500; 1_100]);
    let problem = "a day's histogram is not that of its totals";
    for forged in [
        cells(&[]),
        cells(&[(140, 1_099)]),
        cells(&[(141, 1_100)]),
        cells(&[(140, 1_099), (141, 1)]),
        cells(&[(-1, 1), (140, 1_099)]),
        cells(&[(140, u64::MAX), (141, 1_101)]),
        [cells(&[(140, 1_100)]), vec![0]].concat(),
    ] {
        assert_found(Parts::right(), problem, |parts| {
            parts.days[0] = day_by_totals(&many, &forged);
        });
    }
    let mut too_much = many;
    too_much.sum = 600_000;
    assert_found(Parts::right(), problem, |parts| {
        parts.days[0] = day_by_totals(&too_much, &cells(&[(140, 1_100)]));
    });
    let forgeries: [fn(&mut Statistics); 4] = [
        |day| day.refund_sum = -1,
        |day| (day.refund_sum, day.sum) = (1, day.sum + 1),
        |day| (day.zero_count, day.count) = (1, day.count),
        |day| day.refund_count = 1,
    ];
    for forge in forgeries {
        let mut forged = many;
        forge(&mut forged);
        assert_found(Parts::right(), problem, |parts| {
            parts.days[0] = day_by_totals(&forged, &cells(&[(140, 1_100)]));
        });
    }
    assert_found(Parts::right(), "a day has no rows", |parts| {
        parts.days[1] = vec![0, 0];
    });
}

#[test]
fn a_roll_up_that_is_not_that_of_the_days_is_found() {
    for shift in [(1, 0), (0, 1)] {
        let problem = "its directory does not lead to its days";
        assert_found(Parts::right(), problem, |parts| {
            parts.directory_shift = shift;
        });
    }
    for forged in [
        cells(&[(-7, 1), (115, 1), (140, 1_099)]),
        cells(&[(-6, 1), (115, 1), (140, 1_100)]),
        cells(&[(-7, 1), (140, 1_101)]),
    ] {
        let problem = "its histogram is not that of its days";
        assert_found(Parts::right(), problem, |parts| parts.cells = forged);
    }
    for forged in [
        changes(&[]),
        changes(&[(3, 1)]),
        changes(&[(2, 2)]),
        changes(&[(0, 1), (2, 1)]),
        [changes(&[(2, 1)]), vec![0]].concat(),
    ] {
        let problem = "its entering buyers are not those of its days";
        assert_found(Parts::right(), problem, |parts| parts.changes = forged);
    }
    for forged in [
        runs(&[(39, 1)]),
        runs(&[(2, 1), (40, 1)]),
        runs(&[(2, 2), (39, 1)]),
        runs(&[(1, 1), (2, 1), (39, 1)]),
    ] {
        let problem = "its entering cards are not those of its days";
        assert_found(Parts::right(), problem, |parts| parts.runs = forged);
    }
}

#[test]
fn a_roll_up_is_there_exactly_from_1024_rows_on() {
    assert_found(Parts::right(), "it has no roll-up", |parts| parts.flag = 6);
    assert_found(
        Parts::right_and_small(),
        "it has a roll-up, but too few rows",
        |parts| {
            parts.flag = 7;
            parts.cells = cells(&[(-7, 1), (115, 1), (140, 4)]);
        },
    );
}
