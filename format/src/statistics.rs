//! Exact totals of amounts, mergeable in any order.

use crate::{
    Result,
    bytes::{Bytes, put_signed, put_signed_i128, put_varint, put_varint_u128},
    histogram::AMOUNT_MINOR_MAX,
};

/// Totals of a set of rows, refunds included.
///
/// Every field is an integer, so merging is exact and its order does not matter.
///
/// # Units
/// Amounts in minor units of the generation's currency; refunds are negative.
/// # Shape
/// `min` and `max` are 0 while `count` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Rows, refunds included.
    pub count: u64,
    /// Net sum.
    pub sum: i128,
    /// Sum of the squares of the amounts.
    pub sum_squares: u128,
    /// Smallest amount.
    pub min: i64,
    /// Largest amount.
    pub max: i64,
    /// Rows with a negative amount.
    pub refund_count: u64,
    /// Sum of the negative amounts.
    pub refund_sum: i128,
    /// Rows with an amount of 0: neither sales nor refunds.
    pub zero_count: u64,
}

/// The sums of so many amounts less than [`NARROW_END`] from zero, and of their squares, fit 64
/// bits.
const NARROW_LEN: usize = 2_048;
const NARROW_END: i64 = 1 << 26;
const _: () = assert!(NARROW_LEN as u128 * (NARROW_END as u128).pow(2) <= u64::MAX as u128);

impl Statistics {
    /// Adds one amount.
    ///
    /// # Units
    /// Minor units, at most [`AMOUNT_MINOR_MAX`] from zero, so that no sum below 10^10 rows
    /// overflows.
    #[inline]
    pub fn push(&mut self, amount: i64) {
        debug_assert!(amount.abs() <= AMOUNT_MINOR_MAX);
        let square = i128::from(amount) * i128::from(amount);
        (self.min, self.max) = if self.count == 0 {
            (amount, amount)
        } else {
            (self.min.min(amount), self.max.max(amount))
        };
        self.count += 1;
        self.sum += i128::from(amount);
        self.sum_squares += square.cast_unsigned();
        if amount < 0 {
            self.refund_count += 1;
            self.refund_sum += i128::from(amount);
        }
        self.zero_count += u64::from(amount == 0);
    }

    /// Returns the number of sales: rows with a positive amount.
    #[must_use]
    pub fn sale_count(&self) -> u64 {
        let others = self.refund_count.saturating_add(self.zero_count);
        self.count.saturating_sub(others)
    }

    /// Returns the sum of the sales.
    #[must_use]
    pub fn sale_sum(&self) -> u128 {
        let sum = self.sum.saturating_sub(self.refund_sum);
        u128::try_from(sum).unwrap_or(0)
    }

    /// Returns the totals of `amounts`.
    #[must_use]
    pub fn of(amounts: &[i64]) -> Self {
        let mut totals = Self::default();
        amounts.iter().for_each(|amount| totals.push(*amount));
        totals
    }

    /// Returns the totals of ascending `amounts`, faster than [`Statistics::of`].
    ///
    /// # Units
    /// As those of [`Statistics::push`].
    #[must_use]
    pub fn of_ascending(amounts: &[i64]) -> Self {
        debug_assert!(amounts.is_sorted());
        match amounts {
            [min, .., max]
                if amounts.len() <= NARROW_LEN && *min > -NARROW_END && *max < NARROW_END =>
            {
                Self::of_narrow(amounts, *min, *max)
            }
            _ => Self::of(amounts),
        }
    }

    /// Returns the totals of ascending amounts whose sums fit 64 bits.
    fn of_narrow(amounts: &[i64], min: i64, max: i64) -> Self {
        let (mut sum, mut sum_squares) = (0, 0);
        for amount in amounts {
            sum += amount;
            sum_squares += (amount * amount).cast_unsigned();
        }
        let refunds = &amounts[..below(amounts, min, 0)];
        let zeros_end = below(amounts, min, 1);
        Self {
            count: amounts.len() as u64,
            sum: i128::from(sum),
            sum_squares: u128::from(sum_squares),
            min,
            max,
            refund_count: refunds.len() as u64,
            refund_sum: refunds.iter().sum::<i64>().into(),
            zero_count: (zeros_end - refunds.len()) as u64,
        }
    }

