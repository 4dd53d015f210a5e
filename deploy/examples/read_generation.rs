//! Reads a dataset of the selected generation of a repository in a local folder, in process.
//!
//! ```sh
//! cargo run --release -p nightshard-deploy --example read_generation -- tables prices sku-2
//! ```

use std::{error::Error, io::Write};

use nightshard_deploy::{Repository, StorageConfig, VerifiedBlobs};
use nightshard_format::{
    record::{STORES, Summary},
    shard::{Search, Shard, Span, Value},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, dataset, key] = arguments.as_slice() else {
        return Err("usage: read_generation REPOSITORY DATASET KEY".into());
    };
    read(folder, dataset, key, &mut std::io::stdout()).await
}

/// Says what a dataset has for a key, how much it has, and which keys begin alike.
pub(crate) async fn read(
    folder: &str,
    dataset: &str,
    key: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let repository = Repository::open(folder, &StorageConfig::default()).await?;
    let id = repository.current_generation().await?;
    // Maps every shard, and verifies every byte; a later generation shares what is verified.
    let mut verified = VerifiedBlobs::new();
    let generation = repository.open_generation(&id, &mut verified).await?;
    let table = generation.table(dataset, Span::Current);
    writeln!(out, "generation {id}")?;

    // One key.
    match table.get(key.as_bytes())? {
        Some(value) => writeln!(out, "{key}: {}", describe(dataset, value)?)?,
        None => writeln!(out, "{key}: not there")?,
    }

    // All keys, shard by shard.
    let mut keys = Vec::new();
    for shard in table.shards() {
        for record in shard.iter() {
            keys.push(record?.key);
        }
    }
    // Many keys at once, which wait for memory together.
    let mut bytes = 0;
    table.get_many(&keys, |_number, found| {
        bytes += found.ok().flatten().map_or(0, |value| value.stored().len());
    });
    writeln!(out, "{} records, values of {bytes} bytes", keys.len())?;

    // Keys by how they begin, where the dataset was packed with --ordered.
    if table.shards().iter().any(Shard::is_ordered) {
        let start: String = key.chars().take(2).collect();
        let mut alike = Vec::new();
        table.search(
            &Search::prefix(start.as_bytes()),
            u64::MAX,
            |_term, record| {
                alike.push(String::from_utf8_lossy(record.key));
                alike.len() < 10
            },
        )?;
        writeln!(out, "begin with {start:?}: {}", alike.join(" "))?;
    }
    Ok(())
}

/// Reads a value: those of Nightshard's own datasets as what they are, others as text.
fn describe(dataset: &str, value: Value<'_>) -> Result<String, Box<dyn Error>> {
    if dataset == STORES {
        // These are never compressed: this is bytes of the map, not a copy.
        let summary = Summary::parse(value.in_place()?)?;
        return Ok(format!("{} cards", summary.cards));
    }
    Ok(String::from_utf8_lossy(&value.read()?).into_owned())
}
