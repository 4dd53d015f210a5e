//! Places of all stores against the rows, and against the market.

use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    histogram::FineHistogram,
    record::{
        CATEGORIES, HalfHour, MARKET_ALL, MARKETS, REGION_CATEGORIES, REGIONS, region_category_key,
    },
};

use crate::{Row, check, support::TestBuild};

/// Checks a region and a category that all rows are of: what they say of any range is what the rows do,
/// and their histograms and half hours are the market's.
pub(crate) fn check_those_of_all(rows: &[Row], test: &TestBuild, region: &str, category: &str) {
    let generation = test.open();
    let both = String::from_utf8(region_category_key(region, category)).unwrap();
    let months = rows.iter().map(|row| row.day.month());
    let months: std::collections::BTreeSet<Month> = months.collect();
    for (dataset, key) in [
        (REGIONS, region),
        (CATEGORIES, category),
        (REGION_CATEGORIES, &both),
    ] {
        check(rows, &generation, dataset, key, 7);
        for month in &months {
            let of_place = by_day(&generation, dataset, key.as_bytes(), *month);
            assert_eq!(
                of_place,
                by_day(&generation, MARKETS, MARKET_ALL, *month),
                "{dataset}"
            );
            assert!(of_place.iter().any(|day| day.1.total() > 4_096));
            let [of_place, of_market] =
                [(dataset, key.as_bytes()), (MARKETS, MARKET_ALL)].map(|(dataset, key)| {
                    let record = generation.month(dataset, key, *month).unwrap().unwrap();
                    let mut mixes = Vec::new();
                    record
                        .visit_mixes(|row| mixes.push(format!("{row:?}")))
                        .unwrap();
                    mixes
                });
            assert_eq!(of_place, of_market, "{dataset}");
        }
    }
}

/// The histogram and the half hours of each day of a month.
fn by_day(
    generation: &Generation<Vec<u8>>,
    dataset: &str,
    key: &[u8],
    month: Month,
) -> Vec<(Day, FineHistogram, Vec<HalfHour>)> {
    let record = generation.month(dataset, key, month).unwrap().unwrap();
    record.verify().unwrap();
    let days = month.days().iter().map(|day| {
        let range = nightshard_format::calendar::DayRange {
            first: day,
            last: day,
        };
        let (mut bins, mut hours) = (FineHistogram::default(), Vec::new());
        record.add_bins(range, &mut bins).unwrap();
        record
            .visit_hours(range, |_day, hour| hours.push(hour))
            .unwrap();
        (day, bins, hours)
    });
    days.collect()
}
