//! One record checked by the type that its dataset and span give it.

use nightshard_format::{
    Error, Result,
    calendar::{Month, quarter_of},
    record::{
        self, AtomMonth, AtomSummary, BenchmarkRecord, BesideRecord, CustomerRecord,
        DemographicsRecord, Growth, LeafRecord, LoyaltyRecord, MonthRecord, OriginsRecord,
        PlaceDemographics, PlaceMixes, PlacePattern, Postings, RankBy, Ranking, RegionRecord,
        SERIES_OF_DAYS, SettlementMonth, SettlementSummary, SideSeries, SpendShare, Summary,
        is_customer_key, parse_month_stores, split_atoms_key, split_leaf_key,
    },
    shard::{Identity, Record, Span},
};

/// Reads the whole of a record and checks that its parts agree.
///
/// Records of datasets unknown here are bytes to this release, and right as such.
pub(crate) fn check_record(identity: &Identity, record: Record<'_>) -> Result<()> {
    let value = record.value.in_place();
    let dataset = identity.dataset.as_str();
    let checked = match (dataset, identity.span) {
        (_, Span::Current) if SERIES_OF_DAYS.contains(&dataset) => value.and_then(check_summary),
        (_, Span::Month(month)) if SERIES_OF_DAYS.contains(&dataset) => value
            .and_then(|value| MonthRecord::parse(month, value))
            .and_then(|record| record.verify()),
        (record::RANKINGS | record::CATALOG, Span::Current) => {
            let by = RankBy::of_key(dataset, record.key);
            let is_growth = matches!(by, Some(RankBy::Growth | RankBy::YearGrowth));
            value.and_then(|value| check_ranking(value, is_growth))
        }
        (record::SEARCH, Span::Current) => value.and_then(check_postings),
        (record::REGION_TREE, Span::Current) => {
            value.and_then(RegionRecord::parse).map(|_region| ())
        }
        (record::SERIES, Span::Current) => value
            .and_then(SideSeries::parse)
            .and_then(|series| series.visit(|_day, _value| ())),
        (record::CUSTOMERS, Span::Current) => {
            return value
                .and_then(|value| check_customer(record.key, value))
                // Whose record it is, is nobody's business.
                .map_err(|error| damaged("record", format!("of a customer: {error}")));
        }
        (record::BENCHMARKS, Span::Month(month)) => value
            .and_then(|value| BenchmarkRecord::parse(month, value))
            .map(|_record| ()),
        (record::DEMOGRAPHICS, Span::Month(_)) => {
            value.and_then(DemographicsRecord::parse).map(|_record| ())
        }
        (record::PLACE_DEMOGRAPHICS, Span::Month(_)) => value.and_then(|value| {
            check_atoms_key(record.key)?;
            PlaceDemographics::parse(value).map(|_record| ())
        }),
        (record::ORIGINS, Span::Month(_)) => value.and_then(OriginsRecord::parse).map(|_record| ()),
        (record::BEFORE_AFTER, Span::Month(_)) => {
            value.and_then(BesideRecord::parse).map(|_record| ())
        }
        (record::SPEND_SHARES, Span::Month(_)) => {
            value.and_then(SpendShare::parse).map(|_share| ())
        }
        (record::SETTLEMENTS, Span::Month(_)) => {
            value.and_then(SettlementMonth::parse).map(|_month| ())
        }
        (record::SETTLEMENTS, Span::Current) => {
            value.and_then(SettlementSummary::parse).map(|_summary| ())
        }
        (
            record::DEMOGRAPHICS
            | record::PLACE_DEMOGRAPHICS
            | record::PLACE_MIXES
            | record::ORIGINS
            | record::BEFORE_AFTER
            | record::SPEND_SHARES,
            Span::Current,
        ) => value.and_then(|value| {
            check_month_key(dataset, record.key)?;
            parse_month_stores(value).map(|_stores| ())
        }),
        (record::LOYALTY | record::MERCHANT_LOYALTY, span) => {
            value.and_then(|value| check_loyalty(span, value))
        }
        (record::PLACE_LOYALTY, span) => value.and_then(|value| {
            check_atoms_key(record.key)?;
            check_loyalty(span, value)
        }),
        (record::ATOMS, span) => value.and_then(|value| {
            check_atoms_key(record.key)?;
            match span {
                Span::Current => AtomSummary::parse(value).map(|_summary| ()),
                Span::Month(month) => AtomMonth::parse(month, value).map(|_atoms| ()),
            }
        }),
        (record::PLACE_MIXES, Span::Month(_)) => value.and_then(|value| {
            check_atoms_key(record.key)?;
            PlaceMixes::parse(value).map(|_mixes| ())
        }),
        (record::PATTERNS, Span::Month(_)) => value.and_then(|value| {
            check_atoms_key(record.key)?;
            PlacePattern::parse(value).map(|_pattern| ())
        }),
        (record::LEAVES, Span::Month(month)) => value.and_then(|value| {
            check_leaf_key(record.key)?;
            LeafRecord::parse(month, value).map(|_leaf| ())
        }),
        _ => return Ok(()),
    };
    checked.map_err(|error| {
        let key = String::from_utf8_lossy(record.key);
        damaged("record", format!("{key:?}: {error}"))
    })
}

