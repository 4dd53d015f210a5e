//! What is told once all stores are known, one dataset after the other.

use nightshard_format::{
    calendar::{Day, DayRange},
    manifest::Input,
};

use super::{Engine, laps::Laps, reducing::Reduced, told::Stores};
use crate::{
    Result,
    build::{AtomsReport, Stage},
    emit::{
        CustomersReport, PlaceLists, PlaceSizes, Staged, StoreFacts, StoreShards, write_catalog,
        write_region_tree, write_search, write_side_series,
    },
    exchange::Exchanged,
    kernel::{
        customer_partition::SentCustomers,
        customer_row::{CustomerRow, NameRow},
        frozen::Frozen,
        hiding::Hiding,
        places::Places,
        sold_to_cards::SentByCard,
    },
    series::KnownSeries,
};

/// The days of a build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    /// Those that have rows, the first and the last.
    pub(super) dates: DayRange,
    /// The last business day.
    pub(super) as_of: Day,
}

/// All that is told.
pub(super) struct AllTold<'a> {
    /// The shards, in the manifest's order.
    pub(super) shards: Vec<Staged>,
    /// What was kept of an earlier generation, if the rows alone would have made something else.
    pub(super) kept: Option<&'a Input>,
    /// What is said of that.
    pub(super) atoms: Option<AtomsReport>,
    /// How many customers there are, where they are kept.
    pub(super) customers: Option<CustomersReport>,
}

impl Engine<'_> {
    /// Writes all that follows from the stores, whose own shards are written.
    pub(super) fn tell(
        &self,
        reduced: Reduced,
        names: Exchanged<NameRow>,
        stores: &mut StoreShards<'_>,
        (days, currency): (Days, &str),
        laps: &mut Laps,
    ) -> Result<AllTold<'_>> {
        let as_of = days.as_of;
        let mut staged = std::mem::take(&mut stores.staged);
        let hiding = Hiding::of(self.plan.privacy_k);
        let plain = stores.places(None)?;
        // What is told of a region of which others are parts is added up from what is told of these.
        let exact = match hiding {
            Some(_) => None,
            None => Some(stores.places(Some(&self.plan.regions))?),
        };
        let cardholders = &reduced.of_cardholders;
        let in_places = (&*stores.facts, exact.as_ref().unwrap_or(&plain));
        let mut shards = self.write_demographics(cardholders, in_places, &mut staged, as_of)?;
        self.measure_growth(&mut stores.facts, &staged, days.dates)?;
        let merchants = stores.merchants()?;
        let facts = &stores.facts;
        let of_places = |places| Stores {
            facts,
            places,
            staged: &staged,
            as_of,
        };
        let sent = SentByCard {
            days: &reduced.card_days,
            sold: Some(&reduced.sold),
        };
        shards.extend(self.write_merchants(sent, &of_places(&merchants))?);
        shards.extend(self.tell_elsewhere(&reduced, facts, &plain, as_of, laps)?);
        let mut places = exact.unwrap_or(plain);
        let (kept, atoms) = self.told(currency);
        let frozen = kept
            .map(|told| {
                let ids = facts.iter().map(|it| (&it.id[..], it.ordinal));
                let first = days.dates.first.month();
                Frozen::new(&told.atoms, (first, as_of), &mut places, ids)
            })
            .transpose()?;
        let told = match hiding {
            Some(hiding) => {
                let frozen = frozen.as_ref();
                self.write_atoms(&reduced.card_days, &of_places(&places), hiding, frozen)?
            }
            None => self.write_exactly(&reduced, &of_places(&places))?,
        };
        drop((reduced.card_days, reduced.sold));
        shards.extend(self.write_benchmarks(facts, (&staged, &told.cards), days.dates)?);
        laps.end(Stage::Places);
        let of_customers = self.tell_of_customers(names, reduced.customers, facts, laps)?;
        let (of_customers, customers) = of_customers.unzip();
        let sizes = match &told.totals {
            Some(totals) => PlaceSizes::Told(totals),
            None => PlaceSizes::Exact(facts),
        };
        let lists = [
            PlaceLists::of_places(&places, sizes, &self.plan.regions),
            PlaceLists::of_merchants(&merchants, facts),
        ];
        shards.extend(self.write_rest(facts, lists, &self.plan.series.as_of(as_of))?);
        shards.extend(told.staged);
        shards.extend(of_customers.into_iter().flatten());
        shards.append(&mut staged);
        let months_differ = match (kept, &frozen) {
            (Some(told), Some(frozen)) => self.keep_months(told, frozen, &mut shards)?,
            _ => false,
        };
        shards.sort();
        let differs = told.differs || months_differ;
        Ok(AllTold {
            shards,
            kept: kept.map(|kept| &kept.atoms.input).filter(|_| differs),
            atoms: atoms.map(|atoms| AtomsReport {
                are_input: differs,
                ..atoms
            }),
            customers,
        })
    }

    /// Writes what cards of stores do elsewhere, and what they spend there.
    fn tell_elsewhere(
        &self,
        reduced: &Reduced,
        stores: &[StoreFacts],
        places: &Places,
        as_of: Day,
        laps: &mut Laps,
    ) -> Result<Vec<Staged>> {
        let elsewhere = self.write_elsewhere(&reduced.card_days, stores, places, as_of)?;
        if elsewhere.is_some() {
            laps.end(Stage::Elsewhere);
        }
        let spent = self.write_spend_shares(&reduced.spent, stores, as_of)?;
        if spent.is_some() {
            laps.end(Stage::Spend);
        }
        Ok(elsewhere.into_iter().chain(spent).flatten().collect())
    }

    /// Writes the customers, where they are kept.
    fn tell_of_customers(
        &self,
        names: Exchanged<NameRow>,
        rows: Exchanged<CustomerRow>,
        stores: &[StoreFacts],
        laps: &mut Laps,
    ) -> Result<Option<(Vec<Staged>, CustomersReport)>> {
        let Some(customers) = &self.plan.customers else {
            return Ok(None);
        };
        let sent = SentCustomers { names, rows };
        let written = self.write_customers(customers, &sent, stores)?;
        laps.end(Stage::Customers);
        Ok(Some(written))
    }

    /// Writes lists, search words, side series and the tree of regions.
    fn write_rest(
        &self,
        stores: &[StoreFacts],
        places: [PlaceLists<'_>; 2],
        series: &[KnownSeries<'_>],
    ) -> Result<Vec<Staged>> {
        self.progress.begin(Stage::Finish, 4);
        let loaded = (!self.plan.series.is_empty()).then_some(series);
        let tree = &self.plan.regions;
        let catalog = || write_catalog(&self.staging, stores, places, (tree, loaded));
        let search = || write_search(&self.staging, stores, tree);
        let (catalog, search) = self.pool.install(|| rayon::join(catalog, search));
        let series = write_side_series(&self.staging, series);
        let regions = write_region_tree(&self.staging, tree, regions_of(stores));
        let mut shards = Vec::new();
        for written in [catalog, search, series, regions] {
            shards.extend(written?);
            self.progress.advance(1);
        }
        Ok(shards)
    }
}

/// Returns the region of each store of which it is known.
pub(super) fn regions_of(stores: &[StoreFacts]) -> impl Iterator<Item = &str> {
    stores.iter().filter_map(|store| store.region.as_deref())
}
