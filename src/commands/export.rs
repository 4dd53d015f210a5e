//! `nightshard export`: the aggregates of a generation as Parquet and CSV.

mod atoms;
mod benchmarks;
mod catalog;
mod csv;
mod demographics;
mod elsewhere;
mod error;
mod facts;
mod folder;
mod key_rows;
mod loyalty;
mod loyalty_rows;
mod mixes;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod record_tables;
mod region_tree;
mod rows;
mod schema;
mod series;
mod settlements;
mod side_series;
mod spend_shares;
mod statistics;
mod subjects;
mod writer;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use indicatif::{HumanBytes, HumanCount};
use nightshard_format::{
    calendar::DayRange,
    generation::Generation,
    manifest::{GenerationId, Manifest},
    record::{
        ATOMS, BEFORE_AFTER, BENCHMARKS, CATALOG, CATEGORIES, DEMOGRAPHICS, LOYALTY, MARKETS,
        MERCHANT_LOYALTY, MERCHANTS, ORIGINS, PLACE_DEMOGRAPHICS, PLACE_LOYALTY, RANKINGS,
        REGION_CATEGORIES, REGION_TREE, REGIONS, RESERVED_DATASETS, SERIES, SERIES_OF_DAYS,
        SETTLEMENTS, SPEND_SHARES, STORES, TILES, loyalty_dataset,
    },
    shard::{Mapped, Span},
};
use nightshard_storage::Location;
use tokio::runtime::Runtime;

use self::{
    error::{Error, Result},
    folder::{Contents, OutputFolder, Written},
    key_rows::{FIGURES, Source},
    loyalty_rows::RETURNS,
    record_tables::RecordTable,
    writer::{FileFormat, Target},
};
use super::get::manifest_of;
use crate::{
    exit::UsageError,
    output::{Column, Table, print, print_json},
    progress::Shown,
    repository::RepositoryArgs,
};

/// Write figures of stores, merchants, places and markets, and packed datasets, as tables, in Parquet and CSV.
///
/// Every shard is verified first. An earlier export in the folder is replaced whole; docs/export.md
/// has the tables and their columns.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The folder, in the local file system: new, empty, or of an earlier export.
    #[arg(long, value_name = "URI")]
    output: String,
    /// What the files are.
    #[arg(long, value_enum, default_value_t = Formats::DEFAULT)]
    format: Formats,
    /// Only these datasets: stores, markets or atoms, merchants, regions, categories, region_categories, tiles, loyalty,
    /// place_loyalty, merchant_loyalty, benchmarks, spend_shares, demographics, place_demographics, origins, before_after,
    /// settlements, catalog (regions and categories), region_tree, series and packed ones.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    dataset: Vec<String>,
    /// The generation [default: the current one].
    #[arg(long, value_name = "ID")]
    generation: Option<GenerationId>,
    /// Number of threads [default: one per processor]. The bytes do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Show no progress and no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// What the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Formats {
    /// Parquet alone.
    #[cfg(feature = "parquet")]
    Parquet,
    /// CSV alone.
    Csv,
    /// A file of each for every table.
    #[cfg(feature = "parquet")]
    Both,
}

impl Formats {
    #[cfg(feature = "parquet")]
    const DEFAULT: Self = Self::Both;
    #[cfg(not(feature = "parquet"))]
    const DEFAULT: Self = Self::Csv;

    fn all(self) -> &'static [FileFormat] {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet => &[FileFormat::Parquet],
            Self::Csv => &[FileFormat::Csv],
            #[cfg(feature = "parquet")]
            Self::Both => &[FileFormat::Parquet, FileFormat::Csv],
        }
    }
}

