//! A repository of long blobs, and the program that publishes it while storage goes away.

use std::{
    fs,
    io::{BufWriter, Write},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use nightshard_storage::{Config, ObjectName, open};
use tempfile::TempDir;

use crate::support::{
    program::{self, Outcome},
    random::Random,
};

/// How many blobs a generation has, each of several blocks of HDFS and parts of S3.
pub(crate) const BLOBS: usize = 3;

/// How many rows a generation has, and how long their values are: 118 MB.
const ROWS: usize = 2_000;
const VALUE_BYTES: usize = 60_000;

/// A local repository with one generation of a few long blobs.
pub(crate) struct Local {
    folder: TempDir,
}

impl Local {
    /// Packs a table of long rows, which another seed makes others, and no server any shorter.
    pub(crate) fn with_long_blobs(seed: u64) -> Self {
        let local = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let mut random = Random::new(seed);
        let words = (0..VALUE_BYTES / 16).map(|_| format!("{:016x}", random.next()));
        let value: String = words.collect();
        // Beginning at another letter, each row is another text.
        let rows = (0..ROWS).map(|row| (format!("key-{row}"), &value[row..]));
        local.pack(rows, BLOBS);
        local
    }

    /// Packs a table of one row.
    pub(crate) fn with_one_row() -> Self {
        let local = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        local.pack([("key-0".to_owned(), "first")].into_iter(), 1);
        local
    }

    fn pack<'a>(&self, rows: impl Iterator<Item = (String, &'a str)>, shards: usize) {
        let table = self.folder.path().join("table.tsv");
        let mut file = BufWriter::new(fs::File::create(&table).unwrap());
        writeln!(file, "key\tvalue").unwrap();
        for (key, value) in rows {
            writeln!(file, "{key}\t{value}").unwrap();
        }
        file.into_inner().unwrap().sync_all().unwrap();
        let (table, repository) = (table.display().to_string(), self.path());
        let shards = shards.to_string();
        let arguments = [
            "pack",
            "--dataset",
            "table",
            "--key",
            "key",
            "--value",
            "value",
            "--as-of",
            "2018-03-05",
            "--quiet",
            "--shards",
            &shards,
            "--input",
            &table,
            "--output",
            &repository,
        ];
        program::run(arguments).succeeded();
        fs::remove_file(table).unwrap();
    }

    /// Returns the repository's path.
    pub(crate) fn path(&self) -> String {
        self.folder.path().join("repository").display().to_string()
    }
}

/// Commands on repositories of one storage.
pub(crate) struct Commands {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// How long commands go on trying.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Longer than any outage.
    Much,
    /// Shorter than every outage.
    Little,
}

impl Patience {
    fn table(self) -> &'static str {
        match self {
            Self::Much => "[storage]\nstall_ms = 2000\nretry_ms = 600000\n",
            Self::Little => "[storage]\nstall_ms = 2000\nretry_ms = 3000\n",
        }
    }
}

impl Commands {
    /// Takes the variables by which the storage is found.
    pub(crate) fn new(variables: &[(&'static str, String)]) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: variables.to_vec(),
        }
    }

    /// Returns a command.
    pub(crate) fn command(&self, arguments: &[&str], patience: Patience) -> Command {
        let config = self.folder.path().join(format!("{patience:?}.toml"));
        let text = format!("{}[server]\npoll_ms = 50\n", patience.table());
        fs::write(&config, text).unwrap();
        let mut command = program::command(arguments);
        command.arg("--config").arg(config);
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str], patience: Patience) -> Outcome {
        Outcome::of(self.command(arguments, patience))
    }

    /// Begins to publish.
    pub(crate) fn publish(&self, from: &Local, to: &str, patience: Patience) -> Publishing {
        let mut command = self.command(&["publish", &from.path(), to], patience);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Publishing(Some(command.spawn().unwrap()))
    }

    /// Reads every byte of what is current, which must be right.
    #[track_caller]
    pub(crate) fn verifies(&self, repository: &str) {
        self.run(&["verify", repository, "--quiet"], Patience::Much)
            .succeeded();
    }
}

/// A publisher at work, killed at the end.
pub(crate) struct Publishing(Option<Child>);

impl Publishing {
    /// Checks that it has not ended yet: else whatever happens comes too late.
    #[track_caller]
    pub(crate) fn goes_on(&mut self) {
        let child = self.0.as_mut().unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
    }

    /// Waits until it ends.
    pub(crate) fn outcome(mut self) -> Outcome {
        let child = self.0.take().unwrap();
        Outcome::from(child.wait_with_output().unwrap())
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Checks that so many blobs are stored, and that of what is half done nothing stays once it is old
/// enough to be cleared.
pub(crate) fn nothing_else_is_stored(repository: &str, config: &Config, blobs: usize) {
    let check = async {
        let storage = open(repository, config).await.unwrap();
        let late = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000);
        storage.clear_unfinished(late).await.unwrap();
        assert_eq!(storage.clear_unfinished(late).await.unwrap(), 0);
        let folder: ObjectName = "blobs".parse().unwrap();
        let listed = storage.list(&folder).await.unwrap();
        assert_eq!(listed.len(), blobs, "{listed:?}");
    };
    tokio::runtime::Runtime::new().unwrap().block_on(check);
}
