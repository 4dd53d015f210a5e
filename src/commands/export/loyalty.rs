//! The tables of what takes each card of a store, place or merchant as a whole: cards by number of visits, and scores.

use nightshard_format::{
    Result,
    record::{CardSales, LoyaltyRecord, PeriodVisits, VISIT_NUMBERS},
};

use super::{
    error::corrupt,
    key_rows::PERIOD,
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::integer,
};

/// Columns of cards that came so often.
const VISITS: [Field; 3] = [
    required("from", Kind::Integer),
    optional("to", Kind::Integer),
    required("cards", Kind::Integer),
];
/// Columns of cards of one score of recency and one of frequency.
const SCORES: [Field; 4] = [
    required("recency", Kind::Integer),
    required("frequency", Kind::Integer),
    required("cards", Kind::Integer),
    required("sales_sum", Kind::Decimal),
];

/// The tables.
pub(super) const TABLES: [RecordTable; 2] = [
    RecordTable {
        part: "visits",
        fields: [&PERIOD, &VISITS],
        add: |found, rows| add_all(found, rows, visits),
    },
    RecordTable {
        part: "scores",
        fields: [&PERIOD, &SCORES],
        add: |found, rows| add_all(found, rows, scores),
    },
];

/// Adds rows of each period of a record; `figures` returns what they have behind the columns of a period.
fn add_all<const N: usize>(
    found: &Found<'_>,
    rows: &mut Rows,
    figures: impl Fn(&PeriodVisits) -> Result<Vec<[Cell<'static>; N]>>,
) -> Result<()> {
    for (period, visits) in &LoyaltyRecord::parse(found.span, found.value)?.periods {
        let label = period.to_string();
        for figures in figures(visits)? {
            rows.push(found.head(*period, &label)?.chain(figures));
        }
    }
    Ok(())
}

fn visits(visits: &PeriodVisits) -> Result<Vec<[Cell<'static>; 3]>> {
    let rows = visits.visits.iter().map(|run| {
        let from = u64::from(run.distance);
        let next = VISIT_NUMBERS.into_iter().find(|number| *number > from);
        let to = next.map(|next| integer(next - 1)).transpose()?;
        Ok([
            integer(from)?,
            to.unwrap_or(Cell::Missing),
            integer(run.count)?,
        ])
    });
    rows.collect()
}

fn scores(visits: &PeriodVisits) -> Result<Vec<[Cell<'static>; 4]>> {
    let cells = visits
        .quintiles
        .iter()
        .flat_map(|quintiles| &quintiles.both);
    let rows = cells.map(|both| {
        let [cards, sales] = cells_of(both.of)?;
        let [recency, frequency] = [both.recency, both.frequency];
        Ok([
            Cell::Integer(recency.into()),
            Cell::Integer(frequency.into()),
            cards,
            sales,
        ])
    });
    rows.collect()
}

/// Returns how many cards there are, and what they bought for.
pub(super) fn cells_of(of: CardSales) -> Result<[Cell<'static>; 2]> {
    let sales = i128::try_from(of.sales);
    let sales = sales.map_err(|_beyond| corrupt("loyalty", "a sum exceeds 2^127"))?;
    Ok([integer(of.cards)?, Cell::Decimal(sales)])
}
