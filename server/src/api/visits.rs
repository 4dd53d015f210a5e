//! What takes each card as a whole: regulars, cards by number of visits, and quintiles
//! (docs/definitions.md, "Loyalty").

use nightshard_format::{
    calendar::Day,
    record::{
        CardSales, PeriodVisits, Quintiles, RecencyFrequency, Score, VISIT_NUMBERS,
        loyalty_dataset, loyalty_span,
    },
    regular::RegularRule,
    statistics::nearest_quotient,
};

use super::asked_period::AskedPeriod;
use crate::{json::Json, problem::Result, series::Series, work::Work};

/// The time to find and read a record, in nanoseconds.
const RECORD_NS: u64 = 10_000;

/// The figures of a period that has a name.
#[derive(Debug)]
pub(super) struct Visits {
    /// None where the period has no visit.
    figures: Option<PeriodVisits>,
    /// The day up to which regulars have their visits.
    end: Day,
    /// What all cards and those who are not known bought for.
    sale_sum: u128,
    rule: RegularRule,
}

impl Visits {
    /// Reads the figures of a period; of days, weeks and ranges there are none.
    pub(super) fn read(
        series: &Series<'_>,
        asked: &AskedPeriod,
        rule: RegularRule,
        work: &mut Work,
    ) -> Result<Option<Self>> {
        // Nothing of the kind is kept of tiles.
        let is_kept = loyalty_dataset(series.subject().dataset).is_some();
        let span = loyalty_span(asked.period).filter(|_| is_kept);
        let Some(span) = span else {
            return Ok(None);
        };
        work.spend(RECORD_NS)?;
        let record = series.loyalty_record(span)?;
        Ok(Some(Self {
            figures: record.and_then(|record| record.find(asked.period).cloned()),
            end: asked.window.shown().last,
            sale_sum: series.sale_sum_of_months(&asked.window),
            rule,
        }))
    }
}

/// Writes the members `regulars`, `cards_by_visits` and `rfm`, which are null where nothing is known.
pub(super) fn write(json: &mut Json, visits: Option<&Visits>) {
    json.key("regulars");
    match visits.and_then(|it| Some((it, it.figures.as_ref()?))) {
        None => json.null(),
        Some((visits, figures)) => write_regulars(json, visits, figures),
    }
    json.key("cards_by_visits");
    match visits {
        None => json.null(),
        Some(visits) => write_cards_by_visits(json, visits.figures.as_ref()),
    }
    json.key("rfm");
    let figures = visits.and_then(|it| it.figures.as_ref());
    match figures.and_then(|figures| figures.quintiles.as_ref()) {
        None => json.null(),
        Some(quintiles) => write_quintiles(json, quintiles),
    }
}

fn write_regulars(json: &mut Json, visits: &Visits, figures: &PeriodVisits) {
    let regulars = figures.regulars_on(visits.end);
    let share = u64::try_from(visits.sale_sum).ok();
    let share = share.and_then(|whole| nearest_quotient(regulars.sales, whole));
    json.begin_object();
    json.key("visits").integer(visits.rule.visits());
    json.key("days").integer(visits.rule.days());
    write_card_sales(json, regulars);
    json.key("share").float(share);
    json.end_object();
}

fn write_cards_by_visits(json: &mut Json, figures: Option<&PeriodVisits>) {
    json.begin_array();
    for run in figures.into_iter().flat_map(|figures| &figures.visits) {
        let from = u64::from(run.distance);
        let next = VISIT_NUMBERS.into_iter().find(|number| *number > from);
        json.begin_object();
        json.key("from").integer(from);
        let to = json.key("to");
        match next {
            None => to.null(),
            Some(next) => to.integer(next - 1),
        }
        json.key("cards").integer(run.count);
        json.end_object();
    }
    json.end_array();
}

fn write_quintiles(json: &mut Json, quintiles: &Quintiles) {
    json.begin_object();
    json.key("recency");
    write_scores(json, &quintiles.recency, |json, day| json.display(day));
    json.key("frequency");
    write_scores(json, &quintiles.frequency, Json::integer);
    json.key("money");
    write_scores(json, &quintiles.money, Json::integer);
    json.key("cells").begin_array();
    for RecencyFrequency {
        recency,
        frequency,
        of,
    } in &quintiles.both
    {
        json.begin_object();
        json.key("recency").integer(*recency);
        json.key("frequency").integer(*frequency);
        write_card_sales(json, *of);
        json.key("mean").float(nearest_quotient(of.sales, of.cards));
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

fn write_scores<T: Copy>(json: &mut Json, scores: &[Score<T>], from: impl Fn(&mut Json, T)) {
    json.begin_array();
    for score in scores {
        json.begin_object();
        json.key("score").integer(score.score);
        from(json.key("from"), score.from);
        write_card_sales(json, score.of);
        json.end_object();
    }
    json.end_array();
}

fn write_card_sales(json: &mut Json, of: CardSales) {
    json.key("cards").integer(of.cards);
    let sales = i128::try_from(of.sales).unwrap_or(i128::MAX);
    json.key("sales_sum").integer(sales);
}
