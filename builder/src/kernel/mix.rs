//! What rows say of how they were paid, as ordinals.
//!
//! Rows carry the ordinal of a combination of values, since combinations are few. Which ordinal a
//! combination has depends on which worker meets it first; nothing that is written does.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use nightshard_format::record::{DIMENSIONS, Dimension, MixValue};

use crate::{
    layout::Field,
    source::flag_of,
    transaction::{TEXT_BYTES_MAX, Transaction},
};

/// A value of a row.
pub(super) type Value = MixValue<Box<[u8]>>;

/// What a row says, by the numbers that values have in their dimensions; 0 for what says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Mix([u32; DIMENSIONS]);

/// The number of the value that says nothing.
const NOTHING: u32 = 0;

/// The ordinal of the combination that says nothing.
pub(super) const UNSAID: u32 = 0;

/// So many combinations are told apart, and so many bytes of texts; where there are more, dimensions are
/// left out from the last on.
#[derive(Debug, Clone, Copy)]
struct Limits {
    mixes: usize,
    text_bytes: usize,
}

const LIMITS: Limits = Limits {
    mixes: 1 << 16,
    text_bytes: 4 << 20,
};

/// Bits of an ordinal.
pub(super) const MIX_BITS: u32 = 21;
// Those of each number of dimensions are numbered on.
const _: () = assert!(LIMITS.mixes * (DIMENSIONS + 1) < 1 << MIX_BITS);

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
#[derive(Debug)]
pub struct MixTable {
    known: Mutex<Known>,
    /// How many dimensions are kept, from the first on; it never rises.
    dimensions: AtomicUsize,
    limits: Limits,
}

#[derive(Debug)]
struct Known {
    ordinals: HashMap<Mix, u32>,
    /// By ordinal.
    mixes: Vec<Mix>,
    /// By dimension that is kept, the values by number.
    values: Vec<Numbered>,
}

/// The values of a dimension.
#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<Value, u32>,
    text_bytes: usize,
}

impl Numbered {
    /// Numbers what says nothing alone.
    fn of(dimension: Dimension) -> Self {
        Self {
            numbers: HashMap::from([(dimension.unsaid(), NOTHING)]),
            text_bytes: 0,
        }
    }

    fn number(&mut self, value: Value) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        if let MixValue::Text(text) = &value {
            self.text_bytes += text.len();
        }
        self.numbers.insert(value, number);
        number
    }

    /// Returns the values by number.
    fn into_values(self) -> Vec<Value> {
        let mut values: Vec<(u32, Value)> = (self.numbers.into_iter())
            .map(|(value, number)| (number, value))
            .collect();
        values.sort_unstable_by_key(|(number, _)| *number);
        values.into_iter().map(|(_, value)| value).collect()
    }
}

impl Default for MixTable {
    fn default() -> Self {
        Self::with_limits(LIMITS)
    }
}

impl MixTable {
    fn with_limits(limits: Limits) -> Self {
        let nothing = Mix([NOTHING; DIMENSIONS]);
        let known = Known {
            ordinals: HashMap::from([(nothing, UNSAID)]),
            mixes: vec![nothing],
            values: Dimension::ALL.into_iter().map(Numbered::of).collect(),
        };
        Self {
            known: Mutex::new(known),
            dimensions: AtomicUsize::new(DIMENSIONS),
            limits,
        }
    }

    /// Returns how many dimensions are kept so far: what a row says in others is not worth asking.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions.load(Ordering::Relaxed)
    }

    /// Returns the ordinal of what a row says, in at least the dimensions that are kept.
    pub(super) fn ordinal_of(&self, values: Vec<Value>) -> u32 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mix = known.mix_of(values);
        loop {
            mix = mix.keep(known.values.len());
            if known.text_bytes() <= self.limits.text_bytes {
                if let Some(ordinal) = known.ordinals.get(&mix) {
                    return *ordinal;
                }
                if known.ordinals.len() < self.limits.mixes {
                    return known.add(mix);
                }
            }
            known.leave_one_out();
            self.dimensions.store(known.values.len(), Ordering::Relaxed);
        }
    }

    /// Ends the gathering.
    #[must_use]
    pub fn finish(self) -> Mixes {
        let known = self.known.into_inner();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        drop(known.ordinals);
        let values = known.values.into_iter().map(Numbered::into_values);
        Mixes::new(&known.mixes, &values.collect::<Vec<_>>())
    }
}

impl Mix {
    /// Keeps the first dimensions only.
    fn keep(mut self, dimensions: usize) -> Self {
        self.0[dimensions..].fill(NOTHING);
        self
    }
}

impl Known {
    fn mix_of(&mut self, values: Vec<Value>) -> Mix {
        let mut mix = Mix([NOTHING; DIMENSIONS]);
        // Dimensions may have been left out since the row was asked.
        for ((number, value), of_dimension) in mix.0.iter_mut().zip(values).zip(&mut self.values) {
            *number = of_dimension.number(value);
        }
        mix
    }

    fn text_bytes(&self) -> usize {
        self.values.iter().map(|values| values.text_bytes).sum()
    }

    fn add(&mut self, mix: Mix) -> u32 {
        let ordinal = u32::try_from(self.mixes.len()).unwrap_or(u32::MAX);
        self.mixes.push(mix);
        self.ordinals.insert(mix, ordinal);
        ordinal
    }

    /// Leaves out the last dimension that is kept. Whether it comes to that depends on the set of
    /// combinations and of texts alone: so many are too many, in whatever order they come.
    fn leave_one_out(&mut self) {
        self.values.pop();
        self.ordinals.clear();
        for (mix, ordinal) in self.mixes.iter_mut().zip(0..) {
            *mix = mix.keep(self.values.len());
            self.ordinals.entry(*mix).or_insert(ordinal);
        }
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
    /// Numbers the values anew, given by dimension and by the numbers that combinations have.
    fn new(mixes: &[Mix], given: &[Vec<Value>]) -> Self {
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
        let numbers_of = |mix: &Mix| {
            let of_said = said.iter().zip(&renumbered);
            let numbers = of_said.map(|(position, numbers)| numbers[mix.0[*position] as usize]);
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
            let table = MixTable::with_limits(Limits { mixes: max, text_bytes });
            let ordinals: Vec<u32> =
                rows.iter().map(|row| table.ordinal_of(values(row.0, row.1, row.2))).collect();
            let dimensions = table.dimensions();
            let mixes = table.finish();
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
