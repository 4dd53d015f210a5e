//! What is added up by the values of a dimension of payments.

use std::{collections::BTreeMap, ops::AddAssign};

use nightshard_format::record::MixValue;

/// Sums by value. A text is copied once, when it is met first, and not for each row that has it.
#[derive(Debug, Default)]
pub struct ByValue<T> {
    texts: BTreeMap<Vec<u8>, T>,
    /// Those of values that are no texts.
    plain: BTreeMap<MixValue<&'static [u8]>, T>,
}

impl<T: AddAssign + Copy + Default> ByValue<T> {
    /// Adds what is of a value.
    pub fn add(&mut self, value: MixValue<&[u8]>, added: T) {
        let plain = match value {
            MixValue::Text(text) => return self.add_text(text, added),
            MixValue::Flag(flag) => MixValue::Flag(flag),
            MixValue::Months(months) => MixValue::Months(months),
            MixValue::Unknown => MixValue::Unknown,
        };
        *self.plain.entry(plain).or_default() += added;
    }

    fn add_text(&mut self, text: &[u8], added: T) {
        match self.texts.get_mut(text) {
            Some(sum) => *sum += added,
            None => {
                self.texts.insert(text.to_vec(), added);
            }
        }
    }

    /// Returns each value that something was added of, in no order of values.
    pub fn iter(&self) -> impl Iterator<Item = (MixValue<&[u8]>, T)> {
        let texts = self.texts.iter();
        let texts = texts.map(|(text, sum)| (MixValue::Text(text.as_slice()), *sum));
        let plain = self.plain.iter().map(|(value, sum)| (*value, *sum));
        texts.chain(plain)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn values_add_up_each_by_itself() {
        use MixValue::{Flag, Months, Text, Unknown};
        let mut sums = ByValue::<u64>::default();
        for (value, added) in [
            (Text(&b"amber"[..]), 1),
            (Unknown, 2),
            (Flag(true), 4),
            (Text(b"blue"), 8),
            (Months(1), 16),
            (Text(b"amber"), 32),
            (Unknown, 64),
            (Flag(false), 128),
        ] {
            sums.add(value, added);
        }
        let expected = [
            (Flag(false), 128),
            (Flag(true), 4),
            (Months(1), 16),
            (Text(&b"amber"[..]), 33),
            (Text(b"blue"), 8),
            (Unknown, 66),
        ];
        assert_eq!(sums.iter().count(), expected.len());
        assert_eq!(sums.iter().collect::<BTreeSet<_>>(), expected.into());
    }
}
