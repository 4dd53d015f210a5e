//! Storage servers of a test's own, which it may stop, kill and start again.
//!
//! What they need is installed by `tests/servers/run`, which starts others for everybody.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Nothing that is waited for takes so long: better to fail than to hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within two minutes: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// HDFS: two DataNodes, with one NameNode or two.
pub(crate) struct Hdfs {
    folder: TempDir,
    cluster: Child,
    /// Nodes that were started again.
    again: Vec<Child>,
}

impl Hdfs {
    /// Starts a cluster with one NameNode.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a cluster with a NameNode that is active, `namenode-1`, and one that stands by.
    pub(crate) fn start_pair() -> Self {
        Self::start_with(&["--ha"])
    }

    fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = script("hdfs", folder.path(), options).spawn().unwrap();
        wait_for_url(&mut cluster, folder.path());
        Self {
            folder,
            cluster,
            again: Vec::new(),
        }
    }

    /// Returns the URL of the cluster.
    pub(crate) fn url(&self) -> String {
        read(&self.folder.path().join("url"))
    }

    /// Returns the URL of one of two NameNodes, by which it is found without configuration.
    pub(crate) fn namenode_url(&self, node: &str) -> String {
        read(&self.folder.path().join(format!("{node}.url")))
    }

    /// Returns the folder of the configuration by which clients find it.
    pub(crate) fn conf(&self) -> PathBuf {
        self.folder.path().join("conf")
    }

    /// Returns the folder of the cluster's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a node again that was killed, or kills one that hangs before.
    pub(crate) fn start_again(&mut self, node: &str) {
        let pid = read(&self.folder.path().join(format!("{node}.pid")));
        let _dead_already = Command::new("kill").args(["-KILL", &pid]).output();
        let mut command = script("hdfs-node", self.folder.path(), &[node]);
        self.again.push(command.spawn().unwrap());
    }
}

/// Kills a node of a cluster at once.
pub(crate) fn kill_node(folder: &Path, node: &str) {
    signal("-KILL", &folder.join(format!("{node}.pid")));
}

/// Sends a signal to a node of a cluster.
pub(crate) fn signal_node(folder: &Path, node: &str, name: &str) {
    signal(name, &folder.join(format!("{node}.pid")));
}

/// Makes the NameNode that stands by the active one; the other one is dead or hangs.
pub(crate) fn fail_over(folder: &Path, to: &str) {
    let done = script("hdfs-failover", folder, &[to]).status().unwrap();
    let log = fs::read_to_string(folder.join("failover.log"));
    assert!(done.success(), "{log:?}");
}

/// Returns how many bytes of blocks are being written on the DataNodes of a cluster.
pub(crate) fn bytes_being_written(folder: &Path) -> u64 {
    let blocks = ["data1", "data2"].map(|data| folder.join(data).join("current"));
    let replicas = blocks.iter().flat_map(fs::read_dir).flatten();
    let being_written = replicas.map(|pool| pool.unwrap().path().join("current/rbw"));
    being_written.map(|folder| len_of(&folder)).sum()
}

impl Drop for Hdfs {
    fn drop(&mut self) {
        end(&mut self.cluster);
        self.again.iter_mut().for_each(kill);
    }
}

/// SeaweedFS, with the bucket `nightshard`.
pub(crate) struct S3 {
    folder: TempDir,
    server: Child,
}

impl S3 {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Self::run(folder.path());
        Self { folder, server }
    }

    fn run(folder: &Path) -> Child {
        let mut server = script("s3", folder, &[]).spawn().unwrap();
        wait_for_url(&mut server, folder);
        server
    }

    /// Returns the server's URL, which stays the same.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    fn port(&self) -> String {
        let ports = read(&self.folder.path().join("ports"));
        ports.split(' ').next().unwrap().to_owned()
    }

    /// Returns how many bytes it has stored.
    pub(crate) fn bytes_stored(&self) -> u64 {
        len_of(&self.folder.path().join("data"))
    }

    /// Sends the server a signal: `-STOP` and it hangs, `-CONT` and it goes on, `-KILL` ends it.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.folder.path().join("pid"));
    }

    /// Starts the server again, once it was killed.
    pub(crate) fn start_again(&mut self) {
        self.server.wait().unwrap();
        // It says anew when it takes objects.
        fs::remove_file(self.folder.path().join("url")).unwrap();
        self.server = Self::run(self.folder.path());
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Returns a script of `tests/servers`, which ends with the thread that starts it.
fn script(name: &str, folder: &Path, arguments: &[&str]) -> Command {
    assert!(
        std::env::var_os("NIGHTSHARD_TEST_HDFS").is_some(),
        "the servers may not be there: start what is tested by `tests/servers/run cargo test ...`"
    );
    let mut command = Command::new("setpriv");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut scripts = workspace.map(|folder| folder.join("tests/servers").join(name));
    let path = scripts.find(|path| path.is_file()).unwrap();
    command.args(["--pdeathsig", "TERM"]).arg(path);
    command.arg(folder).args(arguments).stdin(Stdio::null());
    command
}

fn wait_for_url(server: &mut Child, folder: &Path) {
    wait_until("a server starts", || {
        assert!(server.try_wait().unwrap().is_none(), "it did not start");
        len_of(&folder.join("url")) > 0
    });
}

/// Sends a signal to the process that a file names.
#[track_caller]
fn signal(name: &str, pid: &Path) {
    let told = Command::new("kill").arg(name).arg(read(pid)).status();
    assert!(told.unwrap().success(), "{name} {}", pid.display());
}

/// Tells a script to end, and waits until it has ended what it runs.
fn end(script: &mut Child) {
    let _ended = Command::new("kill").arg(script.id().to_string()).status();
    let _status = script.wait();
}

fn kill(node: &mut Child) {
    let _ended = node.kill();
    let _status = node.wait();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Returns how long a file, or all files in a folder, are.
fn len_of(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| len_of(&entry.path())).sum(),
        Err(_no_folder) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
    }
}
