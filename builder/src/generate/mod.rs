//! Makes transactions that look like a country's card payments, for demonstrations, tests and
//! measurements.
//!
//! A [`Plan`] is all there is to say; the same plan gives the same bytes on any machine with any
//! number of threads. Every row is a pure function of the plan and the row's number, in integer
//! arithmetic alone, so rows are made in parallel, in the order of time, in memory that depends
//! on the numbers of stores and days but not on the numbers of cards and rows.
//!
//! Stores and cards differ in size by a Zipf law. Categories have their own hours, weekdays,
//! seasons, ages and prices; cards return to favourite stores near their home or pass by
//! elsewhere; stores open and close, belong to chains, rest once a week; some payments are
//! refunded, paid in installments or with points. Pairs of stores that share cards
//! ([`Plan::affinities`]) and unusual days ([`Plan::anomalies`]) are planted for others to find.
//!
//! ```no_run
//! use nightshard_builder::generate::{self, OutputLayout, Plan};
//!
//! let plan = Plan::new(OutputLayout::Canonical, 1_000, 50_000, 1_000_000)
//!     .between("2018-01-01".parse()?, "2018-12-31".parse()?)
//!     .seed(42);
//! let threads = std::thread::available_parallelism()?;
//! generate::write(&plan, "transactions.csv.zst".as_ref(), threads, &|_rows| {})?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calendar;
mod cards;
mod categories;
mod dimension;
mod encode;
mod error;
mod names;
mod output;
mod places;
mod planted;
mod price;
mod random;
mod refunds;
mod rows;
mod settlements;
mod stores;

use std::{
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A day of the calendar; re-exported so that callers need no date library of their own.
pub use jiff::civil::Date;

use encode::{Encoder, Ids};
pub use error::{Error, Result};
use output::{Aside, Stream};
pub use planted::{Affinity, Anomaly, AnomalyKind};
use rows::World;

/// Most stores that a plan may have: their table is held in memory.
pub const STORES_MAX: u32 = 10_000_000;
/// Most cards that a plan may have.
pub const CARDS_MAX: u32 = 1_000_000_000;
/// Most rows that a plan may have: their ids have twelve digits.
pub const TRANSACTIONS_MAX: u64 = 1_000_000_000_000;

/// The columns of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputLayout {
    /// The canonical transaction, with `points_used` and `original_tx_id`.
    Canonical,
    /// A Korean acquirer's columns: amounts in tens of won, months above 60 mean points, region
    /// and type of business often blank.
    Funda,
    /// A payment processor's columns: decimal amounts uniform from 10 to 5,000, half of the rows
    /// foreign, no refunds.
    Payments,
}

impl FromStr for OutputLayout {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "canonical" => Ok(Self::Canonical),
            "funda" => Ok(Self::Funda),
            "payments" => Ok(Self::Payments),
            other => {
                let reason = format!("{other:?} is none of canonical, funda and payments");
                Err(Error::option("layout", reason))
            }
        }
    }
}

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Columns of the file.
    pub layout: OutputLayout,
    /// Number of stores, 1 to [`STORES_MAX`]. Stores without any row are possible.
    pub stores: u32,
    /// Number of cards, 1 to [`CARDS_MAX`]. Cards without any row are possible.
    pub cards: u32,
    /// Exact number of rows, 1 to [`TRANSACTIONS_MAX`], and at most 2^32 - 1 on one day.
    pub transactions: u64,
    /// First day.
    pub from: Date,
    /// Last day, at most 100 years after the first.
    pub to: Date,
    /// Another seed gives another country.
    pub seed: u64,
    /// ISO 4217 code of every amount in the canonical and payments layouts. Canonical amounts
    /// are won for `KRW` and hundredths of anything else.
    pub currency: String,
    /// Whether rows of the canonical layout say when they settle, and what is kept and paid out: three columns more,
    /// the others as without them.
    pub settlements: bool,
}

impl Plan {
    /// A plan for the year 2018, in euros, with seed 0.
    #[must_use]
    pub fn new(layout: OutputLayout, stores: u32, cards: u32, transactions: u64) -> Self {
        let (from, to) = (Date::constant(2018, 1, 1), Date::constant(2018, 12, 31));
        let currency = "EUR".to_owned();
        Self {
            layout,
            stores,
            cards,
            transactions,
            from,
            to,
            seed: 0,
            currency,
            settlements: false,
        }
    }

