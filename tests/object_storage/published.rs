//! A generation in object storage that a server serves, and another one that is to follow it.

use std::{ffi::OsStr, fs, path::PathBuf, process::Command, sync::Arc};

use bytes::Bytes;
use nightshard_storage::Storage;
use tokio::runtime::Runtime;

use crate::support::{
    object_storage,
    program::{self, Outcome},
    repository::TestRepository,
    server::{TestServer, serve},
};

/// A repository in object storage, and a local one from which it was published.
pub(crate) struct Published {
    pub(crate) server: TestServer,
    pub(crate) local: TestRepository,
    /// A bucket and a prefix.
    pub(crate) folder: String,
    /// What is current and served.
    pub(crate) generation: String,
    pub(crate) runtime: Runtime,
}

impl Published {
    pub(crate) fn new() -> Self {
        let local = TestRepository::new();
        let folder = object_storage::fresh_folder();
        fs::create_dir(local.path().with_file_name("caches")).unwrap();
        build(&local, 50);
        let (uri, from) = (format!("s3://{folder}"), local.path());
        let to = [OsStr::new("publish"), from.as_os_str(), OsStr::new(&uri)];
        Outcome::of(straight(to)).succeeded();
        let generation = local.current();
        let cache = local.path().with_file_name("caches").join("served");
        let server = TestServer::spawn_command(serve(
            straight(["serve"]),
            &uri,
            &cache,
            &config(&local, ""),
        ));
        server.wait_for("serving generation ");
        Self {
            server,
            local,
            folder,
            generation,
            runtime: Runtime::new().unwrap(),
        }
    }

    pub(crate) fn uri(&self) -> String {
        format!("s3://{}", self.folder)
    }

    /// Returns the path of the local repository as text.
    pub(crate) fn from(&self) -> String {
        self.local.path().to_str().unwrap().to_owned()
    }

    /// Builds another generation in the local repository, and returns its id.
    pub(crate) fn build_more(&self) -> String {
        build(&self.local, 60);
        self.local.current()
    }

    /// Returns a folder for a cache.
    pub(crate) fn cache(&self, name: &str) -> PathBuf {
        self.local.path().with_file_name("caches").join(name)
    }

    /// Writes a configuration.
    pub(crate) fn config(&self, more: &str) -> PathBuf {
        config(&self.local, more)
    }

    /// Returns the repository's storage.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        let mut config = nightshard_storage::Config::default();
        config.s3.endpoint = Some(object_storage::server());
        let uri = self.uri();
        let opened = nightshard_storage::open(&uri, &config);
        self.runtime.block_on(opened).unwrap()
    }

    /// Creates an object.
    pub(crate) fn create(&self, name: &str, content: impl Into<Bytes>) {
        let (storage, name) = (self.storage(), name.parse().unwrap());
        let created = storage.create(&name, content.into());
        self.runtime.block_on(created).unwrap();
    }

    /// Puts something else in an object's place.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) {
        let file = self.local.write("replacement", content);
        let (storage, name) = (self.storage(), name.parse().unwrap());
        let replaced = storage.replace_from_file(&name, &file);
        self.runtime.block_on(replaced).unwrap();
    }

    /// Checks that the old generation is current and served.
    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        let uri = self.uri();
        let listed = Outcome::of(straight(["generations", &uri, "--json"])).succeeded();
        let listed = listed.json();
        let mut listed = listed["generations"].as_array().unwrap().iter();
        let current = listed.find(|row| row["is_current"] == true).unwrap();
        assert_eq!(current["generation"], *self.generation);
        assert_eq!(self.server.connect().generation(), self.generation);
    }
}

/// Returns the program with arguments, which reaches object storage as it is.
pub(crate) fn straight<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    through(&object_storage::server(), arguments)
}

/// Returns the program with arguments, for which object storage is at `server`.
pub(crate) fn through<S: AsRef<OsStr>>(
    server: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = program::command(arguments);
    command.env("AWS_ENDPOINT_URL", server);
    command
}

fn config(local: &TestRepository, more: &str) -> PathBuf {
    local.write("nightshard.toml", more)
}

/// Builds so many rows.
fn build(local: &TestRepository, rows: usize) {
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency\n";
    let row = |row: usize| format!("t{row},s{},c{},2018-03-05,{row},EUR\n", row % 3, row % 7);
    let rows: String = (0..rows).map(row).collect();
    let input = local.write("input.csv", header.to_owned() + &rows);
    local.build([input], &[]).succeeded();
}
