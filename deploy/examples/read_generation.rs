//! Reads the selected generation of a repository in a local folder, in process.
//!
//! ```sh
//! cargo run --release -p nightshard-deploy --example read_generation -- repository s000157 mar
//! ```

use std::{error::Error, io::Write};

use nightshard_deploy::{Repository, VerifiedBlobs};
use nightshard_format::{
    record::{SEARCH, STORES, Summary},
    shard::{Search, Span},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, store, prefix] = arguments.as_slice() else {
        return Err("usage: read_generation REPOSITORY STORE PREFIX".into());
    };
    read(folder, store, prefix, &mut std::io::stdout()).await
}

/// Says what the repository has of a store, and which words of names have `prefix`.
pub(crate) async fn read(
    folder: &str,
    store: &str,
    prefix: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let repository = Repository::open(folder)?;
    let id = repository.current_generation().await?;
    // Maps every shard, and verifies every byte; a later generation shares what is verified.
    let mut verified = VerifiedBlobs::new();
    let generation = repository.open_generation(&id, &mut verified).await?;
    writeln!(out, "generation {id}")?;

    // One key: the value is bytes of the map, not a copy. What nightshard pack has compressed is
    // read by value.read().
    match generation.get(STORES, Span::Current, store.as_bytes())? {
        Some(value) => {
            let summary = Summary::parse(value.in_place()?)?;
            writeln!(out, "{store}: {} cards", summary.cards)?;
        }
        None => writeln!(out, "{store}: not there")?,
    }

    // All keys of a dataset, shard by shard.
    let mut stores = Vec::new();
    let table = generation.table(STORES, Span::Current);
    for shard in table.shards() {
        for record in shard.iter() {
            stores.push(record?.key);
        }
    }
    // Many keys, which wait for memory together.
    let mut bytes = 0;
    table.get_many(&stores, |_number, found| {
        bytes += found.ok().flatten().map_or(0, |value| value.stored().len());
    });
    writeln!(out, "{} stores, {bytes} bytes", stores.len())?;

    // Keys by the beginning of a term, where a dataset has an ordered index.
    let term = format!("w{prefix}");
    let mut words = Vec::new();
    let search = Search::prefix(term.as_bytes());
    let terms = generation.table(SEARCH, Span::Current);
    terms.search(&search, u64::MAX, |_term, record| {
        words.push(String::from_utf8_lossy(&record.key[1..]).into_owned());
        words.len() < 10
    })?;
    writeln!(out, "words with {prefix:?}: {}", words.join(" "))?;
    Ok(())
}
