//! The rows of the input: read, tested and sent to their stores.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use nightshard_format::key::PARTITIONS;

use super::{Engine, lock};
use crate::{
    Error, Result,
    build::Stage,
    data_tests::{self, RowTests, Tested, TestedScan},
    emit::StoreShards,
    exchange::Exchanged,
    kernel::{
        admission::Admission,
        cardholder::CardholderTable,
        conflict_scan::ConflictScan,
        customer_row::NameRow,
        mix::MixTable,
        scan::{ScanCounts, StoreScan},
        sent_rows::{RowOutbox, SentRows},
        store_partition::Conflict,
    },
    quality::Quarantine,
    row_outcome::RowSink,
    source::{self, Block, InputSummary, Parser, Reader, ReaderOptions},
};

/// What the scan leaves behind.
pub(super) struct Scanned {
    pub(super) rows: SentRows,
    pub(super) names: Exchanged<NameRow>,
    pub(super) counts: ScanCounts,
    pub(super) inputs: Vec<InputSummary>,
    pub(super) tested: Tested,
}

impl Engine<'_> {
    /// Reads all rows of the input, and sends them to the partitions of their stores.
    pub(super) fn scan(&self, quarantine: &Quarantine) -> Result<Scanned> {
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
    pub(super) fn name_conflicts(
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