    /// Adds the rows that `other` totals; what no real data reaches stays at the limit.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        (self.min, self.max) = if self.count == 0 {
            (other.min, other.max)
        } else {
            (self.min.min(other.min), self.max.max(other.max))
        };
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.sum_squares = self.sum_squares.saturating_add(other.sum_squares);
        self.refund_count = self.refund_count.saturating_add(other.refund_count);
        self.refund_sum = self.refund_sum.saturating_add(other.refund_sum);
        self.zero_count = self.zero_count.saturating_add(other.zero_count);
    }

    /// Returns the double nearest to the mean amount, or `None` without rows.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let magnitude = nearest_quotient(self.sum.unsigned_abs(), self.count)?;
        Some(if self.sum < 0 { -magnitude } else { magnitude })
    }

    /// Returns the standard deviation that divides by the number of rows, or `None` without rows.
    ///
    /// The squares are centred on the integer part of the mean in exact arithmetic, so that no
    /// precision is lost however large the amounts are beside their spread.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a deviation is a double")]
    pub fn std(&self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let count = i128::from(self.count);
        let centre = self.sum.div_euclid(count);
        let rest = self.sum.rem_euclid(count);
        // sum((x - centre)^2) = squares - centre * (2 sum - count * centre)
        let centred = self.sum_squares.cast_signed() - centre * (2 * self.sum - count * centre);
        let rest = rest as f64;
        let count = count as f64;
        Some(
            ((centred as f64 - rest * rest / count) / count)
                .max(0.0)
                .sqrt(),
        )
    }

    /// Appends the totals, as docs/format.md specifies.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.count);
        put_signed_i128(out, self.sum);
        put_varint_u128(out, self.sum_squares);
        put_signed(out, self.min);
        put_varint(out, self.max.abs_diff(self.min));
        put_varint(out, self.refund_count);
        put_varint_u128(out, self.refund_sum.unsigned_abs());
        put_varint(out, self.zero_count);
    }

    /// Reads what [`Statistics::encode`] wrote.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if the bytes end early.
    pub fn decode(bytes: &mut Bytes<'_>) -> Result<Self> {
        let count = bytes.varint()?;
        let sum = bytes.signed_i128()?;
        let sum_squares = bytes.varint_u128()?;
        let min = bytes.signed()?;
        let max = min.wrapping_add_unsigned(bytes.varint()?);
        let refund_count = bytes.varint()?;
        let refund_sum = bytes.varint_u128()?.cast_signed().wrapping_neg();
        Ok(Self {
            count,
            sum,
            sum_squares,
            min,
            max,
            refund_count,
            refund_sum,
            zero_count: bytes.varint()?,
        })
    }
}

/// Returns how many ascending amounts, the first of which is `min`, are below `limit`.
fn below(amounts: &[i64], min: i64, limit: i64) -> usize {
    // Most days have sales alone.
    if min >= limit {
        return 0;
    }
    amounts.partition_point(|amount| *amount < limit)
}

/// 2^64, by which a fraction's word counts.
const WORD: f64 = 18_446_744_073_709_551_616.0;

/// Returns the double nearest to a quotient, ties to even, or `None` for a division by zero.
///
/// Dividing two doubles would round three times: a mean could exceed every amount.
///
/// # Examples
/// ```
/// use nightshard_format::statistics::nearest_quotient;
///
/// assert_eq!(nearest_quotient(1_000, 3), Some(1_000.0 / 3.0));
/// assert_eq!(nearest_quotient(1_000, 0), None);
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the one rounding there is")]
pub fn nearest_quotient(dividend: u128, divisor: u64) -> Option<f64> {
    let divisor = u128::from(divisor);
    let whole = dividend.checked_div(divisor)?;
    let (first, rest) = next_word(dividend % divisor, divisor);
    let (second, last) = next_word(rest, divisor);
    // At least 63 significant bits, of which a double keeps 53. So the lowest can stand for all
    // that is left, and tells what lies above a tie from the tie.
    let sticky = |bits: u128, rest: bool| (bits | u128::from(rest)) as f64;
    Some(if whole >> 63 > 0 {
        sticky(whole, first > 0 || rest > 0)
    } else if whole > 0 {
        sticky(whole << 64 | first, rest > 0) / WORD
    } else {
        sticky(first << 64 | second, last > 0) / WORD / WORD
    })
}

