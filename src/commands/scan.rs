//! `nightshard scan`: the records of a dataset.

use std::{
    io::{BufWriter, ErrorKind, Write},
    process::ExitCode,
};

use anyhow::anyhow;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nightshard_format::{
    manifest::GenerationId,
    shard::{Mapped, Record, Search, Searched, Shard},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::get::{check_dataset, manifest_of, open_current};
use crate::{exit::UsageError, repository::RepositoryArgs};

/// List the records of a dataset: key, tab, value.
///
/// Those of a dataset packed with --ordered are in the order of keys, others in that of the keys'
/// hashes, where --prefix looks at every key; --fuzzy and --regex need --ordered. All shards are
/// verified first. Tabs, line breaks, backslashes and bytes that are no text are escaped: \t, \n,
/// \r, \\, \xff.
#[derive(Debug, clap::Args)]
pub(crate) struct ScanArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The dataset.
    #[arg(value_name = "DATASET")]
    dataset: String,
    /// Only keys that begin with this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: std::ffi::OsString,
    /// Only keys that are this text but for some letters.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["prefix", "regex"])]
    fuzzy: Option<String>,
    /// So many letters of --fuzzy may be too many, too few or others: 0 to 3.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "fuzzy")]
    distance: u32,
    /// Only keys that this regular expression matches whole.
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "prefix")]
    regex: Option<String>,
    /// How much a search by --fuzzy or --regex may do: bytes of keys that it looks at.
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    work: u64,
    /// At most so many records.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Keys alone.
    #[arg(long)]
    keys: bool,
    /// The generation [default: the current one].
    #[arg(long, value_name = "ID")]
    generation: Option<GenerationId>,
    /// Print JSON lines; what is not UTF-8 is in base64 under key_base64 and value_base64.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Lists the records.
pub(crate) fn run(args: ScanArgs) -> anyhow::Result<ExitCode> {
    let search = args.search()?;
    let (shards, is_packed) = Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        let manifest = manifest_of(&repository, args.generation.as_ref()).await?;
        check_dataset(&manifest, &args.dataset)?;
        let shards = open_current(&repository, &manifest, &args.dataset).await?;
        anyhow::Ok((shards, manifest.packed.contains_key(&args.dataset)))
    })?;
    // Only of packed datasets are the terms the keys.
    let is_ordered = is_packed && shards.iter().all(Shard::is_ordered);
    match args.list(&shards, is_ordered, search) {
        // Whoever stops reading early is no error.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        listed => listed.map(|()| ExitCode::SUCCESS),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

impl ScanArgs {
    /// Returns the search that an ordered index is needed for.
    fn search(&self) -> Result<Option<Search>, UsageError> {
        let (option, search) = match (&self.fuzzy, &self.regex) {
            (Some(text), _) => ("--fuzzy", Search::fuzzy(text, self.distance)),
            (None, Some(expression)) => ("--regex", Search::regex(expression)),
            (None, None) => return Ok(None),
        };
        let refused = |error| UsageError(format!("{option}: {error}"));
        search.map(Some).map_err(refused)
    }

    fn list(
        &self,
        shards: &[Shard<Mapped>],
        is_ordered: bool,
        search: Option<Search>,
    ) -> anyhow::Result<()> {
        let prefix = self.prefix.as_encoded_bytes();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut written = anyhow::Ok(());
        let mut visit = |record: Record<'_>| {
            if left > 0 {
                left -= 1;
                written = self.write(&mut out, record);
            }
            written.is_ok() && left > 0
        };
        let mut searched = Searched::Whole;
        if is_ordered {
            let (search, work) = match search {
                Some(search) => (search, self.work),
                None => (Search::prefix(prefix), u64::MAX),
            };
            searched = search.visit(shards, work, |_term, record| visit(record))?;
        } else if search.is_some() {
            let dataset = &self.dataset;
            let problem = "was not packed with --ordered: --fuzzy and --regex cannot search it";
            return Err(UsageError(format!("{dataset} {problem}")).into());
        } else {
            let records = shards.iter().flat_map(Shard::iter);
            for record in records {
                let record = record?;
                if record.key.starts_with(prefix) && !visit(record) {
                    break;
                }
            }
        }
        written?;
        out.flush()?;
        match searched {
            Searched::Exhausted => Err(anyhow!(
                "not all was searched: allow more than --work {}, or look for something narrower",
                self.work
            )),
            Searched::Whole | Searched::Stopped => Ok(()),
        }
    }

    fn write(&self, out: &mut impl Write, record: Record<'_>) -> anyhow::Result<()> {
        if self.json {
            let mut line = serde_json::Map::new();
            put(&mut line, "key", record.key);
            if !self.keys {
                put(&mut line, "value", &record.value.read()?);
            }
            return Ok(writeln!(out, "{}", Value::Object(line))?);
        }
        write_escaped(out, record.key)?;
        if !self.keys {
            out.write_all(b"\t")?;
            write_escaped(out, &record.value.read()?)?;
        }
        Ok(out.write_all(b"\n")?)
    }
}

/// Adds bytes to a line of JSON, in base64 where they are no text.
pub(super) fn put(line: &mut serde_json::Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => line.insert(name.into(), json!(text)),
        Err(_) => line.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes))),
    };
}

/// Writes bytes so that they stay in one line and one column.
pub(super) fn write_escaped(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\t' => out.write_all(b"\\t")?,
                '\n' => out.write_all(b"\\n")?,
                '\r' => out.write_all(b"\\r")?,
                '\\' => out.write_all(b"\\\\")?,
                control if control.is_control() => {
                    let mut buffer = [0; 4];
                    for byte in control.encode_utf8(&mut buffer).bytes() {
                        write!(out, "\\x{byte:02x}")?;
                    }
                }
                other => write!(out, "{other}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_stays_in_its_column() {
        let mut out = Vec::new();
        write_escaped(&mut out, b"a\tb\nc\\d\r\0\xff\xc3\xa9").unwrap();
        let expected = "a\\tb\\nc\\\\d\\r\\x00\\xffé";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
