//! The local engine: kernels on the threads of this process.

mod atoms;
mod benchmarks;
mod cards;
mod customers;
mod demographics;
mod elsewhere;
mod freezing;
mod merchants;
mod spend_shares;
mod told;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Instant,
};

use nightshard_format::{
    key::PARTITIONS,
    quality::{self, QualityReport},
    staleness::Staleness,
};
use rayon::ThreadPool;

use self::{demographics::OfCardholders, told::Stores};
use crate::{
    Error, Result,
    accounting::{account, describe_nothing, flagged, rows_of_scan},
    build::{
        BuildPlan, BuildReport, Built, MEMORY_MIN, Progress, RegionsReport, SeriesReport, Stage,
    },
    data_tests::{self, RowTests, Tested, TestedScan},
    emit::{
        self, Facts, OrderedSink, PlaceLists, PlaceSizes, Staged, Staging, StoreFacts, StoreShards,
        write_catalog, write_region_tree, write_search, write_side_series,
    },
    exchange::{Exchanged, Outbox, Scratch},
    kernel::{
        admission::Admission,
        cardholder::CardholderTable,
        conflict_scan::ConflictScan,
        currency_count::{self, CurrencyCounts},
        customer_partition::SentCustomers,
        customer_row::{CustomerRow, NameRow},
        frozen::Frozen,
        hiding::Hiding,
        market::MarketDays,
        market_cardholders::CELL_PARTITIONS,
        mix::MixTable,
        row::CardRow,
        scan::{ScanCounts, StoreScan},
        sent_rows::{RowOutbox, SentRows},
        spend_row::SpendRow,
        store_partition::{
            self, CARD_PARTITIONS, Conflict, StoreContext, StoreOutboxes, StoreWorker,
        },
    },
    quality::Quarantine,
    row_outcome::RowSink,
    series::KnownSeries,
    source::{self, Block, InputSummary, Parser, Reader, ReaderOptions},
};

/// How the memory is shared out, in bytes for each worker.
///
/// Rows in transit take a quarter at most; the rest is for what is being parsed, reduced and
/// written, and for what an allocator leaves unused.
#[derive(Debug, Clone, Copy)]
struct Shares {
    block: usize,
    rows: usize,
    partition: usize,
    card_days: usize,
    spend: usize,
    cells: usize,
    pair_counts: usize,
    /// Rows are no longer in transit then.
    place_cards: usize,
    /// Pseudonyms, and what cards paid, each.
    customers: usize,
    /// Nothing is reduced or counted yet while values are sent that must be unique.
    unique: usize,
}

/// What is neither in transit nor being parsed gets this part of a worker's memory.
const SMALL_SHARE: usize = 8;

impl Shares {
    fn of(memory_bytes: u64, threads: usize) -> Self {
        let memory = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        let each = memory / threads;
        Self {
            block: (each / 32).clamp(256 << 10, 2 << 20),
            rows: each / 4,
            partition: each / SMALL_SHARE,
            card_days: each / SMALL_SHARE,
            spend: each / SMALL_SHARE / 2,
            cells: each / SMALL_SHARE / 2,
            pair_counts: each / SMALL_SHARE,
            place_cards: each / SMALL_SHARE,
            customers: each / 2 / SMALL_SHARE,
            unique: each / SMALL_SHARE,
        }
    }
}

/// Builds a generation into the plan's staging folder.
///
/// # Errors
/// [`Error`], naming the file or option at fault. Nothing but the staging folder is touched.
pub fn build(plan: &BuildPlan, progress: &dyn Progress) -> Result<Built> {
    if plan.memory_bytes < MEMORY_MIN {
        let least = MEMORY_MIN >> 20;
        return Err(Error::option(
            "--memory",
            format!("at least {least}MiB are needed"),
        ));
    }
    if !(1..=PARTITIONS).contains(&plan.runs) {
        let problem = format!("{} is not 1 to {PARTITIONS}", plan.runs);
        return Err(Error::option("shards.runs", problem));
    }
    if !plan.scratch.is_dir() {
        let problem = format!("{} is no folder", plan.scratch.display());
        return Err(Error::option("--scratch", problem));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(plan.threads)
        .build()
        .map_err(|error| Error::option("--threads", error.to_string()))?;
    let engine = Engine {
        plan,
        progress,
        shares: Shares::of(plan.memory_bytes, plan.threads.max(1)),
        pool,
        staging: Staging::new(&plan.staging, plan.runs)?,
        scratch: Scratch::new(&plan.scratch),
    };
    engine.run()
}

struct Engine<'a> {
    plan: &'a BuildPlan,
    progress: &'a dyn Progress,
    shares: Shares,
    pool: ThreadPool,
    staging: Staging,
    scratch: Scratch,
}

