//! `GET /v1/stores/{id}/best_time`: the quietest and the cheapest hour and weekday.

use super::{
    Lookup,
    asked_period::AskedPeriod,
    consumption_pattern::write_share,
    parameters::Parameters,
    places::write_id,
    protected::{ToldPattern, write_covered, write_suppressed},
};
use crate::{
    best_time::{BestTime, Share, Slot, hours, quietest_share, weekdays},
    json::Json,
    problem::Result,
    protected::Protected,
    rows::Rows,
    series::Series,
    told_pattern::Shares,
};

/// The members of the best hours, and of the best weekdays.
const OF_HOURS: [&str; 2] = ["quietest_hour", "cheapest_hour"];
const OF_WEEKDAYS: [&str; 2] = ["quietest_weekday", "cheapest_weekday"];

/// The time to add up and compare hours, in nanoseconds.
const ANSWER_NS: u64 = 40_000;

/// What a request for the best time asks.
#[derive(Debug)]
pub(super) struct Query {
    asked: AskedPeriod,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let days = lookup.served.transactions()?.days;
        let asked = AskedPeriod::take(parameters, days)?;
        Ok(Self { asked })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let pattern = series.pattern(&self.asked.window, lookup.work)?;
        lookup.work.spend(ANSWER_NS)?;
        let days = self.asked.window.shown();
        let of_hours: Vec<Slot> = hours(days, pattern.hours()).map(Slot::of).collect();
        let of_weekdays = weekdays(days, pattern.weekdays()).map(Slot::of);
        let mut all = Rows::default();
        of_hours.iter().for_each(|hour| all.add(hour.rows));
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        json.members(&transactions.currency);
        json.key("count").integer(all.count);
        json.key("sum").integer(all.sum);
        let best = BestTime::of(of_hours.into_iter());
        write_best(json, OF_HOURS, "hour", &best, all);
        let best = BestTime::of(of_weekdays);
        write_best(json, OF_WEEKDAYS, "weekday", &best, all);
        json.end_object();
        Ok(())
    }

    /// Writes the answer where it is protected: what is cheap is not told.
    pub(super) fn write_protected(
        &self,
        lookup: &mut Lookup<'_>,
        protected: &Protected<'_>,
    ) -> Result<()> {
        let told = ToldPattern::read(lookup, protected, &self.asked)?;
        let shown = self.asked.window.shown();
        let days = told.covered.map_or(shown, |it| it.intersection(shown));
        let each = |shares: Option<Shares>| shares.map(|shares| shares.each).unwrap_or_default();
        let of_hours = hours(days, each(told.hours).into_iter());
        let hour = quietest_share(of_hours.map(Share::of));
        let of_weekdays = weekdays(days, each(told.weekdays).into_iter());
        let weekday = quietest_share(of_weekdays.map(Share::of));
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, protected.subject());
        self.asked.write(json);
        write_covered(json, told.covered);
        for (kind, quietest, [quiet, cheap]) in
            [("hour", hour, OF_HOURS), ("weekday", weekday, OF_WEEKDAYS)]
        {
            json.key(quiet);
            match quietest {
                None => json.null(),
                Some(share) => write_quiet(json, kind, share),
            }
            json.key(cheap).null();
        }
        let hidden = [
            (OF_HOURS[0], hour.is_none()),
            (OF_HOURS[1], true),
            (OF_WEEKDAYS[0], weekday.is_none()),
            (OF_WEEKDAYS[1], true),
        ];
        write_suppressed(json, &hidden);
        json.end_object();
        Ok(())
    }
}

fn write_quiet(json: &mut Json, kind: &str, share: Share) {
    json.begin_object();
    json.key(kind).integer(share.number);
    json.key("days").integer(share.days);
    write_share(json.key("share"), share.percents);
    json.end_object();
}

fn write_best(json: &mut Json, names: [&str; 2], kind: &str, best: &BestTime, all: Rows) {
    for (name, slot) in names.into_iter().zip([best.quietest(), best.cheapest()]) {
        json.key(name);
        match slot {
            None => json.null(),
            Some(slot) => write_slot(json, kind, slot, all),
        }
    }
}

fn write_slot(json: &mut Json, kind: &str, slot: Slot, all: Rows) {
    let [share, _] = slot.rows.shares_of(all);
    json.begin_object();
    json.key(kind).integer(slot.number);
    json.key("days").integer(slot.days);
    json.key("count").integer(slot.rows.count);
    json.key("sum").integer(slot.rows.sum);
    json.key("mean").float(slot.rows.mean());
    json.key("share").float(share);
    json.end_object();
}