/// Exports, and says what was written.
pub(crate) fn run(args: ExportArgs) -> anyhow::Result<ExitCode> {
    let output = args.output_folder()?;
    let runtime = Runtime::new()?;
    let repository = runtime.block_on(args.repository.open(&args.uri))?;
    let manifest = runtime.block_on(manifest_of(&repository, args.generation.as_ref()))?;
    let datasets = args.choose(&manifest)?;
    let folder = OutputFolder::open(&output)?;
    let facts = facts::metadata(&manifest);
    let target = Target {
        folder: &folder,
        formats: args.format.all(),
        facts: &facts,
    };
    let names: Vec<String> = tables_of(&datasets)
        .iter()
        .flat_map(|table| target.names(table))
        .collect();
    folder.check_free(names.iter().map(String::as_str))?;

    let mut opened = datasets.clone();
    // The number of stores of a region or category is the length of its ranking.
    opened.extend(datasets.contains(&CATALOG).then_some(RANKINGS));
    // Who comes back stands in the months of a store, a merchant or a place, and who is regular beside them.
    opened.extend(datasets.contains(&LOYALTY).then_some(STORES));
    for visited in datasets.iter().filter_map(|dataset| visited(dataset)) {
        if let Some(dataset) = loyalty_dataset(visited) {
            opened.push(dataset);
        }
    }
    let opening = repository.open_datasets(manifest.clone(), &opened);
    let generation = runtime.block_on(opening)?;
    let shown = Shown::new(args.quiet);
    let threads = args.threads.map_or(0, NonZeroUsize::get);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let files = pool.install(|| export(&generation, &datasets, target, &shown))?;
    drop(shown);
    let contents = Contents::new(manifest.id.as_str(), files);
    folder.place(&contents)?;
    args.tell(&contents)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the tables of datasets aside.
fn export(
    generation: &Generation<Mapped>,
    datasets: &[&str],
    target: Target<'_>,
    shown: &Shown,
) -> Result<Vec<Written>> {
    let manifest = generation.manifest();
    let mut written = facts::export(manifest, target)?;
    let advance = |keys| shown.step(keys);
    let source = |dataset| {
        let data = days_of(manifest).map_err(Error::of("the manifest"))?;
        Ok::<_, Error>(Source {
            generation,
            dataset,
            data,
        })
    };
    let start = |dataset: &str| {
        let shards = generation.table(dataset, Span::Current).shards();
        let records = shards.iter().map(|shard| shard.len()).sum();
        shown.start(dataset, records, "{pos} of {len}");
    };
    for dataset in datasets {
        start(dataset);
        if let Some(of) = series_of(dataset) {
            written.extend(series::export(source(of)?, &FIGURES, target, advance)?);
        }
        if let Some(of) = visited(dataset) {
            start(of);
            written.extend(series::export(source(of)?, &RETURNS, target, advance)?);
        }
        written.extend(match *dataset {
            ATOMS => atoms::export(generation, target, advance)?,
            CATALOG => catalog::export(generation, target)?,
            known if RESERVED_DATASETS.contains(&known) => Vec::new(),
            packed => packed::export(generation, packed, target, advance)?,
        });
        if let Some((dataset, tables)) = record_tables_of(dataset) {
            let records = record_tables::records_of(generation, dataset);
            shown.start(dataset, records, "{pos} of {len}");
            let source = source(dataset)?;
            written.extend(record_tables::export(source, tables, target, advance)?);
        }
    }
    Ok(written)
}

/// Returns the dataset, if it has days.
fn series_of(dataset: &str) -> Option<&'static str> {
    SERIES_OF_DAYS.into_iter().find(|known| *known == dataset)
}

/// Returns the dataset of those to whom cards come back, as a dataset has tables of it.
fn visited(dataset: &str) -> Option<&'static str> {
    match dataset {
        LOYALTY => Some(STORES),
        STORES => None,
        _ => series_of(dataset),
    }
}

/// Returns the tables of the records of a dataset, if it has such.
fn record_tables_of(dataset: &str) -> Option<(&'static str, &'static [RecordTable])> {
    const TABLES: [(&str, &[RecordTable]); 18] = [
        (STORES, &mixes::TABLES),
        (MARKETS, &mixes::TABLES),
        (MERCHANTS, &mixes::TABLES),
        (REGIONS, &mixes::TABLES),
        (CATEGORIES, &mixes::TABLES),
        (REGION_CATEGORIES, &mixes::TABLES),
        (LOYALTY, &loyalty::TABLES),
        (PLACE_LOYALTY, &loyalty::TABLES),
        (MERCHANT_LOYALTY, &loyalty::TABLES),
        (BENCHMARKS, &benchmarks::TABLES),
        (SPEND_SHARES, &spend_shares::TABLES),
        (DEMOGRAPHICS, &demographics::TABLES),
        (PLACE_DEMOGRAPHICS, &demographics::PLACE_TABLES),
        (ORIGINS, &elsewhere::ORIGIN_TABLES),
        (BEFORE_AFTER, &elsewhere::BESIDE_TABLES),
        (SETTLEMENTS, &settlements::TABLES),
        (REGION_TREE, &region_tree::TABLES),
        (SERIES, &side_series::TABLES),
    ];
    TABLES.into_iter().find(|(known, _)| *known == dataset)
}

