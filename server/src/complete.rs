//! Whether a generation has everything that it says it has.
//!
//! Each shard is what the manifest says, but a manifest may lack some. Every record that another
//! one counts or names is counted, so that whatever is missing is found before it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::{
    Error, Result,
    calendar::{Day, Month},
    generation::Generation,
    manifest::Transactions,
    privacy::Privacy,
    record::{
        ATOMS, AtomSummary, BENCHMARKS, CATALOG, CATEGORIES, DEMOGRAPHICS, EntityKind, MARKET_ALL,
        MARKETS, MERCHANTS, PATTERNS, PLACE_DEMOGRAPHICS, PLACE_LOYALTY, PLACE_MIXES,
        PROTECTED_DATASETS, Postings, RANKINGS, REGION_CATEGORIES, REGIONS, RankBy, Ranking,
        RegionRecord, SEARCH, SERIES_OF_DAYS, SETTLEMENTS, STORES, SettlementSummary, Summary,
        TILES, atoms_key, benchmark_months, loyalty_dataset, loyalty_spans, place_ranking_key,
        ranking_key, region_category_key,
    },
    region_tree::RegionTree,
    shard::{Mapped, Search, Span},
    text::{TermKind, term_key},
    told_atoms::TOLD_MONTHS,
};

/// Checks that no dataset, run of partitions or month is missing.
///
/// The manifest says of each packed dataset how many records its shards have, and is consistent.
///
/// # Errors
/// [`Error::Corrupt`] names the first that is.
///
/// # Complexity
/// Reads every summary and every id that can be searched once.
pub(crate) fn check(generation: &Generation<Mapped>) -> Result<()> {
    match &generation.manifest().transactions {
        Some(transactions) => check_transactions(generation, transactions),
        None => Ok(()),
    }
}

/// What is kept of many stores together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Their days, as of stores.
    Days,
    /// Atoms, where answers are protected.
    Atoms,
}

/// What nothing protected is told of is not to be there where answers are.
const NOT_PROTECTED: [&str; 6] = {
    let [a, b, c, d] = PROTECTED_DATASETS;
    [a, b, c, d, TILES, PLACE_LOYALTY]
};

impl Kept {
    fn of(generation: &Generation<Mapped>) -> Result<Self> {
        let privacy = Privacy::of(generation.manifest())?;
        Ok(match privacy.is_protecting() {
            true => Self::Atoms,
            false => Self::Days,
        })
    }

    /// Returns the datasets that have months, stores and merchants included.
    fn datasets(self) -> &'static [&'static str] {
        match self {
            Self::Days => &SERIES_OF_DAYS,
            Self::Atoms => &[STORES, ATOMS, MERCHANTS],
        }
    }

    /// Returns the datasets that are not to be there.
    fn others(self) -> &'static [&'static str] {
        match self {
            Self::Days => &[ATOMS, PATTERNS, PLACE_MIXES],
            Self::Atoms => &NOT_PROTECTED,
        }
    }

    /// Returns the dataset and the key of a market or place.
    fn place(self, dataset: &'static str, key: &[u8]) -> (&'static str, Vec<u8>) {
        match self {
            Self::Days => (dataset, key.to_vec()),
            Self::Atoms => (ATOMS, atoms_key(dataset, key)),
        }
    }
}

