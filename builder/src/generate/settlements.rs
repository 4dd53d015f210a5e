//! When rows settle, what is kept of them, and what is paid out.

use std::io::Write;

use jiff::civil::{Date, Weekday};

use super::random::mix;

/// What a row's settlement is made of.
pub(super) struct SettlementOf {
    /// The row's number.
    pub(super) number: u64,
    /// The card's company, which sets the fee and how long it takes.
    pub(super) company: usize,
    /// Minor units, negative for a refund.
    pub(super) amount: i64,
    /// The day of the payment.
    pub(super) day: Date,
}

/// So many rows in a thousand say nothing of their settlement, and so many of the others no deposit.
const UNSAID_PERMILLE: u64 = 40;
/// Of the fee, in hundredths of a percent: the lowest, and how many companies differ by ten.
const RATE_LOWEST: i64 = 80;
const RATES: usize = 8;
/// Settles after so many working days, or one more.
const WORKING_DAYS: usize = 2;

/// Appends fee, deposit and day, each with a comma before it.
pub(super) fn push(of: &SettlementOf, out: &mut Vec<u8>) {
    let bits = mix(of.number.wrapping_mul(2) + 1);
    if bits % 1_000 < UNSAID_PERMILLE {
        out.extend_from_slice(b",,,");
        return;
    }
    let fee = fee(of);
    let deposit = of.amount - fee;
    let day = settles_on(of);
    let is_said = (bits >> 32) % 1_000 >= UNSAID_PERMILLE;
    let _infallible = if is_said {
        write!(out, ",{fee},{deposit},{day}")
    } else {
        write!(out, ",{fee},,{day}")
    };
}

/// Returns the fee, rounded half away from zero; of a refund it is given back.
fn fee(of: &SettlementOf) -> i64 {
    let step = i64::try_from(of.company % RATES).unwrap_or(0);
    let of_amount = of.amount.abs() * (RATE_LOWEST + 10 * step);
    (of_amount + 5_000) / 10_000 * of.amount.signum()
}

fn settles_on(of: &SettlementOf) -> Date {
    let mut day = of.day;
    let mut left = WORKING_DAYS + of.company % 2;
    while left > 0 {
        day = day.tomorrow().unwrap_or(Date::MAX);
        let is_working = !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        left -= usize::from(is_working || day == Date::MAX);
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64, company: usize, amount: i64, day: Date) -> String {
        let mut out = Vec::new();
        let of = SettlementOf {
            number,
            company,
            amount,
            day,
        };
        push(&of, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fees_and_deposits_are_the_amount_and_settle_on_working_days() {
        // A Thursday.
        let day = Date::constant(2018, 3, 8);
        let said: Vec<String> = (0..2_000)
            .map(|number| text(number, 2, 5_250, day))
            .collect();
        let has = |wanted: &str| said.iter().filter(|it| *it == wanted).count();
        // 1 % of 52.50, half a cent up; two working days later.
        let (whole, without_deposit, unsaid) = (
            has(",53,5197,2018-03-12"),
            has(",53,,2018-03-12"),
            has(",,,"),
        );
        assert_eq!(whole + without_deposit + unsaid, 2_000);
        assert!((20..160).contains(&without_deposit) && (20..160).contains(&unsaid));
        let number = (0..2_000).find(|number| said[usize::try_from(*number).unwrap()].len() > 16);
        // The next company: 1.1 %, and a day more; a refund gives the fee back.
        assert_eq!(
            text(number.unwrap(), 3, -5_250, day),
            ",-58,-5192,2018-03-13"
        );
    }
}