    /// The same plan for another period; both days are included.
    #[must_use]
    pub fn between(self, from: Date, to: Date) -> Self {
        Self { from, to, ..self }
    }

    /// The same plan with another seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The pairs of stores of which the second is often visited after the first.
    ///
    /// # Errors
    /// [`Error::Option`] if the plan is impossible.
    pub fn affinities(&self) -> Result<Vec<Affinity>> {
        let (world, ids) = (World::new(self)?, Ids::new(self));
        let id = |rank: u32| ids.store(world.stores.get(rank).id);
        let pairs = world.planted.affinities.iter();
        Ok(pairs
            .map(|&(first, next)| Affinity {
                first: id(first),
                next: id(next),
            })
            .collect())
    }

    /// The anomalies of the plan, one store each. Empty for plans with fewer than 40 stores, 60
    /// days or 100 rows a day, in which nothing would stand out.
    ///
    /// # Errors
    /// [`Error::Option`] if the plan is impossible.
    pub fn anomalies(&self) -> Result<Vec<Anomaly>> {
        let (world, ids) = (World::new(self)?, Ids::new(self));
        let date = |day: usize| world.calendar.days()[day].date;
        let anomalies = world.planted.anomalies.iter().map(|planted| Anomaly {
            store_id: ids.store(world.stores.get(planted.store).id),
            kind: planted.kind.describe(|card| ids.card(card)),
            from: date(planted.days.0),
            to: date(planted.days.1),
        });
        Ok(anomalies.collect())
    }

    /// Refuses counts out of range; the calendar refuses dates.
    fn check(&self) -> Result<()> {
        let counts = [
            ("stores", u64::from(self.stores), u64::from(STORES_MAX)),
            ("cards", u64::from(self.cards), u64::from(CARDS_MAX)),
            ("transactions", self.transactions, TRANSACTIONS_MAX),
        ];
        for (option, count, most) in counts {
            if !(1..=most).contains(&count) {
                return Err(Error::option(
                    option,
                    format!("{count} is not within 1 to {most}"),
                ));
            }
        }
        let is_code = |byte: u8| byte.is_ascii_uppercase();
        if self.currency.len() != 3 || !self.currency.bytes().all(is_code) {
            let reason = format!("{:?} is not a code of three capital letters", self.currency);
            return Err(Error::option("currency", reason));
        }
        if self.settlements && self.layout != OutputLayout::Canonical {
            let reason = "only the canonical layout has columns of them".to_owned();
            return Err(Error::option("settlements", reason));
        }
        Ok(())
    }
}

/// What [`write()`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows in the file, without the header.
    pub rows: u64,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// The table of stores beside it.
    pub stores: PathBuf,
}

/// Writes the plan's transactions to `output`, a name that ends in `.csv`, `.csv.gz` or
/// `.csv.zst`, and its stores to `<stem>.stores.csv` beside it (`store_id, store_name,
/// merchant_id, category, region, lat, lon`; regions are `Province/District`).
///
/// Rows are ordered by time. Both files are written aside and renamed when complete, replacing
/// what was there. `progress` is told the number of rows written so far.
///
/// # Errors
/// [`Error::Option`] if the plan is impossible or the name has another ending;
/// [`Error::Write`] if a file cannot be created, written (a full disk) or renamed: no half-written
/// file is left behind; [`Error::Threads`] if the system refuses the threads.
pub fn write(
    plan: &Plan,
    output: &Path,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Written> {
    let (stem, compression) = output::parse_name(output)?;
    let world = World::new(plan)?;
    let stores = output.with_file_name(format!("{stem}.stores.csv"));
    let (mut aside, mut stores_aside) = (Aside::create(output)?, Aside::create(&stores)?);
    let encoder = Encoder::new(&world, plan);
    let stream = Stream {
        world: &world,
        encoder,
        rows: plan.transactions,
        compression,
    };
    let pool = output::pool(threads)?;
    aside.fill(|file| stream.write(&pool, file, progress))?;
    stores_aside.fill(|file| file.write_all(&dimension::table(&world, plan)))?;
    stores_aside.commit()?;
    let size_bytes = aside.commit()?;
    Ok(Written {
        rows: plan.transactions,
        size_bytes,
        stores,
    })
}