fn check_transactions(generation: &Generation<Mapped>, manifest: &Transactions) -> Result<()> {
    let kept = Kept::of(generation)?;
    expect(
        "stores",
        len(generation, STORES, Span::Current),
        manifest.stores,
    )?;
    for dataset in kept.others() {
        let shards = generation.manifest().shards_of(dataset).count() as u64;
        expect(&format!("shards of {dataset}"), shards, 0)?;
    }
    has_summary(generation, kept, MARKETS, MARKET_ALL)?;
    if kept == Kept::Days {
        let market = generation.summary(MARKETS, MARKET_ALL)?;
        let rows = market.map_or(0, |market| market.statistics().count);
        expect("rows of the market", rows, manifest.rows.used)?;
    }
    let mut loyalty = BTreeMap::<(&str, Span), u64>::new();
    for dataset in kept.datasets().iter().copied() {
        let named = named(generation, dataset, manifest.day_range()?.last)?;
        for (month, count) in named.months {
            let found = len(generation, dataset, Span::Month(month));
            expect(&format!("{dataset} of {month}"), found, count)?;
        }
        if let Some(of_loyalty) = loyalty_dataset(dataset) {
            for (span, count) in named.loyalty {
                *loyalty.entry((of_loyalty, span)).or_default() += count;
            }
        }
        for (month, count) in named.benchmarks {
            let found = len(generation, BENCHMARKS, Span::Month(month));
            expect(&format!("benchmarks of {month}"), found, count)?;
        }
    }
    for ((dataset, span), count) in loyalty {
        expect(
            &format!("{dataset} of {span}"),
            len(generation, dataset, span),
            count,
        )?;
    }
    for dataset in TOLD_MONTHS {
        check_months(generation, dataset)?;
    }
    check_market_demographics(generation)?;
    check_settlements(generation)?;
    expect(
        "stores that can be searched",
        searched(generation)?,
        manifest.stores,
    )?;
    let tree = RegionTree::read(generation)?;
    for by in RankBy::ALL {
        let ranked = ranked(generation, &ranking_key(by, None, None))?;
        expect(
            &format!("stores by {}", by.as_str()),
            ranked,
            manifest.stores,
        )?;
        for id in list(generation, REGIONS.as_bytes())? {
            has_ranking(generation, by, Some(&id), None)?;
        }
        for id in list(generation, CATEGORIES.as_bytes())? {
            has_ranking(generation, by, None, Some(&id))?;
        }
        check_merchants(generation, by)?;
        // How places grew is told of none but exactly.
        if kept == Kept::Days || matches!(by, RankBy::Transactions | RankBy::Amount) {
            check_places(generation, &tree, kept, by)?;
        }
    }
    Ok(())
}

/// Checks that a dataset has, in each month, as many stores or places as its record of that month says in `current`.
///
/// Where all of a month is missing nothing says so: whether rows say who paid, or where stores are, is said nowhere
/// else.
fn check_months(generation: &Generation<Mapped>, dataset: &str) -> Result<()> {
    expect_months(generation, dataset, &generation.records_by_month(dataset)?)
}

/// Checks that there are as many records of settlements in each month as stores that name it.
fn check_settlements(generation: &Generation<Mapped>) -> Result<()> {
    let mut said = BTreeMap::<Month, u64>::new();
    for shard in generation.table(SETTLEMENTS, Span::Current).shards() {
        for record in shard.iter() {
            let summary = SettlementSummary::parse(record?.value.in_place()?)?;
            for totals in &summary.months {
                *said.entry(totals.month).or_default() += 1;
            }
        }
    }
    expect_months(generation, SETTLEMENTS, &said)
}

/// Checks that a dataset has so many records in each month, and in no other.
fn expect_months(
    generation: &Generation<Mapped>,
    dataset: &str,
    said: &BTreeMap<Month, u64>,
) -> Result<()> {
    let mut found = BTreeMap::<Month, u64>::new();
    for shard in generation.manifest().shards_of(dataset) {
        if let Span::Month(month) = shard.span.parse()? {
            found.insert(month, len(generation, dataset, Span::Month(month)));
        }
    }
    for month in found.keys().chain(said.keys()) {
        let [found, said] = [&found, said].map(|it| it.get(month).copied().unwrap_or(0));
        expect(&format!("{dataset} of {month}"), found, said)?;
    }
    Ok(())
}

/// Checks that it is told of all stores together who paid in each month of which it is told of one.
fn check_market_demographics(generation: &Generation<Mapped>) -> Result<()> {
    let market = atoms_key(MARKETS, MARKET_ALL);
    for month in generation.records_by_month(DEMOGRAPHICS)?.into_keys() {
        let of_market = generation.get(PLACE_DEMOGRAPHICS, Span::Month(month), &market)?;
        if of_market.is_none() {
            return Err(missing(format!(
                "it has nothing of who paid at all stores in {month}"
            )));
        }
    }
    Ok(())
}

/// Returns the regions or categories that there are.
fn list(generation: &Generation<Mapped>, name: &[u8]) -> Result<Vec<String>> {
    let list = generation.get(CATALOG, Span::Current, name)?;
    let Some(list) = list
        .map(|list| Ranking::parse(list.in_place()?))
        .transpose()?
    else {
        let name = String::from_utf8_lossy(name);
        return Err(missing(format!("it has no list of {name:?}")));
    };
    let ids = (0..list.len()).filter_map(|position| list.get(position));
    Ok(ids
        .map(|id| String::from_utf8_lossy(id).into_owned())
        .collect())
}

