//! RocksDB: tables written in the order of keys and taken over into the lowest level, so that
//! nothing is left to compact.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::Result;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, DB, DBCompressionType,
    DataBlockIndexType, IngestExternalFileOptions, IteratorMode, KeyEncodingType, Options,
    PlainTableFactoryOptions, ReadOptions, SliceTransform, SstFileWriter, WriteOptions,
};

use super::{Opening, Rival, nightshard::THREADS};
use crate::{
    dataset::{self, Dataset, Key},
    files,
};

/// The column family that there always is.
const COLUMN: &str = "default";
const TABLE_BYTES: usize = 256 << 20;

/// What is read of a table.
pub(crate) struct Opened {
    db: DB,
    index_bytes: Option<u64>,
}

impl Opened {
    fn read_options() -> ReadOptions {
        // What is compared on opening need not be compared at each lookup: nobody else does.
        let mut options = ReadOptions::default();
        options.set_verify_checksums(false);
        options
    }

    fn column(&self) -> &ColumnFamily {
        self.db.cf_handle(COLUMN).expect("there always is")
    }

    fn warm(&self) -> Result<()> {
        for record in self
            .db
            .iterator_opt(IteratorMode::Start, Self::read_options())
        {
            let (_key, value) = record?;
            files::touch(&value);
        }
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        thread_local! {
            static OPTIONS: ReadOptions = Opened::read_options();
        }
        let found = OPTIONS.with(|options| self.db.get_pinned_opt(key, options));
        found.expect("tables are whole").map(|value| read(&value))
    }

    fn get_many(&self, keys: &[&[u8]], mut visit: impl FnMut(Option<&[u8]>)) {
        let options = Self::read_options();
        let found = self
            .db
            .batched_multi_get_cf_opt(self.column(), keys, false, &options);
        for value in found {
            visit(value.expect("tables are whole").as_deref());
        }
    }
}

/// Blocks of 4 KiB with a hash index in each, a Bloom filter, read from a map if all fits into
/// memory.
fn blocks(cold: bool) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_bloom_filter(10.0, false);
    table.set_index_type(BlockBasedIndexType::BinarySearch);
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    table.set_data_block_hash_ratio(0.75);
    table.set_format_version(5);
    if cold {
        let cache = Cache::new_lru_cache(128 << 20);
        table.set_block_cache(&cache);
    } else {
        table.disable_cache();
    }
    let mut options = common();
    options.set_block_based_table_factory(&table);
    options.set_allow_mmap_reads(!cold);
    options
}

/// The plain table: a hash index over records in a map.
fn plain() -> Options {
    let mut options = common();
    options.set_plain_table_factory(&PlainTableFactoryOptions {
        user_key_length: 16,
        bloom_bits_per_key: 10,
        hash_table_ratio: 0.75,
        index_sparseness: 16,
        huge_page_tlb_size: 0,
        encoding_type: KeyEncodingType::Plain,
        full_scan_mode: false,
        store_index_in_file: false,
    });
    options.set_prefix_extractor(SliceTransform::create_fixed_prefix(16));
    options.set_allow_mmap_reads(true);
    options
}

fn common() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_compression_type(DBCompressionType::None);
    options.set_max_open_files(-1);
    options.set_disable_auto_compactions(true);
    options
}

/// Writes tables and has the database take them over.
fn build(options: &Options, dataset: Dataset, folder: &Path) -> Result<()> {
    let keys = dataset.by_key();
    let of_table = (TABLE_BYTES / (dataset.value_len + 32)).max(1);
    let tables: Vec<_> = keys.chunks(of_table).collect();
    let path = |number: usize| folder.join(format!("{number}.in"));
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(records) = tables.get(number) else {
                return Ok(());
            };
            write_table(options, dataset, records, &path(number))?;
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    let db = DB::open(options, folder)?;
    let mut ingest = IngestExternalFileOptions::default();
    ingest.set_move_files(true);
    let paths: Vec<PathBuf> = (0..tables.len()).map(path).collect();
    db.ingest_external_file_opts(&ingest, paths.clone())?;
    for path in paths {
        // Moved by a link.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Plain tables cannot be taken over: puts everything, and has it compacted.
fn build_by_puts(options: &mut Options, dataset: Dataset, folder: &Path) -> Result<()> {
    options.set_write_buffer_size(TABLE_BYTES);
    options.set_target_file_size_base(TABLE_BYTES as u64);
    let db = DB::open(options, folder)?;
    let mut unlogged = WriteOptions::default();
    unlogged.disable_wal(true);
    let mut value = Vec::new();
    for (_first, number) in dataset.by_key() {
        dataset.put_value(number, &mut value);
        db.put_opt(dataset::key(number), &value, &unlogged)?;
    }
    db.flush()?;
    db.compact_range(None::<&[u8]>, None::<&[u8]>);
    db.cancel_all_background_work(true);
    Ok(())
}

fn write_table(
    options: &Options,
    dataset: Dataset,
    records: &[(u64, u64)],
    path: &Path,
) -> Result<()> {
    let mut writer = SstFileWriter::create(options);
    writer.open(path)?;
    let mut value = Vec::new();
    for (_first, number) in records {
        dataset.put_value(*number, &mut value);
        writer.put(dataset::key(*number), &value)?;
    }
    Ok(writer.finish()?)
}

fn open(options: &Options, folder: &Path) -> Result<Opened> {
    let columns = [(COLUMN, options.clone())];
    let db = DB::open_cf_with_opts_for_read_only(options, folder, columns, false)?;
    let index_bytes = db.property_int_value("rocksdb.estimate-table-readers-mem")?;
    Ok(Opened { db, index_bytes })
}

/// Block-based tables.
pub(crate) struct Rocks(Opened);

/// Plain tables.
pub(crate) struct Plain(Opened);

macro_rules! rival {
    ($name:ident, $options:expr, $build:expr) => {
        impl Rival for $name {
            const BATCH: bool = true;

            fn build(dataset: Dataset, folder: &Path) -> Result<()> {
                $build(&mut $options(false), dataset, folder)
            }

            fn open(opening: Opening, folder: &Path) -> Result<Self> {
                open(&$options(opening.cold), folder).map(Self)
            }

            fn warm(&self) -> Result<()> {
                self.0.warm()
            }

            #[inline]
            fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
                self.0.get(key, read)
            }

            fn get_many(&self, keys: &[&[u8]], visit: impl FnMut(Option<&[u8]>)) {
                self.0.get_many(keys, visit);
            }

            fn index_bytes(&self) -> Option<u64> {
                self.0.index_bytes
            }
        }
    };
}

rival!(Rocks, blocks, |options: &mut _, dataset, folder| build(
    options, dataset, folder
));
rival!(Plain, |_cold| plain(), build_by_puts);
