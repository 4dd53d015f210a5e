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
    println!(
        "{:>18} {:>9} {:>9} {:>7} sections, MB",
        "dataset", "MB", "B/store", "B/row"
    );
    let line = |name: &str, bytes: u64, rest: &str| {
        println!(
            "{name:>18} {:>9} {:>9} {:>7} {rest}",
            hundredths(bytes, 1_000_000),
            bytes / stores,
            hundredths(bytes, rows)
        );
    };
    let datasets = datasets(repository);
    for (name, dataset) in &datasets {
        // Headers, and what is left free so that sections begin where pages of memory like it.
        let in_sections: u64 = dataset.sections.values().sum();
        let rest = ("rest", dataset.bytes - in_sections);
        let sections = dataset.sections.iter().map(|(name, bytes)| (*name, *bytes));
        let sections = sections.chain([rest]);
        let sections =
            sections.map(|(name, bytes)| format!("{name} {}", hundredths(bytes, 1_000_000)));
        line(
            name,
            dataset.bytes,
            &sections.collect::<Vec<_>>().join(", "),
        );
    }
    let bytes: u64 = datasets.iter().map(|(_, dataset)| dataset.bytes).sum();
    let aim = input_bytes + stores * STORE_BYTES;
    line("all", bytes, "");
    line("input as zstd", input_bytes, "");
    let is_met = if bytes <= aim { "met" } else { "NOT met" };
    let rest = format!("the input and {STORE_BYTES} bytes a store: {is_met}");
    line("aim", aim, &rest);
}

/// Returns the datasets, the largest first.
fn datasets(repository: &Path) -> Vec<(String, Dataset)> {
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
    datasets
}

/// Writes a quotient with two digits behind the point.
fn hundredths(bytes: u64, unit: u64) -> String {
    let hundredths = (bytes * 100 + unit / 2) / unit;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
