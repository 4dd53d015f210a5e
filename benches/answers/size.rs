//! The bytes of a generation by dataset and section.

use std::{collections::BTreeMap, path::Path};

use nightshard_format::shard::{Mapped, Shard};

/// Bytes for each store that a generation may take besides those of its compressed input.
const STORE_BYTES: u64 = 1_000;

#[derive(Debug, Default)]
struct Dataset {
    bytes: u64,
    sections: BTreeMap<&'static str, u64>,
}

/// Prints what the shards of a repository with one generation weigh, beside the compressed input.
pub(crate) fn print(repository: &Path, input_bytes: u64, rows: u64, stores: u64) {
    let mut datasets = BTreeMap::<String, Dataset>::new();
    for blob in std::fs::read_dir(repository.join("blobs")).unwrap() {
        let shard = Shard::open(Mapped::open(&blob.unwrap().path()).unwrap()).unwrap();
        let dataset = datasets
            .entry(shard.identity().dataset.clone())
            .or_default();
        dataset.bytes += shard.bytes().as_ref().len() as u64;
        for (name, bytes, _items) in shard.section_sizes() {
            *dataset.sections.entry(name).or_default() += bytes;
        }
    }
    let mut datasets: Vec<(String, Dataset)> = datasets.into_iter().collect();
    datasets.sort_by_key(|(_, dataset)| std::cmp::Reverse(dataset.bytes));
    for (name, dataset) in &mut datasets {
        // Headers, and what is left free so that sections begin where pages of memory like it.
        let in_sections: u64 = dataset.sections.values().sum();
        dataset.sections.insert("rest", dataset.bytes - in_sections);
        let sections = dataset.sections.iter();
        let sections = sections.map(|(name, bytes)| format!("{name} {}", megabytes(*bytes)));
        let sections: Vec<String> = sections.collect();
        println!(
            "{name:>18} {:>9} MB: {}",
            megabytes(dataset.bytes),
            sections.join(", ")
        );
    }
    let bytes: u64 = datasets.iter().map(|(_, dataset)| dataset.bytes).sum();
    let aim = input_bytes + stores * STORE_BYTES;
    println!(
        "{:>18} {:>9} MB: {} bytes a store, {} a row; input as zstd {} MB, with {STORE_BYTES} bytes a store {} MB",
        "all",
        megabytes(bytes),
        bytes / stores,
        bytes / rows,
        megabytes(input_bytes),
        megabytes(aim),
    );
}

fn megabytes(bytes: u64) -> String {
    let hundredths = (bytes + 5_000) / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