/// Returns the days that the data has rows on, or is known to have none on.
fn days_of(manifest: &Manifest) -> nightshard_format::Result<DayRange> {
    let last = manifest.as_of.parse()?;
    let days = manifest.transactions.as_ref();
    let days = days
        .map(|transactions| transactions.day_range())
        .transpose()?;
    Ok(DayRange {
        first: days.map_or(last, |days| days.first),
        last,
    })
}

/// Returns the datasets of a generation that have tables.
fn exportable(manifest: &Manifest) -> Vec<&str> {
    let of_transactions = manifest.transactions.as_ref();
    // What may not be told of the market exactly is there as atoms.
    let has_atoms = manifest.shards_of(ATOMS).next().is_some();
    let together = if has_atoms { ATOMS } else { MARKETS };
    let of_transactions = of_transactions.map(|_| [STORES, together]);
    let is_there = |dataset: &&str| manifest.shards_of(dataset).next().is_some();
    let others = [
        MERCHANTS,
        REGIONS,
        CATEGORIES,
        REGION_CATEGORIES,
        TILES,
        LOYALTY,
        PLACE_LOYALTY,
        MERCHANT_LOYALTY,
        BENCHMARKS,
        SPEND_SHARES,
        DEMOGRAPHICS,
        PLACE_DEMOGRAPHICS,
        ORIGINS,
        BEFORE_AFTER,
        SETTLEMENTS,
        CATALOG,
        REGION_TREE,
        SERIES,
    ];
    let packed = manifest.packed.keys().map(String::as_str);
    of_transactions
        .into_iter()
        .flatten()
        .chain(others.into_iter().filter(is_there))
        .chain(packed)
        .collect()
}

/// Returns the names of the tables that an export of datasets has.
fn tables_of(datasets: &[&str]) -> Vec<String> {
    let mut tables = vec![facts::TABLE.to_owned()];
    for dataset in datasets {
        let mut of_schemas = Vec::new();
        if let Some(of) = series_of(dataset) {
            of_schemas.extend((FIGURES.schemas)(of));
        }
        if let Some(of) = visited(dataset) {
            of_schemas.extend((RETURNS.schemas)(of));
        }
        match *dataset {
            ATOMS => tables.push(atoms::TABLE.to_owned()),
            CATALOG => tables.extend(catalog::TABLES.map(str::to_owned)),
            known if RESERVED_DATASETS.contains(&known) => {}
            packed => tables.push(packed::table_name(packed)),
        }
        let of_records = record_tables_of(dataset).map(|(_, tables)| tables);
        let of_records = of_records.into_iter().flatten();
        of_schemas.extend(of_records.map(|table| table.schema(dataset)));
        tables.extend(of_schemas.into_iter().map(|schema| schema.name));
    }
    tables
}

impl ExportArgs {
    /// Returns the folder to write into.
    fn output_folder(&self) -> anyhow::Result<PathBuf> {
        match Location::parse(&self.output)? {
            Location::Local(path) => Ok(path),
            _ => {
                let output = &self.output;
                let remedy = "exports are written into local folders: name one, and copy it there";
                Err(UsageError(format!("--output {output}: {remedy}")).into())
            }
        }
    }

    /// Returns the datasets to export, each once, in the order in which they are written.
    fn choose<'a>(&self, manifest: &'a Manifest) -> Result<Vec<&'a str>, UsageError> {
        let known = exportable(manifest);
        if let Some(unknown) = self
            .dataset
            .iter()
            .find(|name| !known.contains(&name.as_str()))
        {
            let known = known.join(", ");
            let problem = format!("--dataset {unknown}: what can be exported is {known}");
            return Err(UsageError(problem));
        }
        let is_asked =
            |name: &&str| self.dataset.is_empty() || self.dataset.iter().any(|asked| asked == name);
        Ok(known.into_iter().filter(is_asked).collect())
    }

    fn tell(&self, contents: &Contents) -> anyhow::Result<()> {
        if self.json {
            return print_json(contents);
        }
        if self.quiet {
            return Ok(());
        }
        let mut table = Table::new(&[
            Column::Text("file"),
            Column::Number("rows"),
            Column::Number("size"),
        ]);
        for file in &contents.files {
            table.row([
                file.name.clone(),
                HumanCount(file.rows).to_string(),
                HumanBytes(file.size_bytes).to_string(),
            ]);
        }
        let (generation, output) = (&contents.generation, &self.output);
        let table = table.to_text();
        print(&format!(
            "{table}generation {generation} exported into {output}\n"
        ))
    }
}
