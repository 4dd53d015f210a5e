//! Values, read as each kind of record, and all that such a record can be asked.

use nightshard_format::{
    Error,
    calendar::{Day, DayRange, Month},
    histogram::FineHistogram,
    privacy::Privacy,
    record::{
        AtomMonth, AtomSummary, BenchmarkRecord, BesideRecord, CustomerRecord, DemographicsRecord,
        LeafRecord, LoyaltyRecord, MonthRecord, OriginsRecord, PlaceDemographics, PlaceMixes,
        PlacePattern, Postings, Ranking, RegionRecord, SettlementMonth, SettlementSummary,
        SideSeries, SpendShare, Summary, benchmark_periods, encode_customer, encode_demographics,
        encode_month_stores, encode_origins, loyalty_periods, parse_month_stores,
    },
    shard::Span,
};

use crate::targets::{Outcome, outcome};

/// Reads a value, and returns something that tells it from others.
type Read = fn(&[u8]) -> Result<u64, Error>;

/// How each kind is read; the first byte of an input says which.
const KINDS: [Read; 23] = [
    month_of_store,
    |value| Summary::parse(value).map(|summary| summary.statistics().count),
    ranking,
    |value| Postings::new(value).try_fold(0, |count, posting| posting.map(|_| count + 1)),
    side_series,
    |value| loyalty(Span::Month(month()), value),
    |value| loyalty(Span::Current, value),
    benchmarks,
    atoms,
    summary_of_atoms,
    leaf,
    customer,
    demographics,
    demographics_of_place,
    region,
    pattern,
    origins,
    stores_of_month,
    before_after,
    spend_share,
    settlements,
    summary_of_settlements,
    mixes_of_place,
];

/// How many kinds there are.
pub(crate) const LEN_KINDS: usize = KINDS.len();

/// Reads the value behind the first byte as the kind that this says.
pub(crate) fn run(data: &[u8]) -> Outcome {
    let Some((kind, value)) = data.split_first() else {
        return 0;
    };
    let read = KINDS[usize::from(*kind) % LEN_KINDS](value);
    read.map_or_else(|error| outcome(&error), |read| read.leading_zeros().into())
}

/// A month with which a quarter ends.
fn month() -> Month {
    Month::new(2018, 3).expect("there was such a month")
}

fn month_of_store(value: &[u8]) -> Result<u64, Error> {
    let month = month();
    let days = month.days();
    let record = MonthRecord::parse(month, value)?;
    let is_right = record.verify();
    let mut bins = FineHistogram::new();
    let mut count = 0_u64;
    let second = Day(days.first.0 + 1);
    let part = DayRange {
        first: second,
        last: days.last,
    };
    let mut read = || -> Result<u64, Error> {
        record.visit_days(days, |_day, totals| {
            count = count.saturating_add(totals.count)
        })?;
        record.add_bins(days, &mut bins)?;
        record.add_bins(part, &mut bins)?;
        record.cards_since(part, second)?;
        record.buyers_since(part, second)?;
        record.visit_hours(part, |_day, _hour| ())?;
        record.visit_mixes(|_row| ())?;
        record.buyers_since(days, Day(days.first.0 - 7))?;
        record.cards_since(days, Day(days.first.0 - 7))
    };
    let cards = read();
    is_right?;
    assert_eq!(
        count,
        record.statistics().count,
        "a verified month does not add up"
    );
    cards.map(|cards| cards ^ record.cards())
}

/// Reads a side series; one that is right ascends.
fn side_series(value: &[u8]) -> Result<u64, Error> {
    let series = SideSeries::parse(value)?;
    let mut days: Vec<Day> = Vec::new();
    series.visit(|day, value| {
        assert!(value.is_finite());
        days.push(day);
    })?;
    assert_eq!(days.len(), series.len_values());
    assert!(days.is_sorted_by(|before, day| before < day));
    assert_eq!(days.last(), Some(&series.days()?.last));
    Ok(days.len() as u64)
}

fn ranking(value: &[u8]) -> Result<u64, Error> {
    let ranking = Ranking::parse(value)?;
    let ids = (0..=ranking.len().min(1_000)).map_while(|at| ranking.get(at));
    Ok(ids.count() as u64)
}

fn loyalty(span: Span, value: &[u8]) -> Result<u64, Error> {
    let record = LoyaltyRecord::parse(span, value)?;
    let cards = loyalty_periods(span).filter_map(|(_, period)| Some(record.find(period)?.cards()));
    let cards = cards.fold(0, u64::saturating_add);
    record.verify().map(|()| cards)
}

fn benchmarks(value: &[u8]) -> Result<u64, Error> {
    let record = BenchmarkRecord::parse(month(), value)?;
    let told = benchmark_periods(month()).filter_map(|(_, period)| record.find(period).flatten());
    let told = told.map(|benchmark| benchmark.standings().len());
    Ok(told.sum::<usize>() as u64)
}

/// Reads the atoms of a month; those that are right are written and read alike.
fn atoms(value: &[u8]) -> Result<u64, Error> {
    let atoms = AtomMonth::parse(month(), value)?;
    let last = month().days().last;
    let cards = atoms.cards_since(month(), Month(month().0 - 2), last);
    assert!(cards <= atoms.cards_since(month(), month(), last));
    let mut again = Vec::new();
    atoms.encode(month(), &mut again)?;
    assert_eq!(AtomMonth::parse(month(), &again)?, atoms);
    Ok(cards)
}

