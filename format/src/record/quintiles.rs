//! Cards by fifths of recency, frequency and money (docs/format.md, "Loyalty").

use super::visits::CardSales;
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint, put_varint_u128},
    calendar::{DAYS, Day},
    histogram::Cell,
};

const STRUCTURE: &str = "quintiles";

/// Scores are 1 to this.
pub const SCORES: u8 = 5;

/// Cards of one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score<T> {
    /// 1 to [`SCORES`]; the more the better.
    pub score: u8,
    /// The smallest value that has it.
    pub from: T,
    /// Who has it.
    pub of: CardSales,
}

/// Cards of one score of recency and one of frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecencyFrequency {
    /// The score of recency.
    pub recency: u8,
    /// The score of frequency.
    pub frequency: u8,
    /// Who has both.
    pub of: CardSales,
}

/// The cards of a period by their last visit, their number of visits, and what they bought for.
///
/// # Shape
/// Scores ascend, and their values with them; those that no card has are left out. Each list has every
/// card once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quintiles {
    /// By the day of the last visit.
    pub recency: Vec<Score<Day>>,
    /// By the number of visits.
    pub frequency: Vec<Score<u64>>,
    /// By what they bought for, in minor units, at least the smallest amount of a cell.
    pub money: Vec<Score<i64>>,
    /// By recency, then frequency.
    pub both: Vec<RecencyFrequency>,
}

impl Quintiles {
    /// Appends quintiles of a period whose last visit is of the day `last`.
    pub(super) fn encode(&self, last: Day, out: &mut Vec<u8>) {
        put_scores(&self.recency, out);
        let mut later = last.0;
        for score in self.recency.iter().rev() {
            put_varint(out, (later - score.from.0).cast_unsigned().into());
            later = score.from.0;
        }
        put_scores(&self.frequency, out);
        let mut before = 0;
        for score in &self.frequency {
            put_varint(out, score.from - before);
            before = score.from;
        }
        put_scores(&self.money, out);
        let mut before = 0;
        for score in &self.money {
            let cell = Cell::of(score.from).index().unsigned_abs();
            put_varint(out, u64::from(cell - before));
            score.of.encode(out);
            before = cell;
        }
        for recency in &self.recency {
            for frequency in &self.frequency {
                self.encode_both(recency.score, frequency.score, out);
            }
        }
    }

    fn encode_both(&self, recency: u8, frequency: u8, out: &mut Vec<u8>) {
        let mut both = self.both.iter();
        match both.find(|it| (it.recency, it.frequency) == (recency, frequency)) {
            None => put_varint(out, 0),
            Some(both) => {
                put_varint(out, both.of.cards);
                put_varint_u128(out, both.of.sales);
            }
        }
    }

    /// Reads quintiles of a period whose last visit is of the day `last`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they end early, values do not ascend, or lists have not the same cards.
    pub(super) fn decode(bytes: &mut Bytes<'_>, last: Day) -> Result<Self> {
        let mut read = Self {
            recency: decode_recency(bytes, last)?,
            frequency: decode_frequency(bytes)?,
            money: decode_money(bytes)?,
            both: Vec::new(),
        };
        for recency in &mut read.recency {
            for frequency in &mut read.frequency {
                let cards = bytes.varint()?;
                if cards == 0 {
                    continue;
                }
                let sales = bytes.varint_u128()?;
                let of = CardSales { cards, sales };
                recency.of.add(of);
                frequency.of.add(of);
                read.both.push(RecencyFrequency {
                    recency: recency.score,
                    frequency: frequency.score,
                    of,
                });
            }
        }
        read.check()
    }

    fn check(self) -> Result<Self> {
        let all = self.all();
        let mut of_money = CardSales::default();
        self.money.iter().for_each(|score| of_money.add(score.of));
        let recency = self.recency.iter().map(|score| score.of);
        let mut marginals = recency.chain(self.frequency.iter().map(|score| score.of));
        if of_money != all || marginals.any(|of| of.cards == 0) {
            return Err(corrupt("its lists have not the same cards"));
        }
        Ok(self)
    }

    /// Returns all cards.
    #[must_use]
    pub fn all(&self) -> CardSales {
        let mut all = CardSales::default();
        self.both.iter().for_each(|both| all.add(both.of));
        all
    }
}

/// Appends which scores there are.
fn put_scores<T>(scores: &[Score<T>], out: &mut Vec<u8>) {
    let bit = |score: &Score<T>| 1_u8 << (score.score - 1);
    out.push(scores.iter().fold(0, |mask, score| mask | bit(score)));
}

