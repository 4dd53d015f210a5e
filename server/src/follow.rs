//! Following a repository's selection: open, verify and warm aside, then swap.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nightshard_format::{
    manifest::{GenerationId, Manifest},
    shard::MemoryPolicy,
};

use crate::{
    error::{Error, Result},
    generation::{ServedGeneration, Serving},
    metrics::Metrics,
    source::Source,
    switch::{Pinned, Switch},
};

/// The longest time between two attempts at a candidate that fails.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Follows the selection of a source.
pub struct Follower {
    source: Arc<dyn Source>,
    switch: Arc<Switch>,
    metrics: Arc<Metrics>,
    poll: Duration,
    memory: MemoryPolicy,
    failed: Option<Failed>,
    /// Generations that only requests hold still: the last holder unmaps them, and should not
    /// be a thread that serves connections.
    retiring: Vec<Arc<ServedGeneration>>,
    /// Whether it was already said that nothing is selected.
    said_nothing: bool,
}

/// A selection that could not be served.
struct Failed {
    selection: Option<u64>,
    retry_at: Instant,
    delay: Duration,
}

/// What one look at the source led to.
enum Outcome {
    Unchanged,
    NothingSelected,
    Swapped(u64, GenerationId, Vec<Arc<ServedGeneration>>),
}

impl Follower {
    /// Makes a follower that asks `source` every `poll`.
    pub(crate) fn new(
        source: Arc<dyn Source>,
        switch: Arc<Switch>,
        metrics: Arc<Metrics>,
        poll: Duration,
        memory: MemoryPolicy,
    ) -> Self {
        Self {
            source,
            switch,
            metrics,
            poll,
            memory,
            failed: None,
            retiring: Vec::new(),
            said_nothing: false,
        }
    }

    /// Follows until dropped.
    pub async fn run(mut self) {
        loop {
            self = self.look().await;
            tokio::select! {
                () = tokio::time::sleep(self.poll) => {}
                () = self.switch.woken() => {}
            }
        }
    }

    /// Looks once, on a thread that may block.
    async fn look(mut self) -> Self {
        let (source, switch) = (Arc::clone(&self.source), Arc::clone(&self.switch));
        let (metrics, memory) = (Arc::clone(&self.metrics), self.memory);
        let retiring = std::mem::take(&mut self.retiring);
        let held = self.failed.take();
        let looked = tokio::task::spawn_blocking(move || {
            let retiring = still_read(retiring);
            let (outcome, held) = attempt(&*source, &switch, &metrics, memory, held);
            if !matches!(outcome, Ok(Outcome::Unchanged | Outcome::NothingSelected)) {
                retain(&*source, &switch);
            }
            (outcome, held, retiring)
        });
        match looked.await {
            Ok((outcome, held, retiring)) => {
                self.retiring = retiring;
                self.failed = held;
                self.note(outcome);
            }
            Err(_panicked) => self.note(Err((None, Error::Aborted))),
        }
        self
    }

    fn note(&mut self, outcome: std::result::Result<Outcome, (Option<u64>, Error)>) {
        match outcome {
            Ok(Outcome::Unchanged) => {}
            Ok(Outcome::NothingSelected) => {
                if !std::mem::replace(&mut self.said_nothing, true) {
                    tracing::warn!("the repository has no selection yet: waiting for one");
                }
            }
            Ok(Outcome::Swapped(selection, generation, dropped)) => {
                self.retiring.extend(dropped);
                tracing::info!(selection, %generation, "swapped");
            }
            Err((selection, error)) => {
                self.metrics.candidate_failed();
                let delay = match &self.failed {
                    Some(failed) => (failed.delay * 2).min(RETRY_MAX),
                    None => self.poll,
                };
                tracing::error!(selection, reason = chain(&error), "candidate refused");
                self.failed = Some(Failed {
                    selection,
                    retry_at: Instant::now() + delay,
                    delay,
                });
            }
        }
    }
}

