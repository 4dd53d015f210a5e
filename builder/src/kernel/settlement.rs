//! What a row says of its settlement: when, what was kept and paid out, and how many points were used.

use std::ops::RangeInclusive;

use bytemuck::{Pod, Zeroable};
use nightshard_format::histogram::AMOUNT_MINOR_MAX;

use crate::{
    layout::Field,
    source::{iso_day, whole_number_of},
    transaction::Transaction,
};

/// The days that rows may settle on, which are those that can be read: 1900-01-01 to 2199-12-31.
pub(super) const SETTLEMENT_DAYS: RangeInclusive<i32> = -25_567..=84_005;

/// What a row says.
///
/// # Units
/// Fee and deposit are minor units, points are what the source counts them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Settlement {
    points: i64,
    fee: i64,
    deposit: i64,
    settles_on: i32,
    /// Which of the fields it says.
    said: u32,
}

const SAYS_POINTS: u32 = 1;
const SAYS_FEE: u32 = SAYS_POINTS << 1;
const SAYS_DEPOSIT: u32 = SAYS_FEE << 1;
const SAYS_DAY: u32 = SAYS_DEPOSIT << 1;

impl Settlement {
    /// Reads what a row says, or `None` if it says nothing that can be read.
    pub(super) fn of(row: &Transaction<'_>) -> Option<Self> {
        let text = |field| row.texts.of(field);
        let texts = [Field::PointsUsed, Field::FeeMinor, Field::DepositMinor].map(text);
        Self::of_texts(texts, text(Field::SettlesOn))
    }

    /// Reads the texts of points, fee and deposit, and of the day.
    fn of_texts([points, fee, deposit]: [&[u8]; 3], settles_on: &[u8]) -> Option<Self> {
        let amount = |text: &[u8]| {
            let number = whole_number_of(text)?;
            (number.unsigned_abs() <= AMOUNT_MINOR_MAX.unsigned_abs()).then_some(number)
        };
        // No points are what a row says that says nothing of them.
        let points = amount(points).filter(|points| *points != 0);
        let (fee, deposit) = (amount(fee), amount(deposit));
        let settles_on = iso_day(settles_on).filter(|day| SETTLEMENT_DAYS.contains(day));
        let bit = |is_said: bool, bit: u32| if is_said { bit } else { 0 };
        let said = bit(points.is_some(), SAYS_POINTS)
            | bit(fee.is_some(), SAYS_FEE)
            | bit(deposit.is_some(), SAYS_DEPOSIT)
            | bit(settles_on.is_some(), SAYS_DAY);
        (said != 0).then(|| Self {
            points: points.unwrap_or(0),
            fee: fee.unwrap_or(0),
            deposit: deposit.unwrap_or(0),
            settles_on: settles_on.unwrap_or(0),
            said,
        })
    }

    /// Returns whether a text of a row's fee, deposit or day is none that could be read, given what was.
    ///
    /// Points that are none are no oddity: `true` says that there were some.
    pub(super) fn leaves_text(read: Option<&Self>, row: &Transaction<'_>) -> bool {
        let is_left = |(field, bit)| {
            let is_said = read.is_some_and(|settlement| settlement.says(bit));
            !is_said && !row.texts.of(field).is_empty()
        };
        let fields = [Field::FeeMinor, Field::DepositMinor, Field::SettlesOn];
        let bits = [SAYS_FEE, SAYS_DEPOSIT, SAYS_DAY];
        fields.into_iter().zip(bits).any(is_left)
    }

    /// Returns how many points were used, where that is said.
    pub(super) fn points(&self) -> Option<i64> {
        self.says(SAYS_POINTS).then_some(self.points)
    }

    /// Returns what was kept of the amount, where that is said.
    pub(super) fn fee(&self) -> Option<i64> {
        self.says(SAYS_FEE).then_some(self.fee)
    }

    /// Returns what is paid out, where that is said.
    pub(super) fn deposit(&self) -> Option<i64> {
        self.says(SAYS_DEPOSIT).then_some(self.deposit)
    }

    /// Returns the day on which that is, one of [`SETTLEMENT_DAYS`], where it is said.
    pub(super) fn settles_on(&self) -> Option<i32> {
        self.says(SAYS_DAY).then_some(self.settles_on)
    }

    fn says(&self, bit: u32) -> bool {
        self.said & bit != 0
    }
}

#[cfg(test)]
pub(super) mod tests {
    use nightshard_format::calendar::Day;

    use super::*;

    /// Reads texts as those of a row.
    pub(in crate::kernel) fn settlement(texts: [&str; 4]) -> Option<Settlement> {
        let [points, fee, deposit, settles_on] = texts.map(str::as_bytes);
        Settlement::of_texts([points, fee, deposit], settles_on)
    }

    #[test]
    fn what_is_a_whole_number_or_a_date_is_said_and_all_else_is_not() {
        for (text, expected) in [
            ("0", Some(0)),
            ("35", Some(35)),
            ("35.0", Some(35)),
            ("+3.5e1", Some(35)),
            ("-35", Some(-35)),
            ("100000000000000", Some(AMOUNT_MINOR_MAX)),
            ("100000000000001", None),
            ("35.5", None),
            ("free", None),
            ("true", None),
            ("1e99", None),
            ("", None),
        ] {
            let fee = settlement(["", text, "", ""]);
            assert_eq!(fee.and_then(|it| it.fee()), expected, "{text}");
            assert_eq!(fee.is_some(), expected.is_some(), "{text}");
            let deposit = settlement(["", "", text, ""]);
            assert_eq!(deposit.and_then(|it| it.deposit()), expected, "{text}");
            let points = settlement([text, "", "", ""]);
            let points = points.and_then(|it| it.points());
            assert_eq!(points, expected.filter(|it| *it != 0), "{text}");
        }
        for (text, expected) in [
            ("2018-03-07", Some(17_597)),
            ("2018-03-07T23:59:00+09:00", Some(17_597)),
            ("2199-12-31", Some(84_005)),
            ("2200-01-01", None),
            ("2018-02-30", None),
            ("7 March", None),
            ("20180307", None),
            ("07/03/2018", None),
        ] {
            let settled = settlement(["", "", "", text]);
            assert_eq!(settled.and_then(|it| it.settles_on()), expected, "{text}");
        }
        let ends = [(1900, 1, 1), (2199, 12, 31)];
        let ends = ends.map(|(year, month, day)| Day::from_civil(year, month, day).unwrap().0);
        assert_eq!(ends, [*SETTLEMENT_DAYS.start(), *SETTLEMENT_DAYS.end()]);
    }

    #[test]
    fn a_row_says_each_field_by_itself() {
        let settled = settlement(["", "12", "", "1970-01-01"]).unwrap();
        let said = (settled.points(), settled.fee(), settled.deposit());
        assert_eq!(said, (None, Some(12), None));
        assert_eq!(settled.settles_on(), Some(0));
    }
}
