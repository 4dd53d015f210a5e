//! `nightshard generate`: transactions that look real, for trying things out and measuring them.

use std::{
    io::{IsTerminal, Write},
    num::NonZeroUsize,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use nightshard_builder::generate::{self, Date, OutputLayout, Plan, Written};
use nightshard_storage::Location;

/// Make transactions that look like a country's card payments; the same options give the same
/// bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArgs {
    /// Columns of the file: canonical, funda or payments.
    #[arg(long, value_name = "LAYOUT", default_value = "canonical")]
    layout: String,
    /// Number of stores.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    stores: u32,
    /// Number of cards.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    cards: u32,
    /// Exact number of rows.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    transactions: u64,
    /// First day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", default_value = "2018-01-01")]
    from: Date,
    /// Last day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", default_value = "2018-12-31")]
    to: Date,
    /// Another seed gives another country.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// ISO 4217 code of the amounts in the canonical and payments layouts.
    #[arg(long, value_name = "CODE", default_value = "EUR")]
    currency: String,
    /// Also write when rows settle, and what is kept and paid out, in the canonical layout.
    #[arg(long)]
    settlements: bool,
    /// Where to: a path or file:// URI that ends in .csv, .csv.gz or .csv.zst. The stores go
    /// beside it, into `NAME.stores.csv`.
    #[arg(long, value_name = "URI")]
    output: String,
    /// Number of threads [default: one per processor]. The bytes do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Show no progress and no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Writes the file and says what it wrote.
pub(crate) fn run(args: GenerateArgs) -> anyhow::Result<()> {
    let plan = Plan {
        layout: args.layout.parse::<OutputLayout>()?,
        stores: args.stores,
        cards: args.cards,
        transactions: args.transactions,
        from: args.from,
        to: args.to,
        seed: args.seed,
        currency: args.currency,
        settlements: args.settlements,
    };
    let output = local_path(&args.output)?;
    let threads = args
        .threads
        .map_or_else(std::thread::available_parallelism, Ok);
    let threads = threads.context("--threads is needed: the system does not say its number")?;
    let bar = progress_bar(plan.transactions, args.quiet);
    let started = Instant::now();
    let written = generate::write(&plan, &output, threads, &|rows| bar.set_position(rows))?;
    bar.finish_and_clear();
    let out = std::io::stdout();
    if args.json {
        let result = serde_json::json!({
            "rows": written.rows,
            "size_bytes": written.size_bytes,
            "output": output,
            "stores": written.stores,
        });
        writeln!(out.lock(), "{result}")?;
    } else if !args.quiet {
        writeln!(
            out.lock(),
            "{}",
            summary(&written, &output.display(), started.elapsed())
        )?;
    }
    Ok(())
}

fn local_path(uri: &str) -> anyhow::Result<PathBuf> {
    match Location::parse(uri).context("--output")? {
        Location::Local(path) => Ok(path),
        _ => anyhow::bail!("--output {uri}: only local files can be generated"),
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(rows: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{bar:30} {percent:>3} %  {human_pos} rows  {eta} left";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(rows).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn summary(written: &Written, output: &impl std::fmt::Display, elapsed: Duration) -> String {
    format!(
        "{} transactions, {}, in {output}; stores in {}; {}",
        HumanCount(written.rows),
        HumanBytes(written.size_bytes),
        written.stores.display(),
        HumanDuration(elapsed),
    )
}
