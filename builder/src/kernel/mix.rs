//! What rows say of how they were paid, as ordinals.
//!
//! Rows carry the ordinal of a combination of values, since combinations are few. Which ordinal a
//! combination has depends on which worker meets it first; nothing that is written does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nightshard_format::record::{DIMENSIONS, Dimension, MixValue};

use crate::{
    layout::Field,
    source::flag_of,
    transaction::{TEXT_BYTES_MAX, Transaction},
};

/// A value of a row.
pub(super) type Value = MixValue<Box<[u8]>>;

/// The values of a row, by dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Mix([Value; DIMENSIONS]);

/// The ordinal of the combination that says nothing.
pub(super) const UNSAID: u32 = 0;

/// So many combinations are told apart; where there are more, dimensions are left out from the last on.
const MIXES_MAX: usize = 1 << 16;

/// Bits of an ordinal.
pub(super) const MIX_BITS: u32 = 21;
// Those of each number of dimensions are numbered on.
const _: () = assert!(MIXES_MAX * (DIMENSIONS + 1) < 1 << MIX_BITS);

impl Mix {
    fn nothing() -> Self {
        Self(Dimension::ALL.map(Dimension::unsaid))
    }

    fn of(row: &Transaction<'_>) -> Self {
        Self(Dimension::ALL.map(|dimension| value_of(dimension, row)))
    }

    /// Keeps the first dimensions only.
    fn keep(mut self, dimensions: usize) -> Self {
        let left_out = self.0.iter_mut().zip(Dimension::ALL).skip(dimensions);
        left_out.for_each(|(value, dimension)| *value = dimension.unsaid());
        self
    }
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
    max: usize,
}

#[derive(Debug)]
struct Known {
    ordinals: HashMap<Arc<Mix>, u32>,
    /// By ordinal.
    mixes: Vec<Arc<Mix>>,
    /// How many dimensions are kept, from the first on.
    dimensions: usize,
}

impl Default for MixTable {
    fn default() -> Self {
        Self::with_max(MIXES_MAX)
    }
}

impl MixTable {
    fn with_max(max: usize) -> Self {
        let nothing = Arc::new(Mix::nothing());
        let known = Known {
            ordinals: HashMap::from([(Arc::clone(&nothing), UNSAID)]),
            mixes: vec![nothing],
            dimensions: DIMENSIONS,
        };
        Self {
            known: Mutex::new(known),
            max,
        }
    }

    /// Returns the ordinal of what a row says.
    pub(super) fn ordinal(&self, row: &Transaction<'_>) -> u32 {
        self.ordinal_of(&Mix::of(row))
    }

    fn ordinal_of(&self, mix: &Mix) -> u32 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mix = mix.clone().keep(known.dimensions);
            if let Some(ordinal) = known.ordinals.get(&mix) {
                return *ordinal;
            }
            if known.ordinals.len() < self.max {
                return known.add(mix);
            }
            known.leave_one_out();
        }
    }

    /// Ends the gathering.
    #[must_use]
    pub fn finish(self) -> Mixes {
        let known = self.known.into_inner();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        drop(known.ordinals);
        Mixes::new(&known.mixes)
    }
}

impl Known {
    fn add(&mut self, mix: Mix) -> u32 {
        let ordinal = u32::try_from(self.mixes.len()).unwrap_or(u32::MAX);
        let mix = Arc::new(mix);
        self.mixes.push(Arc::clone(&mix));
        self.ordinals.insert(mix, ordinal);
        ordinal
    }

    /// Leaves out the last dimension that is kept. Whether it comes to that depends on the set of
    /// combinations alone: so many are too many, in whatever order they come.
    fn leave_one_out(&mut self) {
        self.dimensions = self.dimensions.saturating_sub(1);
        self.ordinals.clear();
        for (mix, ordinal) in self.mixes.iter_mut().zip(0..) {
            *mix = Arc::new(Mix::clone(mix).keep(self.dimensions));
            self.ordinals.entry(Arc::clone(mix)).or_insert(ordinal);
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
    fn new(mixes: &[Arc<Mix>]) -> Self {
        let is_said = |position: &usize| {
            let unsaid = Dimension::ALL[*position].unsaid();
            mixes.iter().any(|mix| mix.0[*position] != unsaid)
        };
        let said: Vec<usize> = (0..DIMENSIONS).filter(is_said).collect();
        let mut values = Vec::new();
        for position in &said {
            let mut of_dimension: Vec<&Value> = mixes.iter().map(|mix| &mix.0[*position]).collect();
            of_dimension.sort_unstable();
            of_dimension.dedup();
            let dimension = Dimension::ALL[*position];
            values.extend(of_dimension.into_iter().map(|it| (dimension, it.clone())));
        }
        let number = |mix: &Mix, position: usize| {
            let wanted = (Dimension::ALL[position], &mix.0[position]);
            let number = values.partition_point(|(dimension, it)| (*dimension, it) < wanted);
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let numbers = mixes
            .iter()
            .flat_map(|mix| said.iter().map(|position| number(mix, *position)))
            .collect();
        Self {
            numbers,
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

    fn mix(company: u8, months: u16, product: u8) -> Mix {
        let mut mix = Mix::nothing();
        mix.0[0] = MixValue::Text([company].into());
        mix.0[4] = MixValue::Months(months);
        mix.0[8] = MixValue::Text([product].into());
        mix
    }

    proptest! {
        #[test]
        fn dimensions_are_left_out_by_how_many_combinations_there_are(
            rows in prop::collection::vec((0_u8..4, 1_u16..4, 0_u8..4), 0..80),
            max in 1_usize..40,
        ) {
            let table = MixTable::with_max(max);
            let ordinals: Vec<u32> =
                rows.iter().map(|row| table.ordinal_of(&mix(row.0, row.1, row.2))).collect();
            let mixes = table.finish();
            let distinct = |kept: usize| {
                let given = rows.iter().map(|row| mix(row.0, row.1, row.2).keep(kept));
                given.chain([Mix::nothing()]).map(|mix| format!("{mix:?}")).collect::<BTreeSet<_>>()
            };
            let kept = (0..=DIMENSIONS).rev().find(|kept| distinct(*kept).len() <= max).unwrap();
            for (row, ordinal) in rows.iter().zip(ordinals) {
                let said = mixes.numbers(ordinal).iter().map(|number| {
                    let (dimension, value) = mixes.value(*number);
                    (dimension.as_str(), format!("{value:?}"))
                });
                let all = mix(row.0, row.1, row.2);
                let expected = [0, 4, 8].into_iter().filter(|position| *position < kept);
                let expected = expected.map(|position| {
                    let value = all.0[position].as_deref();
                    (Dimension::ALL[position].as_str(), format!("{value:?}"))
                });
                prop_assert!(said.eq(expected));
            }
        }
    }
}