/// Checks that the lists of places name every place, and that each has a summary.
fn check_places(
    generation: &Generation<Mapped>,
    tree: &RegionTree,
    kept: Kept,
    by: RankBy,
) -> Result<()> {
    let (mut with_summary, mut of_regions) = (0, 0);
    let ranked = ranked_places(generation, by, REGIONS, None)?;
    if !tree.is_empty() {
        check_parts(generation, by, &ranked)?;
    }
    for region in &ranked {
        // Of one that others are parts of, these have what is told of it.
        let is_sum = kept == Kept::Atoms && tree.has_parts(region);
        let has_stores = |region: &RegionRecord| region.stores > 0;
        if !is_sum || tree.get(region.as_bytes()).is_some_and(has_stores) {
            has_summary(generation, kept, REGIONS, region.as_bytes())?;
            with_summary += 1;
        }
        for category in ranked_places(generation, by, REGION_CATEGORIES, Some(region))? {
            let key = region_category_key(region, &category);
            let own = atoms_key(REGION_CATEGORIES, &key);
            if is_sum && generation.get(ATOMS, Span::Current, &own)?.is_none() {
                continue;
            }
            has_summary(generation, kept, REGION_CATEGORIES, &key)?;
            of_regions += 1;
        }
    }
    for category in ranked_places(generation, by, CATEGORIES, None)? {
        has_summary(generation, kept, CATEGORIES, category.as_bytes())?;
    }
    check_tiles(generation, by)?;
    let summaries = |dataset| len(generation, dataset, Span::Current);
    let regions = list(generation, REGIONS.as_bytes())?.len() as u64;
    let categories = list(generation, CATEGORIES.as_bytes())?.len() as u64;
    if kept == Kept::Atoms {
        let of_all = 1 + with_summary + categories + of_regions;
        let found = summaries(ATOMS);
        // Those of places that are none any more are kept.
        let are_enough = generation.manifest().keeps_atoms() && found > of_all;
        let expected = if are_enough { found } else { of_all };
        return expect("markets and places", found, expected);
    }
    expect("regions", summaries(REGIONS), regions)?;
    expect("categories", summaries(CATEGORIES), categories)?;
    expect(
        "categories of regions",
        summaries(REGION_CATEGORIES),
        of_regions,
    )
}

/// Checks that the list of tiles, if there are any, names every one.
fn check_tiles(generation: &Generation<Mapped>, by: RankBy) -> Result<()> {
    let key = place_ranking_key(by, TILES, None);
    let found = len(generation, TILES, Span::Current);
    if found == 0 && generation.get(CATALOG, Span::Current, &key)?.is_none() {
        return Ok(());
    }
    let listed = list(generation, &key)?;
    for tile in &listed {
        has_summary(generation, Kept::Days, TILES, tile.as_bytes())?;
    }
    expect("tiles", found, listed.len() as u64)
}

/// Checks that the lists of the parts of each region, and that of the roots, name every region once.
fn check_parts(generation: &Generation<Mapped>, by: RankBy, regions: &[String]) -> Result<()> {
    let mut named = list(generation, &place_ranking_key(by, REGIONS, Some("")))?;
    for region in regions {
        let key = place_ranking_key(by, REGIONS, Some(region));
        if generation.get(CATALOG, Span::Current, &key)?.is_some() {
            named.extend(list(generation, &key)?);
        }
    }
    named.sort_unstable();
    let mut regions = regions.to_vec();
    regions.sort_unstable();
    if named == regions {
        return Ok(());
    }
    Err(missing(
        "its regions are not those of the lists of parts".to_owned(),
    ))
}

/// Checks that there are as many merchants as a list of them says; there is none where no merchant has several
/// stores.
fn check_merchants(generation: &Generation<Mapped>, by: RankBy) -> Result<()> {
    let key = place_ranking_key(by, MERCHANTS, None);
    let list = generation.get(CATALOG, Span::Current, &key)?;
    let list = list.map(|list| Ranking::parse(list.in_place()?));
    let listed = list.transpose()?.map_or(0, |list| list.len() as u64);
    let what = format!("merchants by {}", by.as_str());
    expect(&what, len(generation, MERCHANTS, Span::Current), listed)
}

fn ranked_places(
    generation: &Generation<Mapped>,
    by: RankBy,
    dataset: &str,
    region: Option<&str>,
) -> Result<Vec<String>> {
    list(generation, &place_ranking_key(by, dataset, region))
}