/// What the scan leaves behind.
struct Scanned {
    rows: SentRows,
    names: Exchanged<NameRow>,
    counts: ScanCounts,
    inputs: Vec<InputSummary>,
    tested: Tested,
}

/// What the reduction of stores leaves behind.
struct Reduced {
    card_days: Exchanged<CardRow>,
    customers: Exchanged<CustomerRow>,
    market: MarketDays,
    of_cardholders: OfCardholders,
}

impl Engine<'_> {
    fn run(&self) -> Result<Built> {
        let plan = self.plan;
        let mut seconds = BTreeMap::new();
        let mut clock = Instant::now();
        let mut lap = |stage: Stage| {
            seconds.insert(stage.as_str(), clock.elapsed().as_secs_f64());
            clock = Instant::now();
        };
        let quarantine =
            Quarantine::create(&plan.staging.join("quarantine.csv"), plan.inputs.files())?;
        let scanned = self.scan(&quarantine)?;
        lap(Stage::Read);
        scanned.tested.check()?;
        let currency = self.base_currency(&scanned)?;
        let mut stores = StoreShards::new(&self.staging);
        let mut spilled_bytes = scanned.rows.spilled_bytes()
            + scanned.names.spilled_bytes()
            + scanned.tested.spilled_bytes;
        let (reduced, spent) = self.reduce_stores(scanned.rows, &currency, &mut stores)?;
        spilled_bytes += reduced.card_days.spilled_bytes()
            + spent.spilled_bytes()
            + reduced.of_cardholders.cells.spilled_bytes()
            + reduced.customers.spilled_bytes();
        self.name_conflicts(&quarantine, &scanned.inputs, &stores)?;
        let rows = account(&scanned.counts, &stores)?;
        if rows.used == 0 {
            return Err(Error::NoRows(describe_nothing(&rows)));
        }
        lap(Stage::Stores);
        let dates = reduced.market.days();
        let dates = dates.ok_or_else(|| Error::NoRows("no day".into()))?;
        let as_of = plan.as_of.unwrap_or(dates.last);
        let mut shards = std::mem::take(&mut stores.staged);
        let of_market =
            self.write_demographics(&reduced.of_cardholders, &stores.facts, &mut shards, as_of)?;
        self.measure_growth(&mut stores.facts, &shards, dates)?;
        let merchants = stores.merchants()?;
        let of_merchants = Stores {
            facts: &stores.facts,
            places: &merchants,
            staged: &shards,
            as_of,
        };
        let of_merchants = self.write_merchants(&reduced.card_days, &of_merchants)?;
        let hiding = Hiding::of(plan.privacy_k);
        let plain = stores.places(None)?;
        let elsewhere = self.write_elsewhere(&reduced.card_days, &stores.facts, &plain, as_of)?;
        if elsewhere.is_some() {
            lap(Stage::Elsewhere);
        }
        let spend_shares = self.write_spend_shares(spent, &stores.facts, as_of)?;
        if spend_shares.is_some() {
            lap(Stage::Spend);
        }
        // What is told of a region of which others are parts is added up from what is told of these.
        let mut places = match hiding {
            Some(_) => plain,
            None => stores.places(Some(&plan.regions))?,
        };
        let (kept, mut kept_report) = self.told(&currency);
        let frozen = kept
            .map(|told| {
                let ids = stores.facts.iter().map(|it| (&it.id[..], it.ordinal));
                Frozen::new(&told.atoms, (dates.first.month(), as_of), &mut places, ids)
            })
            .transpose()?;
        let of_stores = Stores {
            facts: &stores.facts,
            places: &places,
            staged: &shards,
            as_of,
        };
        let told = match hiding {
            Some(hiding) => {
                self.write_atoms(&reduced.card_days, &of_stores, hiding, frozen.as_ref())?
            }
            None => self.write_exactly(&reduced, &of_stores)?,
        };
        drop(reduced.card_days);
        let compared = self.write_benchmarks(&stores.facts, (&shards, &told.cards), dates)?;
        lap(Stage::Places);
        let customers = match &plan.customers {
            Some(customers) => {
                let sent = SentCustomers {
                    names: scanned.names,
                    rows: reduced.customers,
                };
                let written = self.write_customers(customers, &sent, &stores.facts)?;
                lap(Stage::Customers);
                Some(written)
            }
            None => None,
        };
        let (of_customers, customers) = customers.unzip();
        let series = plan.series.as_of(as_of);
        let sizes = match &told.totals {
            Some(totals) => PlaceSizes::Told(totals),
            None => PlaceSizes::Exact(&stores.facts),
        };
        let lists = [
            PlaceLists::of_places(&places, sizes, &plan.regions),
            PlaceLists::of_merchants(&merchants, &stores.facts),
        ];
        let rest = self.write_rest(&stores.facts, lists, &series)?;
        shards.extend(of_merchants);
        shards.extend(of_market);
        shards.extend(elsewhere.into_iter().flatten());
        shards.extend(spend_shares.into_iter().flatten());
        shards.extend(compared);
        shards.extend(told.staged);
        shards.extend(of_customers.into_iter().flatten());
        shards.extend(rest);
        let months_differ = match (kept, &frozen) {
            (Some(told), Some(frozen)) => self.keep_months(told, frozen, &mut shards)?,
            _ => false,
        };
        let are_input = told.differs || months_differ;
        if let Some(report) = &mut kept_report {
            report.are_input = are_input;
        }
        shards.sort();
        let facts = Facts {
            rows,
            currency: &currency,
            inputs: &scanned.inputs,
            days: dates,
            as_of,
            stores: stores.facts.len(),
            told: kept.map(|kept| &kept.atoms.input).filter(|_| are_input),
        };
        let manifest = emit::manifest(plan, facts, &shards)?;
        let quality = QualityReport {
            inputs: quality::inputs_digest(&manifest),
            flagged: flagged(&scanned.counts, &plan.stores, &plan.regions),
            tests: scanned.tested.results,
        };
        lap(Stage::Finish);
        let inputs = scanned.inputs.iter().chain(plan.series.files());
        let open_ended = inputs.filter(|input| input.is_open_ended);
        let rule = Staleness::new(as_of, plan.series_stale_after_days);
        let of_series = |series: &KnownSeries<'_>| SeriesReport::of(series, rule);
        let report = BuildReport {
            release: env!("CARGO_PKG_VERSION").into(),
            inputs: plan.inputs.files().to_vec(),
            ignored: plan.inputs.ignored().to_vec(),
            without_line_end: open_ended.map(|input| input.path.clone()).collect(),
            regions: RegionsReport::of(&plan.regions, regions_of(&stores.facts)),
            series: series.iter().map(of_series).collect(),
            atoms: kept_report,
            customers,
            unknown_sensitive_categories: (plan.customers.as_ref())
                .map(|kept| kept.unknown_categories(categories_of(&stores.facts)))
                .unwrap_or_default(),
            threads: plan.threads,
            memory_bytes: plan.memory_bytes,
            spilled_bytes,
            quality,
            seconds,
        };
        drop(stores);
        Ok(Built {
            manifest,
            shards,
            quarantine: quarantine.finish()?,
            report,
        })
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

    /// Runs `work` once on every thread, and returns all results or the first error.
    fn on_all_threads<T: Send>(&self, work: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
        self.pool.broadcast(|_thread| work()).into_iter().collect()
    }

    fn scan(&self, quarantine: &Quarantine) -> Result<Scanned> {
        let plan = self.plan;
        let (mixes, cardholders) = (MixTable::default(), CardholderTable::default());
        let scan = || {
            let outbox = RowOutbox::new(PARTITIONS.into(), self.shares.rows, &self.scratch);
            let key = &plan.card_key;
            let tables = (&mixes, &cardholders);
            let customers = self.customer_scan();
            StoreScan::new(self.admission(), quarantine, key, tables, customers, outbox)
        };
        // Two ways, so that rows of a build without tests are not asked about them.
        let (scans, inputs, tested) = if plan.data_tests.is_empty() {
            let (scans, inputs) = self.read_rows(scan)?;
            (scans, inputs, Tested::default())
        } else {
            self.scan_and_test(scan)?
        };
        let mut counts = ScanCounts::default();
        let (mut outboxes, mut names) = (Vec::new(), Vec::new());
        for scan in scans {
            let scanned = scan.finish()?;
            counts.merge(scanned.counts);
            outboxes.push(scanned.rows);
            names.extend(scanned.names);
        }
        Ok(Scanned {
            rows: SentRows::new(outboxes, mixes, cardholders)?,
            names: Exchanged::new(names)?,
            counts,
            inputs,
            tested,
        })
    }

    /// Reads all rows of the input, tests them and sends them on.
    fn scan_and_test<'s>(
        &self,
        scan: impl Fn() -> StoreScan<'s> + Sync,
    ) -> Result<(Vec<StoreScan<'s>>, Vec<InputSummary>, Tested)> {
        let plan = self.plan;
        let (tested, inputs) = self.read_rows(|| TestedScan {
            scan: scan(),
            tests: RowTests::new(&plan.data_tests, self.shares.unique, &self.scratch),
        })?;
        let (scans, tests) = tested.into_iter().map(|it| (it.scan, it.tests)).unzip();
        let by = (&self.pool, self.shares.partition);
        let tested = data_tests::results(&plan.data_tests, tests, plan.inputs.files(), by)?;
        Ok((scans, inputs, tested))
    }

    fn admission(&self) -> Admission<'_> {
        Admission {
            stores: &self.plan.stores,
            as_of: self.plan.as_of.map(|day| day.0),
        }
    }

    /// Reads all rows of the input into one sink for each thread.
    fn read_rows<S: RowSink<Error = Error> + Send>(
        &self,
        sink: impl Fn() -> S + Sync,
    ) -> Result<(Vec<S>, Vec<InputSummary>)> {
        let plan = self.plan;
        self.progress.begin(Stage::Read, plan.inputs.size_bytes());
        let options = ReaderOptions {
            block_bytes: self.shares.block,
            ..ReaderOptions::default()
        };
        let reader = Reader::new(&plan.inputs, Arc::clone(&plan.layout), options);
        let reader = Mutex::new(Some(reader));
        let sinks = self.on_all_threads(|| {
            let mut sink = sink();
            let mut parser = Parser::new(&plan.layout, plan.card_key.hash_seed());
            let mut buffer = Vec::new();
            while let Some(block) = next_block(&reader, std::mem::take(&mut buffer))? {
                parser
                    .parse(&block, &mut sink)
                    .inspect_err(|_| *lock(&reader) = None)?;
                self.progress.advance(block.bytes().len() as u64);
                buffer = block.into_buffer();
            }
            Ok(sink)
        })?;
        let reader = lock(&reader).take();
        Ok((sinks, reader.map(Reader::finish).unwrap_or_default()))
    }

    /// Reads the input once more to name the rows whose tx_id stands for different content.
    fn name_conflicts(
        &self,
        quarantine: &Quarantine,
        scanned: &[InputSummary],
        stores: &StoreShards<'_>,
    ) -> Result<()> {
        if stores.conflicts.is_empty() {
            return Ok(());
        }
        let conflicts: HashSet<Conflict> = stores.conflicts.iter().cloned().collect();
        let seed = self.plan.card_key.hash_seed();
        let (scans, inputs) =
            self.read_rows(|| ConflictScan::new(self.admission(), quarantine, &conflicts, seed))?;
        let found: u64 = scans.iter().map(|scan| scan.found).sum();
        let mut pairs = scanned.iter().zip(&inputs);
        match pairs.find(|(before, now)| before != now) {
            Some((_, now)) => Err(Error::Source(source::Error::Changed {
                path: now.path.clone(),
            })),
            None if found != stores.conflicting_rows => Err(Error::Internal(format!(
                "{} rows have conflicting content, {found} were found again",
                stores.conflicting_rows
            ))),
            None => Ok(()),
        }
    }

    /// Returns the currency asked for, or that of most rows, ties alphabetically.
    ///
    /// Where there are several, rows that are dropped as repeats have no vote.
    fn base_currency(&self, scanned: &Scanned) -> Result<String> {
        if let Some(currency) = &self.plan.currency {
            return Ok(currency.clone());
        }
        let mut currencies = Cow::Borrowed(&scanned.counts.currencies);
        if currencies.len() > 1 {
            currencies = Cow::Owned(self.count_currencies(&scanned.rows)?);
        }
        let most = currencies.iter().rev().max_by_key(|(_, rows)| **rows);
        let (currency, _) =
            most.ok_or_else(|| Error::NoRows(describe_nothing(&rows_of_scan(&scanned.counts))))?;
        Ok(String::from_utf8_lossy(currency).into_owned())
    }

    fn count_currencies(&self, rows: &SentRows) -> Result<CurrencyCounts> {
        let context = self.store_context("");
        let next = AtomicU16::new(0);
        let counted = self.on_all_threads(|| {
            let mut counts = CurrencyCounts::new();
            while let partition = next.fetch_add(1, Ordering::Relaxed)
                && partition < PARTITIONS
            {
                currency_count::count(rows, partition, &context, &mut counts)?;
            }
            Ok(counts)
        })?;
        let mut total = CurrencyCounts::new();
        for (currency, rows) in counted.into_iter().flatten() {
            *total.entry(currency).or_default() += rows;
        }
        Ok(total)
    }

    fn store_context<'a>(&'a self, currency: &'a str) -> StoreContext<'a> {
        StoreContext {
            stores: &self.plan.stores,
            regions: &self.plan.regions,
            base_currency: currency.as_bytes(),
            regular: self.plan.regular,
            hiding: Hiding::of(self.plan.privacy_k),
            budget_bytes: self.shares.partition,
            scratch: &self.scratch,
        }
    }

    /// Reduces the stores; what cards spent is beside what is kept longer.
    fn reduce_stores(
        &self,
        rows: SentRows,
        currency: &str,
        stores: &mut StoreShards<'_>,
    ) -> Result<(Reduced, Exchanged<SpendRow>)> {
        self.progress.begin(Stage::Stores, PARTITIONS.into());
        let context = self.store_context(currency);
        let ahead_max = u16::try_from(self.plan.threads * 4).unwrap_or(PARTITIONS);
        // Memory of records that are written serves the next: what was given back to the system
        // would have to be touched anew.
        let spare = Mutex::new(Vec::new());
        let sink = OrderedSink::new(ahead_max, |partition, records| {
            self.progress.advance(1);
            lock(&spare).push(stores.add(partition, records)?);
            Ok(())
        });
        let rows_max = context.rows_max();
        let lens = (0..PARTITIONS).filter_map(|partition| {
            usize::try_from(rows.len_rows(partition))
                .ok()
                .filter(|len| *len <= rows_max)
        });
        let rows_most = lens.max().unwrap_or(0);
        let next = AtomicU16::new(0);
        let workers = self.on_all_threads(|| {
            let cards = Outbox::new(
                CARD_PARTITIONS.into(),
                self.shares.card_days,
                context.scratch,
            );
            let cells = (!rows.cardholders.is_empty())
                .then(|| Outbox::new(CELL_PARTITIONS.into(), self.shares.cells, context.scratch));
            let spend = Outbox::new(CARD_PARTITIONS.into(), self.shares.spend, context.scratch);
            let outboxes = StoreOutboxes {
                cards,
                spend,
                cells,
                customers: self.customer_outbox(),
            };
            let mut worker = StoreWorker::new(outboxes, rows_most);
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= PARTITIONS {
                    break;
                }
                let Some(turn) = sink.turn(partition) else {
                    break;
                };
                worker.records = lock(&spare).pop().unwrap_or_default();
                turn.put(store_partition::reduce(
                    &rows,
                    partition,
                    &context,
                    &mut worker,
                )?)?;
            }
            Ok(worker.into_sent())
        })?;
        drop(sink);
        stores.finish_run()?;
        let mut market = MarketDays::default();
        let (mut card_days, mut spend) = (Vec::new(), Vec::new());
        let (mut cells, mut customers) = (Vec::new(), Vec::new());
        for (outboxes, days) in workers {
            card_days.push(outboxes.cards);
            spend.push(outboxes.spend);
            cells.extend(outboxes.cells);
            customers.extend(outboxes.customers);
            market.add(days);
        }
        let reduced = Reduced {
            card_days: Exchanged::new(card_days)?,
            customers: Exchanged::new(customers)?,
            market,
            of_cardholders: OfCardholders {
                cells: Exchanged::new(cells)?,
                cardholders: rows.cardholders,
            },
        };
        Ok((reduced, Exchanged::new(spend)?))
    }
}

/// Returns the region of each store of which it is known.
fn regions_of(stores: &[StoreFacts]) -> impl Iterator<Item = &str> {
    stores.iter().filter_map(|store| store.region.as_deref())
}

/// Returns the category of each store of which it is known.
fn categories_of(stores: &[StoreFacts]) -> impl Iterator<Item = &str> {
    stores.iter().filter_map(|store| store.category.as_deref())
}

/// Takes the next block from a reader that all threads share, which goes when one of them fails.
///
/// A reader is of no use after an error: whoever asked it again would hear of another one, and
/// the first of all threads would be reported.
fn next_block(reader: &Mutex<Option<Reader>>, recycled: Vec<u8>) -> Result<Option<Block>> {
    let mut reader = lock(reader);
    let Some(whole) = reader.as_mut() else {
        return Ok(None);
    };
    let next = whole.next_block(recycled);
    if next.is_err() {
        *reader = None;
    }
    Ok(next?)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
