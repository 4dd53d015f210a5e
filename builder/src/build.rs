//! What a build is asked for, and what it leaves behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
};

use nightshard_format::{
    calendar::Day,
    generation::Generation,
    histogram::Method,
    manifest::{GenerationId, Manifest},
    quality::QualityReport,
    regular::RegularRule,
    returning::ReturnRule,
    shard::Mapped,
    staleness::Staleness,
    told_atoms::ToldAtoms,
};
use serde::Serialize;

use crate::{
    customers::Customers,
    data_tests::DataTests,
    emit::{CustomersReport, Staged},
    layout::Layout,
    pseudonym::CardKey,
    regions::{Joined, RegionTable},
    series::{KnownSeries, SeriesTable},
    source::Inputs,
    stores::StoreTable,
};

/// Default number of runs that the partitions of a dataset are cut into.
pub const RUNS_DEFAULT: u16 = 16;
/// Least `--memory`, in bytes.
pub const MEMORY_MIN: u64 = 64 << 20;

/// What to build, from what, and within which bounds.
#[derive(Debug)]
pub struct BuildPlan {
    /// The files to read.
    pub inputs: Inputs,
    /// How their columns become transactions.
    pub layout: Arc<Layout>,
    /// What is known of stores beside their rows.
    pub stores: StoreTable,
    /// The tree of regions.
    pub regions: RegionTable,
    /// Daily series beside the rows.
    pub series: SeriesTable,
    /// So many days before the last business day a series may not end; 0: it may end on any.
    pub series_stale_after_days: u32,
    /// The secret of card pseudonyms.
    pub card_key: CardKey,
    /// The base currency; without one, that of most rows.
    pub currency: Option<String>,
    /// The last business day; without one, the last in the data.
    pub as_of: Option<Day>,
    /// What is said of every row.
    pub data_tests: DataTests,
    /// How histograms are reduced.
    pub histogram_method: Method,
    /// Who is a regular of a store.
    pub regular: RegularRule,
    /// Who comes back to a store.
    pub returning: ReturnRule,
    /// How many cards hide each other; 1: none need to.
    pub privacy_k: NonZeroU32,
    /// What the generation before told, which this one keeps; without that it starts afresh.
    pub told: Option<ToldBefore>,
    /// Categories that are in no customer's data, and that no store is told its cards buy in.
    pub sensitive_categories: BTreeSet<String>,
    /// What is kept of customers, if they are kept.
    pub customers: Option<Customers>,
    /// Runs that the partitions of a dataset are cut into.
    pub runs: u16,
    /// Anonymous memory that the build may use, in bytes.
    pub memory_bytes: u64,
    /// Worker threads.
    pub threads: usize,
    /// Folder for rows that do not fit in memory.
    pub scratch: PathBuf,
    /// Empty folder that the shards and the quarantine file are written into.
    pub staging: PathBuf,
}

/// A finished build, in its staging folder.
#[derive(Debug)]
pub struct Built {
    /// What binds the shards together.
    pub manifest: Manifest,
    /// The shards, in the manifest's order.
    pub shards: Vec<Staged>,
    /// The quarantine file.
    pub quarantine: PathBuf,
    /// How the build went.
    pub report: BuildReport,
}

/// How a build went: what may differ between builds of the same data.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BuildReport {
    /// Version of the program.
    pub release: String,
    /// The input files, in order.
    pub inputs: Vec<PathBuf>,
    /// Files of input folders that were not read.
    pub ignored: Vec<PathBuf>,
    /// CSV files that end without a line break, so that their last row may be cut.
    pub without_line_end: Vec<PathBuf>,
    /// What was made of the file of regions, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<RegionsReport>,
    /// What was made of each side series, by name.
    pub series: Vec<SeriesReport>,
    /// What became of the atoms that were told before, where answers are protected.
    pub atoms: Option<AtomsReport>,
    /// How many customers there are, where they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<CustomersReport>,
    /// Sensitive categories that no store has, as misspelt ones are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_sensitive_categories: Vec<String>,
    /// Worker threads.
    pub threads: usize,
    /// `--memory`, in bytes.
    pub memory_bytes: u64,
    /// What was written to the scratch folder for want of memory, in bytes.
    pub spilled_bytes: u64,
    /// What was found out about the rows.
    pub quality: QualityReport,
    /// Seconds by stage.
    pub seconds: BTreeMap<&'static str, f64>,
}

