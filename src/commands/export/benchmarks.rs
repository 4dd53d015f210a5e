//! The table of stores beside the others of their region and category.

use nightshard_format::{
    Result,
    record::{BenchmarkRecord, Standing},
    shard::Span,
};

use super::{
    key_rows::PERIOD,
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional},
    statistics::integer,
};

/// Columns behind those of a period: none has a value where the figures are hidden.
const STANDINGS: [Field; 7] = [
    optional("others", Kind::Integer),
    optional("net_sales_index", Kind::Double),
    optional("net_sales_percentile", Kind::Double),
    optional("sales_count_index", Kind::Double),
    optional("sales_count_percentile", Kind::Double),
    optional("ticket_index", Kind::Double),
    optional("ticket_percentile", Kind::Double),
];

/// The tables.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    part: "benchmarks",
    fields: [&PERIOD, &STANDINGS],
    add,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    for (period, benchmark) in BenchmarkRecord::parse(month, found.value)?.periods {
        let mut cells = [Cell::Missing; 7];
        if let Some(benchmark) = benchmark {
            cells[0] = integer(benchmark.others)?;
            let standings = benchmark.standings().into_iter();
            let of = |(_, standing)| cells_of(standing, benchmark.others);
            let standings = standings.flat_map(of);
            for (cell, standing) in cells[1..].iter_mut().zip(standings) {
                *cell = standing;
            }
        }
        let label = period.to_string();
        rows.push(found.head(period, &label)?.chain(cells));
    }
    Ok(())
}

fn cells_of(standing: Standing, others: u64) -> [Cell<'static>; 2] {
    [standing.index(), standing.percentile(others)].map(Cell::optional_double)
}
