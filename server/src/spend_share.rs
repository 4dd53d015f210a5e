//! The share that a store has of what its cards spend (docs/definitions.md, "Share of observed spend").

use nightshard_format::{
    calendar::{DayRange, Month},
    privacy::Privacy,
    record::SpendShare,
};

use crate::{
    problem::Result,
    series::{Series, Window},
    work::Work,
};

/// The time to find, read and add up the record of a month, in nanoseconds.
const MONTH_NS: u64 = 2_200;

/// What is known of it in some months.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Spend {
    /// What the months tell.
    Told {
        /// From the first to the last day of those that do.
        covered: DayRange,
        /// None if cards took back more at the store than they bought for.
        share: Option<f64>,
    },
    /// No month tells what cards spent that came.
    Hidden,
    /// No card came.
    Nothing,
}

impl Spend {
    /// Adds up the months of a window that cuts none.
    pub(crate) fn of(
        series: &Series<'_>,
        window: &Window,
        privacy: Privacy,
        work: &mut Work,
    ) -> Result<Self> {
        let mut months = Vec::new();
        let mut cards = false;
        for totals in series.months_in(window) {
            work.spend(MONTH_NS)?;
            cards |= totals.cards > 0;
            if let Some(share) = series.spend_share(totals.month)? {
                months.push((totals.month, share));
            }
        }
        let told = Self::told(&months, privacy);
        Ok(told.unwrap_or(if cards { Self::Hidden } else { Self::Nothing }))
    }

    fn told(months: &[(Month, SpendShare)], privacy: Privacy) -> Option<Self> {
        let ((first, _), (last, _)) = months.first().zip(months.last())?;
        let mut all = SpendShare::default();
        months.iter().for_each(|(_, share)| all.add(*share));
        Some(Self::Told {
            covered: DayRange {
                first: first.first_day(),
                last: last.days().last,
            },
            share: all.share(privacy),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_that_are_told_add_up() {
        let month = |number| Month::new(2018, number).unwrap();
        let months = [
            (month(1), SpendShare { own: 10, cell: 40 }),
            (month(3), SpendShare { own: -4, cell: 8 }),
        ];
        let told = |months: &[_], k| Spend::told(months, Privacy::new(k).unwrap());
        let expected = |last, share| Spend::Told {
            covered: DayRange {
                first: month(1).first_day(),
                last: month(last).days().last,
            },
            share,
        };
        assert_eq!(told(&months, 1), Some(expected(3, Some(0.125))));
        assert_eq!(told(&months, 10), Some(expected(3, Some(0.13))));
        assert_eq!(told(&months[..1], 10), Some(expected(1, Some(0.25))));
        assert_eq!(told(&[], 1), None);
    }
}