/// What an earlier generation told, and a later one keeps.
#[derive(Debug)]
pub struct ToldBefore {
    /// Its atoms.
    pub atoms: ToldAtoms,
    /// The datasets of [`nightshard_format::told_atoms::TOLD_MONTHS`].
    pub months: Generation<Mapped>,
}

/// What became of the atoms that an earlier generation had told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtomsReport {
    /// The generation, if there was one.
    pub generation: Option<GenerationId>,
    /// Why they were not kept, if there were some: what is not as it was then.
    pub changed: Option<String>,
    /// Whether they are others than the rows alone would have made, so that the manifest declares them.
    pub are_input: bool,
}

impl AtomsReport {
    /// Returns the generation whose atoms were kept, if they were.
    #[must_use]
    pub fn kept_from(&self) -> Option<&GenerationId> {
        self.generation.as_ref().filter(|_| self.changed.is_none())
    }
}

/// What was made of the file of regions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RegionsReport {
    /// Regions of the file.
    pub regions: u64,
    /// What stores say for regions and no region of the file has for its id or name, and how many stores do.
    pub unknown: BTreeMap<String, u64>,
    /// Likewise, what several regions of the file have for their name.
    pub ambiguous: BTreeMap<String, u64>,
}

impl RegionsReport {
    pub(crate) fn of<'a>(
        table: &RegionTable,
        of_stores: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        let mut report = Self {
            regions: table.len() as u64,
            ..Self::default()
        };
        for region in of_stores {
            let counts = match table.join(region) {
                Joined::Known(_) => continue,
                Joined::Ambiguous => &mut report.ambiguous,
                Joined::Unknown => &mut report.unknown,
            };
            *counts.entry(region.to_owned()).or_default() += 1;
        }
        (!table.is_empty()).then_some(report)
    }
}

/// What was made of a side series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesReport {
    /// Its name.
    pub name: String,
    /// Values up to the last business day; without one, the generation has no such series.
    pub values: u64,
    /// Values after it, which are left out.
    pub after_as_of: u64,
    /// The last day that has a value.
    pub last_date: Option<String>,
    /// How many days that lies before the last business day.
    pub days_behind: Option<u32>,
    /// Whether the series is stale.
    pub is_stale: bool,
}

impl SeriesReport {
    pub(crate) fn of(series: &KnownSeries<'_>, rule: Staleness) -> Self {
        let last = series.values.last().map(|(day, _value)| *day);
        Self {
            name: series.name.to_owned(),
            values: series.values.len() as u64,
            after_as_of: series.after_as_of,
            last_date: last.map(|day| day.to_string()),
            days_behind: last.map(|day| rule.days_behind(day)),
            is_stale: last.is_some_and(|day| rule.is_stale(day)),
        }
    }
}

/// The stages of a build, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and parsing the input, in bytes.
    Read,
    /// Reducing the partitions of stores, in partitions.
    Stores,
    /// Reducing the partitions of cards, in partitions.
    Cards,
    /// Adding up the regions and categories, in parts.
    Places,
    /// Finding out what cards do elsewhere, in partitions.
    Elsewhere,
    /// Finding out what cards spend in stores of one kind, in partitions.
    Spend,
    /// Adding up the customers, in partitions.
    Customers,
    /// Writing what is left.
    Finish,
}

impl Stage {
    /// Returns the stage's name for people and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Stores => "stores",
            Self::Cards => "cards",
            Self::Places => "places",
            Self::Elsewhere => "elsewhere",
            Self::Spend => "spend",
            Self::Customers => "customers",
            Self::Finish => "finish",
        }
    }
}

/// Is told how a build goes on.
pub trait Progress: Sync {
    /// A stage begins that consists of `total` steps.
    fn begin(&self, stage: Stage, total: u64);
    /// So many more steps are done.
    fn advance(&self, steps: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _stage: Stage, _total: u64) {}
    fn advance(&self, _steps: u64) {}
}
