//! Loyalty: what the golden files hold of it, and a reader that is written from docs/format.md alone.

use nightshard_format::{
    calendar::{Day, Month, Period},
    record::{
        CardSales, LoyaltyRecord, PeriodVisits, Quintiles, RecencyFrequency, Regulars, Run, Score,
        VisitsOf, encode_loyalty,
    },
    shard::Span,
};

use super::{
    open,
    plain::{length, signed, take, unsigned},
};

fn of(cards: u64, sales: u128) -> CardSales {
    CardSales { cards, sales }
}

fn day(month: u32, day: u32) -> Day {
    Day::from_civil(2018, month, day).unwrap()
}

fn december() -> Month {
    Month::new(2018, 12).unwrap()
}

/// Three cards of a year, of which one comes in December, for the eleventh time.
fn quintiles(last: Day) -> Quintiles {
    let score = |score, cards, sales| (score, of(cards, sales));
    let scored = |(score, of), from| Score { score, from, of };
    let both = |recency, frequency, cards, sales| RecencyFrequency {
        recency,
        frequency,
        of: of(cards, sales),
    };
    Quintiles {
        recency: vec![
            scored(score(1, 2, 900), day(2, 1)),
            scored(score(4, 1, 150_000), last),
        ],
        frequency: vec![
            Score {
                score: 1,
                from: 1,
                of: of(2, 900),
            },
            Score {
                score: 4,
                from: 11,
                of: of(1, 150_000),
            },
        ],
        money: vec![
            Score {
                score: 1,
                from: 44,
                of: of(1, 44),
            },
            Score {
                score: 2,
                from: 850,
                of: of(1, 856),
            },
            Score {
                score: 4,
                from: 150_000,
                of: of(1, 150_000),
            },
        ],
        both: vec![both(1, 1, 2, 900), both(4, 4, 1, 150_000)],
    }
}

fn visits(visits: &[(u32, u64)], regulars: &[(u32, u128)], has_quintiles: bool) -> PeriodVisits {
    let last = day(12, 24);
    let run = |(distance, count): &(u32, u64)| Run {
        distance: *distance,
        count: *count,
    };
    let regular = |(days, sales): &(u32, u128)| Regulars {
        days: *days,
        of: of(1, *sales),
    };
    PeriodVisits {
        last,
        visits: visits.iter().map(run).collect(),
        regulars: regulars.iter().map(regular).collect(),
        quintiles: has_quintiles.then(|| quintiles(last)),
    }
}

/// The periods that end with the year, and those of everything.
fn periods() -> [(Span, Vec<VisitsOf>); 2] {
    let october = Month(december().0 - 2);
    let all = visits(&[(1, 2), (10, 1)], &[(3, 150_000)], true);
    [
        (
            Span::Month(december()),
            vec![
                (
                    Period::Month(december()),
                    visits(&[(1, 1)], &[(3, 700)], false),
                ),
                (
                    Period::Quarter(october),
                    visits(&[(8, 1)], &[(3, 90_000)], false),
                ),
                (Period::Year(2018), all.clone()),
            ],
        ),
        (Span::Current, vec![(Period::All, all)]),
    ]
}

/// Returns the records by span.
pub(crate) fn records() -> [(Span, Vec<u8>); 2] {
    periods().map(|(span, periods)| {
        let mut value = Vec::new();
        encode_loyalty(span, &periods, &mut value).unwrap();
        (span, value)
    })
}

#[test]
fn loyalty_of_everything_is_these_bytes() {
    let (shard, _) = open("loyalty-current.shard");
    let expected = [
        &[32][..],                          // everything
        &[0xc2, 0x97, 0x02],                // 2018-12-24: 2 x 17,889
        &[2, 3, 0, 18],                     // two cards come once, one ten times or more
        &[1, 3, 0, 0xf0, 0x93, 0x09],       // one is regular for three days
        &[0b1001, 0, 0xc6, 0x02],           // last visits: the last, and 326 days before
        &[0b1001, 1, 10],                   // visits: 1 and 11
        &[0b1011, 44, 0, 44],               // amounts: 44,
        &[0x83, 0x01, 0, 0xd8, 0x06],       // 850, whose cell is 175,
        &[0xc8, 0x01, 0, 0xf0, 0x93, 0x09], // 150,000, whose cell is 375
        &[2, 0x84, 0x07, 0],                // recency 1: two of frequency 1, none of 4
        &[0, 1, 0xf0, 0x93, 0x09],          // recency 4: the other way round
    ];
    let value = shard.get(b"bar").unwrap().unwrap();
    assert_eq!(value.in_place().unwrap(), &expected.concat()[..]);
}

