//! What one record says, decoded by its dataset and span.

use std::fmt::Write;

use nightshard_format::{
    calendar::Month,
    record::{
        ATOMS, BEFORE_AFTER, BENCHMARKS, CATALOG, CUSTOMERS, DEMOGRAPHICS, LEAVES, LOYALTY,
        MERCHANT_LOYALTY, MonthRecord, ORIGINS, PATTERNS, PLACE_DEMOGRAPHICS, PLACE_LOYALTY,
        PLACE_MIXES, Postings, RANKINGS, REGION_TREE, Ranking, SEARCH, SERIES, SERIES_OF_DAYS,
        SETTLEMENTS, SPEND_SHARES, SideSeries, StoreProfile, Summary, parse_month_stores,
    },
    shard::{Identity, Span},
    statistics::Statistics,
};
use serde::Serialize;

use super::{
    Shown,
    atoms::{AtomMonthFacts, AtomSummaryFacts},
    benchmark::{BenchmarkFacts, benchmarks},
    customer::CustomerFacts,
    demographics::{CellFacts, PlaceFacts, cells, cells_text},
    elsewhere::{BesideFacts, LabelFacts, SpendFacts, labels_text, origins},
    leaves::LeafFacts,
    loyalty::{VisitsFacts, loyalty},
    mixes::{MixFacts, PlaceMixFacts, mixes, mixes_text},
    month::MoreOfMonth,
    patterns::PatternFacts,
    region::RegionFacts,
    settlements::{
        SettlementFacts, SettlementTotalsFacts, settlement_totals, settlement_totals_text,
    },
    shard::labelled,
};
use crate::output::{Column, Table};

/// A record and where it stands.
#[derive(Debug, Serialize)]
pub(super) struct RecordFacts {
    dataset: String,
    span: String,
    key: String,
    bytes: u64,
    value: ValueFacts,
}

/// A value by its type.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum ValueFacts {
    Summary(Box<SummaryFacts>),
    Month(Box<MonthFacts>),
    Ids(Vec<String>),
    Postings(Vec<PostingFacts>),
    Region(RegionFacts),
    Series(Vec<DayValue>),
    Loyalty(Vec<VisitsFacts>),
    AtomSummary(Box<AtomSummaryFacts>),
    Atoms(AtomMonthFacts),
    Leaf(LeafFacts),
    Pattern(PatternFacts),
    PlaceMixes(PlaceMixFacts),
    Benchmarks(Vec<BenchmarkFacts>),
    Customer(CustomerFacts),
    Demographics(Vec<CellFacts>),
    PlaceDemographics(PlaceFacts),
    Origins(Vec<LabelFacts>),
    BeforeAfter(Box<BesideFacts>),
    SpendShare(SpendFacts),
    Settlements(SettlementFacts),
    SettlementTotals(Vec<SettlementTotalsFacts>),
    /// How many stores or places have a record of a month.
    Stores(u64),
    /// Bytes in hexadecimal, of a dataset unknown to this release.
    Unknown(String),
}

#[derive(Debug, Serialize)]
struct SummaryFacts {
    profile: StoreProfile,
    first_day: String,
    last_day: String,
    all: StatisticsRow,
    months: Vec<StatisticsRow>,
}

#[derive(Debug, Serialize)]
struct MonthFacts {
    all: StatisticsRow,
    days: Vec<StatisticsRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mixes: Vec<MixFacts>,
    #[serde(flatten)]
    more: MoreOfMonth,
}

#[derive(Debug, Serialize)]
struct PostingFacts {
    kind: &'static str,
    id: String,
}

/// A value of a side series.
#[derive(Debug, Serialize)]
struct DayValue {
    date: String,
    value: f64,
}

/// The totals of a period, money in minor units.
#[derive(Debug, Serialize)]
struct StatisticsRow {
    period: String,
    count: u64,
    sum: i128,
    mean: Option<f64>,
    min: i64,
    max: i64,
    std: Option<f64>,
    cards: u64,
    refund_count: u64,
    refund_sum: i128,
}