/// Returns the next 64 binary digits of a fraction's quotient, and what is left of it.
fn next_word(rest: u128, divisor: u128) -> (u128, u128) {
    let rest = rest << 64;
    (rest / divisor, rest % divisor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns whether no double is nearer to `sum / count`, by integers alone.
    fn is_nearest(mean: f64, sum: i128, count: u64) -> bool {
        let (mantissa, exponent) = (
            mean.to_bits() & ((1 << 52) - 1),
            mean.to_bits() >> 52 & 0x7ff,
        );
        // The mean is `mantissa / 2^places`, and its neighbours are one step away or, below a
        // power of two, half a step.
        let is_power = mantissa == 0;
        let mantissa = i128::from(mantissa | 1 << 52);
        let places = 1075 - u32::try_from(exponent).unwrap();
        let distance = (sum.abs() << places) - mantissa * i128::from(count);
        let step = i128::from(count);
        match 2 * distance {
            twice if twice.abs() == step => mantissa % 2 == 0,
            twice if twice < 0 && is_power => -2 * twice <= step,
            twice => twice.abs() < step,
        }
    }

    #[test]
    fn a_mean_of_equal_amounts_is_their_amount() {
        for amount in [99_999_999_999_997, -99_999_999_999_997, 1, AMOUNT_MINOR_MAX] {
            for count in [1, 3, 100_000, 7_777_777] {
                let totals = Statistics {
                    count,
                    sum: i128::from(amount) * i128::from(count),
                    min: amount,
                    max: amount,
                    ..Statistics::default()
                };
                assert_eq!(totals.mean(), Some(amount as f64));
            }
        }
        assert_eq!(Statistics::default().mean(), None);
        assert_eq!(Statistics::of(&[-5, 5]).mean(), Some(0.0));
        assert_eq!(nearest_quotient(1, u64::MAX), Some(1.0 / u64::MAX as f64));
        assert_eq!(nearest_quotient(u128::MAX, 1), Some(u128::MAX as f64));
        assert_eq!(
            nearest_quotient(1 << 100 | 1, 1 << 47),
            Some(2.0_f64.powi(53))
        );
        assert_eq!(
            nearest_quotient((1 << 54) + 3, 2),
            Some(2.0_f64.powi(53) + 2.0)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4096,
            rng_seed: proptest::test_runner::RngSeed::Fixed(3),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_mean_lies_between_its_amounts_and_no_double_is_nearer(
            base in 4096..AMOUNT_MINOR_MAX,
            spread in 0_i64..4096,
            count in 1_u64..1 << 24,
            at_most in any::<u64>(),
            is_negative in any::<bool>(),
        ) {
            let low = base - spread;
            let sum = i128::from(low) * i128::from(count)
                + i128::from(at_most % (spread.cast_unsigned() * count + 1));
            let sign = if is_negative { -1 } else { 1 };
            let totals = Statistics {
                count,
                sum: i128::from(sign) * sum,
                ..Statistics::default()
            };
            let mean = totals.mean().unwrap();
            prop_assert!((low as f64..=base as f64).contains(&mean.abs()));
            prop_assert_eq!(mean < 0.0, is_negative);
            prop_assert!(is_nearest(mean, totals.sum, count), "{} of {}", mean, totals.sum);
        }
    }

    #[test]
    fn deviation_of_large_amounts_with_a_small_spread_is_exact() {
        let base = AMOUNT_MINOR_MAX - 10;
        let totals = Statistics::of(&[base, base + 1, base + 2, base + 3]);
        assert_eq!(totals.std(), Some(1.25_f64.sqrt()));
        assert_eq!(Statistics::of(&[-base, -base]).std(), Some(0.0));
        assert_eq!(Statistics::of(&[7]).std(), Some(0.0));
        assert_eq!(Statistics::default().std(), None);
    }

    #[test]
    fn merging_equals_pushing_in_any_order() {
        let amounts = [5, -3, 0, 900, -70_000, AMOUNT_MINOR_MAX, -AMOUNT_MINOR_MAX];
        let whole = Statistics::of(&amounts);
        for cut in 0..=amounts.len() {
            let mut merged = Statistics::of(&amounts[cut..]);
            merged.merge(&Statistics::of(&amounts[..cut]));
            assert_eq!(merged, whole);
        }
        assert_eq!((whole.refund_count, whole.zero_count), (3, 1));
        assert_eq!(whole.sale_count(), 3);
        assert_eq!(
            whole.sale_sum(),
            905 + AMOUNT_MINOR_MAX.unsigned_abs() as u128
        );
        assert_eq!(whole.refund_sum, -3 - 70_000 - i128::from(AMOUNT_MINOR_MAX));
    }

    proptest! {
        #[test]
        fn ascending_amounts_have_the_same_totals(
            amounts in prop::collection::vec(-9_i64..9, 0..40),
            scale in prop::sample::select(
                vec![1, NARROW_END / 9, NARROW_END / 8, AMOUNT_MINOR_MAX / 9],
            ),
            times in prop::sample::select(vec![1, NARROW_LEN / 20]),
        ) {
            let scaled: Vec<i64> = amounts.iter().map(|amount| amount * scale).collect();
            let mut amounts = scaled.repeat(times);
            amounts.sort_unstable();
            prop_assert_eq!(Statistics::of_ascending(&amounts), Statistics::of(&amounts));
        }
    }

    #[test]
    fn encoding_round_trips() {
        for amounts in [
            &[][..],
            &[0],
            &[-1, 5],
            &[AMOUNT_MINOR_MAX; 9],
            &[-AMOUNT_MINOR_MAX, 3],
        ] {
            let totals = Statistics::of(amounts);
            let mut out = Vec::new();
            totals.encode(&mut out);
            let mut bytes = Bytes::new(&out, "test");
            assert_eq!(Statistics::decode(&mut bytes).unwrap(), totals);
            assert!(bytes.is_empty());
        }
    }
}
