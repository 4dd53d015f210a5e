//! A server as a process of its own.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use super::{client::Client, program};

/// Nothing that a test waits for takes so long: better to fail than to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options of `serve` for a free port and a repository that is looked at often, which comes next.
pub(crate) const FOLLOW: [&str; 5] = ["--listen", "127.0.0.1:0", "--poll-ms", "20", "--from"];

/// Completes a command that serves the repository at `uri` and keeps what it fetches in `cache`.
pub(crate) fn serve(mut command: Command, uri: &str, cache: &Path, config: &Path) -> Command {
    command.args(FOLLOW).arg(uri);
    command.arg("--cache").arg(cache);
    command.arg("--config").arg(config);
    command
}

/// A running server, killed at the end.
pub(crate) struct TestServer {
    child: Child,
    lines: Receiver<String>,
    log: Receiver<String>,
    address: SocketAddr,
}

impl TestServer {
    /// Serves a repository on a free port, and waits until it answers from a generation.
    pub(crate) fn start(repository: &Path) -> Self {
        let arguments = [&["serve"], &FOLLOW[..]].concat();
        let arguments = arguments.iter().map(OsStr::new);
        let server = Self::spawn(arguments.chain([repository.as_os_str()]));
        server.wait_for("serving generation ");
        server
    }

    /// Starts a command that serves, and waits until it listens.
    pub(crate) fn spawn<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::spawn_command(program::command(arguments))
    }

    /// Starts the program in whatever way, and waits until it listens.
    pub(crate) fn spawn_command(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = read_lines(child.stdout.take().unwrap());
        let log = read_lines(child.stderr.take().unwrap());
        let mut server = Self {
            child,
            lines,
            log,
            address: ([0, 0, 0, 0], 0).into(),
        };
        server.address = server.wait_for("listening on http://").parse().unwrap();
        server
    }

    /// Waits for a line on standard output, and returns what follows `prefix` there.
    #[track_caller]
    pub(crate) fn wait_for(&self, prefix: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line {prefix:?}: {error}"));
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }

    /// Waits for a line of the log that has some words, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, words: &str) -> String {
        self.wait_for_log_with_all(&[words])
    }

    /// Waits for a line of the log that has all of some words, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_log_with_all(&self, words: &[&str]) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line with {words:?}: {error}"));
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// Returns the lines of the log that nobody has waited for yet.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// Waits until the process ends by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(Instant::now() < deadline, "the server does not end"),
            }
            thread::yield_now();
        }
    }

    /// Returns whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Returns the process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // What a server logs is of use only when a test fails: libtest shows it then.
        self.log.try_iter().for_each(|line| eprintln!("{line}"));
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn read_lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
