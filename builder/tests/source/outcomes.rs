//! What became of the rows of small files.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use nightshard_builder::layout::{Field, Layout};
use nightshard_builder::row_outcome::{Location, Reason, RowSink, Rule};
use nightshard_builder::source::{
    Error, InputSummary, Inputs, Parser, Reader, ReaderOptions, RowsRead,
};
use nightshard_builder::transaction::Transaction;

pub(crate) const SMALL: ReaderOptions = ReaderOptions {
    block_bytes: 32,
    record_bytes_max: 4096,
};

pub(crate) const HEADER: &str = "store_id,card_id,ts,amount_minor,currency\n";

/// A transaction that outlives its block.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Row {
    pub(crate) tx_id: String,
    pub(crate) store_id: String,
    pub(crate) card_id: String,
    pub(crate) day: i32,
    pub(crate) second_of_day: Option<u32>,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) category: String,
    pub(crate) region: String,
    pub(crate) installments: Option<u16>,
    pub(crate) points_used: bool,
    pub(crate) carried: Vec<String>,
    pub(crate) content: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) rows: Vec<(u64, Row)>,
    pub(crate) rejected: Vec<(u64, Field, Reason)>,
    pub(crate) excluded: Vec<(u64, Rule)>,
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl RowSink for Outcomes {
    type Error = Error;

    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<(), Error> {
        let row = Row {
            tx_id: text(row.tx_id),
            store_id: text(row.store_id),
            card_id: text(row.card_id),
            day: row.day,
            second_of_day: row.second_of_day,
            amount_minor: row.amount_minor,
            currency: text(row.currency),
            category: text(row.category),
            region: text(row.region),
            installments: row.installments,
            points_used: row.points_used,
            carried: row.texts.carried().map(text).collect(),
            content: row.content,
        };
        self.rows.push((at.line, row));
        Ok(())
    }

    fn rejected(&mut self, at: Location, field: Field, reason: Reason) {
        self.rejected.push((at.line, field, reason));
    }

    fn excluded(&mut self, at: Location, rule: Rule) {
        self.excluded.push((at.line, rule));
    }
}

pub(crate) fn read_all(
    inputs: &Inputs,
    layout: &Layout,
    options: ReaderOptions,
) -> Result<(Outcomes, RowsRead, Vec<InputSummary>), Error> {
    let mut reader = Reader::new(inputs, Arc::new(layout.clone()), options);
    let mut parser = Parser::new(layout, 7);
    let (mut outcomes, mut read, mut buffer) = (Outcomes::default(), RowsRead::default(), vec![]);
    while let Some(block) = reader.next_block(buffer)? {
        let more = parser.parse(&block, &mut outcomes)?;
        read.transactions += more.transactions;
        read.rejected += more.rejected;
        read.excluded += more.excluded;
        buffer = block.into_buffer();
    }
    Ok((outcomes, read, reader.finish()))
}

/// A folder with one file of these bytes.
pub(crate) fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

pub(crate) fn read_as(layout: &Layout, name: &str, bytes: &[u8]) -> Result<Outcomes, Error> {
    let (_folder, path) = file(name, bytes);
    let inputs = Inputs::resolve(&[path.to_str().unwrap()])?;
    let (outcomes, read, _) = read_all(&inputs, layout, SMALL)?;
    assert_eq!(read.transactions, outcomes.rows.len() as u64);
    assert_eq!(read.rejected, outcomes.rejected.len() as u64);
    assert_eq!(read.excluded, outcomes.excluded.len() as u64);
    for block_bytes in [1, 7, 100, 1 << 20] {
        let options = ReaderOptions {
            block_bytes,
            ..SMALL
        };
        assert_eq!(
            read_all(&inputs, layout, options)?.0,
            outcomes,
            "blocks of {block_bytes}"
        );
    }
    Ok(outcomes)
}

pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Result<Outcomes, Error> {
    read_as(
        &Layout::builtin("canonical").unwrap(),
        "in.csv",
        bytes.as_ref(),
    )
}

pub(crate) fn rejects(rows: &str) -> Vec<(u64, Field, Reason)> {
    read(format!("{HEADER}{rows}")).unwrap().rejected
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Rows enough to fill several blocks, none like another.
pub(crate) fn many_rows() -> String {
    let row = |n: u32| format!("s{},c{},2018-03-05T12:00:00,{n},KRW\n", n % 7, n % 11);
    (0..500).map(row).collect()
}

/// The canonical layout with another beginning.
pub(crate) fn layout_of_canonical(head: &str) -> Layout {
    let text = include_str!("../../src/layout/canonical.toml");
    Layout::parse("test", &format!("{head}\n{text}")).unwrap()
}

pub(crate) const MINIMAL: &str = "[fields]\nstore_id = { columns = ['store'] }\nts = { columns = ['ts'] }\n\
                       amount_minor = { columns = ['amount'], factor = 100 }\n\
                       currency = { constant = 'EUR' }\n";

pub(crate) fn layout(head: &str) -> Layout {
    Layout::parse("test", &format!("{head}\n{MINIMAL}")).unwrap()
}
