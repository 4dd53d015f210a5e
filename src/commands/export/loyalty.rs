//! The tables of what takes each card of a store, place or merchant as a whole: regulars, cards by number of visits, and
//! scores.

use nightshard_format::{
    Result,
    calendar::Period,
    record::{CardSales, LoyaltyRecord, VISIT_NUMBERS, VisitsOf},
};

use super::{
    demographics::{PLACE_PERIOD, place_cells},
    error::corrupt,
    key_rows::PERIOD,
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::integer,
};

/// Columns of a period, behind those that every table here has.
const LOYALTY: [Field; 4] = [
    required("last_visit", Kind::Date),
    required("cards", Kind::Integer),
    required("regular_cards", Kind::Integer),
    required("regular_sales_sum", Kind::Decimal),
];
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
pub(super) const TABLES: [RecordTable; 3] = [
    RecordTable {
        name: "store_loyalty",
        fields: [&PERIOD, &LOYALTY],
        add: |found, rows| add_all(found, rows, loyalty),
    },
    RecordTable {
        name: "store_visits",
        fields: [&PERIOD, &VISITS],
        add: |found, rows| add_all(found, rows, visits),
    },
    RecordTable {
        name: "store_scores",
        fields: [&PERIOD, &SCORES],
        add: |found, rows| add_all(found, rows, scores),
    },
];

/// The tables of places and the market.
pub(super) const PLACE_TABLES: [RecordTable; 3] = [
    RecordTable {
        name: "place_loyalty",
        fields: [&PLACE_PERIOD, &LOYALTY],
        add: |found, rows| add_all_of_place(found, rows, loyalty),
    },
    RecordTable {
        name: "place_visits",
        fields: [&PLACE_PERIOD, &VISITS],
        add: |found, rows| add_all_of_place(found, rows, visits),
    },
    RecordTable {
        name: "place_scores",
        fields: [&PLACE_PERIOD, &SCORES],
        add: |found, rows| add_all_of_place(found, rows, scores),
    },
];

/// The tables of merchants.
pub(super) const MERCHANT_TABLES: [RecordTable; 3] = {
    let [mut of_visits, mut visits, mut scores] = TABLES;
    of_visits.name = "merchant_loyalty";
    visits.name = "merchant_visits";
    scores.name = "merchant_scores";
    [of_visits, visits, scores]
};

/// Adds rows of each period of a record; `figures` returns what they have behind the columns of a period.
fn add_all<const N: usize>(
    found: &Found<'_>,
    rows: &mut Rows,
    figures: impl Fn(&Found<'_>, &VisitsOf) -> Result<Vec<[Cell<'static>; N]>>,
) -> Result<()> {
    for visits in &LoyaltyRecord::parse(found.span, found.value)?.periods {
        let period: Period = visits.0;
        let label = period.to_string();
        for figures in figures(found, visits)? {
            rows.push(found.head(period, &label).into_iter().chain(figures));
        }
    }
    Ok(())
}

/// Adds the same of a place or the market.
fn add_all_of_place<const N: usize>(
    found: &Found<'_>,
    rows: &mut Rows,
    figures: impl Fn(&Found<'_>, &VisitsOf) -> Result<Vec<[Cell<'static>; N]>>,
) -> Result<()> {
    let place = place_cells(found.id)?;
    for visits in &LoyaltyRecord::parse(found.span, found.value)?.periods {
        let period: Period = visits.0;
        let label = period.to_string();
        for figures in figures(found, visits)? {
            let [_id, of_period @ ..] = found.head(period, &label);
            let head = place.into_iter().chain(of_period);
            rows.push(head.chain(figures));
        }
    }
    Ok(())
}

fn loyalty(found: &Found<'_>, (period, visits): &VisitsOf) -> Result<Vec<[Cell<'static>; 4]>> {
    // Who is regular is asked on the period's last day that the data has.
    let [cards, sales] = cells_of(visits.regulars_on(found.last_day_of(*period)))?;
    let last = Cell::Date(visits.last);
    Ok(vec![[last, integer(visits.cards())?, cards, sales]])
}

fn visits(_found: &Found<'_>, (_, visits): &VisitsOf) -> Result<Vec<[Cell<'static>; 3]>> {
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

fn scores(_found: &Found<'_>, (_, visits): &VisitsOf) -> Result<Vec<[Cell<'static>; 4]>> {
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

fn cells_of(of: CardSales) -> Result<[Cell<'static>; 2]> {
    let sales = i128::try_from(of.sales);
    let sales = sales.map_err(|_beyond| corrupt("loyalty", "a sum exceeds 2^127"))?;
    Ok([integer(of.cards)?, Cell::Decimal(sales)])
}