/// Returns what is left once generations that no request reads any more are unmapped.
fn still_read(mut retiring: Vec<Arc<ServedGeneration>>) -> Vec<Arc<ServedGeneration>> {
    retiring.retain(|served| Arc::strong_count(served) > 1);
    retiring
}

/// Lets a source forget what it keeps for other generations than those that are mapped.
fn retain(source: &dyn Source, switch: &Switch) {
    let kept = switch.load();
    let live: Vec<&Manifest> = kept
        .iter()
        .flat_map(|kept| kept.generations())
        .map(|served| served.generation().manifest())
        .collect();
    source.retain(&live);
}

type Attempt = std::result::Result<Outcome, (Option<u64>, Error)>;

/// Serves the source's selection, unless it is served already or failed a moment ago.
///
/// Returns the failure to remember beside the outcome.
fn attempt(
    source: &dyn Source,
    switch: &Switch,
    metrics: &Metrics,
    memory: MemoryPolicy,
    held: Option<Failed>,
) -> (Attempt, Option<Failed>) {
    let selected = match source.current() {
        Ok(selected) => selected,
        Err(source) => return (Err((None, Error::Selection { source })), held),
    };
    let Some((number, id)) = selected else {
        return (Ok(Outcome::NothingSelected), None);
    };
    let serving = switch.selection();
    let damaged = forget_damaged(source, switch);
    if serving == Some(number) && !damaged {
        return (Ok(Outcome::Unchanged), None);
    }
    let held = held.filter(|failed| failed.selection.is_none_or(|failed| failed == number));
    let waits = |failed: &Failed| failed.selection.is_some() && Instant::now() < failed.retry_at;
    if held.as_ref().is_some_and(waits) {
        return (Ok(Outcome::Unchanged), held);
    }
    match serve(source, switch, metrics, memory, (number, &id)) {
        Ok(dropped) => (Ok(Outcome::Swapped(number, id, dropped)), None),
        Err(error) => (Err((Some(number), error)), held),
    }
}

/// Has the source forget what was found damaged of the current generation; returns whether
/// anything was.
fn forget_damaged(source: &dyn Source, switch: &Switch) -> bool {
    let kept = switch.load();
    let current = kept.iter().map(|kept| kept.current.generation());
    let mut damaged = false;
    for entry in current.flat_map(|served| served.refused()) {
        source.forget(&entry.blob);
        damaged = true;
    }
    damaged
}

/// Opens, verifies and swaps; returns what is no longer kept.
fn serve(
    source: &dyn Source,
    switch: &Switch,
    metrics: &Metrics,
    memory: MemoryPolicy,
    (number, id): (u64, &GenerationId),
) -> Result<Vec<Arc<ServedGeneration>>> {
    if let Some(serving) = switch.selection().filter(|serving| *serving > number) {
        return Err(Error::Backwards {
            selected: number,
            serving,
        });
    }
    let mapped = match switch.load().as_ref().map(|kept| kept.find(id.as_str())) {
        // A damaged one is opened anew: its file may have been mended.
        Some(Pinned::Kept(served)) if served.refused().next().is_none() => Some(Arc::clone(served)),
        _ => None,
    };
    let served = match mapped {
        Some(served) => served,
        None => open(source, id, memory)?,
    };
    metrics.swapped();
    Ok(switch.swap(Serving::new(served, number)))
}

fn open(
    source: &dyn Source,
    id: &GenerationId,
    memory: MemoryPolicy,
) -> Result<Arc<ServedGeneration>> {
    let generation = source.open(id).map_err(|source| Error::Open {
        generation: id.clone(),
        source,
    })?;
    let refused = |source| Error::Refused {
        generation: id.clone(),
        source,
    };
    let served = ServedGeneration::new(generation, memory).map_err(refused)?;
    if served.id() == id {
        Ok(Arc::new(served))
    } else {
        Err(refused(nightshard_format::Error::Corrupt {
            structure: "manifest",
            problem: format!("it is that of generation {}", served.id()),
        }))
    }
}

/// Returns an error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
