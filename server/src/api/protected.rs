//! What protected answers have in common: which days they cover, and what they hide.

use nightshard_format::{
    calendar::{DayRange, Period},
    record::{CATEGORIES, PatternCell, PlacePattern, REGION_CATEGORIES, REGIONS},
};

use super::{
    Lookup, asked_period::AskedPeriod, regions::write_parent, route::Part, stores::write_location,
};
use crate::{
    json::Json,
    problem::{Problem, Result},
    protected::{Protected, Told},
    series::Window,
    told_pattern::Shares,
};

/// What is told of markets and places where answers are protected, besides who they are.
const TOLD: [Part; 6] = [
    Part::Statistics,
    Part::Comparison,
    Part::ConsumptionPattern,
    Part::BestTime,
    Part::PaymentMix,
    Part::Demographics,
];

/// Returns the problem of what is not told of markets and places where answers are protected.
pub(super) fn not_told(k: u64) -> Problem {
    Problem::forbidden(format!(
        "this is told of stores alone: privacy.k is {k}, and above 1"
    ))
}

/// Checks that shares may be told of a period.
///
/// # Errors
/// A problem unless it is a month, a quarter or a year.
pub(super) fn check_period(asked: &AskedPeriod, k: u64) -> Result<(), Problem> {
    if let Period::Month(_) | Period::Quarter(_) | Period::Year(_) = asked.period {
        return Ok(());
    }
    let detail =
        format!("this is told of a month, a quarter or a year: privacy.k is {k}, and above 1");
    Err(Problem::parameter(asked.parameter(), detail))
}

/// When a place was visited in a period, as far as it may be told.
pub(super) struct ToldPattern {
    /// From the first to the last day of the months that count; `None` if there are none.
    pub(super) covered: Option<DayRange>,
    /// Shares of the hours.
    pub(super) hours: Option<Shares>,
    /// Shares of the weekdays.
    pub(super) weekdays: Option<Shares>,
}

impl ToldPattern {
    /// Reads it.
    ///
    /// # Errors
    /// A problem with the period unless it is a month, a quarter or a year.
    pub(super) fn read(
        lookup: &mut Lookup<'_>,
        protected: &Protected<'_>,
        asked: &AskedPeriod,
    ) -> Result<Self> {
        check_period(asked, protected.k())?;
        let (covered, pattern) = protected
            .pattern(asked.period, &asked.window, lookup.work)?
            .unzip();
        let pattern = pattern.as_ref();
        let shares = |cells: &[PatternCell]| Shares::of(cells, protected.k());
        Ok(Self {
            covered,
            hours: pattern.and_then(|it: &PlacePattern| shares(&it.hours)),
            weekdays: pattern.and_then(|it| shares(&it.weekdays)),
        })
    }
}

/// Writes the member `covered`: from the first to the last day of the atoms that were added up.
pub(super) fn write_covered(json: &mut Json, covered: Option<DayRange>) {
    json.key("covered");
    let Some(days) = covered else {
        return json.null();
    };
    json.begin_object();
    json.key("min_date").display(days.first);
    json.key("max_date").display(days.last);
    json.end_object();
}

/// Writes the member `suppressed`, if anything is: the names of members that are null since they are
/// hidden.
///
/// # Shape
/// Names, and whether each is hidden.
pub(super) fn write_suppressed(json: &mut Json, members: &[(&str, bool)]) {
    let hidden = || members.iter().filter(|(_, is_hidden)| *is_hidden);
    if hidden().next().is_none() {
        return;
    }
    json.key("suppressed").begin_array();
    hidden().for_each(|(name, _)| json.string(name));
    json.end_array();
}

/// Writes the rows of a period and their net sum, as far as they are told.
pub(super) fn write_totals(json: &mut Json, told: &Told) {
    let is_told = told.covered.is_some();
    json.key("count")
        .optional_integer(is_told.then_some(told.count));
    json.key("sum")
        .optional_integer(is_told.then_some(told.sum));
}

/// Writes who a market or place is, and what is told of all its days.
pub(super) fn write_profile(lookup: &mut Lookup<'_>, protected: &Protected<'_>) -> Result<()> {
    let transactions = lookup.served.transactions()?;
    let everything = Window::new(None, transactions.days);
    let told = protected.total(&everything, lookup.work)?;
    let subject = protected.subject();
    let (category, of_region) = match subject.dataset {
        REGIONS => (None, Some(subject.id())),
        CATEGORIES | REGION_CATEGORIES => (Some(subject.id()), subject.region()),
        _ => (None, None),
    };
    let is_region = subject.dataset == REGIONS;
    let tree = Some(&transactions.regions).filter(|tree| is_region && !tree.is_empty());
    let region = tree.and_then(|tree| tree.get(subject.id()));
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("id").bytes(subject.id());
    json.key("name")
        .optional_string(region.and_then(|region| region.name.as_deref()));
    json.key("merchant_id").null();
    for (name, id) in [("category", category), ("region", of_region)] {
        json.key(name);
        match id {
            Some(id) => json.bytes(id),
            None => json.null(),
        }
    }
    write_location(json, region.and_then(|region| region.location));
    if tree.is_some() {
        write_parent(json, region);
    }
    for unknown in ["first_date", "last_date"] {
        json.key(unknown).null();
    }
    write_covered(json, told.covered);
    json.members(&transactions.currency);
    write_totals(json, &told);
    json.key("cards").optional_integer(told.cards);
    json.key("available").begin_array();
    TOLD.into_iter()
        .filter_map(Part::segment)
        .for_each(|name| json.string(name));
    json.end_array();
    let is_untold = told.covered.is_none();
    write_suppressed(
        json,
        &[
            ("first_date", true),
            ("last_date", true),
            ("count", is_untold),
            ("sum", is_untold),
            ("cards", told.cards.is_none()),
        ],
    );
    json.end_object();
    Ok(())
}
