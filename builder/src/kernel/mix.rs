//! What rows say of how they were paid, as ordinals of [`Combinations`].

use nightshard_format::record::{DIMENSIONS, Dimension, MixValue};

use super::combinations::{Combination, Combinations, Limits, Value};
use crate::{
    layout::Field,
    source::flag_of,
    transaction::{TEXT_BYTES_MAX, Transaction},
};

const LIMITS: Limits = Limits {
    combinations: 1 << 16,
    text_bytes: 4 << 20,
};

/// Bits of an ordinal.
pub(super) const MIX_BITS: u32 = 21;
const _: () = assert!(LIMITS.ordinals(DIMENSIONS) < 1 << MIX_BITS);

/// What a row says in the first `dimensions` dimensions.
pub(super) fn values_of(row: &Transaction<'_>, dimensions: usize) -> Vec<Value> {
    let kept = Dimension::ALL.into_iter().take(dimensions);
    kept.map(|dimension| value_of(dimension, row)).collect()
}

fn value_of(dimension: Dimension, row: &Transaction<'_>) -> Value {
    let field = Field::named(dimension.as_str());
    let text = field.map_or(&b""[..], |field| row.texts.of(field));
    match dimension {
        // A term of 0 is a lump sum, as one of 1 is.
        Dimension::Installments => {
            (row.installments).map_or(MixValue::Unknown, |months| MixValue::Months(months.max(1)))
        }
        Dimension::PointsUsed => MixValue::Flag(row.points_used),
        Dimension::IsForeign => flag_of(text).map_or(MixValue::Unknown, MixValue::Flag),
        _ if text.is_empty() || text.len() > TEXT_BYTES_MAX => MixValue::Unknown,
        _ => MixValue::Text(text.into()),
    }
}

/// The combinations that all workers meet.
pub type MixTable = Combinations<DIMENSIONS>;

impl Default for MixTable {
    fn default() -> Self {
        Self::new(Dimension::ALL.map(Dimension::unsaid), LIMITS)
    }
}

/// The combinations of all rows.
///
/// # Shape
/// Values are numbered by dimension in their order, those of one dimension after those of the one
/// before; dimensions of which no row says anything have none.
#[derive(Debug)]
pub struct Mixes {
    values: Vec<(Dimension, Value)>,
    /// By ordinal of a combination, one number for each dimension that has some.
    numbers: Vec<u32>,
    dimensions: usize,
}

impl Mixes {
    /// Numbers the values of all combinations anew, in their order.
    #[must_use]
    pub fn of(table: MixTable) -> Self {
        let (mixes, given) = table.into_known();
        let said: Vec<usize> = (0..given.len()).filter(|at| given[*at].len() > 1).collect();
        let mut values = Vec::new();
        let mut renumbered = Vec::new();
        for position in &said {
            let given = &given[*position];
            let mut order: Vec<usize> = (0..given.len()).collect();
            order.sort_unstable_by_key(|number| &given[*number]);
            let mut numbers = vec![0; given.len()];
            for number in order {
                numbers[number] = u32::try_from(values.len()).unwrap_or(u32::MAX);
                values.push((Dimension::ALL[*position], given[number].clone()));
            }
            renumbered.push(numbers);
        }
        let numbers_of = |mix: &Combination<DIMENSIONS>| {
            let of_said = said.iter().zip(&renumbered);
            let numbers = of_said.map(|(position, numbers)| numbers[mix[*position] as usize]);
            numbers.collect::<Vec<u32>>()
        };
        Self {
            numbers: mixes.iter().flat_map(numbers_of).collect(),
            dimensions: said.len(),
            values,
        }
    }

    /// Returns whether no row says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dimensions == 0
    }

    /// Returns the numbers of a combination's values.
    pub(super) fn numbers(&self, ordinal: u32) -> &[u32] {
        let start = ordinal as usize * self.dimensions;
        &self.numbers[start..start + self.dimensions]
    }

    /// Returns the value of a number.
    pub(super) fn value(&self, number: u32) -> (Dimension, MixValue<&[u8]>) {
        let (dimension, value) = &self.values[number as usize];
        (*dimension, value.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn values(company: u8, months: u16, product: u8) -> Vec<Value> {
        let mut values: Vec<Value> = Dimension::ALL.into_iter().map(Dimension::unsaid).collect();
        values[0] = MixValue::Text([company].into());
        values[4] = MixValue::Months(months);
        values[8] = MixValue::Text([product; 3].into());
        values
    }

    /// Returns how many combinations the first dimensions have, and how many bytes of texts.
    fn size(rows: &[(u8, u16, u8)], dimensions: usize) -> (usize, usize) {
        let (mut mixes, mut texts) = (BTreeSet::new(), BTreeSet::new());
        let nothing =
            Dimension::ALL.map(|dimension| format!("{:?}", dimension.unsaid::<Box<[u8]>>()));
        mixes.insert(nothing[..dimensions].to_vec());
        for row in rows {
            let kept = values(row.0, row.1, row.2).into_iter().take(dimensions);
            let kept: Vec<Value> = kept.collect();
            mixes.insert(kept.iter().map(|value| format!("{value:?}")).collect());
            for (position, value) in kept.into_iter().enumerate() {
                if let MixValue::Text(text) = value {
                    texts.insert((position, text));
                }
            }
        }
        (mixes.len(), texts.iter().map(|(_, text)| text.len()).sum())
    }

    proptest! {
        #[test]
        fn dimensions_are_left_out_by_how_many_combinations_and_texts_there_are(
            rows in prop::collection::vec((0_u8..4, 1_u16..4, 0_u8..4), 0..80),
            max in 1_usize..40,
            text_bytes in 0_usize..20,
        ) {
            let table = MixTable::new(
                Dimension::ALL.map(Dimension::unsaid),
                Limits { combinations: max, text_bytes },
            );
            let ordinals: Vec<u32> =
                rows.iter().map(|row| table.ordinal_of(values(row.0, row.1, row.2))).collect();
            let dimensions = table.dimensions();
            let mixes = Mixes::of(table);
            let fits = |kept: &usize| {
                let (mixes, bytes) = size(&rows, *kept);
                mixes <= max && bytes <= text_bytes
            };
            let kept = (0..=DIMENSIONS).rev().find(fits).unwrap();
            prop_assert_eq!(dimensions, kept);
            for (row, ordinal) in rows.iter().zip(ordinals) {
                let said = mixes.numbers(ordinal).iter().map(|number| {
                    let (dimension, value) = mixes.value(*number);
                    (dimension.as_str(), format!("{value:?}"))
                });
                let all = values(row.0, row.1, row.2);
                let expected = [0, 4, 8].into_iter().filter(|position| *position < kept);
                let expected = expected.map(|position| {
                    let value = all[position].as_deref();
                    (Dimension::ALL[position].as_str(), format!("{value:?}"))
                });
                prop_assert!(said.eq(expected));
            }
        }
    }
}
