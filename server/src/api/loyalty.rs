//! `GET /v1/stores/{id}/loyalty`, and of markets, places and merchants: who comes back.

use nightshard_format::{
    calendar::Day, loyalty::Loyalty, returning::DAYS_MAX, statistics::nearest_quotient,
};

use super::{
    Lookup,
    asked_period::AskedPeriod,
    parameters::Parameters,
    places::write_id,
    visits::{self, Visits},
};
use crate::{json::Json, problem::Result, series::Series};

/// The time to add up and write figures, in nanoseconds.
const ANSWER_NS: u64 = 60_000;

/// What a request for loyalty asks.
#[derive(Debug)]
pub(super) struct Query {
    asked: AskedPeriod,
    absence: u32,
    /// Whether a first visit in the period is known to be the first one ever.
    knows_new: bool,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let transactions = lookup.served.transactions()?;
        let (data, rule) = (transactions.days, &transactions.returning);
        let asked = AskedPeriod::take(parameters, data)?;
        let absence = parameters.take_integer("absence_days", 1..=DAYS_MAX as usize)?;
        let absence = absence.and_then(|days| u32::try_from(days).ok());
        let first = asked.period.days().map_or(data.first, |days| days.first);
        let known = data.first.0.saturating_add_unsigned(rule.first_days());
        Ok(Self {
            asked,
            absence: absence.unwrap_or(rule.absence_days()),
            knows_new: first >= Day(known),
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let repeat_days = transactions.returning.repeat_days();
        let loyalty = series.loyalty(&self.asked.window, self.absence, repeat_days, lookup.work)?;
        let visits = Visits::read(series, &self.asked, transactions.regular, lookup.work)?;
        lookup.work.spend(ANSWER_NS)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        json.members(&transactions.currency);
        json.key("absence_days").integer(u64::from(self.absence));
        self.write_cards(json, &loyalty);
        visits::write(json, visits.as_ref());
        write_repeats(json, &loyalty);
        write_cohorts(json, &loyalty);
        json.end_object();
        Ok(())
    }

    fn write_cards(&self, json: &mut Json, loyalty: &Loyalty) {
        json.key("active").integer(loyalty.active());
        let known = [
            ("new", loyalty.new_cards()),
            ("returning", loyalty.returning()),
            ("reactivated", loyalty.reactivated()),
        ];
        for (name, cards) in known {
            let json = json.key(name);
            if self.knows_new {
                json.integer(cards);
            } else {
                json.null();
            }
        }
        json.key("lapsed").integer(loyalty.lapsed());
        json.key("visits").integer(loyalty.visits());
        let per_card = nearest_quotient(loyalty.visits().into(), loyalty.active());
        json.key("visits_per_card").float(per_card);
        json.key("median_gap_days").float(loyalty.median_gap());
    }
}

fn write_repeats(json: &mut Json, loyalty: &Loyalty) {
    json.key("repeat").begin_array();
    for repeat in loyalty.repeats() {
        json.begin_object();
        json.key("days").integer(u64::from(repeat.days));
        json.key("cards").integer(repeat.cards());
        json.key("returned").integer(repeat.returned);
        json.key("rate").float(repeat.rate());
        json.end_object();
    }
    json.end_array();
}

fn write_cohorts(json: &mut Json, loyalty: &Loyalty) {
    json.key("cohorts").begin_array();
    for (month, cohort) in loyalty.cohorts() {
        json.begin_object();
        json.key("month").display(month);
        json.key("cards").integer(cohort.cards());
        json.key("retained").begin_array();
        cohort
            .retained
            .iter()
            .for_each(|cards| json.integer(*cards));
        json.end_array();
        json.end_object();
    }
    json.end_array();
}
