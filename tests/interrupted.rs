//! A build that is killed, at any moment: the old generation stays whole and current, and the
//! next build clears up and succeeds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant, SystemTime},
};

use support::{
    data, program,
    random::{self, Random},
    repository::{TestRepository, files_below},
    server::TestServer,
};

/// How many builds are killed.
const KILLS: usize = 30;
/// Nothing that is waited for takes so long: better to fail than to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// When a build is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after it said that it begins with the stage.
    Stage(&'static str, Duration),
    /// Once it has published so many blobs.
    Blobs(usize),
    /// Once its generation's folder is there, with or without a manifest.
    Generation,
    /// Once its manifest is there.
    Manifest,
}

impl Moment {
    fn random(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::Blobs(1 + random.below(200)),
            1 => Self::Generation,
            2 => Self::Manifest,
            _ => {
                let stage = random.pick(&["read", "stores", "cards", "finish"]);
                let longest_us = if stage == "cards" { 20_000 } else { 250_000 };
                Self::Stage(
                    stage,
                    Duration::from_micros(random.below(longest_us) as u64),
                )
            }
        }
    }

    /// Waits for the moment, or for the end of the build.
    fn wait(self, build: &mut Child, repository: &Path) {
        let stderr = BufReader::new(build.stderr.take().unwrap());
        let count = |folder: &str| fs::read_dir(repository.join(folder)).map_or(0, Iterator::count);
        let (blobs, generations) = (count("blobs"), count("generations"));
        let manifests = || {
            let files = files_below(&repository.join("generations"));
            files
                .iter()
                .filter(|path| path.ends_with("manifest.json"))
                .count()
        };
        let known = manifests();
        match self {
            Self::Stage(stage, delay) => {
                let said = |line: std::io::Result<String>| line.is_ok_and(|line| line == stage);
                if stderr.lines().any(said) {
                    let reached = Instant::now();
                    watch(build, || reached.elapsed() >= delay);
                }
            }
            Self::Blobs(more) => watch(build, || count("blobs") >= blobs + more),
            Self::Generation => watch(build, || count("generations") > generations),
            Self::Manifest => watch(build, || manifests() > known),
        }
    }
}

/// Looks until something is so, or the build has ended.
fn watch(build: &mut Child, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && build.try_wait().unwrap().is_none() {
        assert!(
            begun.elapsed() < PATIENCE,
            "a build neither goes on nor ends"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_build_killed_at_any_moment_leaves_the_old_generation_and_a_clean_next_run() {
    let seed = random::seed(30);
    let mut random = Random::new(seed);
    let repository = TestRepository::new();
    let input = repository.write("payments.csv", "");
    let size = [
        "--stores",
        "500",
        "--cards",
        "20000",
        "--transactions",
        "200000",
    ];
    data::generate(&input, &size);
    repository.build([&input], &[]).succeeded();
    let server = TestServer::start(&repository.path());

    let mut kept = 0;
    for kill in 0..KILLS {
        let moment = Moment::random(&mut random);
        let before = repository.current();
        // So many runs, and every shard is another one.
        let config = format!("[shards]\nruns = {}\n", 3 + kill);
        let config = repository.write("nightshard.toml", config);
        kill_build(&repository, &input, &config, moment);

        let after = repository.current();
        let told = format!("seed {seed}, kill {kill}: {moment:?}");
        kept += usize::from(after == before);
        repository.run("verify", &["--quiet"]).succeeded();
        let generations = repository.generations();
        assert!(
            generations.iter().all(|row| row["problem"].is_null()),
            "{told}: {generations:?}"
        );
        assert!(
            [before, after].contains(&server.connect().generation()),
            "{told}"
        );
    }
    // Some are killed too late, when all is done: that must not be the rule.
    assert!(
        kept >= KILLS * 2 / 3,
        "only {kept} of {KILLS} builds were killed in time"
    );

    repository
        .build([&input], &["--as-of", "2018-12-30", "--no-gate"])
        .succeeded();
    let last = repository.current();
    server.wait_for(&format!("serving generation {last}"));
    for row in repository.generations() {
        let generation = row["generation"].as_str().unwrap();
        repository
            .run("verify", &[generation, "--quiet"])
            .succeeded();
    }
    is_cleared(&repository, &input);
}

/// Starts a build and kills it.
fn kill_build(repository: &TestRepository, input: &Path, config: &Path, moment: Moment) {
    let options = ["--memory", "64MiB", "--config", config.to_str().unwrap()];
    let mut command = program::command(repository.build_arguments([input], &options));
    let mut build = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    moment.wait(&mut build, &repository.path());
    build.kill().unwrap();
    build.wait().unwrap();
}

/// Checks that a build removes what killed ones left: their folders at once, and what a publisher
/// might still be writing once that is days old.
fn is_cleared(repository: &TestRepository, input: &Path) {
    let litter = repository.litter();
    assert!(litter.iter().all(|path| path.is_file()), "{litter:?}");
    for path in &litter {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    repository
        .build([input], &["--as-of", "2018-12-29", "--no-gate"])
        .succeeded();
    assert_eq!(repository.litter(), Vec::<PathBuf>::new());
}
