//! How the payments of a place divide whose answers are protected (docs/format.md, "Place mixes").

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Dimension, MixValue, PatternCell,
    mixes::{bit_of, decode_texts, number_of, value_of},
};
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
};

const STRUCTURE: &str = "place mixes";

/// How many values of a dimension are kept of a place and month: those of most rows.
pub const MIX_VALUES_MAX: usize = 64;

/// Values and their rows.
type Values = BTreeMap<MixValue<Vec<u8>>, PatternCell>;

/// The rows of a place by the values of one dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceMix {
    /// The values that are kept, each with all rows that have it.
    pub values: Values,
    /// The rows of all other values together.
    pub others: PatternCell,
}

/// The rows of a place in a month that is told of, by each dimension of which one of them says something.
///
/// # Shape
/// Each dimension has all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceMixes {
    /// All rows.
    pub all: PatternCell,
    /// By dimension.
    pub dimensions: BTreeMap<Dimension, PlaceMix>,
}

impl PlaceMix {
    /// Makes that of rows which say nothing.
    fn unsaid(dimension: Dimension, all: PatternCell) -> Self {
        let values = (all.count > 0).then(|| (dimension.unsaid(), all));
        Self {
            values: values.into_iter().collect(),
            others: PatternCell::default(),
        }
    }

    /// Returns whether none of the other rows has a value.
    fn is_whole_of(&self, value: &MixValue<Vec<u8>>) -> bool {
        self.others.count == 0 || self.values.contains_key(value)
    }

    /// Adds the rows of another one.
    fn add(&mut self, other: &Self) {
        if self.others.count > 0 || other.others.count > 0 {
            *self = Self::sum(self, other);
            return;
        }
        // Most often: all values stay by themselves, and those that are there need not be copied.
        for (value, cell) in &other.values {
            match self.values.get_mut(value) {
                Some(own) => own.add(*cell),
                None => {
                    self.values.insert(value.clone(), *cell);
                }
            }
        }
    }

    /// Returns the rows of both.
    fn sum(own: &Self, other: &Self) -> Self {
        let mut sum = Self {
            values: Values::new(),
            others: own.others,
        };
        sum.others.add(other.others);
        for (value, cell) in own.values.iter().chain(&other.values) {
            match own.is_whole_of(value) && other.is_whole_of(value) {
                true => sum.values.entry(value.clone()).or_default().add(*cell),
                false => sum.others.add(*cell),
            }
        }
        sum
    }

    /// Keeps the values of most rows, ties by value; the rest is told together.
    fn bound(&mut self) {
        if self.values.len() <= MIX_VALUES_MAX {
            return;
        }
        let mut by_rows: Vec<_> = std::mem::take(&mut self.values).into_iter().collect();
        // What has as many rows stays in the order of values.
        by_rows.sort_by_key(|(_, cell)| Reverse(cell.count));
        let rest = by_rows.split_off(MIX_VALUES_MAX);
        rest.iter().for_each(|(_, cell)| self.others.add(*cell));
        self.values = by_rows.into_iter().collect();
    }

    fn says_something(&self, dimension: Dimension) -> bool {
        self.others.count > 0 || self.values.keys().any(|it| *it != dimension.unsaid())
    }

    fn cells(&self) -> impl Iterator<Item = &PatternCell> {
        self.values.values().chain([&self.others])
    }

    /// Returns how many rows it has, or `None` if that is too many.
    fn count(&self) -> Option<u64> {
        let mut cells = self.cells();
        cells.try_fold(0_u64, |all, cell| all.checked_add(cell.count))
    }
}

impl PlaceMixes {
    /// Adds rows of other stores, or of another month. A value that may be among the other rows of one of both is none
    /// by itself any more.
    pub fn add(&mut self, other: &Self) {
        for dimension in Dimension::ALL {
            let added = other.dimensions.get(&dimension);
            if added.is_none() && !self.dimensions.contains_key(&dimension) {
                continue;
            }
            // Of a dimension that one of both lacks, its rows do not say.
            let own = self.dimensions.entry(dimension);
            let own = own.or_insert_with(|| PlaceMix::unsaid(dimension, self.all));
            match added {
                Some(mix) => own.add(mix),
                None => own.add(&PlaceMix::unsaid(dimension, other.all)),
            }
        }
        self.all.add(other.all);
    }

