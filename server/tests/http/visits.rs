//! Records of loyalty, card by card.

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::{
    calendar::{Day, Period},
    histogram::Cell,
    record::{
        CardSales, PeriodVisits, Quintiles, RecencyFrequency, Regulars, Run, SCORES, Score,
        VISIT_NUMBERS, encode_loyalty, has_quintiles, loyalty_periods, loyalty_spans, visit_class,
    },
    shard::Span,
};

use crate::fixture::Payment;

/// What each card bought for on which day.
type Visits = BTreeMap<u32, BTreeMap<Day, u128>>;

/// The last visit of a card in a period, how many there are, and what it bought for.
type Card = (Day, u64, u128);

/// Returns the records of a store, place or market of these payments.
pub(crate) fn records(payments: &[Payment]) -> Vec<(Span, Vec<u8>)> {
    let mut visits = Visits::new();
    for payment in payments.iter().filter(|payment| payment.amount > 0) {
        let of_card = visits.entry(payment.card).or_default();
        *of_card.entry(payment.day).or_default() += u128::from(payment.amount.unsigned_abs());
    }
    let spans = loyalty_spans(payments.iter().map(|payment| payment.day.month()));
    let record = |span| {
        let periods = loyalty_periods(span).map(|(_, period)| period);
        let periods: Vec<_> = periods
            .filter_map(|period| Some((period, visits_of(&visits, period)?)))
            .collect();
        let mut value = Vec::new();
        encode_loyalty(span, &periods, &mut value).unwrap();
        (span, value)
    };
    spans.into_iter().map(record).collect()
}

fn visits_of(visits: &Visits, period: Period) -> Option<PeriodVisits> {
    let is_in = |day: Day| period.days().is_none_or(|days| days.contains(day));
    let mut cards: Vec<Card> = Vec::new();
    for of_card in visits.values() {
        let days = of_card.iter().filter(|(day, _)| is_in(**day));
        let sales = days.clone().map(|(_, sales)| sales).sum();
        if let Some((last, _)) = days.clone().next_back() {
            cards.push((*last, days.count() as u64, sales));
        }
    }
    let last = cards.iter().map(|card| card.0).max()?;
    let mut classes = BTreeMap::<u64, u64>::new();
    for (_, visits, _) in &cards {
        *classes
            .entry(VISIT_NUMBERS[visit_class(*visits)])
            .or_default() += 1;
    }
    let run = |(visits, count)| Run {
        distance: u32::try_from(visits).unwrap(),
        count,
    };
    Some(PeriodVisits {
        last,
        visits: classes.into_iter().map(run).collect(),
        regulars: regulars(visits, period, last),
        quintiles: has_quintiles(period).then(|| quintiles(&cards)),
    })
}

/// Who has seven visits in the ninety days that end with a day, by how long it stays so.
fn regulars(visits: &Visits, period: Period, last: Day) -> Vec<Regulars> {
    let mut regulars = BTreeMap::<u32, CardSales>::new();
    let days = period.days();
    for of_card in visits.values() {
        let until_end: Vec<Day> = of_card
            .keys()
            .copied()
            .filter(|day| days.is_none_or(|days| *day <= days.last))
            .collect();
        let is_regular = |at: i32| {
            let within = until_end
                .iter()
                .filter(|day| (at - 89..=at).contains(&day.0));
            within.count() >= 7
        };
        let end = days.map_or(last.0 + 90, |days| days.last.0);
        let stays = (last.0..=end).take_while(|at| is_regular(*at)).count();
        if stays > 0 {
            let is_in = |day: Day| days.is_none_or(|days| days.contains(day));
            let sales = of_card.iter().filter(|(day, _)| is_in(**day));
            let sales = sales.map(|(_, sales)| sales).sum();
            let of = regulars.entry(u32::try_from(stays).unwrap()).or_default();
            of.add(CardSales { cards: 1, sales });
        }
    }
    let regulars = regulars.into_iter();
    regulars.map(|(days, of)| Regulars { days, of }).collect()
}

/// Who has more than so many fifths of all cards below.
fn quintiles(cards: &[Card]) -> Quintiles {
    let low = |sales: u128| Cell::of(i64::try_from(sales).unwrap()).low();
    let score = |smaller: usize| u8::try_from(1 + 5 * smaller / cards.len()).unwrap();
    let scored: Vec<([u8; 3], &Card)> = cards
        .iter()
        .map(|card| {
            let recency = cards.iter().filter(|other| other.0 < card.0).count();
            let frequency = cards.iter().filter(|other| other.1 < card.1).count();
            let money = cards.iter().filter(|other| low(other.2) < low(card.2));
            ([recency, frequency, money.count()].map(score), card)
        })
        .collect();
    let having = |wanted: &dyn Fn(&[u8; 3]) -> bool| {
        let mut of = CardSales::default();
        for (_, card) in scored.iter().filter(|(scores, _)| wanted(scores)) {
            of.add(CardSales {
                cards: 1,
                sales: card.2,
            });
        }
        (of.cards > 0).then_some(of)
    };
    let mut quintiles = Quintiles::default();
    let pairs = (1..=SCORES).flat_map(|a| (1..=SCORES).map(move |b| (a, b)));
    for (recency, frequency) in pairs.collect::<BTreeSet<_>>() {
        let of = having(&|scores| (scores[0], scores[1]) == (recency, frequency));
        quintiles.both.extend(of.map(|of| RecencyFrequency {
            recency,
            frequency,
            of,
        }));
    }
    for score in 1..=SCORES {
        let of_axis = |axis: usize| scored.iter().filter(move |(it, _)| it[axis] == score);
        let [recency, frequency, money] = [0, 1, 2].map(|axis| having(&|it| it[axis] == score));
        let from = of_axis(0).map(|(_, card)| card.0).min();
        let from = from.zip(recency);
        quintiles
            .recency
            .extend(from.map(|(from, of)| Score { score, from, of }));
        let from = of_axis(1).map(|(_, card)| card.1).min();
        let from = from.zip(frequency);
        quintiles
            .frequency
            .extend(from.map(|(from, of)| Score { score, from, of }));
        let from = of_axis(2).map(|(_, card)| low(card.2)).min();
        let from = from.zip(money);
        quintiles
            .money
            .extend(from.map(|(from, of)| Score { score, from, of }));
    }
    quintiles
}
