//! A build that is killed, at any moment: the old generation stays whole and current, and the
//! next build clears up and succeeds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    collections::HashMap,
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

/// How many builds are killed at least, and how many of them before all is done.
const KILLS: usize = 30;
const KILLS_IN_TIME: usize = 20;
/// So many are killed at most.
const KILLS_MAX: usize = 90;
const STAGES: [&str; 4] = ["read", "stores", "cards", "finish"];
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

/// How long each stage takes where nobody kills the build.
type Course = HashMap<String, Duration>;

impl Moment {
    fn random(random: &mut Random, course: &Course) -> Self {
        match random.below(8) {
            0 => Self::Blobs(1 + random.below(200)),
            1 => Self::Generation,
            2 => Self::Manifest,
            _ => {
                let stage = random.pick(&STAGES);
                let longest_us = usize::try_from(course[stage].as_micros()).unwrap();
                let us = random.below(longest_us.max(1)) as u64;
                Self::Stage(stage, Duration::from_micros(us))
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
    // So many runs, and every shard is another one.
    let config = |runs: usize| {
        let config = format!("[shards]\nruns = {runs}\n");
        repository.write("nightshard.toml", config)
    };
    let course = learn(&repository, &input, &config(2));
    let server = TestServer::start(&repository.path());

    let (mut kills, mut kept) = (0, 0);
    while kills < KILLS || kept < KILLS_IN_TIME {
        // Some are killed too late, when all is done: that must not be the rule.
        assert!(
            kills < KILLS_MAX,
            "seed {seed}: only {kept} of {kills} builds were killed in time"
        );
        let kill = kills;
        kills += 1;
        let moment = Moment::random(&mut random, &course);
        let before = repository.current();
        kill_build(&repository, &input, &config(3 + kill), moment);

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

/// Starts a build that says at which stage it is.
fn start_build(repository: &TestRepository, input: &Path, config: &Path) -> Child {
    let options = ["--memory", "64MiB", "--config", config.to_str().unwrap()];
    let mut command = program::command(repository.build_arguments([input], &options));
    command.stderr(Stdio::piped()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Has a build do its work undisturbed, to know how that goes.
fn learn(repository: &TestRepository, input: &Path, config: &Path) -> Course {
    let mut build = start_build(repository, input, config);
    let stderr = BufReader::new(build.stderr.take().unwrap());
    let lines = stderr.lines().map(|line| (line.unwrap(), Instant::now()));
    let begun: Vec<_> = lines
        .filter(|(line, _)| STAGES.contains(&&**line))
        .collect();
    assert!(build.wait().unwrap().success());
    let ends = begun.iter().skip(1).map(|(_, at)| *at);
    let ends: Vec<_> = ends.chain([Instant::now()]).collect();
    let stages = begun.into_iter().zip(ends);
    stages.map(|((stage, at), end)| (stage, end - at)).collect()
}

/// Starts a build and kills it.
fn kill_build(repository: &TestRepository, input: &Path, config: &Path, moment: Moment) {
    let mut build = start_build(repository, input, config);
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
