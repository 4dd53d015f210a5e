//! The tables of when the rows of stores' months settle, and of the points that were used in them.

use nightshard_format::{
    Result,
    calendar::{Day, Period},
    record::{Settled, SettlementMonth},
    shard::Span,
};

use super::{
    key_rows::PERIOD,
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::integer,
};

/// Columns behind those of a period.
const SETTLED: [Field; 7] = [
    optional("settles_on", Kind::Date),
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
    required("fee_count", Kind::Integer),
    optional("fees", Kind::Decimal),
    required("deposit_count", Kind::Integer),
    optional("deposits", Kind::Decimal),
];

/// Likewise.
const POINTS: [Field; 2] = [
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
];

/// The tables.
pub(super) const TABLES: [RecordTable; 2] = [
    RecordTable {
        part: "settlements",
        fields: [&PERIOD, &SETTLED],
        add: add_settled,
    },
    RecordTable {
        part: "points",
        fields: [&PERIOD, &POINTS],
        add: add_points,
    },
];

fn add_settled(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    let record = SettlementMonth::parse(found.value)?;
    let undated = (record.undated.rows.count > 0).then_some((None, record.undated));
    let dated = record.days.iter().map(|(day, it)| (Some(*day), *it));
    for (day, settled) in undated.into_iter().chain(dated) {
        let head = found.head(Period::Month(month), &label)?;
        rows.push(head.chain(figures(day, &settled)?));
    }
    Ok(())
}

fn figures(day: Option<Day>, settled: &Settled) -> Result<[Cell<'static>; 7]> {
    let Settled {
        rows,
        fees,
        deposits,
    } = settled;
    let sum = |count, sum| match count {
        0 => Cell::Missing,
        _ => Cell::Decimal(sum),
    };
    Ok([
        day.map_or(Cell::Missing, Cell::Date),
        integer(rows.count)?,
        Cell::Decimal(rows.sum),
        integer(fees.count)?,
        sum(fees.count, fees.sum),
        integer(deposits.count)?,
        sum(deposits.count, deposits.sum),
    ])
}

fn add_points(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let points = SettlementMonth::parse(found.value)?.points;
    if points.count > 0 {
        let label = month.to_string();
        let figures = [integer(points.count)?, Cell::Decimal(points.sum)];
        let head = found.head(Period::Month(month), &label)?;
        rows.push(head.chain(figures));
    }
    Ok(())
}
