//! Controllers that are told to stop, or killed, in the middle of a night.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Nights, start};
use crate::support::program::{self, Outcome};

/// Nights whose build waits for a layout that never comes.
struct Waiting {
    nights: Nights,
    pipe: PathBuf,
    /// The configuration of a build that does not wait.
    config: String,
}

impl Waiting {
    fn new(more: &str) -> Self {
        // The night that is due stays the same at midnight.
        let nights = Nights::new(&format!("schedule = \"0 0 1 1 *\"\n{more}"));
        let pipe = nights.repository.path().with_file_name("layout.toml");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let config = fs::read_to_string(&nights.config).unwrap();
        let config = config.replace("attempts = 1", "attempts = 2");
        let layout = format!("build = [\"--layout\", {pipe:?}, ");
        fs::write(&nights.config, config.replace("build = [", &layout)).unwrap();
        Self {
            nights,
            pipe,
            config,
        }
    }

    /// Waits until a build waits.
    fn wait_for_build(&self) -> File {
        // It opens once the build does.
        File::options().write(true).open(&self.pipe).unwrap()
    }

    /// Has builds wait no more, and whoever works from now on hold its lease for long enough.
    fn go_on(&self) {
        let config = self
            .config
            .replace("lease_seconds = 2\n", "lease_seconds = 60\n");
        fs::write(&self.nights.config, config).unwrap();
    }

    /// Returns the day of the night that was begun.
    fn day(&self) -> String {
        let runs = fs::read_dir(self.nights.repository.path().join("runs")).unwrap();
        let days: Vec<_> = runs.map(|day| day.unwrap().file_name()).collect();
        assert_eq!(days.len(), 1, "{days:?}");
        days[0].to_str().unwrap().to_owned()
    }

    /// Makes the night that was begun.
    fn once(&self) -> Outcome {
        self.nights.run(&["--once", "--day", &self.day()])
    }

    /// Checks that the night was begun once, and built in two attempts.
    fn was_gone_on_with(&self) {
        let history = ["--history", "--day", &self.day()];
        let history = self.nights.run(&history).succeeded();
        let count = |words: &str| history.stdout.matches(words).count();
        assert_eq!(count("build      started"), 2, "{history:?}");
        assert_eq!(count("begin"), 1, "{history:?}");
    }
}

/// Waits until nobody reads a pipe any more.
fn wait_for_end(mut pipe: File) {
    use std::io::{ErrorKind, Write};
    let error = loop {
        if let Err(error) = pipe.write_all(b" ") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_killed_controller_takes_its_build_with_it_and_the_next_one_goes_on() {
    let waiting = Waiting::new("lease_seconds = 2\nclock_error_seconds = 1");
    let (mut controller, _lines) = start(&waiting.nights);
    let pipe = waiting.wait_for_build();
    controller.kill().unwrap();
    controller.wait().unwrap();
    wait_for_end(pipe);

    waiting.go_on();
    let outcome = loop {
        let outcome = waiting.once();
        // Until the lease of the one that was killed is over.
        if outcome.code != Some(4) {
            break outcome.succeeded();
        }
    };
    assert!(outcome.stdout.contains("is served and good"), "{outcome:?}");
    waiting.was_gone_on_with();
}

#[test]
fn a_controller_that_is_told_to_stop_ends_its_build_and_lets_another_one_go_on_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        // Nobody waits until such a lease is over.
        let waiting = Waiting::new("lease_seconds = 86400");
        let (mut controller, _lines) = start(&waiting.nights);
        let pipe = waiting.wait_for_build();
        kill_process(Pid::from_child(&controller), signal).unwrap();
        let status = controller.wait().unwrap();
        assert!(status.success(), "{status}");
        wait_for_end(pipe);

        waiting.go_on();
        waiting.once().succeeded();
        waiting.was_gone_on_with();
    }
}

#[test]
fn one_night_that_is_told_to_stop_says_that_it_goes_on() {
    let waiting = Waiting::new("lease_seconds = 86400");
    let config = waiting.nights.config.to_str().unwrap();
    let night = ["controller", "--config", config, "--once"];
    let mut once = program::command([&night[..], &["--day", "2018-01-05"]].concat());
    let once = once.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let pipe = waiting.wait_for_build();
    kill_process(Pid::from_child(&once), Signal::TERM).unwrap();
    let output = once.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("told to stop: the night of "), "{said}");
    drop(pipe);

    waiting.go_on();
    waiting.once().succeeded();
    waiting.was_gone_on_with();
}