#[test]
fn loyalty_is_read_alike() {
    for ((name, (span, periods)), masks) in ["loyalty-2018-12.shard", "loyalty-current.shard"]
        .into_iter()
        .zip(periods())
        .zip([4 | 8 | 16, 32])
    {
        let (shard, plain) = open(name);
        let value = shard.get(b"bar").unwrap().unwrap();
        let record = LoyaltyRecord::parse(span, value.in_place().unwrap()).unwrap();
        record.verify().unwrap();
        assert_eq!(record.periods, periods);
        let mut rest = plain.value(b"bar");
        assert_eq!(take(&mut rest, 1), [masks]);
        for (period, visits) in &periods {
            let end = period.days().map(|days| i128::from(days.last.0));
            let read = read_period(&mut rest, end, visits.quintiles.is_some());
            assert_eq!(read, as_read(visits));
        }
        assert!(rest.is_empty());
    }
}

/// Numbers one after the other, as the plain reader finds them.
fn as_read(visits: &PeriodVisits) -> Vec<i128> {
    let mut numbers = vec![i128::from(visits.last.0)];
    for run in &visits.visits {
        numbers.extend([i128::from(run.distance), run.count.into()]);
    }
    let push = |numbers: &mut Vec<i128>, of: CardSales| {
        numbers.extend([i128::from(of.cards), of.sales.cast_signed()]);
    };
    for regulars in &visits.regulars {
        numbers.push(regulars.days.into());
        push(&mut numbers, regulars.of);
    }
    if let Some(quintiles) = &visits.quintiles {
        for score in quintiles.recency.iter().rev() {
            numbers.extend([i128::from(score.score), score.from.0.into()]);
        }
        for score in &quintiles.frequency {
            numbers.extend([i128::from(score.score), score.from.into()]);
        }
        for score in &quintiles.money {
            numbers.extend([i128::from(score.score), score.from.into()]);
            push(&mut numbers, score.of);
        }
        for both in &quintiles.both {
            numbers.extend([i128::from(both.recency), both.frequency.into()]);
            push(&mut numbers, both.of);
        }
    }
    numbers
}

fn read_period(rest: &mut &[u8], end: Option<i128>, has_quintiles: bool) -> Vec<i128> {
    let last = match end {
        Some(end) => end - unsigned(rest),
        None => signed(rest),
    };
    let mut numbers = vec![last];
    let mut number = 0;
    for _ in 0..length(rest) {
        let step = unsigned(rest);
        number += step / 2;
        let count = if step % 2 == 0 { 1 } else { 2 + unsigned(rest) };
        numbers.extend([number, count]);
    }
    let mut days = 0;
    for _ in 0..length(rest) {
        days += unsigned(rest);
        numbers.extend([days, unsigned(rest) + 1, unsigned(rest)]);
    }
    if has_quintiles {
        read_quintiles(rest, last, &mut numbers);
    }
    numbers
}

fn read_quintiles(rest: &mut &[u8], last: i128, numbers: &mut Vec<i128>) {
    let scores = |rest: &mut &[u8]| {
        let mask = take(rest, 1)[0];
        let scores = (1_u32..=5).filter(move |score| mask & 1 << (score - 1) != 0);
        scores.map(i128::from).collect::<Vec<_>>()
    };
    let recency = scores(rest);
    let mut later = last;
    for score in recency.iter().rev() {
        later -= unsigned(rest);
        numbers.extend([*score, later]);
    }
    let frequency = scores(rest);
    let mut visits = 0;
    for score in &frequency {
        visits += unsigned(rest);
        numbers.extend([*score, visits]);
    }
    let mut cell = 0;
    for score in scores(rest) {
        cell += unsigned(rest);
        numbers.extend([score, low_of(cell), unsigned(rest) + 1, unsigned(rest)]);
    }
    for recency in &recency {
        for frequency in &frequency {
            let cards = unsigned(rest);
            if cards > 0 {
                numbers.extend([*recency, *frequency, cards, unsigned(rest)]);
            }
        }
    }
}

/// The smallest amount of a cell: 0 to 99 by itself, then ninety cells for each power of ten.
fn low_of(cell: i128) -> i128 {
    let (mut first, mut power) = (10, 1);
    while cell >= first + 90 {
        first += 90;
        power *= 10;
    }
    if cell < 10 {
        cell
    } else {
        (cell - first + 10) * power
    }
}
