//! Opening generations aside, one at a time.

use std::{future::pending, sync::Arc};

use nightshard_format::{
    manifest::{GenerationId, Manifest},
    shard::MemoryPolicy,
};
use tokio::task::JoinHandle;

use crate::{
    error::{Error, Result},
    generation::ServedGeneration,
    source::Source,
};

/// What a generation is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be ready for its selection.
    Prepare,
    /// To be served under this selection.
    Serve(u64),
    /// To be served under this selection while the repository names none.
    ServeCached(u64),
}

/// How opening a generation ended.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: GenerationId,
    pub(crate) purpose: Purpose,
    pub(crate) result: Result<Arc<ServedGeneration>>,
}

/// Calls what a source wants called one at a time, on threads that may block.
pub(crate) struct Opener {
    source: Arc<dyn Source>,
    memory: MemoryPolicy,
    /// What is under way.
    job: Option<JoinHandle<Option<Result<Arc<ServedGeneration>>>>>,
    /// What it opens, unless it only forgets.
    opening: Option<(GenerationId, Purpose)>,
}

impl Opener {
    pub(crate) fn new(source: Arc<dyn Source>, memory: MemoryPolicy) -> Self {
        Self {
            source,
            memory,
            job: None,
            opening: None,
        }
    }

    /// Returns whether something can be begun.
    pub(crate) fn is_idle(&self) -> bool {
        self.job.is_none()
    }

    /// Returns what is being opened to be served.
    pub(crate) fn serves(&self) -> Option<&GenerationId> {
        let (id, purpose) = self.opening.as_ref()?;
        (*purpose != Purpose::Prepare).then_some(id)
    }

    /// Begins to open a generation, for which blobs that were found damaged are read anew.
    pub(crate) fn open(&mut self, id: GenerationId, purpose: Purpose, damaged: Vec<String>) {
        let (source, memory) = (Arc::clone(&self.source), self.memory);
        self.opening = Some((id.clone(), purpose));
        self.job = Some(tokio::task::spawn_blocking(move || {
            for blob in &damaged {
                source.forget(blob);
            }
            Some(open(&*source, &id, memory))
        }));
    }

    /// Begins to let the source forget what it keeps for other generations than these.
    pub(crate) fn retain(&mut self, live: Vec<Arc<ServedGeneration>>) {
        let source = Arc::clone(&self.source);
        self.job = Some(tokio::task::spawn_blocking(move || {
            let live: Vec<&Manifest> = live
                .iter()
                .map(|served| served.generation().manifest())
                .collect();
            source.retain(&live);
            None
        }));
    }

    /// Waits until what is under way has ended; says how, if it was opening something.
    pub(crate) async fn ended(&mut self) -> Option<Opened> {
        let Some(job) = &mut self.job else {
            return pending().await;
        };
        let ended = job.await;
        self.job = None;
        let (id, purpose) = self.opening.take()?;
        let result = ended.ok().flatten().unwrap_or(Err(Error::Aborted));
        Some(Opened {
            id,
            purpose,
            result,
        })
    }
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
    let quality = source
        .quality(generation.manifest())
        .unwrap_or_else(|error| {
            tracing::warn!(%error, generation = %id, "the quality report cannot be read");
            None
        });
    let served = ServedGeneration::new(generation, memory).map_err(refused)?;
    let served = served.with_quality(quality);
    if served.id() == id {
        Ok(Arc::new(served))
    } else {
        Err(refused(nightshard_format::Error::Corrupt {
            structure: "manifest",
            problem: format!("it is that of generation {}", served.id()),
        }))
    }
}
