//! Which runs made which generations: noted beside a manifest by whoever published it.

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::manifest::GenerationId;
use serde::Serialize;

use crate::{Repository, Result, names};

/// The note that a run made a generation.
#[derive(Debug, Serialize)]
struct Made<'a> {
    run: &'a str,
    at: String,
    by: String,
}

impl Repository {
    /// Notes beside a published generation that a run made it.
    ///
    /// The same data makes the same generation, so that one run may find there what another one
    /// published: `build.json` is the first one's, and this tells of each.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] if storage fails, or the run's name is no part of an object's.
    pub async fn note_run(&self, id: &GenerationId, run: &str) -> Result<()> {
        let made = Made {
            run,
            at: self.now_text(),
            by: self.environment.writer(),
        };
        // One that is there says the same.
        self.write_record(&names::run(id, run)?, &made).await?;
        Ok(())
    }

    /// Returns the generations that have a manifest, each with the runs that are known to have made
    /// it.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] if storage cannot be read.
    pub async fn made(&self) -> Result<BTreeMap<GenerationId, BTreeSet<String>>> {
        let listed = self.storage.list(&names::generations()?).await?;
        let ids = listed.iter().map(|object| &object.name);
        let ids = ids.filter_map(names::generation_of_manifest);
        let mut made: BTreeMap<GenerationId, BTreeSet<String>> =
            ids.map(|id| (id, BTreeSet::new())).collect();
        for object in &listed {
            // A note whose manifest is gone tells of nothing that is there.
            if let Some((id, run)) = names::of_run(&object.name)
                && let Some(runs) = made.get_mut(&id)
            {
                runs.insert(run);
            }
        }
        Ok(made)
    }
}
