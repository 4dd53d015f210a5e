//! Sales and a side series by day, joined by date, and how they go together (docs/definitions.md,
//! "Sales by day").

use nightshard_format::{calendar::Day, statistics::Statistics};

/// With fewer days a correlation says nothing: two points are always on a line.
const DAYS_MIN: usize = 3;

/// A day that has rows, a value, or both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct JoinedDay {
    /// Which day.
    pub(crate) day: Day,
    /// The totals of its rows, if it has some.
    pub(crate) totals: Option<Statistics>,
    /// The value of the series, if it has one.
    pub(crate) value: Option<f64>,
}

/// Joins two lists by day.
///
/// # Shape
/// Days of both ascend, and so do those returned, each once.
pub(crate) fn join(totals: &[(Day, Statistics)], values: &[(Day, f64)]) -> Vec<JoinedDay> {
    let mut joined = Vec::with_capacity(totals.len().max(values.len()));
    let (mut totals, mut values) = (totals.iter().peekable(), values.iter().peekable());
    loop {
        let next = [
            totals.peek().map(|(day, _)| *day),
            values.peek().map(|(day, _)| *day),
        ];
        let Some(day) = next.into_iter().flatten().min() else {
            return joined;
        };
        joined.push(JoinedDay {
            day,
            totals: totals.next_if(|entry| entry.0 == day).map(|entry| entry.1),
            value: values.next_if(|entry| entry.0 == day).map(|entry| entry.1),
        });
    }
}

/// How sums and values go together, over the days that have both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Correlation {
    /// Days that have both.
    pub(crate) days: usize,
    /// Pearson's coefficient; `None` with fewer than three days, or where all sums or all values are
    /// equal.
    pub(crate) coefficient: Option<f64>,
}

impl Correlation {
    /// Computes the correlation of net sums and values.
    pub(crate) fn of(joined: &[JoinedDay]) -> Self {
        let pairs = joined.iter().filter_map(|day| day.totals.zip(day.value));
        #[expect(clippy::cast_precision_loss, reason = "deviations are doubles")]
        let (sums, values): (Vec<f64>, Vec<f64>) = pairs
            .map(|(totals, value)| (totals.sum as f64, value))
            .unzip();
        let days = sums.len();
        let coefficient = (days >= DAYS_MIN)
            .then(|| pearson(&sums, &values))
            .flatten();
        Self { days, coefficient }
    }
}

/// Returns Pearson's coefficient of as many numbers, or `None` where those of one are all equal.
///
/// # Source
/// Two passes, of which the second corrects what rounding left of the means (Chan, Golub, LeVeque,
/// "Algorithms for Computing the Sample Variance", 1983). Numbers are scaled before, so that no square
/// overflows or vanishes.
fn pearson(left: &[f64], right: &[f64]) -> Option<f64> {
    let (left, right) = (deviations(left)?, deviations(right)?);
    let product = |left: &[f64], right: &[f64]| -> f64 {
        let products = left.iter().zip(right).map(|(left, right)| left * right);
        products.sum()
    };
    let scale = (product(&left, &left) * product(&right, &right)).sqrt();
    // Rounding may go beyond by a little.
    Some((product(&left, &right) / scale).clamp(-1.0, 1.0))
}

/// Returns how far numbers lie from their mean, scaled by one factor so that the largest is near 1;
/// `None` if all are equal.
fn deviations(numbers: &[f64]) -> Option<Vec<f64>> {
    if numbers.array_windows().all(|[a, b]| a == b) {
        return None;
    }
    let from_mean = |numbers: &[f64]| -> Vec<f64> {
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        numbers.iter().map(|number| number - mean).collect()
    };
    // The mean of what is left is what rounding lost of the first.
    let once = from_mean(&scaled(numbers));
    Some(from_mean(&scaled(&once)))
}