fn has_summary(
    generation: &Generation<Mapped>,
    kept: Kept,
    dataset: &'static str,
    key: &[u8],
) -> Result<()> {
    let (kept_in, kept_as) = kept.place(dataset, key);
    match generation.get(kept_in, Span::Current, &kept_as)? {
        Some(_) => Ok(()),
        None => {
            let key = String::from_utf8_lossy(key);
            Err(missing(format!(
                "it has nothing of {key:?}, which is one of its {dataset}"
            )))
        }
    }
}

fn has_ranking(
    generation: &Generation<Mapped>,
    by: RankBy,
    region: Option<&str>,
    category: Option<&str>,
) -> Result<()> {
    if ranked(generation, &ranking_key(by, region, category))? > 0 {
        return Ok(());
    }
    let of = region.or(category).unwrap_or_default();
    Err(missing(format!(
        "it has no stores of {of:?} by {}",
        by.as_str()
    )))
}

/// Returns how many stores a ranking has.
fn ranked(generation: &Generation<Mapped>, key: &[u8]) -> Result<u64> {
    let ranking = generation.get(RANKINGS, Span::Current, key)?;
    let ranking = ranking.map(|ranking| Ranking::parse(ranking.in_place()?));
    let ranking = ranking.transpose()?;
    Ok(ranking.map_or(0, |ranking| ranking.len() as u64))
}

/// Returns how many stores the search finds by their ids.
fn searched(generation: &Generation<Mapped>) -> Result<u64> {
    let (mut stores, mut counted) = (0, Ok(()));
    let ids = Search::prefix(&term_key(TermKind::Id, ""));
    let table = generation.table(SEARCH, Span::Current);
    table.search(&ids, u64::MAX, |_term, record| {
        counted = record.value.in_place().and_then(|postings| {
            for posting in Postings::new(postings) {
                stores += u64::from(posting?.kind == EntityKind::Store);
            }
            Ok(())
        });
        counted.is_ok()
    })?;
    counted.map(|()| stores)
}

/// How many records the summaries of a dataset name.
#[derive(Default)]
struct Named {
    months: BTreeMap<Month, u64>,
    loyalty: BTreeMap<Span, u64>,
    /// Of stores alone.
    benchmarks: BTreeMap<Month, u64>,
}

impl Named {
    fn add(&mut self, months: impl Iterator<Item = Month>) {
        for month in months {
            *self.months.entry(month).or_default() += 1;
        }
    }
}

/// Returns how many records of each month, of loyalty and of benchmarks the summaries of a dataset name, in
/// data whose last row is of a day.
fn named(generation: &Generation<Mapped>, dataset: &str, last_row: Day) -> Result<Named> {
    let mut named = Named::default();
    for shard in generation.table(dataset, Span::Current).shards() {
        for record in shard.iter() {
            let value = record?.value.in_place()?;
            if dataset == ATOMS {
                let summary = AtomSummary::parse(value)?;
                named.add(summary.months.iter().map(|totals| totals.month));
                continue;
            }
            let summary = Summary::parse(value)?;
            let months = summary.months.iter().map(|totals| totals.month);
            for span in loyalty_spans(months.clone()) {
                *named.loyalty.entry(span).or_default() += 1;
            }
            if dataset == STORES {
                for month in benchmarked(&summary, last_row) {
                    *named.benchmarks.entry(month).or_default() += 1;
                }
            }
            named.add(months);
        }
    }
    Ok(named)
}

/// Returns the months in which a store has a record of benchmarks.
fn benchmarked(summary: &Summary, last_row: Day) -> BTreeSet<Month> {
    if summary.profile.region.is_none() || summary.profile.category.is_none() {
        return BTreeSet::new();
    }
    let months = summary.months.iter();
    let with_sales = months.filter(|totals| totals.statistics.sale_count() > 0);
    benchmark_months(with_sales.map(|totals| totals.month), last_row)
}

/// Returns how many records there are in all runs of a span.
fn len(generation: &Generation<Mapped>, dataset: &str, span: Span) -> u64 {
    let shards = generation.table(dataset, span).shards();
    shards.iter().map(|shard| shard.len()).sum()
}

fn expect(what: &str, found: u64, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(missing(format!("it has {found} {what}, not {expected}")))
}

fn missing(problem: String) -> Error {
    Error::Corrupt {
        structure: "generation",
        problem,
    }
}