impl RecordFacts {
    /// Decodes a record.
    pub(super) fn decode(
        identity: &Identity,
        key: &[u8],
        value: &[u8],
    ) -> nightshard_format::Result<Self> {
        let dataset = identity.dataset.as_str();
        let decoded = match (dataset, identity.span) {
            (_, Span::Current) if SERIES_OF_DAYS.contains(&dataset) => {
                ValueFacts::Summary(Box::new(summary(value)?))
            }
            (_, Span::Month(at)) if SERIES_OF_DAYS.contains(&dataset) => {
                ValueFacts::Month(Box::new(month(at, value)?))
            }
            (RANKINGS | CATALOG, Span::Current) => ValueFacts::Ids(ids(value)?),
            (SEARCH, Span::Current) => ValueFacts::Postings(postings(value)?),
            (REGION_TREE, Span::Current) => ValueFacts::Region(RegionFacts::of(value)?),
            (SERIES, Span::Current) => ValueFacts::Series(series(value)?),
            (BENCHMARKS, Span::Month(month)) => ValueFacts::Benchmarks(benchmarks(month, value)?),
            (CUSTOMERS, Span::Current) => ValueFacts::Customer(CustomerFacts::of(value)?),
            (DEMOGRAPHICS, Span::Month(_)) => ValueFacts::Demographics(cells(value)?),
            (PLACE_DEMOGRAPHICS, Span::Month(_)) => {
                ValueFacts::PlaceDemographics(PlaceFacts::of(value)?)
            }
            (
                DEMOGRAPHICS | PLACE_DEMOGRAPHICS | PLACE_MIXES | ORIGINS | BEFORE_AFTER
                | SPEND_SHARES,
                Span::Current,
            ) => ValueFacts::Stores(parse_month_stores(value)?),
            (BEFORE_AFTER, Span::Month(_)) => {
                ValueFacts::BeforeAfter(Box::new(BesideFacts::of(value)?))
            }
            (ORIGINS, Span::Month(_)) => ValueFacts::Origins(origins(value)?),
            (SPEND_SHARES, Span::Month(_)) => ValueFacts::SpendShare(SpendFacts::of(value)?),
            (SETTLEMENTS, Span::Current) => ValueFacts::SettlementTotals(settlement_totals(value)?),
            (SETTLEMENTS, Span::Month(_)) => ValueFacts::Settlements(SettlementFacts::of(value)?),
            (LOYALTY | PLACE_LOYALTY | MERCHANT_LOYALTY, span) => {
                ValueFacts::Loyalty(loyalty(span, value)?)
            }
            (ATOMS, Span::Current) => {
                ValueFacts::AtomSummary(Box::new(AtomSummaryFacts::of(value)?))
            }
            (ATOMS, Span::Month(at)) => ValueFacts::Atoms(AtomMonthFacts::of(at, value)?),
            (PATTERNS, Span::Month(_)) => ValueFacts::Pattern(PatternFacts::of(value)?),
            (PLACE_MIXES, Span::Month(_)) => ValueFacts::PlaceMixes(PlaceMixFacts::of(value)?),
            (LEAVES, Span::Month(at)) => ValueFacts::Leaf(LeafFacts::of(at, value)?),
            _ => ValueFacts::Unknown(hexadecimal(value)),
        };
        Ok(Self {
            dataset: identity.dataset.clone(),
            span: identity.span.to_string(),
            key: text(key),
            bytes: value.len() as u64,
            value: decoded,
        })
    }
}

fn summary(value: &[u8]) -> nightshard_format::Result<SummaryFacts> {
    let summary = Summary::parse(value)?;
    let months = summary.months.iter();
    Ok(SummaryFacts {
        first_day: summary.days.first.to_string(),
        last_day: summary.days.last.to_string(),
        all: StatisticsRow::of("all", &summary.statistics(), summary.cards),
        months: months
            .map(|month| StatisticsRow::of(month.month, &month.statistics, month.cards))
            .collect(),
        profile: summary.profile,
    })
}

fn month(month: Month, value: &[u8]) -> nightshard_format::Result<MonthFacts> {
    let record = MonthRecord::parse(month, value)?;
    let mut days = Vec::new();
    record.visit_days(month.days(), |day, totals| {
        days.push(StatisticsRow::of(day, &totals, 0))
    })?;
    let mut cards = Vec::with_capacity(days.len());
    record.visit_cards_since(month.days(), |day| day, |_day, count| cards.push(count))?;
    for (day, count) in days.iter_mut().zip(cards) {
        day.cards = count;
    }
    Ok(MonthFacts {
        all: StatisticsRow::of(month, &record.statistics(), record.cards()),
        days,
        mixes: mixes(&record)?,
        more: MoreOfMonth::of(month, &record)?,
    })
}

fn ids(value: &[u8]) -> nightshard_format::Result<Vec<String>> {
    let ranking = Ranking::parse(value)?;
    let ids = (0..ranking.len()).filter_map(|position| ranking.get(position));
    Ok(ids.map(text).collect())
}

fn postings(value: &[u8]) -> nightshard_format::Result<Vec<PostingFacts>> {
    Postings::new(value)
        .map(|posting| {
            let posting = posting?;
            Ok(PostingFacts {
                kind: posting.kind.as_str(),
                id: text(posting.id),
            })
        })
        .collect()
}

fn series(value: &[u8]) -> nightshard_format::Result<Vec<DayValue>> {
    let mut values = Vec::new();
    SideSeries::parse(value)?.visit(|day, value| {
        let date = day.to_string();
        values.push(DayValue { date, value });
    })?;
    Ok(values)
}

