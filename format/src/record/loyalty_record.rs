//! The visits of a store's cards over the periods that end with a month (docs/format.md, "Loyalty").

use std::collections::BTreeSet;

use super::{
    LOYALTY, MERCHANT_LOYALTY, MERCHANTS, PLACE_LOYALTY, STORES, TILES, atoms_key,
    visits::PeriodVisits,
};
use crate::{
    Error, Result,
    bytes::Bytes,
    calendar::{Month, Period, quarter_of},
    shard::Span,
};

const STRUCTURE: &str = "loyalty";

/// A period and what is known of its visits.
pub type VisitsOf = (Period, PeriodVisits);

/// Returns the dataset of the records of a dataset's keys, one of [`super::SERIES_OF_DAYS`], or `None` of tiles: these
/// have none.
#[must_use]
pub fn loyalty_dataset(dataset: &str) -> Option<&'static str> {
    match dataset {
        STORES => Some(LOYALTY),
        MERCHANTS => Some(MERCHANT_LOYALTY),
        TILES => None,
        _ => Some(PLACE_LOYALTY),
    }
}

/// Returns the key, in [`loyalty_dataset`], of a key of a dataset.
#[must_use]
pub fn loyalty_key(dataset: &str, key: &[u8]) -> Vec<u8> {
    match dataset {
        STORES | MERCHANTS => key.to_vec(),
        _ => atoms_key(dataset, key),
    }
}

/// Returns the span whose records have the visits of a period, or `None` if none are kept: of days,
/// weeks and ranges.
#[must_use]
pub fn loyalty_span(period: Period) -> Option<Span> {
    let ends_with = match period {
        Period::Month(month) => Month(quarter_of(month).0 + 2),
        Period::Quarter(first) => Month(first.0 + 2),
        Period::Year(year) => Month(year * 12 + 11),
        Period::All => return Some(Span::Current),
        Period::Day(_) | Period::Week(_) | Period::Range(_) => return None,
    };
    Some(Span::Month(ends_with))
}

/// Returns the spans of the records of a store that has rows in these months.
#[must_use]
pub fn loyalty_spans(months: impl Iterator<Item = Month>) -> BTreeSet<Span> {
    let mut spans = BTreeSet::from([Span::Current]);
    for month in months {
        let periods = [Period::Month(month), Period::Year(month.year())];
        spans.extend(periods.into_iter().filter_map(loyalty_span));
    }
    spans
}

/// Returns the periods that a record of a span may have, in order, each with its bit; none of a month
/// that ends no quarter.
pub fn loyalty_periods(span: Span) -> impl Iterator<Item = (u8, Period)> {
    let (months, year, all) = match span {
        Span::Month(last) if last.number() % 3 == 0 => {
            let year = (last.number() == 12).then(|| Period::Year(last.year()));
            (Some(last), year, None)
        }
        Span::Month(_) => (None, None, None),
        Span::Current => (None, None, Some(Period::All)),
    };
    let months = months.into_iter().flat_map(|last| {
        let first = Month(last.0 - 2);
        [
            (1, Period::Month(first)),
            (2, Period::Month(Month(first.0 + 1))),
            (4, Period::Month(last)),
            (8, Period::Quarter(first)),
        ]
    });
    let year = year.map(|year| (16, year));
    months.chain(year).chain(all.map(|all| (32, all)))
}

/// Appends the record of a span.
///
/// # Errors
/// [`Error::Invalid`] if there is a period that the record of this span has not, or out of order.
pub fn encode_loyalty(span: Span, periods: &[VisitsOf], out: &mut Vec<u8>) -> Result<()> {
    let mut rest = periods.iter().peekable();
    let (mut mask, mut bytes) = (0, Vec::new());
    for (bit, period) in loyalty_periods(span) {
        if let Some((_, visits)) = rest.next_if(|(given, _)| *given == period) {
            mask |= bit;
            visits.encode(period.days().map(|days| days.last), &mut bytes);
        }
    }
    if let Some((period, _)) = rest.peek() {
        let problem = format!("{period} has no place in that of {span}");
        return Err(Error::invalid(STRUCTURE, problem));
    }
    out.push(mask);
    out.extend_from_slice(&bytes);
    Ok(())
}

