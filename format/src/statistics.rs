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
}

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
    }

    /// Returns the totals of `amounts`.
    #[must_use]
    pub fn of(amounts: &[i64]) -> Self {
        let mut totals = Self::default();
        amounts.iter().for_each(|amount| totals.push(*amount));
        totals
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
    }

    /// Returns the mean amount, or `None` without rows.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean is a double")]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
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
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(whole.refund_count, 3);
        assert_eq!(whole.refund_sum, -3 - 70_000 - i128::from(AMOUNT_MINOR_MAX));
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
