//! Scores of recency, frequency and money (docs/definitions.md, "Loyalty").

use nightshard_format::{
    calendar::Day,
    histogram::{AMOUNT_MINOR_MAX, Cell},
    record::{CardSales, Quintiles, RecencyFrequency, SCORES, Score},
};

use super::card_sums::CardSums;

/// Counts the cards of a period by what their scores depend on.
///
/// Everything is counted on values of which there are few, so that a store may have more cards than memory
/// holds, and so that no amount of a single card can be told.
#[derive(Debug, Default)]
pub(super) struct QuintileCounts {
    /// By the day of the last visit, and by the number of visits.
    visits: CardSums<(Day, u64)>,
    money: CardSums<Cell>,
}

impl QuintileCounts {
    /// Adds a card.
    pub(super) fn add(&mut self, last: Day, visits: u64, sales: u128) {
        let of = CardSales { cards: 1, sales };
        self.add_visits(last, visits, of);
        let amount = i64::try_from(sales).unwrap_or(i64::MAX);
        self.add_money(Cell::of(amount.min(AMOUNT_MINOR_MAX)), of);
    }

    /// Adds cards of one last day and number of visits.
    pub(super) fn add_visits(&mut self, last: Day, visits: u64, of: CardSales) {
        self.visits.add((last, visits), of);
    }

    /// Adds cards that each bought for about the same.
    pub(super) fn add_money(&mut self, cell: Cell, of: CardSales) {
        self.money.add(cell, of);
    }

    /// Gives scores to what was counted.
    pub(super) fn quintiles(&mut self) -> Quintiles {
        let visits = self.visits.sums();
        let recency = scores(&by(visits, |(last, _)| *last));
        let frequency = scores(&by(visits, |(_, visits)| *visits));
        let money = scores(self.money.sums());
        let mut both = CardSums::default();
        for ((last, visits), of) in visits {
            both.add(
                (score_of(&recency, *last), score_of(&frequency, *visits)),
                *of,
            );
        }
        let both = both.sums().iter().map(|(scores, of)| RecencyFrequency {
            recency: scores.0,
            frequency: scores.1,
            of: *of,
        });
        let low = |score: &Score<Cell>| Score {
            score: score.score,
            from: score.from.low(),
            of: score.of,
        };
        Quintiles {
            both: both.collect(),
            money: money.iter().map(low).collect(),
            recency,
            frequency,
        }
    }
}

/// Counts by a part of what was counted by.
fn by<T, V: Ord + Copy>(sums: &[(T, CardSales)], part: impl Fn(&T) -> V) -> Vec<(V, CardSales)> {
    let mut parts = CardSums::default();
    sums.iter()
        .for_each(|(value, of)| parts.add(part(value), *of));
    parts.sums().to_vec()
}

/// Returns which scores there are of values, which ascend: each is 1 plus the whole fifths of the cards
/// that have a smaller value, so that cards of one value have one score.
fn scores<V: Copy>(values: &[(V, CardSales)]) -> Vec<Score<V>> {
    let all: u64 = values.iter().map(|(_, of)| of.cards).sum();
    let mut scores: Vec<Score<V>> = Vec::new();
    let mut smaller = 0;
    for (value, of) in values {
        let fifths = u64::from(SCORES) * smaller / all.max(1);
        let score = u8::try_from(fifths + 1).unwrap_or(SCORES);
        smaller += of.cards;
        match scores.last_mut() {
            Some(last) if last.score == score => last.of.add(*of),
            _ => scores.push(Score {
                score,
                from: *value,
                of: *of,
            }),
        }
    }
    scores
}

/// Returns the score of a value.
fn score_of<V: PartialOrd + Copy>(scores: &[Score<V>], value: V) -> u8 {
    let above = scores.partition_point(|score| score.from <= value);
    above.checked_sub(1).map_or(1, |at| scores[at].score)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// The scores of a card, and its sales.
    type Scored = (u8, u8, u8, u128);

    use super::*;

    proptest! {
        #[test]
        fn scores_are_those_of_each_card_by_itself(
            cards in prop::collection::vec((0_i32..40, 1_u64..20, 1_u128..5_000), 1..80),
        ) {
            let mut counts = QuintileCounts::default();
            cards.iter().for_each(|(last, visits, sales)| counts.add(Day(*last), *visits, *sales));
            let quintiles = counts.quintiles();
            let rounded = |sales: u128| Cell::of(i64::try_from(sales).unwrap()).low();
            let score = |is_smaller: &dyn Fn(&(i32, u64, u128)) -> bool| {
                let smaller = cards.iter().filter(|card| is_smaller(card)).count();
                u8::try_from(1 + 5 * smaller / cards.len()).unwrap()
            };
            let scored: Vec<Scored> = cards
                .iter()
                .map(|card| (
                    score(&|other| other.0 < card.0),
                    score(&|other| other.1 < card.1),
                    score(&|other| rounded(other.2) < rounded(card.2)),
                    card.2,
                ))
                .collect();
            let sum = |has: &dyn Fn(&Scored) -> bool| {
                let mut sum = CardSales::default();
                let having = scored.iter().filter(|card| has(card));
                having.for_each(|card| sum.add(CardSales { cards: 1, sales: card.3 }));
                sum
            };
            let mut both = 0;
            for recency in 1..=SCORES {
                let found = quintiles.recency.iter().find(|it| it.score == recency);
                let expected = sum(&|card| card.0 == recency);
                prop_assert_eq!(found.map_or(CardSales::default(), |it| it.of), expected);
                let found = quintiles.frequency.iter().find(|it| it.score == recency);
                let expected = sum(&|card| card.1 == recency);
                prop_assert_eq!(found.map_or(CardSales::default(), |it| it.of), expected);
                let found = quintiles.money.iter().find(|it| it.score == recency);
                let expected = sum(&|card| card.2 == recency);
                prop_assert_eq!(found.map_or(CardSales::default(), |it| it.of), expected);
                for frequency in 1..=SCORES {
                    let mut all = quintiles.both.iter();
                    let found = all.find(|it| (it.recency, it.frequency) == (recency, frequency));
                    let expected = sum(&|card| (card.0, card.1) == (recency, frequency));
                    prop_assert_eq!(found.map_or(CardSales::default(), |it| it.of), expected);
                    both += usize::from(found.is_some());
                }
            }
            prop_assert_eq!(both, quintiles.both.len());
            for score in &quintiles.money {
                let of_score = scored.iter().zip(&cards).filter(|(it, _)| it.2 == score.score);
                let least = of_score.map(|(_, card)| rounded(card.2)).min();
                prop_assert_eq!(Some(score.from), least);
            }
        }
    }

    #[test]
    fn equal_cards_have_one_score() {
        let of = |cards| CardSales { cards, sales: 0 };
        let values = [(1, of(70)), (2, of(15)), (3, of(10)), (9, of(5))];
        let scores = scores(&values);
        let found: Vec<_> = scores
            .iter()
            .map(|it| (it.score, it.from, it.of.cards))
            .collect();
        // 70, 85 and 95 of 100 have fewer.
        assert_eq!(found, [(1, 1, 70), (4, 2, 15), (5, 3, 15)]);
    }
}