/// Reads a region; one that is right is written and read alike.
fn region(value: &[u8]) -> Result<u64, Error> {
    let region = RegionRecord::parse(value)?;
    let mut again = Vec::new();
    region.encode(&mut again)?;
    assert_eq!(RegionRecord::parse(&again)?, region);
    Ok(region.children.len() as u64)
}

fn summary_of_atoms(value: &[u8]) -> Result<u64, Error> {
    let summary = AtomSummary::parse(value)?;
    let mut again = Vec::new();
    summary.encode(&mut again)?;
    assert_eq!(AtomSummary::parse(&again)?, summary);
    Ok(summary.total().map_or(0, |(count, _sum)| count))
}

fn leaf(value: &[u8]) -> Result<u64, Error> {
    let leaf = LeafRecord::parse(month(), value)?;
    let mut again = Vec::new();
    leaf.encode(month(), &mut again)?;
    assert_eq!(LeafRecord::parse(month(), &again)?, leaf);
    Ok(leaf.stores.len() as u64)
}

fn pattern(value: &[u8]) -> Result<u64, Error> {
    let pattern = PlacePattern::parse(value)?;
    let mut again = Vec::new();
    pattern.encode(&mut again)?;
    assert_eq!(PlacePattern::parse(&again)?, pattern);
    assert!(!pattern.is_empty());
    Ok(again.len() as u64)
}

/// Reads the settlements of a month; those that are right are written and read alike.
fn settlements(value: &[u8]) -> Result<u64, Error> {
    let record = SettlementMonth::parse(value)?;
    let mut again = Vec::new();
    record.encode(&mut again)?;
    assert_eq!(SettlementMonth::parse(&again)?, record);
    let totals = record.totals(month());
    assert_eq!(totals.dated.is_some(), !record.days.is_empty());
    assert_eq!(totals.all().count, record.total().rows.count);
    Ok(totals.all().count)
}

fn summary_of_settlements(value: &[u8]) -> Result<u64, Error> {
    let summary = SettlementSummary::parse(value)?;
    let mut again = Vec::new();
    summary.encode(&mut again)?;
    assert_eq!(SettlementSummary::parse(&again)?, summary);
    assert_eq!(summary.days().is_some(), summary.dated().count > 0);
    Ok(summary.dated().count)
}

/// Reads the mixes of a place; those that are right are written and read alike, and added to themselves they are right.
fn mixes_of_place(value: &[u8]) -> Result<u64, Error> {
    let mixes = PlaceMixes::parse(value)?;
    let mut again = Vec::new();
    mixes.encode(&mut again)?;
    assert_eq!(PlaceMixes::parse(&again)?, mixes);
    assert!(!mixes.is_empty());
    let mut twice = mixes.clone();
    twice.add(&mixes);
    twice.bound();
    assert_eq!(twice.dimensions.len(), mixes.dimensions.len());
    Ok(again.len() as u64)
}

fn customer(value: &[u8]) -> Result<u64, Error> {
    let customer = CustomerRecord::parse(value)?;
    let mut again = Vec::new();
    encode_customer(&customer.figures, &customer.attributes, &mut again)?;
    assert_eq!(CustomerRecord::parse(&again)?, customer);
    assert!(customer.figures.mean().is_none_or(f64::is_finite));
    Ok(customer.figures.count)
}

fn demographics(value: &[u8]) -> Result<u64, Error> {
    let record = DemographicsRecord::parse(value)?;
    let mut again = Vec::new();
    encode_demographics(&record.cells, &mut again);
    assert_eq!(DemographicsRecord::parse(&again)?, record);
    Ok(record.cells.len() as u64)
}

fn demographics_of_place(value: &[u8]) -> Result<u64, Error> {
    let place = PlaceDemographics::parse(value)?;
    let mut again = Vec::new();
    place.encode(&mut again);
    assert_eq!(PlaceDemographics::parse(&again)?, place);
    Ok(again.len() as u64)
}

fn origins(value: &[u8]) -> Result<u64, Error> {
    let record = OriginsRecord::parse(value)?;
    let mut again = Vec::new();
    encode_origins(&record.cells, &mut again);
    assert_eq!(OriginsRecord::parse(&again)?, record);
    Ok(record.cards())
}

fn stores_of_month(value: &[u8]) -> Result<u64, Error> {
    let stores = parse_month_stores(value)?;
    let mut again = Vec::new();
    encode_month_stores(stores, &mut again);
    assert_eq!(parse_month_stores(&again)?, stores);
    Ok(stores)
}

fn before_after(value: &[u8]) -> Result<u64, Error> {
    let record = BesideRecord::parse(value)?;
    let mut again = Vec::new();
    record.encode(&mut again);
    assert_eq!(BesideRecord::parse(&again)?, record);
    Ok(record.cards().into_iter().max().unwrap_or(0))
}

fn spend_share(value: &[u8]) -> Result<u64, Error> {
    let record = SpendShare::parse(value)?;
    let mut again = Vec::new();
    record.encode(&mut again);
    assert_eq!(SpendShare::parse(&again)?, record);
    for k in [1, 10] {
        let share = record.share(Privacy::new(k)?);
        assert!(share.is_none_or(|share| share.is_finite() && share >= 0.0));
    }
    Ok(again.len() as u64)
}