/// Returns numbers of which one is not 0, divided by a power of two so that the largest is near 1:
/// no digit is lost.
fn scaled(numbers: &[f64]) -> Vec<f64> {
    let largest = numbers.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
    // The power of two is the double without its fraction.
    let power = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits());
    let divisor = power.max(f64::MIN_POSITIVE);
    numbers.iter().map(|number| number / divisor).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Numbers below a bound, by a linear congruential generator.
    fn below(state: &mut u64, bound: u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % bound
    }

    #[expect(clippy::cast_possible_truncation, reason = "all are small")]
    fn days_of<T>(state: &mut u64, value: impl Fn(u64) -> T) -> BTreeMap<Day, T> {
        (0..below(state, 40))
            .map(|_| (Day(below(state, 50) as i32), value(below(state, 1_000))))
            .collect()
    }

    fn listed<T: Copy>(days: &BTreeMap<Day, T>) -> Vec<(Day, T)> {
        days.iter().map(|(day, value)| (*day, *value)).collect()
    }

    #[test]
    fn days_are_joined_by_date_and_never_by_position() {
        for mut state in 0..500 {
            let sums = |sum: u64| Statistics::of(&[sum.cast_signed()]);
            let totals = days_of(&mut state, sums);
            let values = days_of(&mut state, |value| value as f64);
            let either: BTreeSet<&Day> = totals.keys().chain(values.keys()).collect();
            let expected: Vec<JoinedDay> = either
                .into_iter()
                .map(|day| JoinedDay {
                    day: *day,
                    totals: totals.get(day).copied(),
                    value: values.get(day).copied(),
                })
                .collect();
            let joined = join(&listed(&totals), &listed(&values));
            assert_eq!(joined, expected);
            let both = totals.keys().filter(|day| values.contains_key(day)).count();
            assert_eq!(Correlation::of(&joined).days, both);
        }
    }

    /// Pearson's coefficient of integers: exact up to the last division.
    fn of_integers(pairs: &[(i64, i64)]) -> f64 {
        let n = pairs.len() as i128;
        let sum = |of: &dyn Fn(i128, i128) -> i128| -> i128 {
            let of = |(x, y): &(i64, i64)| of(i128::from(*x), i128::from(*y));
            pairs.iter().map(of).sum()
        };
        let (x, y) = (sum(&|x, _| x), sum(&|_, y| y));
        let covariance = n * sum(&|x, y| x * y) - x * y;
        let of_x = n * sum(&|x, _| x * x) - x * x;
        let of_y = n * sum(&|_, y| y * y) - y * y;
        covariance as f64 / ((of_x as f64).sqrt() * (of_y as f64).sqrt())
    }

    fn split(pairs: &[(i64, i64)], scale: f64) -> (Vec<f64>, Vec<f64>) {
        let pairs = pairs.iter();
        pairs.map(|(x, y)| (*x as f64, *y as f64 * scale)).unzip()
    }

    #[test]
    fn coefficients_are_those_of_exact_sums() {
        // Far from 0 the digits that differ are the last ones.
        for (offset, scale) in [
            (0, 1.0),
            (1_000_000_000, 1.0),
            (-4_000_000_000_000, 1.0),
            (5, 1e295),
            (5, 1e-300),
        ] {
            for mut state in 0..200 {
                let len = below(&mut state, 60) + 3;
                let mut number = || below(&mut state, 1_000).cast_signed() + offset;
                let mut pairs: Vec<(i64, i64)> = (0..len).map(|_| (number(), number())).collect();
                pairs[0] = (offset, offset);
                pairs[1] = (offset + 1_000, offset + 1_000);
                let (x, y) = split(&pairs, scale);
                let found = pearson(&x, &y).unwrap();
                let expected = of_integers(&pairs);
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
                assert_eq!(pearson(&y, &x), Some(found));
            }
        }
    }

    #[test]
    fn numbers_on_a_line_have_one_and_the_largest_doubles_too() {
        for (x, y, expected) in [
            ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], 1.0),
            ([1.0, 2.0, 3.0], [-0.1, -0.2, -0.3], -1.0),
            ([f64::MAX, 0.0, f64::MIN], [3.0, 2.0, 1.0], 1.0),
            ([5e-324, 0.0, -5e-324], [1e308, 0.0, -1e308], 1.0),
            ([0.0, 1.0, 0.0], [1.0, 0.0, -1.0], 0.0),
        ] {
            let found = pearson(&x, &y).unwrap();
            assert!((found - expected).abs() < 1e-15, "{x:?} {y:?} {found}");
        }
    }

    #[test]
    fn too_few_days_or_no_variance_have_no_coefficient() {
        let day = |number: i32, sum: i64, value: f64| JoinedDay {
            day: Day(number),
            totals: Some(Statistics::of(&[sum])),
            value: Some(value),
        };
        let one_sided = JoinedDay {
            totals: None,
            ..day(9, 0, 5.0)
        };
        let of = |days: &[JoinedDay]| {
            let Correlation { days, coefficient } = Correlation::of(days);
            (days, coefficient)
        };
        assert_eq!(of(&[]), (0, None));
        assert_eq!(of(&[day(1, 1, 1.0), day(2, 2, 2.0), one_sided]), (2, None));
        // 0.1 has no mean that is 0.1 to the last digit.
        let level = [1, 2, 3, 4, 5, 6].map(|number| day(number, number.into(), 0.1));
        assert_eq!(of(&level), (6, None));
        let level = [1, 2, 3].map(|number| day(number, 7, number.into()));
        assert_eq!(of(&level), (3, None));
        let up = [1, 2, 3].map(|number| day(number, number.into(), number.into()));
        assert_eq!(of(&up), (3, Some(1.0)));
    }
}
