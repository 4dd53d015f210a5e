//! Combinations of what rows say, as ordinals.
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

use nightshard_format::record::MixValue;

/// A value of a row.
pub(super) type Value = MixValue<Box<[u8]>>;

/// What a row says, by the numbers that values have in their dimensions; 0 for what says nothing.
pub(super) type Combination<const N: usize> = [u32; N];

/// The number of the value that says nothing.
const NOTHING: u32 = 0;

/// The ordinal of the combination that says nothing.
pub(super) const UNSAID: u32 = 0;

/// So many combinations are told apart, and so many bytes of texts; where there are more, dimensions are
/// left out from the last on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) combinations: usize,
    pub(super) text_bytes: usize,
}

impl Limits {
    /// Returns how many ordinals there are at most: those of each number of dimensions are numbered on.
    pub(super) const fn ordinals(self, dimensions: usize) -> usize {
        self.combinations * (dimensions + 1)
    }
}

/// The combinations that all workers meet.
#[derive(Debug)]
pub struct Combinations<const N: usize> {
    known: Mutex<Known<N>>,
    /// How many dimensions are kept, from the first on; it never rises.
    dimensions: AtomicUsize,
    limits: Limits,
}

#[derive(Debug)]
struct Known<const N: usize> {
    ordinals: HashMap<Combination<N>, u32>,
    /// By ordinal.
    combinations: Vec<Combination<N>>,
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
    fn of(unsaid: Value) -> Self {
        Self {
            numbers: HashMap::from([(unsaid, NOTHING)]),
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

impl<const N: usize> Combinations<N> {
    /// Begins with what says nothing, which is `unsaid`.
    pub(super) fn new(unsaid: [Value; N], limits: Limits) -> Self {
        let nothing = [NOTHING; N];
        let known = Known {
            ordinals: HashMap::from([(nothing, UNSAID)]),
            combinations: vec![nothing],
            values: unsaid.into_iter().map(Numbered::of).collect(),
        };
        Self {
            known: Mutex::new(known),
            dimensions: AtomicUsize::new(N),
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
        let mut combination = known.combination_of(values);
        loop {
            combination[known.values.len()..].fill(NOTHING);
            if known.text_bytes() <= self.limits.text_bytes {
                if let Some(ordinal) = known.ordinals.get(&combination) {
                    return *ordinal;
                }
                if known.ordinals.len() < self.limits.combinations {
                    return known.add(combination);
                }
            }
            known.leave_one_out();
            self.dimensions.store(known.values.len(), Ordering::Relaxed);
        }
    }

    /// Ends the gathering: returns the combinations by ordinal, and by dimension that is kept the values by
    /// number.
    pub(super) fn into_known(self) -> (Vec<Combination<N>>, Vec<Vec<Value>>) {
        let known = self.known.into_inner();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        let values = known.values.into_iter().map(Numbered::into_values);
        (known.combinations, values.collect())
    }
}

impl<const N: usize> Known<N> {
    fn combination_of(&mut self, values: Vec<Value>) -> Combination<N> {
        let mut combination = [NOTHING; N];
        // Dimensions may have been left out since the row was asked.
        let numbers = combination.iter_mut().zip(values);
        for ((number, value), of_dimension) in numbers.zip(&mut self.values) {
            *number = of_dimension.number(value);
        }
        combination
    }

    fn text_bytes(&self) -> usize {
        self.values.iter().map(|values| values.text_bytes).sum()
    }

    fn add(&mut self, combination: Combination<N>) -> u32 {
        let ordinal = u32::try_from(self.combinations.len()).unwrap_or(u32::MAX);
        self.combinations.push(combination);
        self.ordinals.insert(combination, ordinal);
        ordinal
    }

    /// Leaves out the last dimension that is kept. Whether it comes to that depends on the set of
    /// combinations and of texts alone: so many are too many, in whatever order they come.
    fn leave_one_out(&mut self) {
        self.values.pop();
        self.ordinals.clear();
        for (combination, ordinal) in self.combinations.iter_mut().zip(0..) {
            combination[self.values.len()..].fill(NOTHING);
            self.ordinals.entry(*combination).or_insert(ordinal);
        }
    }
}