    /// Puts the values of fewest rows together, of each dimension that has more than [`MIX_VALUES_MAX`].
    pub fn bound(&mut self) {
        self.dimensions.values_mut().for_each(PlaceMix::bound);
    }

    /// Returns whether no row says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dimensions.is_empty()
    }

    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is not as its shape says, or has more values than are kept.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.check()
            .map_err(|problem| Error::invalid(STRUCTURE, problem))?;
        let texts = self.texts();
        put_varint(out, texts.len() as u64);
        for text in &texts {
            put_varint(out, text.len() as u64);
            out.extend_from_slice(text);
        }
        self.all.put(out);
        let bits = self.dimensions.keys().map(|dimension| bit_of(*dimension));
        out.extend_from_slice(&bits.sum::<u16>().to_le_bytes());
        for mix in self.dimensions.values() {
            put_mix(mix, &texts, out);
        }
        Ok(())
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or it is not as its shape says.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let corrupt = |problem: &str| Error::corrupt(STRUCTURE, problem);
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let texts = decode_texts(&mut bytes)?;
        let mut read = Self {
            all: PatternCell::read(&mut bytes)?,
            dimensions: BTreeMap::new(),
        };
        let mask = bytes.u16()?;
        let known: u16 = Dimension::ALL.into_iter().map(bit_of).sum();
        if mask & !known != 0 {
            return Err(corrupt("it has a dimension that is none"));
        }
        for dimension in Dimension::ALL {
            if mask & bit_of(dimension) != 0 {
                let mix = read_mix(&mut bytes, dimension, &texts)?;
                read.dimensions.insert(dimension, mix);
            }
        }
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        if read.texts() != texts {
            return Err(corrupt("its texts do not ascend, or are of no value"));
        }
        read.check().map_err(corrupt)?;
        Ok(read)
    }

    /// Returns the texts of all values in order, each once.
    fn texts(&self) -> Vec<&[u8]> {
        let values = self.dimensions.values().flat_map(|mix| mix.values.keys());
        let texts = values.filter_map(|value| match value {
            MixValue::Text(text) => Some(text.as_slice()),
            _ => None,
        });
        let mut texts: Vec<&[u8]> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        let mixes = || self.dimensions.iter();
        if self.is_empty() {
            return Err("no row says anything");
        }
        if !mixes().all(|(dimension, mix)| mix.says_something(*dimension)) {
            return Err("no row says anything of one of its dimensions");
        }
        if mixes().any(|(_, mix)| mix.values.len() > MIX_VALUES_MAX) {
            return Err("it has more values than are kept");
        }
        if mixes().any(|(_, mix)| mix.values.values().any(|cell| cell.count == 0)) {
            return Err("a value has no rows");
        }
        let mut cells = mixes().flat_map(|(_, mix)| mix.cells()).chain([&self.all]);
        if !cells.all(PatternCell::is_sound) {
            return Err("its merchants cannot have these rows");
        }
        if mixes().any(|(_, mix)| mix.count() != Some(self.all.count)) {
            return Err("a dimension has other rows than all");
        }
        let is_text = |text: &&[u8]| !text.is_empty() && std::str::from_utf8(text).is_ok();
        match self.texts().iter().all(is_text) {
            true => Ok(()),
            false => Err("a value is no text"),
        }
    }
}

/// Appends the values of a dimension by their numbers.
fn put_mix(mix: &PlaceMix, texts: &[&[u8]], out: &mut Vec<u8>) {
    mix.others.put(out);
    put_varint(out, mix.values.len() as u64);
    // What is unknown has the number 0.
    let is_unknown = |value: &MixValue<Vec<u8>>| *value == MixValue::Unknown;
    let unknown = mix.values.iter().filter(|(value, _)| is_unknown(value));
    let known = mix.values.iter().filter(|(value, _)| !is_unknown(value));
    let mut next = 0;
    for (value, cell) in unknown.chain(known) {
        let number = number_of(value.as_deref(), texts);
        put_varint(out, number - next);
        cell.put(out);
        next = number + 1;
    }
}