/// The record of a store and span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoyaltyRecord {
    /// The periods that have a visit, in order.
    pub periods: Vec<VisitsOf>,
}

impl LoyaltyRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or contradicts the rest.
    pub fn parse(span: Span, bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let mut mask = bytes.u8()?;
        let mut periods = Vec::new();
        for (bit, period) in loyalty_periods(span) {
            if mask & bit != 0 {
                periods.push((period, PeriodVisits::decode(period, &mut bytes)?));
                mask &= !bit;
            }
        }
        if mask != 0 {
            return Err(corrupt("it has a period that does not end with its span"));
        }
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        Ok(Self { periods })
    }

    /// Returns what is known of a period; nothing if it has no visit.
    #[must_use]
    pub fn find(&self, period: Period) -> Option<&PeriodVisits> {
        let found = self.periods.iter().find(|(known, _)| *known == period);
        found.map(|(_, visits)| visits)
    }

    /// Checks that the cards of longer periods can be those of shorter ones.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they cannot.
    pub fn verify(&self) -> Result<()> {
        let cards = |wanted: fn(Period) -> bool| {
            let periods = self.periods.iter().filter(move |(it, _)| wanted(*it));
            periods.map(|(_, visits)| visits.cards())
        };
        let months = cards(|it| matches!(it, Period::Month(_)));
        let quarter = cards(|it| matches!(it, Period::Quarter(_))).sum();
        let most = months.clone().max().unwrap_or(0);
        let all = months.fold(0, u64::saturating_add);
        let year = cards(|it| matches!(it, Period::Year(_))).next();
        if (most..=all).contains(&quarter) && year.is_none_or(|year| year >= quarter) {
            Ok(())
        } else {
            let problem = "its cards of longer periods do not fit those of shorter ones";
            Err(corrupt(problem))
        }
    }
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        calendar::{Day, PeriodKind},
        record::{CardSales, Quintiles, RecencyFrequency, Regulars, Run, Score, has_quintiles},
    };

    /// Visits of two cards, of which one is regular, that ended ten days before the period.
    fn visits(period: Period) -> PeriodVisits {
        let last = period
            .days()
            .map_or(Day(17_000), |days| Day(days.last.0 - 10));
        let of = |cards, sales| CardSales { cards, sales };
        let quintiles = || Quintiles {
            recency: vec![Score {
                score: 1,
                from: last,
                of: of(2, 900),
            }],
            frequency: vec![Score {
                score: 1,
                from: 3,
                of: of(2, 900),
            }],
            money: vec![Score {
                score: 1,
                from: 440,
                of: of(2, 900),
            }],
            both: vec![RecencyFrequency {
                recency: 1,
                frequency: 1,
                of: of(2, 900),
            }],
        };
        PeriodVisits {
            last,
            visits: [3, 20].map(|distance| Run { distance, count: 1 }).into(),
            regulars: vec![Regulars {
                days: 11,
                of: of(1, 0),
            }],
            quintiles: has_quintiles(period).then(quintiles),
        }
    }

    fn spans() -> [Span; 3] {
        let month = |month| Span::Month(Month::new(2018, month).unwrap());
        [month(3), month(12), Span::Current]
    }

    fn encoded(span: Span, periods: &[VisitsOf]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_loyalty(span, periods, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn records_of_places_are_in_one_dataset_and_those_of_tiles_in_none() {
        let of = |dataset, key: &[u8]| (loyalty_dataset(dataset), loyalty_key(dataset, key));
        assert_eq!(of("stores", b"bar"), (Some("loyalty"), b"bar".to_vec()));
        assert_eq!(
            of("merchants", b"m"),
            (Some("merchant_loyalty"), b"m".to_vec())
        );
        for (dataset, key) in [
            ("markets", &b"all"[..]),
            ("regions", b"leeds"),
            ("categories", b"food"),
            ("region_categories", b"leeds\0food"),
        ] {
            let expected = [dataset.as_bytes(), b"\0", key].concat();
            assert_eq!(of(dataset, key), (Some("place_loyalty"), expected));
        }
        assert_eq!(loyalty_dataset("tiles"), None);
    }

    #[test]
    fn every_period_of_months_is_in_the_record_that_it_ends_with() {
        let day: Day = "2018-11-05".parse().unwrap();
        for kind in [
            PeriodKind::Month,
            PeriodKind::Quarter,
            PeriodKind::Year,
            PeriodKind::All,
        ] {
            let period = Period::containing(day, kind);
            let span = loyalty_span(period).unwrap();
            assert!(
                loyalty_periods(span).any(|(_, it)| it == period),
                "{period}"
            );
            let record = LoyaltyRecord {
                periods: vec![(period, visits(period))],
            };
            let bytes = encoded(span, &record.periods);
            assert_eq!(LoyaltyRecord::parse(span, &bytes).unwrap(), record);
            assert_eq!(record.find(period), Some(&visits(period)));
        }
        for kind in [PeriodKind::Day, PeriodKind::Week] {
            assert_eq!(loyalty_span(Period::containing(day, kind)), None);
        }
        let within = Span::Month(Month::new(2018, 11).unwrap());
        assert_eq!(loyalty_periods(within).count(), 0);
    }

    #[test]
    fn records_read_back_whole_and_cut_ones_are_errors() {
        for span in spans() {
            let periods = loyalty_periods(span).map(|(_, period)| (period, visits(period)));
            let record = LoyaltyRecord {
                periods: periods.collect(),
            };
            let bytes = encoded(span, &record.periods);
            assert_eq!(LoyaltyRecord::parse(span, &bytes).unwrap(), record);
            record.verify().unwrap();
            for len in 0..bytes.len() {
                assert!(LoyaltyRecord::parse(span, &bytes[..len]).is_err(), "{len}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(LoyaltyRecord::parse(span, &longer).is_err());
            // A store without visits.
            assert_eq!(encoded(span, &[]), [0]);
            assert_eq!(
                LoyaltyRecord::parse(span, &[0]).unwrap().find(Period::All),
                None
            );
        }
    }

    #[test]
    fn what_has_no_place_is_neither_written_nor_read() {
        let [march, _, current] = spans();
        let year = (Period::Year(2018), visits(Period::Year(2018)));
        let written = encode_loyalty(march, &[year], &mut Vec::new());
        assert!(matches!(written, Err(Error::Invalid { .. })));
        for (span, mask) in [(march, 16), (march, 32), (current, 1), (current, 64)] {
            let read = LoyaltyRecord::parse(span, &[mask, 0, 0, 0]);
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{mask}");
        }
    }

    #[test]
    fn cards_of_a_quarter_that_its_months_have_not_are_found() {
        let [march, ..] = spans();
        let periods = loyalty_periods(march).map(|(_, period)| (period, visits(period)));
        let mut periods: Vec<VisitsOf> = periods.collect();
        periods[3].1.visits[0].count = 6;
        let record = LoyaltyRecord { periods };
        assert!(record.verify().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_what_was_written(
            span in 0..3_usize,
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let span = spans()[span];
            let periods: Vec<VisitsOf> =
                loyalty_periods(span).map(|(_, period)| (period, visits(period))).collect();
            let mut bytes = encoded(span, &periods);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(record) = LoyaltyRecord::parse(span, &bytes) {
                let again = LoyaltyRecord::parse(span, &encoded(span, &record.periods)).unwrap();
                prop_assert_eq!(again, record);
            }
        }
    }
}
