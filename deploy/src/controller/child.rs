//! The build as a process of its own, which ends with whoever started it.

use std::{
    io::Read,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::bounded;

/// Names the process that a child is to end with: `nightshard` obeys it.
pub const PARENT_VARIABLE: &str = "NIGHTSHARD_PARENT";

/// No result is longer.
const OUTPUT_LEN_MAX: u64 = 16 << 20;

/// The exit code of a build that a data test blocks.
const REFUSED: i32 = 3;

/// Why a build made nothing, in one line: the last that it printed on standard error, if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildFailure {
    /// It could not be done; another attempt may.
    Failed(String),
    /// A data test blocks it: the same rows would again.
    Refused(String),
}

impl From<String> for BuildFailure {
    fn from(line: String) -> Self {
        Self::Failed(line)
    }
}

/// A program with arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BuildCommand {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
}

/// A process that is ended when this is dropped.
struct Guarded(Arc<Mutex<Child>>);

impl Drop for Guarded {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended already is no error.
        let _ended = child.kill().and_then(|()| child.wait());
    }
}

impl BuildCommand {
    /// Runs the program to its end and returns what it printed.
    ///
    /// The process is ended if this is dropped before, or takes longer than `timeout`.
    ///
    /// # Errors
    /// Why it did not end well.
    pub(super) async fn run(&self, timeout: Duration) -> Result<String, BuildFailure> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let guarded = Guarded(Arc::new(Mutex::new(child)));
        let read = futures_util::future::join(read(stdout), read(stderr));
        let (stdout, stderr) = tokio::time::timeout(timeout, read)
            .await
            .map_err(|_elapsed| format!("it took longer than {} s", timeout.as_secs()))?;
        let child = guarded.0.clone();
        // Its ends of both pipes are closed: it has ended, or is about to.
        let status = bounded::blocking(move || {
            let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
            child.wait()
        });
        let status = status.await.map_err(|error| error.to_string())?;
        let status = status.map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(stdout);
        }
        let last = stderr.lines().rfind(|line| !line.trim().is_empty());
        let line = last.map_or_else(|| status.to_string(), str::to_owned);
        Err(match status.code() {
            Some(REFUSED) => BuildFailure::Refused(line),
            _ => BuildFailure::Failed(line),
        })
    }
}

/// Reads a pipe to its end, apart from whoever waits for it.
async fn read(pipe: Option<impl Read + Send + 'static>) -> String {
    let read = bounded::blocking(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read until an error counts.
            let _broken = pipe.take(OUTPUT_LEN_MAX).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    read.await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> BuildCommand {
        BuildCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        }
    }

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn what_a_process_prints_and_why_it_fails_are_returned() {
        let done = shell("echo result; echo progress >&2").run(LONG).await;
        assert_eq!(done, Ok("result\n".into()));
        let failed = shell("echo one >&2; echo the reason >&2; echo >&2; exit 3")
            .run(LONG)
            .await;
        assert_eq!(failed, Err(BuildFailure::Refused("the reason".into())));
        let failed = shell("exit 7").run(LONG).await;
        assert_eq!(failed, Err(BuildFailure::Failed("exit status: 7".into())));
        let failed = BuildCommand {
            program: "/nowhere/program".into(),
            arguments: Vec::new(),
        };
        let failed = failed.run(LONG).await.unwrap_err();
        assert!(
            matches!(&failed, BuildFailure::Failed(line) if line.starts_with("/nowhere/program: ")),
            "{failed:?}"
        );
    }

    #[tokio::test]
    async fn a_process_that_takes_too_long_is_ended() {
        let error = shell("exec sleep 100000").run(Duration::ZERO).await;
        let line = "it took longer than 0 s".to_owned();
        assert_eq!(error, Err(BuildFailure::Failed(line)));
    }

    #[tokio::test]
    async fn a_process_ends_with_whoever_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        // It says who it is, and waits for what never comes.
        let script = format!("echo $$ > {}; exec sleep 100000", path.display());
        let waiting = tokio::spawn(async move { shell(&script).run(LONG).await });
        let pid = loop {
            tokio::task::yield_now().await;
            match std::fs::read_to_string(&path) {
                Ok(pid) if pid.ends_with('\n') => break pid,
                _ => {}
            }
        };
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        let process = PathBuf::from("/proc").join(pid.trim());
        assert!(std::fs::metadata(process).is_err());
    }
}
