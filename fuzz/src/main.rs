//! Feeds the targets with changed inputs, the same ones for the same seed on any machine.
//!
//! ```text
//! nightshard-fuzz all|TARGET [--seconds N | --runs N] [--seed N]
//! ```
//!
//! An input whose outcome no other one had is kept and changed further. The first that fails is
//! written to `artifacts/TARGET-SEED-RUN`, and ends the process with code 1.

use std::{
    collections::HashSet,
    panic,
    process::ExitCode,
    time::{Duration, Instant},
};

use nightshard_fuzz::{TARGETS, Target, rng::Rng};

/// How long to go on with each target.
#[derive(Debug, Clone, Copy)]
enum Limit {
    Runs(u64),
    Time(Duration),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((targets, limit, seed)) = parse(&arguments) else {
        eprintln!("usage: nightshard-fuzz all|TARGET [--seconds N | --runs N] [--seed N]");
        return ExitCode::from(2);
    };
    for target in targets {
        if !fuzz(&target, limit, seed) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn parse(arguments: &[String]) -> Option<(Vec<Target>, Limit, u64)> {
    let (name, options) = arguments.split_first()?;
    let chosen = |target: &Target| name == "all" || name == target.name;
    let targets: Vec<Target> = TARGETS.into_iter().filter(chosen).collect();
    let (mut limit, mut seed) = (Limit::Runs(100_000), 1);
    for option in options.chunks(2) {
        let number = option.get(1)?.parse().ok()?;
        match option[0].as_str() {
            "--runs" => limit = Limit::Runs(number),
            "--seconds" => limit = Limit::Time(Duration::from_secs(number)),
            "--seed" => seed = number,
            _ => return None,
        }
    }
    (!targets.is_empty()).then_some((targets, limit, seed))
}

/// Returns whether no input failed.
fn fuzz(target: &Target, limit: Limit, seed: u64) -> bool {
    let begun = Instant::now();
    let goes_on = |run: u64| match limit {
        Limit::Runs(runs) => run < runs,
        Limit::Time(time) => !run.is_multiple_of(256) || begun.elapsed() < time,
    };
    let mut rng = Rng::new(seed);
    let mut pool = (target.seeds)();
    let mut outcomes: HashSet<u64> = pool.iter().map(|seed| (target.run)(seed)).collect();
    let mut run = 0;
    while goes_on(run) {
        let mut input = rng.pick(&pool).clone();
        let other = rng.pick(&pool);
        (target.mutate)(&mut rng, &mut input, other);
        let Ok(outcome) = panic::catch_unwind(|| (target.run)(&input)) else {
            let path = format!("artifacts/{}-{seed}-{run}", target.name);
            let kept =
                std::fs::create_dir_all("artifacts").and_then(|()| std::fs::write(&path, &input));
            eprintln!("{path}, {} bytes, failed ({kept:?})", input.len());
            return false;
        };
        if outcomes.insert(outcome) && pool.len() < POOL_MAX {
            pool.push(input);
        }
        run += 1;
    }
    println!(
        "{}: {run} runs, {} outcomes, none failed, {:.1} s",
        target.name,
        outcomes.len(),
        begun.elapsed().as_secs_f64()
    );
    true
}

/// More inputs than this are not kept: each would seldom be chosen.
const POOL_MAX: usize = 4_096;
