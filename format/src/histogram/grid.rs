//! The one fixed decimal log-linear grid on which amounts are counted.
//!
//! An amount of up to two digits has a cell of its own; every decade above, `[10^k, 10^(k+1))`,
//! is cut into 90 cells of width `10^(k-1)`, so that a cell keeps the two leading digits. The
//! grid is the same for every store, month and night: histograms of disjoint rows add up cell by
//! cell, and every number with at most two significant digits is the edge of a cell.
//!
//! Negative amounts mirror the positive ones at the edge between -1 and 0: if `[l, h)` is a cell,
//! so is `[-h, -l)`. All cells are half-open to the right, and all edges stay round.

/// The largest magnitude of an amount that the product accepts, in minor units.
///
/// A million million units of a currency with two decimals: far above any card payment, also in
/// currencies whose notes have six digits, and small enough that the squares of 2^34 such amounts
/// add up within a signed 128-bit integer.
pub const AMOUNT_MINOR_MAX: i64 = 100_000_000_000_000;

/// Amounts below this have one cell each.
const LINEAR_CELLS: u64 = 100;
/// Cells per decade from 100 upwards.
const DECADE_CELLS: u16 = 90;
/// Decades are numbered by the exponent of their first amount; this is the last one.
const DECADE_LAST: usize = 14;

/// Powers of ten up to the end of the last decade.
const POWERS: [u64; DECADE_LAST + 2] = {
    let mut powers = [1; DECADE_LAST + 2];
    let mut k = 1;
    while k < powers.len() {
        powers[k] = powers[k - 1] * 10;
        k += 1;
    }
    powers
};

/// Division by the width of a decade's cells as a multiplication and a shift.
#[derive(Clone, Copy)]
struct Reciprocal {
    multiplier: u64,
    shift: u32,
}

impl Reciprocal {
    /// With `s = floor(log2 d)` the multiplier is `ceil(2^(64+s) / d)`, which fits 64 bits. Being
    /// too large by less than 1, it makes the quotient of `m` too large by less than
    /// `m / 2^(64+s)`. For `m < 100 d` that is below `1 / d`, the distance of any quotient to the
    /// next integer, since `100 d * d < 2^(64+s)` for `d <= 10^13`.
    const fn of(divisor: u64) -> Self {
        let shift = divisor.ilog2();
        let numerator = 1_u128 << (64 + shift);
        let multiplier = numerator.div_ceil(divisor as u128);
        assert!(multiplier <= u64::MAX as u128);
        #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
        Self {
            multiplier: multiplier as u64,
            shift,
        }
    }

    const fn divide(self, dividend: u64) -> u64 {
        ((dividend as u128 * self.multiplier as u128) >> 64) as u64 >> self.shift
    }
}

/// By decade; the first two are never divided.
const RECIPROCALS: [Reciprocal; DECADE_LAST + 1] = {
    let mut reciprocals = [Reciprocal {
        multiplier: 0,
        shift: 0,
    }; DECADE_LAST + 1];
    let mut k = 2;
    while k < reciprocals.len() {
        reciprocals[k] = Reciprocal::of(POWERS[k - 1]);
        k += 1;
    }
    reciprocals
};

/// A cell of the grid, ordered as the amounts in it.
///
/// # Shape
/// Index 0 is exactly the amount 0, positive cells hold sales, negative cells refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(i16);

impl Cell {
    /// The first cell: it begins at `-10^15`.
    pub const MIN: Self = Self(!Self::MAX.0);
    /// The last cell: it ends at `10^15`.
    pub const MAX: Self = Self(100 + 13 * 90 - 1);

    /// Returns the cell that contains `amount`.
    ///
    /// # Units
    /// Minor currency units.
    /// # Panics
    /// If the magnitude reaches `10^15`; amounts within [`AMOUNT_MINOR_MAX`] never do.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an index is below 1270, a sign is 0 or -1"
    )]
    pub fn of(amount: i64) -> Self {
        let sign = amount >> 63;
        // The bitwise complement maps the amounts -1, -2, .. of the mirrored cells to 0, 1, ..
        let magnitude = (amount ^ sign).cast_unsigned();
        let index = if magnitude < LINEAR_CELLS {
            magnitude
        } else {
            let decade = decade(magnitude);
            // Two leading digits count from 10, so decade k begins at 90 (k - 1) + 10.
            RECIPROCALS[decade].divide(magnitude) + u64::from(DECADE_CELLS) * (decade as u64 - 1)
        };
        Self(index as i16 ^ sign as i16)
    }

    /// Returns the cell with this index, or `None` outside the grid.
    #[must_use]
    pub fn from_index(index: i16) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0)
            .contains(&index)
            .then_some(Self(index))
    }

    /// Returns the index, as it is stored.
    #[inline]
    #[must_use]
    pub const fn index(self) -> i16 {
        self.0
    }

    /// Returns the smallest amount in the cell, in minor units.
    #[must_use]
    pub fn low(self) -> i64 {
        if self.0 >= 0 {
            edge(self.0.unsigned_abs())
        } else {
            -edge(self.0.unsigned_abs())
        }
    }

    /// Returns the first amount above the cell, in minor units.
    #[must_use]
    pub fn high(self) -> i64 {
        if self.0 >= 0 {
            edge(self.0.unsigned_abs() + 1)
        } else {
            -edge(self.0.unsigned_abs() - 1)
        }
    }
}

/// The largest `k` with `10^k <= magnitude`, for a magnitude of 1 or more.
#[inline]
fn decade(magnitude: u64) -> usize {
    let bits = 64 - magnitude.leading_zeros();
    // 1233 / 4096 is just above log10(2): the guess is right or one too large.
    let guess = (bits as usize * 1233) >> 12;
    guess - usize::from(magnitude < POWERS[guess])
}

/// The amount at which the non-negative cell `index` begins.
fn edge(index: u16) -> i64 {
    if u64::from(index) < LINEAR_CELLS {
        return i64::from(index);
    }
    // Decade k holds the indices 90 (k - 1) + 10 .. 90 k + 10.
    let decade = (index - 10) / DECADE_CELLS + 1;
    let leading = i64::from((index - 10) % DECADE_CELLS + 10);
    leading * POWERS[usize::from(decade) - 1].cast_signed()
}