/// Reads which scores there are.
fn scores(bytes: &mut Bytes<'_>) -> Result<impl DoubleEndedIterator<Item = u8> + use<>> {
    let mask = bytes.u8()?;
    if mask == 0 || mask >> SCORES != 0 {
        return Err(corrupt("it has no score, or one that is none"));
    }
    Ok((1..=SCORES).filter(move |score| mask >> (score - 1) & 1 == 1))
}

fn decode_recency(bytes: &mut Bytes<'_>, last: Day) -> Result<Vec<Score<Day>>> {
    let mut recency = Vec::new();
    let mut later = last;
    for score in scores(bytes)?.rev() {
        let days = u32::try_from(bytes.varint()?).map_err(|_far| corrupt("a day is far off"))?;
        // The last visit itself is of the highest score.
        if days == 0 && !recency.is_empty() {
            return Err(corrupt("its days do not descend"));
        }
        later = Day(later.0.saturating_sub_unsigned(days));
        if !DAYS.contains(&later.0) {
            return Err(corrupt("a day is far off"));
        }
        recency.push(Score {
            score,
            from: later,
            of: CardSales::default(),
        });
    }
    recency.reverse();
    Ok(recency)
}

fn decode_frequency(bytes: &mut Bytes<'_>) -> Result<Vec<Score<u64>>> {
    let mut frequency = Vec::new();
    let mut before = 0_u64;
    for score in scores(bytes)? {
        let from = before.checked_add(bytes.varint()?);
        let from = from.filter(|from| *from > before);
        let from = from.ok_or_else(|| corrupt("its numbers of visits do not ascend"))?;
        frequency.push(Score {
            score,
            from,
            of: CardSales::default(),
        });
        before = from;
    }
    Ok(frequency)
}

fn decode_money(bytes: &mut Bytes<'_>) -> Result<Vec<Score<i64>>> {
    let mut money = Vec::new();
    let mut before = 0_i16;
    for score in scores(bytes)? {
        let step = i16::try_from(bytes.varint()?).ok();
        let index = step.and_then(|step| before.checked_add(step));
        let cell = index.filter(|index| *index > before);
        let cell = cell.and_then(Cell::from_index);
        let cell = cell.ok_or_else(|| corrupt("its amounts do not ascend"))?;
        money.push(Score {
            score,
            from: cell.low(),
            of: CardSales::decode(bytes)?,
        });
        before = cell.index();
    }
    Ok(money)
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cards: u64, sales: u128) -> CardSales {
        CardSales { cards, sales }
    }

    fn score<T>(score: u8, from: T, cards: u64, sales: u128) -> Score<T> {
        Score {
            score,
            from,
            of: of(cards, sales),
        }
    }

    fn quintiles() -> Quintiles {
        let both = |recency, frequency, cards, sales| RecencyFrequency {
            recency,
            frequency,
            of: of(cards, sales),
        };
        Quintiles {
            recency: vec![score(1, Day(90), 3, 1_000), score(4, Day(100), 2, 5_000)],
            frequency: vec![score(1, 1, 4, 2_000), score(5, 9, 1, 4_000)],
            money: vec![score(1, 5, 1, 5), score(2, 270, 4, 5_995)],
            both: vec![
                both(1, 1, 3, 1_000),
                both(4, 1, 1, 1_000),
                both(4, 5, 1, 4_000),
            ],
        }
    }

    fn read(bytes: &[u8]) -> Result<Quintiles> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        Quintiles::decode(&mut bytes, Day(103))
    }

    #[test]
    fn quintiles_are_these_bytes_and_read_back() {
        let mut bytes = Vec::new();
        quintiles().encode(Day(103), &mut bytes);
        let expected = [
            &[0b1001, 3, 10][..],            // the last visits of scores 4 and 1
            &[0b1_0001, 1, 8],               // 1 visit, 9 visits
            &[0b11, 5, 0, 5],                // a card above 5
            &[112, 3, 0xeb, 0x2e],           // four above 270, whose cell is 117
            &[3, 0xe8, 0x07, 0],             // of recency 1
            &[1, 0xe8, 0x07, 1, 0xa0, 0x1f], // of recency 4
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(read(&bytes).unwrap(), quintiles());
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        let mut right = Vec::new();
        quintiles().encode(Day(103), &mut right);
        for (at, byte) in [(0, 0), (0, 32), (2, 0), (5, 0), (9, 0), (11, 0), (15, 2)] {
            let mut bytes = right.clone();
            bytes[at] = byte;
            let read = read(&bytes);
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{at}");
        }
    }
}