fn check_summary(value: &[u8]) -> Result<()> {
    let summary = Summary::parse(value)?;
    let (first, last) = (summary.months.first(), summary.months.last());
    let ends = first
        .zip(last)
        .map(|(first, last)| (first.month, last.month));
    if ends != Some((summary.days.first.month(), summary.days.last.month())) {
        return Err(damaged("summary", "its months are not those of its days"));
    }
    let quarters = &summary.quarters;
    let in_quarters = quarters.iter().map(|(quarter, cards)| {
        let months = summary.months.iter();
        let months = months.filter(|month| quarter_of(month.month) == *quarter);
        is_union(*cards, months.map(|month| month.cards))
    });
    let in_years = summary.years.iter().map(|(year, cards)| {
        let quarters = quarters.iter();
        let quarters = quarters.filter(|(quarter, _)| quarter.year() == *year);
        is_union(*cards, quarters.map(|(_, cards)| *cards))
    });
    let in_all = is_union(summary.cards, summary.years.iter().map(|(_, cards)| *cards));
    if in_quarters.chain(in_years).all(|fits| fits) && in_all {
        Ok(())
    } else {
        let problem = "its cards of longer periods do not fit those of shorter ones";
        Err(damaged("summary", problem))
    }
}

/// Returns whether sets of these sizes can have a union of so many.
fn is_union(union: u64, sizes: impl Iterator<Item = u64> + Clone) -> bool {
    let largest = sizes.clone().max().unwrap_or_default();
    (largest..=sizes.fold(0, u64::saturating_add)).contains(&union)
}

fn check_ranking(value: &[u8], is_growth: bool) -> Result<()> {
    let ranking = Ranking::parse(value)?;
    let mut rest = value.len();
    let mut last = None;
    for position in 0..ranking.len() {
        let entry = ranking.entry(position);
        let entry = entry.ok_or_else(|| damaged("ranking", "an id is outside it"))?;
        if is_growth {
            let growth = ranking.growth(position)?.unwrap_or_default();
            if last.is_some_and(|last: Growth| last.compare(growth).is_lt()) {
                return Err(damaged("ranking", "what grew more comes later"));
            }
            last = Some(growth);
        } else if entry.contains(&0) {
            return Err(damaged("ranking", "an id holds a NUL"));
        }
        // Each id's end takes four bytes; the ids lie one after the other, so none is in two.
        rest -= 4 + entry.len();
    }
    if rest == 4 {
        Ok(())
    } else {
        Err(damaged("ranking", "bytes are left over"))
    }
}

fn check_postings(value: &[u8]) -> Result<()> {
    let mut last = None;
    for posting in Postings::new(value) {
        let posting = posting?;
        if last.is_some_and(|last| last >= posting) {
            return Err(damaged("postings", "they are out of order or repeated"));
        }
        last = Some(posting);
    }
    match last {
        Some(_) => Ok(()),
        None => Err(damaged("postings", "there are none")),
    }
}

fn check_customer(key: &[u8], value: &[u8]) -> Result<()> {
    if !is_customer_key(key) {
        return Err(damaged("customer", "its key is no pseudonym"));
    }
    CustomerRecord::parse(value).map(|_record| ())
}

fn check_loyalty(span: Span, value: &[u8]) -> Result<()> {
    LoyaltyRecord::parse(span, value)?.verify()
}

fn check_month_key(dataset: &str, key: &[u8]) -> Result<()> {
    let month = String::from_utf8_lossy(key).parse::<Month>();
    let structure = match dataset {
        record::ORIGINS => "origins",
        record::BEFORE_AFTER => "before and after",
        record::SPEND_SHARES => "spend share",
        record::PLACE_MIXES => "place mixes",
        _ => "demographics",
    };
    month
        .map(|_month| ())
        .map_err(|_| damaged(structure, "its key is no month"))
}

fn check_atoms_key(key: &[u8]) -> Result<()> {
    let zeros = |key: &[u8]| key.iter().filter(|byte| **byte == 0).count();
    let is_one = match split_atoms_key(key) {
        None => false,
        Some((record::MARKETS, key)) => key == record::MARKET_ALL,
        Some((record::REGION_CATEGORIES, key)) => zeros(key) == 1,
        Some((_, key)) => zeros(key) == 0,
    };
    match is_one {
        true => Ok(()),
        false => Err(damaged("atoms", "its key is of no market or place")),
    }
}

fn check_leaf_key(key: &[u8]) -> Result<()> {
    match split_leaf_key(key) {
        Some(_) => Ok(()),
        None => Err(damaged("leaf", "its key is of no region and category")),
    }
}

fn damaged(structure: &'static str, problem: impl Into<String>) -> Error {
    Error::Corrupt {
        structure,
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests;
