//! Throughput of packing a table, by the format of its file.
//!
//! `cargo bench --bench pack` packs 2 M rows five times in each format and prints medians;
//! `-- --test` packs a few once.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and may fail"
)]

mod support;

use std::{fmt::Write as _, fs, path::Path, sync::Arc, time::Instant};

use nightshard_builder::{
    build::{Quiet, RUNS_DEFAULT},
    pack::{self, PackPlan, pack},
};
use nightshard_format::manifest::OnDuplicate;
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

const SCHEMA: &str = "message rows {
    required binary sku (STRING); required binary name (STRING);
    required double price; required int64 stock;
}";
const ROWS_IN_GROUP: u64 = 100_000;

/// A row of 60 bytes or so; keys come in no order.
struct Product {
    sku: String,
    name: String,
    price: f64,
    stock: i64,
}

impl Product {
    fn new(row: u64) -> Self {
        let mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let part = |modulus| u32::try_from(mixed % modulus).unwrap();
        Self {
            sku: format!("sku-{mixed:016x}"),
            name: format!("product {} of series {}", part(100_003), part(97)),
            price: f64::from(part(99_991)) / 100.0,
            stock: part(4_999).into(),
        }
    }
}

fn main() {
    let is_smoke = std::env::args().any(|argument| argument == "--test");
    let (rows, runs) = if is_smoke {
        (20_000, 1)
    } else {
        (2_000_000, 5)
    };
    let threads = std::thread::available_parallelism().unwrap().get();
    let folder = tempfile::tempdir().unwrap();
    support::print_machine();
    println!("{rows} rows, {threads} threads, median of {runs}");
    println!(
        "{:10}{:>14}{:>10}{:>14}{:>10}",
        "format", "bytes", "seconds", "rows/s", "MB/s"
    );
    type Writer = fn(&Path, u64);
    let formats: [(&str, Writer); 3] = [
        ("csv", write_csv),
        ("jsonl", write_json_lines),
        ("parquet", write_parquet),
    ];
    for (format, write) in formats {
        let input = folder.path().join(format!("rows.{format}"));
        write(&input, rows);
        measure(format, &input, rows, runs, threads);
        fs::remove_file(&input).unwrap();
    }
}

/// Packs a file several times and prints the median.
fn measure(format: &str, input: &Path, rows: u64, runs: usize, threads: usize) {
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let staging = tempfile::tempdir().unwrap();
        let plan = plan(input, staging.path(), threads);
        let begun = Instant::now();
        let packed = pack(&plan, &Quiet).unwrap();
        seconds.push(begun.elapsed().as_secs_f64());
        assert_eq!(packed.packed.rows.used, rows);
    }
    let seconds = support::median(&seconds);
    let size = fs::metadata(input).unwrap().len();
    #[expect(clippy::cast_precision_loss, reason = "rates are doubles")]
    let (per_second, mb) = (rows as f64 / seconds, size as f64 / 1e6);
    println!(
        "{format:10}{size:>14}{seconds:>10.3}{per_second:>14.0}{:>10.0}",
        mb / seconds
    );
}

fn plan(input: &Path, staging: &Path, threads: usize) -> PackPlan {
    PackPlan {
        files: vec![input.to_owned()],
        format: None,
        dataset: "products".into(),
        key: "sku".into(),
        values: Vec::new(),
        on_duplicate: OnDuplicate::Error,
        is_ordered: false,
        compression: pack::Compression::None,
        media_type: None,
        runs: RUNS_DEFAULT,
        memory_bytes: 1 << 30,
        threads,
        scratch: staging.to_owned(),
        staging: staging.to_owned(),
    }
}

fn write_csv(path: &Path, rows: u64) {
    let mut text = String::from("sku,name,price,stock\n");
    for row in (0..rows).map(Product::new) {
        let Product {
            sku,
            name,
            price,
            stock,
        } = row;
        writeln!(text, "{sku},{name},{price},{stock}").unwrap();
    }
    fs::write(path, text).unwrap();
}

fn write_json_lines(path: &Path, rows: u64) {
    let mut text = String::new();
    for row in (0..rows).map(Product::new) {
        let (sku, name) = (row.sku, row.name);
        let (price, stock) = (row.price, row.stock);
        writeln!(
            text,
            r#"{{"sku":"{sku}","name":"{name}","price":{price},"stock":{stock}}}"#
        )
        .unwrap();
    }
    fs::write(path, text).unwrap();
}

fn write_parquet(path: &Path, rows: u64) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut first = 0;
    while first < rows {
        let end = rows.min(first + ROWS_IN_GROUP);
        let products: Vec<Product> = (first..end).map(Product::new).collect();
        let texts = |of: fn(&Product) -> &str| -> Vec<ByteArray> {
            products.iter().map(|row| of(row).into()).collect()
        };
        let prices: Vec<f64> = products.iter().map(|row| row.price).collect();
        let stocks: Vec<i64> = products.iter().map(|row| row.stock).collect();
        let mut group = writer.next_row_group().unwrap();
        for values in [texts(|row| &row.sku), texts(|row| &row.name)] {
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<DoubleType>();
        typed.write_batch(&prices, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<Int64Type>();
        typed.write_batch(&stocks, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        first = end;
    }
    writer.close().unwrap();
}