impl StatisticsRow {
    fn of(period: impl ToString, statistics: &Statistics, cards: u64) -> Self {
        Self {
            period: period.to_string(),
            count: statistics.count,
            sum: statistics.sum,
            mean: statistics.mean(),
            min: statistics.min,
            max: statistics.max,
            std: statistics.std(),
            cards,
            refund_count: statistics.refund_count,
            refund_sum: statistics.refund_sum,
        }
    }
}

impl Shown for RecordFacts {
    fn to_text(&self) -> String {
        // Keys may hold control characters, as those of rankings do.
        let mut text = labelled(&[
            ("key", self.key.escape_debug().to_string()),
            ("dataset", self.dataset.clone()),
            ("span", self.span.clone()),
            ("size", format!("{} bytes", self.bytes)),
        ]);
        match &self.value {
            ValueFacts::Summary(summary) => {
                text += &profile_text(&summary.profile);
                text += &labelled(&[(
                    "days",
                    format!("{} to {}", summary.first_day, summary.last_day),
                )]);
                text += &statistics_text(&summary.all, &summary.months);
            }
            ValueFacts::Month(month) => {
                text += &statistics_text(&month.all, &month.days);
                text += &mixes_text(&month.mixes);
                month.more.write(&mut text);
            }
            ValueFacts::Loyalty(periods) => periods.iter().for_each(|it| it.write(&mut text)),
            ValueFacts::AtomSummary(summary) => summary.write(&mut text),
            ValueFacts::Atoms(atoms) => atoms.write(&mut text),
            ValueFacts::Leaf(leaf) => leaf.write(&mut text),
            ValueFacts::Region(region) => region.write(&mut text),
            ValueFacts::Pattern(pattern) => pattern.write(&mut text),
            ValueFacts::PlaceMixes(mixes) => mixes.write(&mut text),
            ValueFacts::Benchmarks(periods) => periods.iter().for_each(|it| it.write(&mut text)),
            ValueFacts::Customer(customer) => customer.write(&mut text),
            ValueFacts::Demographics(cells) => text += &cells_text(cells),
            ValueFacts::PlaceDemographics(place) => place.write(&mut text),
            ValueFacts::Origins(cells) => text += &labels_text("region", cells),
            ValueFacts::BeforeAfter(beside) => beside.write(&mut text),
            ValueFacts::SpendShare(spend) => spend.write(&mut text),
            ValueFacts::Settlements(month) => month.write(&mut text),
            ValueFacts::SettlementTotals(months) => text += &settlement_totals_text(months),
            ValueFacts::Stores(stores) => {
                let places = match self.dataset.as_str() {
                    PLACE_DEMOGRAPHICS | PLACE_MIXES => "places",
                    _ => "stores",
                };
                let _infallible = writeln!(text, "\n{stores} {places} have a record");
            }
            ValueFacts::Ids(ids) => {
                text.push('\n');
                for (position, id) in ids.iter().enumerate() {
                    let _infallible = writeln!(text, "{:>8}  {id}", position + 1);
                }
            }
            ValueFacts::Postings(postings) => {
                text.push('\n');
                for posting in postings {
                    let _infallible = writeln!(text, "{:<8}  {}", posting.kind, posting.id);
                }
            }
            ValueFacts::Series(values) => {
                text.push('\n');
                for DayValue { date, value } in values {
                    let _infallible = writeln!(text, "{date}  {value}");
                }
            }
            ValueFacts::Unknown(bytes) => {
                let _infallible = writeln!(text, "\n{bytes}");
            }
        }
        text
    }
}

pub(super) fn profile_text(profile: &StoreProfile) -> String {
    let location = profile.location.map(|(latitude, longitude)| {
        let degrees = |value: i32| f64::from(value) / 1e7;
        format!("{:.7}, {:.7}", degrees(latitude), degrees(longitude))
    });
    let lines = [
        ("name", &profile.name),
        ("merchant", &profile.merchant_id),
        ("category", &profile.category),
        ("region", &profile.region),
        ("location", &location),
    ];
    let known = lines
        .iter()
        .filter_map(|(label, value)| Some((*label, value.as_ref()?.clone())));
    labelled(&known.collect::<Vec<_>>())
}

fn statistics_text(all: &StatisticsRow, parts: &[StatisticsRow]) -> String {
    let mut table = Table::new(&[
        Column::Text("period"),
        Column::Number("count"),
        Column::Number("sum"),
        Column::Number("min"),
        Column::Number("max"),
        Column::Number("cards"),
        Column::Number("refunds"),
        Column::Number("refund sum"),
    ]);
    for row in std::iter::once(all).chain(parts) {
        table.row([
            row.period.clone(),
            row.count.to_string(),
            row.sum.to_string(),
            row.min.to_string(),
            row.max.to_string(),
            row.cards.to_string(),
            row.refund_count.to_string(),
            row.refund_sum.to_string(),
        ]);
    }
    format!("\n{}", table.to_text())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
