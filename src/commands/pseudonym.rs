//! `nightshard pseudonym`: what the keys of customers are, for who has card ids and the card key.

use std::{
    io::{BufRead, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use nightshard_builder::pseudonym::Pseudonymiser;
use nightshard_format::record::customer_key;

use crate::card_key;

/// Read card ids from standard input, one a line, and write the pseudonym of each.
///
/// They are the keys of the dataset of customers, and what tokens of customers name.
#[derive(Debug, clap::Args)]
pub(crate) struct PseudonymArgs {
    /// The secret that builds compute pseudonyms with [default: as of `build`].
    #[arg(long, value_name = "FILE")]
    card_key_file: Option<PathBuf>,
}

/// Writes the pseudonyms. An argument would be read by whoever lists processes: so there is none for an id.
pub(crate) fn run(args: &PseudonymArgs) -> anyhow::Result<ExitCode> {
    let key = card_key::find(args.card_key_file.as_deref())?;
    let pseudonymiser = Pseudonymiser::new(&key);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.context("standard input")?;
        let pseudonym = pseudonymiser.pseudonym(line.trim_ascii());
        out.write_all(&customer_key(pseudonym.to_le_bytes()))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