/// Reads what [`put_mix`] wrote.
fn read_mix(bytes: &mut Bytes<'_>, dimension: Dimension, texts: &[&[u8]]) -> Result<PlaceMix> {
    let mut mix = PlaceMix {
        values: Values::new(),
        others: PatternCell::read(bytes)?,
    };
    let mut next = 0_u64;
    for _ in 0..bytes.varint()? {
        let number = next.saturating_add(bytes.varint()?);
        let value = value_of(dimension, number, texts);
        let value =
            value.ok_or_else(|| Error::corrupt(STRUCTURE, "it has a value that is none"))?;
        mix.values
            .insert(value.into_owned(), PatternCell::read(bytes)?);
        next = number.saturating_add(1);
    }
    Ok(mix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> MixValue<Vec<u8>> {
        MixValue::Text(text.into())
    }

    fn mix(values: &[(MixValue<Vec<u8>>, &[u64])], others: &[u64]) -> PlaceMix {
        let cell = |rows: &[u64]| PatternCell::of(rows.iter().copied());
        let values = values.iter();
        PlaceMix {
            values: values
                .map(|(value, rows)| (value.clone(), cell(rows)))
                .collect(),
            others: cell(others),
        }
    }

    fn sample() -> PlaceMixes {
        let companies = [
            (text("amber"), &[3, 2][..]),
            (text("blue"), &[1]),
            (MixValue::Unknown, &[2]),
        ];
        let points = [
            (MixValue::Flag(false), &[4, 2, 1][..]),
            (MixValue::Flag(true), &[1]),
        ];
        let months = [
            (MixValue::Months(1), &[4, 2][..]),
            (MixValue::Months(12), &[2]),
        ];
        PlaceMixes {
            all: PatternCell::of([5, 3]),
            dimensions: BTreeMap::from([
                (Dimension::CardCompany, mix(&companies, &[])),
                (Dimension::Installments, mix(&months, &[])),
                (Dimension::PointsUsed, mix(&points, &[])),
                (Dimension::Product, mix(&[(text("blue"), &[3])], &[4, 1])),
            ]),
        }
    }

    fn encoded(mixes: &PlaceMixes) -> Vec<u8> {
        let mut bytes = Vec::new();
        mixes.encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn mixes_are_read_as_they_were_written() {
        assert_eq!(PlaceMixes::parse(&encoded(&sample())).unwrap(), sample());
    }

    #[test]
    fn what_is_not_said_is_a_value_of_its_own_where_it_is_said_elsewhere() {
        let mut sum = sample();
        sum.dimensions.remove(&Dimension::PointsUsed);
        let points = mix(&[(MixValue::Flag(true), &[7])], &[]);
        sum.add(&PlaceMixes {
            all: PatternCell::of([7]),
            dimensions: BTreeMap::from([(Dimension::PointsUsed, points)]),
        });
        assert_eq!(sum.all.count, 15);
        let counts = |dimension| {
            let values = &sum.dimensions[&dimension].values;
            let counts = values
                .iter()
                .map(|(value, cell)| (value.clone(), cell.count));
            counts.collect::<Vec<_>>()
        };
        let expected = [
            (text("amber"), 5),
            (text("blue"), 1),
            (MixValue::Unknown, 9),
        ];
        assert_eq!(counts(Dimension::CardCompany), expected);
        let expected = [(MixValue::Flag(false), 8), (MixValue::Flag(true), 7)];
        assert_eq!(counts(Dimension::PointsUsed), expected);
    }

    #[test]
    fn a_value_that_may_be_among_others_is_none_by_itself() {
        let product = |values: &[(MixValue<Vec<u8>>, &[u64])], others: &[u64]| {
            let mix = mix(values, others);
            PlaceMixes {
                all: PatternCell::of([mix.count().unwrap()]),
                dimensions: BTreeMap::from([(Dimension::Product, mix)]),
            }
        };
        let parts = [
            product(&[(text("a"), &[5]), (text("b"), &[4])], &[3]),
            product(&[(text("a"), &[2]), (text("c"), &[1])], &[]),
            product(&[(text("b"), &[6]), (text("a"), &[6])], &[]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut sum = PlaceMixes::default();
            order.into_iter().for_each(|at: usize| sum.add(&parts[at]));
            let of_product = &sum.dimensions[&Dimension::Product];
            let counts = of_product.values.iter();
            let counts: Vec<_> = counts
                .map(|(value, cell)| (value.clone(), cell.count))
                .collect();
            // Of c, the first one may have some among its others.
            assert_eq!(counts, [(text("a"), 13), (text("b"), 10)], "{order:?}");
            assert_eq!(of_product.others.count, 4);
        }
    }

    /// A row: the number of its merchant, its company where it says one, and whether points paid a part.
    type Row = (u64, Option<&'static str>, bool);

    fn by_value(rows: impl Iterator<Item = (u64, MixValue<Vec<u8>>)>) -> Values {
        let mut counts = BTreeMap::<_, BTreeMap<u64, u64>>::new();
        for (merchant, value) in rows {
            let of_value = counts.entry(value).or_default();
            *of_value.entry(merchant).or_default() += 1;
        }
        let cells = counts.into_iter();
        cells
            .map(|(value, merchants)| (value, PatternCell::of(merchants.into_values())))
            .collect()
    }

    /// Mixes of rows, with those of some companies told together.
    fn of_rows(rows: &[Row], together: &[&str]) -> PlaceMixes {
        let all = by_value(rows.iter().map(|(merchant, ..)| (*merchant, text("all"))));
        let company = |company: Option<&str>| company.map_or(MixValue::Unknown, text);
        let companies = rows.iter().map(|row| (row.0, company(row.1)));
        let points = rows.iter().map(|row| (row.0, MixValue::Flag(row.2)));
        let mut dimensions = BTreeMap::from([
            (Dimension::CardCompany, by_value(companies)),
            (Dimension::PointsUsed, by_value(points)),
        ])
        .into_iter()
        .map(|(dimension, values)| {
            let others = PatternCell::default();
            (dimension, PlaceMix { values, others })
        })
        .collect::<BTreeMap<_, _>>();
        for mix in dimensions.values_mut() {
            for company in together {
                let cell = mix.values.remove(&text(company));
                mix.others.add(cell.unwrap_or_default());
            }
        }
        dimensions.retain(|dimension, mix| mix.says_something(*dimension));
        let all = all.into_values().next().unwrap_or_default();
        PlaceMixes { all, dimensions }
    }

    /// Up to five mixes, and the same in another order.
    fn parts() -> impl Strategy<Value = (Vec<PlaceMixes>, Vec<PlaceMixes>)> {
        let companies = vec!["a", "b", "c"];
        let company = prop::option::of(prop::sample::select(companies.clone()));
        let rows = prop::collection::vec((0..4_u64, company, any::<bool>()), 0..9);
        // Most have none of which some rows are told together.
        let together = prop_oneof![
            2 => Just(Vec::new()),
            1 => prop::sample::subsequence(companies, 0..=3),
        ];
        let part = (rows, together).prop_map(|(rows, together)| of_rows(&rows, &together));
        prop::collection::vec(part, 0..6)
            .prop_flat_map(|parts| (Just(parts.clone()), Just(parts).prop_shuffle()))
    }

    fn sum_of(parts: &[PlaceMixes]) -> PlaceMixes {
        let mut sum = PlaceMixes::default();
        parts.iter().for_each(|part| sum.add(part));
        sum
    }

    /// What the sum is by its definition: a value is by itself if no part has others among which it may be.
    fn plain_sum(parts: &[PlaceMixes], dimension: Dimension) -> Option<PlaceMix> {
        let has = |part: &PlaceMixes| part.dimensions.contains_key(&dimension);
        if !parts.iter().any(has) {
            return None;
        }
        let mixes = parts
            .iter()
            .map(|part| match part.dimensions.get(&dimension) {
                Some(mix) => (mix.values.clone(), mix.others),
                None if part.all.count == 0 => (Values::new(), PatternCell::default()),
                None => (
                    [(dimension.unsaid(), part.all)].into(),
                    PatternCell::default(),
                ),
            });
        let mixes: Vec<(Values, PatternCell)> = mixes.collect();
        let mut sum = PlaceMix::default();
        for (values, others) in &mixes {
            sum.others.add(*others);
            for (value, cell) in values {
                let mut parts = mixes.iter();
                let is_apart =
                    parts.all(|(values, others)| others.count == 0 || values.contains_key(value));
                match is_apart {
                    true => sum.values.entry(value.clone()).or_default().add(*cell),
                    false => sum.others.add(*cell),
                }
            }
        }
        Some(sum)
    }

    proptest! {
        #[test]
        fn sums_in_any_order_are_those_of_their_definition((parts, shuffled) in parts()) {
            let mut expected = PlaceMixes::default();
            for dimension in Dimension::ALL {
                let sum = plain_sum(&parts, dimension);
                expected.dimensions.extend(sum.map(|sum| (dimension, sum)));
            }
            parts.iter().for_each(|part| expected.all.add(part.all));
            prop_assert_eq!(sum_of(&parts), expected.clone());
            prop_assert_eq!(sum_of(&shuffled), expected.clone());
            let (some, rest) = shuffled.split_at(shuffled.len() / 2);
            prop_assert_eq!(sum_of(&[sum_of(some), sum_of(rest)]), expected);
        }
    }

    #[test]
    fn the_values_of_most_rows_are_kept() {
        let number = |number: usize| text(&format!("p{number:03}"));
        let values = (0..70).map(|at| {
            let count = if at < 3 { 9 } else { 5 };
            (number(at), PatternCell::of([count]))
        });
        let mut mixes = PlaceMixes {
            all: PatternCell::of([362]),
            dimensions: BTreeMap::from([(
                Dimension::Product,
                PlaceMix {
                    values: values.rev().collect(),
                    others: PatternCell::default(),
                },
            )]),
        };
        assert!(mixes.encode(&mut Vec::new()).is_err());
        mixes.bound();
        let mix = &mixes.dimensions[&Dimension::Product];
        assert_eq!(mix.values.len(), MIX_VALUES_MAX);
        assert_eq!(mix.values.keys().next_back(), Some(&number(63)));
        assert_eq!((mix.others.count, mix.others.largest), (30, 30));
        assert_eq!(PlaceMixes::parse(&encoded(&mixes)).unwrap(), mixes);
    }

    /// A change of right mixes, and what is wrong with them then.
    type Forgery = (fn(&mut PlaceMixes), &'static str);

    fn company(mixes: &mut PlaceMixes) -> &mut PlaceMix {
        mixes.dimensions.get_mut(&Dimension::CardCompany).unwrap()
    }

    #[test]
    fn what_is_not_of_the_shape_is_refused() {
        let changes: [Forgery; 7] = [
            (|it| it.dimensions.clear(), "no row says anything"),
            (
                |it| *company(it) = mix(&[(MixValue::Unknown, &[8])], &[]),
                "of one of its dimensions",
            ),
            (
                |it| *company(it).values.get_mut(&text("blue")).unwrap() = PatternCell::default(),
                "a value has no rows",
            ),
            (|it| company(it).others.count = 1, "cannot have"),
            (|it| it.all.merchants = 9, "cannot have"),
            (|it| it.all = PatternCell::of([9]), "other rows"),
            (|it| *company(it) = mix(&[(text(""), &[8])], &[]), "no text"),
        ];
        for (change, problem) in changes {
            let mut mixes = sample();
            change(&mut mixes);
            let error = mixes.encode(&mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn damage_is_an_error_or_other_mixes_and_never_a_panic() {
        let bytes = encoded(&sample());
        for at in 0..bytes.len() {
            assert!(PlaceMixes::parse(&bytes[..at]).is_err());
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(read) = PlaceMixes::parse(&damaged) {
                    assert_eq!(PlaceMixes::parse(&encoded(&read)).unwrap(), read);
                }
            }
        }
    }
}
