//! The resources of the HTTP interface, version 1: one file each.
//!
//! A resource takes its parameters, reads a generation, and writes the member `data` of its
//! answer. Envelope, headers and encodings are [`crate::respond`]'s.

mod asked_period;
pub(crate) mod batch;
mod before_after;
mod benchmark;
mod best_time;
mod comparison;
mod consumption_pattern;
pub(crate) mod cursor;
mod customers;
pub(crate) mod datasets;
mod demographics;
mod filter;
mod histogram;
mod info;
mod listed;
mod loyalty;
mod merchants;
pub(crate) mod openapi;
mod order;
mod origins;
pub(crate) mod parameters;
mod payment_mix;
mod places;
mod protected;
mod quality;
mod regions;
pub(crate) mod route;
mod sales_by_day;
mod search;
mod settlements;
mod shape;
mod side_series;
mod statistics;
mod stores;
mod tiles;
mod unit_price;
mod visits;

use nightshard_format::record::{MERCHANTS, STORES, TILES};

use self::{
    asked_period::AskedPeriod,
    cursor::Page,
    parameters::Parameters,
    route::{Part, Route},
};
use crate::{
    access::Caller,
    generation::ServedGeneration,
    json::Json,
    problem::{Failure, Problem, Result},
    protected::Protected,
    series::Series,
    subject::Subject,
    work::Work,
};

/// The longest answer, in bytes: what a thousand months of every insight take, with room.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Checks that an answer is not too long already.
///
/// # Errors
/// [`Failure::Long`] if it is.
fn check_length(json: &Json) -> Result<()> {
    if json.len() > ANSWER_BYTES_MAX {
        return Err(Failure::Long);
    }
    Ok(())
}

/// What a resource reads from and writes to.
pub(crate) struct Lookup<'a> {
    /// The generation of the whole answer.
    pub(crate) served: &'a ServedGeneration,
    /// Who asks.
    pub(crate) caller: &'a Caller,
    /// Where the answer goes.
    pub(crate) json: &'a mut Json,
    /// What may still be done for it.
    pub(crate) work: &'a mut Work,
    /// Whether the server holds customers.
    pub(crate) has_customers: bool,
    /// Whether integers above 2^53 are written as strings unless a request says otherwise.
    pub(crate) quotes_large: bool,
}

impl<'a> Lookup<'a> {
    /// Writes the data of a resource; its own parameters only are left in `parameters`.
    ///
    /// # Errors
    /// A problem with the request; what was written until then is to be rewound.
    pub(crate) fn write(
        &mut self,
        route: &Route<'_>,
        mut parameters: Parameters<'_>,
    ) -> Result<()> {
        let quotes_large = take_numbers(&mut parameters)?;
        self.json.set_quote_large(quotes_large || self.quotes_large);
        match route {
            Route::Series { dataset, key, part } => {
                let query = self.take_query(*part, parameters)?;
                self.write_query(Subject { dataset, key }, &query)
            }
            Route::Packed { dataset, key } => datasets::write(dataset, key, parameters, self),
            Route::Stores => stores::write_list(parameters, self),
            Route::Places { dataset, .. } if *dataset == TILES => {
                tiles::write_list(parameters, self)
            }
            Route::Places { dataset, region } => {
                places::write_list(dataset, region.as_deref(), parameters, self)
            }
            Route::Merchants => merchants::write_list(parameters, self),
            Route::UnitPrices => unit_price::write_list(parameters, self),
            Route::Customer(key) => customers::write(key, parameters, self),
            Route::SideSeries => side_series::write_list(parameters, self),
            Route::Search => search::write(parameters, self),
            Route::Generation => info::write_generation(parameters, self),
            Route::Quality => quality::write(parameters, self),
            Route::Catalog(kind) => info::write_catalog(*kind, parameters, self),
            Route::Batch
            | Route::Health
            | Route::Ready
            | Route::Metrics
            | Route::OpenApi
            | Route::Docs => {
                Err(Problem::not_found("this path has no data of a generation").into())
            }
        }
    }

