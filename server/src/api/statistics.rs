//! `GET /v1/stores/{id}/statistics`: totals by period.

use nightshard_format::calendar::PeriodKind;

use super::{
    ANSWER_BYTES_MAX, Lookup, check_length,
    parameters::Parameters,
    places::write_id,
    protected::{write_covered, write_suppressed, write_totals},
};
use crate::{
    json::Json,
    problem::{Failure, Result},
    protected::{Protected, Told, covered},
    series::{self, OfPeriod, Row, Series, Window},
    subject::Subject,
    work::Work,
};

/// The words of `group_by`.
const KINDS: [(&str, PeriodKind); 6] = [
    ("day", PeriodKind::Day),
    ("week", PeriodKind::Week),
    ("month", PeriodKind::Month),
    ("quarter", PeriodKind::Quarter),
    ("year", PeriodKind::Year),
    ("all", PeriodKind::All),
];

/// The time to write a row, in nanoseconds.
const ROW_NS: u64 = 250;

/// The shortest row, in bytes.
const ROW_BYTES_MIN: usize = 100;

/// Returns the most days of a period of one kind.
fn days_of(kind: PeriodKind) -> usize {
    match kind {
        PeriodKind::Day => 1,
        PeriodKind::Week => 7,
        PeriodKind::Month => 31,
        PeriodKind::Quarter => 92,
        PeriodKind::Year => 366,
        PeriodKind::All => usize::MAX,
    }
}

/// What a request for statistics asks.
#[derive(Debug)]
pub(super) struct Query {
    kind: PeriodKind,
    window: Window,
    fills: bool,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let kind = parameters.take_word("group_by", &KINDS)?;
        let days = lookup.served.transactions()?.days;
        let asked = parameters.take_dates(days)?.range(days);
        let fills = parameters.take_fill()?;
        Ok(Self {
            kind: kind.unwrap_or(PeriodKind::Month),
            window: Window::new(asked, days),
            fills,
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let rows = series.rows(self.kind, &self.window, lookup.work)?;
        let rows = self.filled(rows, lookup.work)?;
        self.begin(lookup, series.subject())?;
        self.write_rows(lookup.json, &rows, write_row)
    }

    /// Writes the answer of what is protected.
    pub(super) fn write_protected(
        &self,
        lookup: &mut Lookup<'_>,
        protected: &Protected<'_>,
    ) -> Result<()> {
        let rows = protected.rows(self.kind, &self.window, lookup.work)?;
        let covered = covered(&rows);
        let rows = self.filled(rows, lookup.work)?;
        self.begin(lookup, protected.subject())?;
        write_covered(lookup.json, covered);
        self.write_rows(lookup.json, &rows, write_told)
    }

    /// Fills rows where that is asked for, and takes note of the work to write them.
    fn filled<R: OfPeriod>(&self, mut rows: Vec<R>, work: &mut Work) -> Result<Vec<R>> {
        if self.fills {
            // Every period filled in has a day of its own.
            let days = self.window.shown().iter().count();
            work.spend(days as u64 * ROW_NS / 10)?;
            if days / days_of(self.kind) > ANSWER_BYTES_MAX / ROW_BYTES_MIN {
                return Err(Failure::Long);
            }
            rows = series::fill(rows, self.kind, &self.window);
        }
        work.spend(rows.len() as u64 * ROW_NS)?;
        Ok(rows)
    }

    fn begin(&self, lookup: &mut Lookup<'_>, subject: Subject<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, subject);
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind);
        json.key("group_by")
            .optional_string(name.map(|(name, _)| *name));
        json.members(&transactions.currency);
        Ok(())
    }

    fn write_rows<R: OfPeriod>(
        &self,
        json: &mut Json,
        rows: &[R],
        write: impl Fn(&mut Json, &R, bool),
    ) -> Result<()> {
        json.key("rows").begin_array();
        for row in rows {
            write(json, row, self.window.cuts(row.period()));
            check_length(json)?;
        }
        json.end_array();
        json.end_object();
        Ok(())
    }
}

/// Writes a row; there may be thousands, so its keys are written with all that is between them.
fn write_row(json: &mut Json, row: &Row, partial: bool) {
    let totals = &row.statistics;
    let known = totals.count > 0;
    json.begin_object();
    json.before(b"\"period\":").display(row.period);
    if partial {
        json.before(b",\"partial\":").boolean(true);
    }
    json.before(b",\"count\":").integer(totals.count);
    json.before(b",\"sum\":").integer(totals.sum);
    json.before(b",\"mean\":").float(totals.mean());
    if known {
        json.before(b",\"min\":").integer(totals.min);
        json.before(b",\"max\":").integer(totals.max);
    } else {
        json.before(b",\"min\":null,\"max\":").null();
    }
    json.before(b",\"std\":").float(totals.std());
    json.before(b",\"cards\":").integer(row.cards);
    json.before(b",\"refund_count\":")
        .integer(totals.refund_count);
    json.before(b",\"refund_sum\":").integer(totals.refund_sum);
    json.end_object();
}

/// Writes a row of what is protected, in which what is hidden is null and named.
fn write_told(json: &mut Json, row: &Told, partial: bool) {
    let is_untold = row.covered.is_none();
    json.begin_object();
    json.before(b"\"period\":").display(row.period);
    if partial {
        json.before(b",\"partial\":").boolean(true);
    }
    write_totals(json, row);
    json.before(b",\"mean\":").float(row.mean());
    json.before(b",\"min\":null,\"max\":null,\"std\":").null();
    json.before(b",\"cards\":").optional_integer(row.cards);
    json.before(b",\"refund_count\":null,\"refund_sum\":")
        .null();
    write_suppressed(
        json,
        &[
            ("count", is_untold),
            ("sum", is_untold),
            ("mean", is_untold),
            ("min", true),
            ("max", true),
            ("std", true),
            ("cards", row.cards.is_none()),
            ("refund_count", true),
            ("refund_sum", true),
        ],
    );
    json.end_object();
}
