//! What rows say of who paid, as ordinals of [`Combinations`].

use std::array;

use nightshard_format::record::{ATTRIBUTES, Attribute, Label, Labels, MixValue};

use super::combinations::{Combinations, Limits, Value};
use crate::{
    layout::Field,
    transaction::{TEXT_BYTES_MAX, Transaction},
};

const LIMITS: Limits = Limits {
    combinations: 1 << 14,
    text_bytes: 1 << 20,
};

// An ordinal has 16 bits.
const _: () = assert!(LIMITS.ordinals(ATTRIBUTES) <= 1 << u16::BITS);

/// What a row says of the first `attributes` attributes.
pub(super) fn values_of(row: &Transaction<'_>, attributes: usize) -> Vec<Value> {
    let kept = Attribute::ALL.into_iter().take(attributes);
    let value_of = |attribute: Attribute| {
        let field = Field::named(attribute.as_str());
        let text = field.map_or(&b""[..], |field| row.texts.of(field));
        match text.len() {
            1..=TEXT_BYTES_MAX => MixValue::Text(text.into()),
            _ => MixValue::Unknown,
        }
    };
    kept.map(value_of).collect()
}

/// The combinations of attributes that all workers meet.
pub type CardholderTable = Combinations<ATTRIBUTES>;

impl Default for CardholderTable {
    fn default() -> Self {
        Self::new(array::from_fn(|_| MixValue::Unknown), LIMITS)
    }
}

/// What is known of who pays: of each attribute the place of its value among all, counted from 1, or 0.
pub(super) type Cardholder = [u16; ATTRIBUTES];

/// Of whom nothing is known.
pub(super) const UNKNOWN: Cardholder = [0; ATTRIBUTES];

/// Bits of [`bits_of`].
pub(super) const CARDHOLDER_BITS: u32 = 48;
const _: () = assert!(ATTRIBUTES * size_of::<u16>() * 8 == CARDHOLDER_BITS as usize);

/// Returns a cardholder as an integer of the same order.
pub(super) fn bits_of(cardholder: Cardholder) -> u64 {
    let places = cardholder.into_iter();
    places.fold(0, |bits, place| bits << u16::BITS | u64::from(place))
}

/// Returns the cardholder whose bits are the low ones of an integer.
pub(super) fn of_bits(bits: u64) -> Cardholder {
    let mut cardholder = UNKNOWN;
    let shifts = (0..CARDHOLDER_BITS).step_by(u16::BITS as usize);
    for (place, shift) in cardholder.iter_mut().rev().zip(shifts) {
        *place = u16::try_from(bits >> shift & u64::from(u16::MAX)).unwrap_or(0);
    }
    cardholder
}

/// The combinations of attributes of all rows.
#[derive(Debug)]
pub struct Cardholders {
    /// The values of each attribute, ascending.
    values: [Vec<Box<[u8]>>; ATTRIBUTES],
    /// By ordinal of a combination.
    cardholders: Vec<Cardholder>,
}

impl Cardholders {
    /// Numbers the values of all combinations anew, in their order.
    #[must_use]
    pub fn of(table: CardholderTable) -> Self {
        let (combinations, given) = table.into_known();
        let texts_of = |values: &Vec<Value>| {
            let texts = values.iter().filter_map(|value| match value {
                MixValue::Text(text) => Some(text.clone()),
                _ => None,
            });
            let mut texts: Vec<Box<[u8]>> = texts.collect();
            texts.sort_unstable();
            texts
        };
        let values: [Vec<Box<[u8]>>; ATTRIBUTES] =
            array::from_fn(|at| given.get(at).map(texts_of).unwrap_or_default());
        let place_of = |at: usize, number: u32| match given.get(at).map(|it| &it[number as usize]) {
            Some(MixValue::Text(text)) => {
                let place = values[at].partition_point(|it| it < text) + 1;
                u16::try_from(place).expect("there are fewer values than combinations")
            }
            _ => 0,
        };
        let cardholder_of = |numbers: &[u32; ATTRIBUTES]| {
            let mut at = 0..ATTRIBUTES;
            numbers.map(|number| at.next().map_or(0, |at| place_of(at, number)))
        };
        Self {
            cardholders: combinations.iter().map(cardholder_of).collect(),
            values,
        }
    }

    /// Returns whether no row says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Vec::is_empty)
    }

    /// Returns what a combination says.
    pub(super) fn of_ordinal(&self, ordinal: u16) -> Cardholder {
        self.cardholders[usize::from(ordinal)]
    }

    /// Returns what a cell of such cardholders is labelled.
    pub(super) fn labels(&self, cardholder: Cardholder) -> Labels<&[u8]> {
        let mut at = 0..ATTRIBUTES;
        cardholder.map(|place| self.label(at.next().unwrap_or(0), place))
    }

    /// Returns what a place among the values of an attribute stands for.
    pub(super) fn label(&self, attribute: usize, place: u16) -> Label<&[u8]> {
        match usize::from(place).checked_sub(1) {
            None => Label::Unknown,
            Some(at) => Label::Text(&self.values[attribute][at]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: [&str; ATTRIBUTES]) -> Vec<Value> {
        let value = |text: &str| match text {
            "" => MixValue::Unknown,
            text => MixValue::Text(text.as_bytes().into()),
        };
        texts.map(value).into()
    }

    #[test]
    fn places_are_those_of_values_in_their_order_whoever_met_them_first() {
        let rows = [
            ["9", "m", ""],
            ["3", "f", "gold"],
            ["", "m", "gold"],
            ["3", "", "a"],
        ];
        for rows in [rows, [rows[3], rows[2], rows[1], rows[0]]] {
            let table = CardholderTable::default();
            let ordinals = rows.map(|row| u16::try_from(table.ordinal_of(values(row))).unwrap());
            let cardholders = Cardholders::of(table);
            assert!(!cardholders.is_empty());
            assert_eq!(cardholders.of_ordinal(0), UNKNOWN);
            for (row, ordinal) in rows.into_iter().zip(ordinals) {
                let places = cardholders.of_ordinal(ordinal);
                for (at, (text, place)) in row.into_iter().zip(places).enumerate() {
                    let expected = match text {
                        "" => Label::Unknown,
                        text => Label::Text(text.as_bytes()),
                    };
                    assert_eq!(cardholders.label(at, place), expected);
                }
            }
            assert!(cardholders.label(0, 1) < cardholders.label(0, 2));
        }
        assert!(Cardholders::of(CardholderTable::default()).is_empty());
    }

    #[test]
    fn the_last_attributes_are_left_out_where_there_are_too_many_combinations() {
        let table = CardholderTable::new(
            array::from_fn(|_| MixValue::Unknown),
            Limits {
                combinations: 3,
                text_bytes: 100,
            },
        );
        let rows = [["3", "f", "a"], ["3", "f", "b"], ["4", "m", "c"]];
        let ordinals = rows.map(|row| u16::try_from(table.ordinal_of(values(row))).unwrap());
        let cardholders = Cardholders::of(table);
        let found = ordinals.map(|ordinal| cardholders.of_ordinal(ordinal));
        assert_eq!(found, [[1, 1, 0], [1, 1, 0], [2, 2, 0]]);
    }
}