    /// Takes the parameters of a part: wrong ones are told before the key is looked up, since they are
    /// wrong for every key.
    fn take_query(&self, part: Part, mut parameters: Parameters<'_>) -> Result<Query<'a>> {
        let query = match part {
            Part::Profile => Query::Profile,
            Part::Statistics => Query::Statistics(statistics::Query::take(&mut parameters, self)?),
            Part::Histogram => Query::Histogram(histogram::Query::take(&mut parameters, self)?),
            Part::UnitPrice => Query::UnitPrice(unit_price::Query::take(&mut parameters, self)?),
            Part::Comparison => Query::Comparison(comparison::Query::take(&mut parameters, self)?),
            Part::Loyalty => Query::Loyalty(loyalty::Query::take(&mut parameters, self)?),
            Part::ConsumptionPattern => {
                Query::ConsumptionPattern(consumption_pattern::Query::take(&mut parameters, self)?)
            }
            Part::BestTime => Query::BestTime(best_time::Query::take(&mut parameters, self)?),
            Part::Benchmark => Query::Benchmark(benchmark::Query::take(&mut parameters, self)?),
            Part::PaymentMix => {
                Query::PaymentMix(self.take_months(&mut parameters, "a payment mix is")?)
            }
            Part::Demographics => {
                Query::Demographics(self.take_months(&mut parameters, "demographics are")?)
            }
            Part::Origins => Query::Origins(self.take_months(&mut parameters, "origins are")?),
            Part::BeforeAfter => Query::BeforeAfter(self.take_months(&mut parameters, "this is")?),
            Part::Settlements => {
                Query::Settlements(settlements::Query::take(&mut parameters, self)?)
            }
            Part::SalesByDay => {
                Query::SalesByDay(sales_by_day::Query::take(&mut parameters, self)?)
            }
        };
        parameters.finish()?;
        Ok(query)
    }

    /// Takes the period of what is of whole months alone.
    fn take_months(&self, parameters: &mut Parameters<'_>, what: &str) -> Result<AskedPeriod> {
        let days = self.served.transactions()?.days;
        Ok(AskedPeriod::take_months(parameters, days, what)?)
    }

    fn write_query(&mut self, subject: Subject<'_>, query: &Query<'_>) -> Result<()> {
        let transactions = self.served.transactions()?;
        if subject.is_of_many() {
            self.caller.check_places(transactions.privacy)?;
            if transactions.privacy.is_protecting() {
                return self.write_protected(subject, query);
            }
        }
        let series = self.find_series(subject)?;
        if query.tells_of_others() {
            self.caller.check_places(transactions.privacy)?;
        }
        match query {
            Query::Profile => stores::write_profile(self, &series)?,
            Query::Statistics(query) => query.write(self, &series)?,
            Query::Histogram(query) => query.write(self, &series)?,
            Query::UnitPrice(query) => query.write(self, &series)?,
            Query::Comparison(query) => query.write(self, &series)?,
            Query::ConsumptionPattern(query) => query.write(self, &series)?,
            Query::BestTime(query) => query.write(self, &series)?,
            Query::Loyalty(query) => query.write(self, &series)?,
            Query::Benchmark(query) => query.write(self, &series)?,
            Query::PaymentMix(asked) => payment_mix::write(asked, self, &series)?,
            Query::Demographics(asked) => demographics::write(asked, self, &series)?,
            Query::Origins(asked) => origins::write(asked, self, &series)?,
            Query::BeforeAfter(asked) => before_after::write(asked, self, &series)?,
            Query::Settlements(query) => query.write(self, &series)?,
            Query::SalesByDay(query) => query.write(self, &series)?,
        }
        Ok(())
    }

    fn write_protected(&mut self, subject: Subject<'_>, query: &Query<'_>) -> Result<()> {
        let transactions = self.served.transactions()?;
        if subject.dataset == TILES {
            return Err(protected::not_told(transactions.privacy.k()).into());
        }
        let protected =
            Protected::find(self.served.generation(), transactions, subject, self.work)?;
        let protected = protected.ok_or_else(|| subject.missing())?;
        match query {
            Query::Profile => protected::write_profile(self, &protected),
            Query::Statistics(query) => query.write_protected(self, &protected),
            Query::Comparison(query) => query.write_protected(self, &protected),
            Query::ConsumptionPattern(query) => query.write_protected(self, &protected),
            Query::BestTime(query) => query.write_protected(self, &protected),
            Query::PaymentMix(asked) => payment_mix::write_protected(asked, self, &protected),
            Query::Demographics(asked) => demographics::write_of_many(asked, self, subject),
            _ => Err(protected::not_told(transactions.privacy.k()).into()),
        }
    }

    /// Finds a store, market, place or merchant. A store or merchant that the caller does not see is not found, and
    /// where its id says so, not looked for.
    fn find_series<'k>(&self, subject: Subject<'k>) -> Result<Series<'k>>
    where
        'a: 'k,
    {
        let days = self.served.transactions()?.days;
        if subject.dataset == MERCHANTS && !self.caller.sees_merchant(subject.key) {
            return Err(subject.missing().into());
        }
        let covered = self.caller.stores().filter(|_| subject.dataset == STORES);
        if covered.is_some_and(|covered| covered.has_id(subject.key) == Some(false)) {
            return Err(subject.missing().into());
        }
        let series = Series::find(self.served.generation(), days, subject)?;
        let is_seen = |series: &Series<'_>| {
            covered.is_none_or(|covered| covered.has(subject.key, &series.summary().profile))
        };
        let series = series.filter(is_seen);
        Ok(series.ok_or_else(|| subject.missing())?)
    }

    /// Takes `limit` and `cursor` of a list.
    ///
    /// # Shape
    /// `parts` is what the list depends on, but for its generation and who asks, in a fixed order.
    ///
    /// # Errors
    /// A problem if either is wrong or the cursor is of another list, generation or scope.
    fn page(
        &self,
        parameters: &mut Parameters<'_>,
        parts: &[Option<&str>],
    ) -> Result<Page<'a>, Problem> {
        Page::take(parameters, self.served.id(), self.caller.tag(), parts)
    }
}

/// Takes `numbers`: whether integers above 2^53 are written as strings.
fn take_numbers(parameters: &mut Parameters<'_>) -> Result<bool, Problem> {
    let quoted = parameters.take_word("numbers", &[("string", true)])?;
    Ok(quoted.unwrap_or(false))
}

/// What a request asks of a store, market, place or merchant.
enum Query<'g> {
    Profile,
    Statistics(statistics::Query),
    Histogram(histogram::Query),
    UnitPrice(unit_price::Query),
    Comparison(comparison::Query),
    ConsumptionPattern(consumption_pattern::Query),
    BestTime(best_time::Query),
    Loyalty(loyalty::Query),
    Benchmark(benchmark::Query),
    PaymentMix(AskedPeriod),
    Demographics(AskedPeriod),
    Origins(AskedPeriod),
    BeforeAfter(AskedPeriod),
    Settlements(settlements::Query),
    SalesByDay(sales_by_day::Query<'g>),
}

impl Query<'_> {
    /// Returns whether more is told than a store's own books: what its customers are, and what others do.
    fn tells_of_others(&self) -> bool {
        matches!(
            self,
            Self::Benchmark(_) | Self::Demographics(_) | Self::Origins(_) | Self::BeforeAfter(_)
        )
    }
}
