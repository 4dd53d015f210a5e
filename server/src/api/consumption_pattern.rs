//! `GET /v1/stores/{id}/consumption_pattern`: rows by weekday and hour.

use nightshard_format::{record::HALF_HOURS, statistics::nearest_quotient};

use super::{
    Lookup,
    asked_period::AskedPeriod,
    parameters::Parameters,
    places::write_id,
    protected::{ToldPattern, write_covered, write_suppressed},
};
use crate::{
    json::Json,
    pattern::{HourOfWeekday, Pattern},
    problem::Result,
    protected::Protected,
    rows::Rows,
    series::Series,
    told_pattern::Shares,
};

/// The time to add up and write a pattern, in nanoseconds.
const ANSWER_NS: u64 = 40_000;

/// What a request for a pattern asks.
#[derive(Debug)]
pub(super) struct Query {
    asked: AskedPeriod,
    fills: bool,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let days = lookup.served.transactions()?.days;
        let asked = AskedPeriod::take(parameters, days)?;
        Ok(Self {
            asked,
            fills: parameters.take_fill()?,
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let pattern = series.pattern(&self.asked.window, lookup.work)?;
        lookup.work.spend(ANSWER_NS)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        json.members(&transactions.currency);
        json.key("count").integer(pattern.all.count);
        json.key("sum").integer(pattern.all.sum);
        json.key("unknown_time").begin_object();
        write_rows(json, pattern.unknown());
        json.end_object();
        let ends = pattern.peak_and_valley();
        for (name, position) in [("peak", 0), ("valley", 1)] {
            json.key(name);
            match ends {
                None => json.null(),
                Some(ends) => write_hour(json, ends[position]),
            }
        }
        self.write_tables(json, &pattern);
        json.end_object();
        Ok(())
    }

    /// Writes the answer where it is protected.
    pub(super) fn write_protected(
        &self,
        lookup: &mut Lookup<'_>,
        protected: &Protected<'_>,
    ) -> Result<()> {
        let told = ToldPattern::read(lookup, protected, &self.asked)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, protected.subject());
        self.asked.write(json);
        write_covered(json, told.covered);
        let tables = [
            ("hours", "hour", "other_hours_share", &told.hours),
            (
                "weekdays",
                "weekday",
                "other_weekdays_share",
                &told.weekdays,
            ),
        ];
        let mut hidden = Vec::new();
        for ((name, kind, others, shares), first) in tables.into_iter().zip(0..) {
            hidden.extend([(name, shares.is_none()), (others, shares.is_none())]);
            match shares {
                Some(shares) => {
                    json.key(name);
                    self.write_shares(json, (kind, first), shares);
                    write_share(json.key(others), shares.together);
                }
                None => {
                    json.key(name).null();
                    json.key(others).null();
                }
            }
        }
        write_suppressed(json, &hidden);
        json.end_object();
        Ok(())
    }

    /// Writes the shares of what is numbered from `first` on.
    fn write_shares(&self, json: &mut Json, (kind, first): (&str, u64), shares: &Shares) {
        json.begin_array();
        for (number, share) in (first..).zip(&shares.each) {
            if share.is_none() && !self.fills {
                continue;
            }
            json.begin_object();
            json.key(kind).integer(number);
            json.key("share");
            match share {
                Some(share) => write_share(json, *share),
                None => json.null(),
            }
            json.end_object();
        }
        json.end_array();
    }

    fn write_tables(&self, json: &mut Json, pattern: &Pattern) {
        let is_shown = |rows: Rows| self.fills || rows.count > 0;
        json.key("rows").begin_array();
        let hours = pattern.hours_of_weekdays();
        hours
            .filter(|hour| is_shown(hour.rows))
            .for_each(|hour| write_hour(json, hour));
        json.end_array();
        json.key("half_hours").begin_array();
        for (half_hour, rows) in (0..HALF_HOURS).zip(pattern.half_hours()) {
            if is_shown(rows) {
                json.begin_object();
                let (hour, minute) = (half_hour / 2, half_hour % 2 * 30);
                json.key("from").string(&format!("{hour:02}:{minute:02}"));
                write_rows(json, rows);
                json.end_object();
            }
        }
        json.end_array();
        json.key("weekdays").begin_array();
        for (weekday, rows) in (1_u64..).zip(pattern.weekdays()) {
            if is_shown(rows) {
                json.begin_object();
                json.key("weekday").integer(weekday);
                write_rows(json, rows);
                json.end_object();
            }
        }
        json.end_array();
    }
}

/// Writes whole percents as a share.
pub(super) fn write_share(json: &mut Json, percents: u64) {
    json.float(nearest_quotient(percents.into(), 100));
}

fn write_hour(json: &mut Json, hour: HourOfWeekday) {
    json.begin_object();
    json.key("weekday").integer(hour.weekday as u64);
    json.key("hour").integer(hour.hour as u64);
    write_rows(json, hour.rows);
    json.end_object();
}

fn write_rows(json: &mut Json, rows: Rows) {
    json.key("count").integer(rows.count);
    json.key("sum").integer(rows.sum);
    json.key("mean").float(rows.mean());
}
