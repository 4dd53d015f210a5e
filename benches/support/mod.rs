//! What the benchmarks of a running server share: a repository to serve, the server as a process,
//! its processor time, and the machine.

#![allow(dead_code, reason = "no benchmark uses all of it")]

pub(crate) mod client;

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// A repository in a temporary folder.
pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Generates payments, builds them and selects the generation, whose id is returned.
    pub(crate) fn build(&self, stores: u32, rows: u64, seed: u32) -> String {
        let payments = self.folder.path().join(format!("{seed}.csv"));
        let (stores, rows, seed) = (stores.to_string(), rows.to_string(), seed.to_string());
        run([
            "generate",
            "--quiet",
            "--stores",
            &stores,
            "--cards",
            "50000",
            "--transactions",
        ]
        .map(OsStr::new)
        .into_iter()
        .chain(
            [rows, "--seed".into(), seed, "--output".into()]
                .iter()
                .map(OsStr::new),
        )
        .chain([payments.as_os_str()]));
        let path = self.path();
        let output = run([
            "build".as_ref(),
            "--quiet".as_ref(),
            "--json".as_ref(),
            "--input".as_ref(),
            payments.as_os_str(),
            "--output".as_ref(),
            path.as_os_str(),
        ]);
        let built: serde_json::Value = serde_json::from_slice(&output).unwrap();
        built["generation"].as_str().unwrap().to_owned()
    }

    /// Starts a server of this repository.
    pub(crate) fn serve(&self, options: &[&str]) -> Server {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--from"])
            .arg(self.path())
            .args(options);
        let mut server = Server::start(command);
        server.wait_for("serving generation ");
        server
    }
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightshard"));
    command
        .env("NIGHTSHARD_CARD_KEY", "5a".repeat(32))
        .env("RUST_LOG", "warn");
    command
}

fn run<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Vec<u8> {
    let output = program()
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

/// A server in a process of its own, killed at the end.
pub(crate) struct Server {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a command that says `listening on http://...`.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            lines,
            address: ([0, 0, 0, 0], 0).into(),
        };
        server.address = server.wait_for("listening on http://").parse().unwrap();
        server
    }

    /// Waits for a line that begins with `prefix`, and returns the rest of it.
    pub(crate) fn wait_for(&mut self, prefix: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "the server ended"
            );
            if let Some(rest) = line.trim_end().strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }

    /// Returns the processor time that the process has used, by the scheduler's own account.
    pub(crate) fn cpu_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanos = tasks.map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ')
                .next()
                .and_then(|nanos| nanos.parse::<u64>().ok())
                .unwrap()
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Prints the machine and the commit that figures belong to.
pub(crate) fn print_machine() {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut models = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name"));
    let model = models
        .next()
        .unwrap_or("unknown")
        .trim_start_matches(['\t', ':', ' ']);
    let number = std::thread::available_parallelism().map_or(1, usize::from);
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output();
    let commit = commit.map(|output| output.stdout).unwrap_or_default();
    println!(
        "{number} x {model}, commit {}",
        String::from_utf8_lossy(&commit).trim()
    );
}

/// Returns the median.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
