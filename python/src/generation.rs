//! `nightshard.Generation`: the datasets of one night.

use std::{
    collections::{BTreeMap, BTreeSet, btree_set},
    path::PathBuf,
    sync::Arc,
    thread::available_parallelism,
};

use nightshard_deploy::{Error, Repository, StorageConfig};
use nightshard_format::{
    generation::Generation as Shards,
    manifest::{GenerationId, Manifest},
    shard::{Mapped, MemoryPolicy, Span},
};
use pyo3::{exceptions::PyKeyError, prelude::*};
use tokio::runtime::{Builder, Runtime};

use crate::{
    dataset::Dataset,
    error::{NightshardError, to_python},
    memory,
    table::Table,
};

/// One generation of a repository, mapped into memory.
#[pyclass(frozen, module = "nightshard")]
pub(crate) struct Generation(Arc<Shards<Mapped>>);

impl Generation {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }
}

#[pymethods]
impl Generation {
    /// Its id, such as "2018-12-31-aa5bdca03938".
    #[getter]
    fn id(&self) -> &str {
        self.manifest().id.as_str()
    }

    /// The last day that it covers, such as "2018-12-31".
    #[getter]
    fn as_of(&self) -> &str {
        &self.manifest().as_of
    }

    /// Returns the names of its datasets, and for each the spans that it has.
    fn datasets(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut datasets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in &self.manifest().shards {
            let spans = datasets.entry(&entry.dataset).or_default();
            if !spans.contains(&entry.span.as_str()) {
                spans.push(&entry.span);
            }
        }
        datasets
    }

    /// Returns a dataset of "current" or of a month, such as "2018-03".
    ///
    /// Raises KeyError if there is none.
    #[pyo3(signature = (name, span = "current"))]
    fn dataset(&self, name: &str, span: &str) -> PyResult<Dataset> {
        let parsed: Span = span
            .parse()
            .map_err(|error| to_python(&error as &nightshard_format::Error))?;
        if self.0.table(name, parsed).shards().is_empty() {
            return Err(PyKeyError::new_err(format!("{name} {span}")));
        }
        Ok(Dataset::new(Table::Part {
            generation: Arc::clone(&self.0),
            dataset: name.to_owned(),
            span: parsed,
        }))
    }

    fn __getitem__(&self, name: &str) -> PyResult<Dataset> {
        self.dataset(name, "current")
    }

    fn __contains__(&self, name: &str) -> bool {
        !self.0.table(name, Span::Current).shards().is_empty()
    }

    /// Iterates over the names of datasets that can be asked for by name alone.
    fn __iter__(&self) -> Names {
        let names = self.manifest().shards.iter().map(|entry| &entry.dataset);
        let current = names.filter(|name| self.__contains__(name));
        Names(current.cloned().collect::<BTreeSet<_>>().into_iter())
    }

    fn __repr__(&self) -> String {
        format!("<nightshard.Generation {}>", self.id())
    }
}

/// Names of datasets, ascending.
#[pyclass(module = "nightshard")]
pub(crate) struct Names(btree_set::IntoIter<String>);

#[pymethods]
impl Names {
    fn __iter__(names: PyRef<'_, Self>) -> PyRef<'_, Self> {
        names
    }

    fn __next__(&mut self) -> Option<String> {
        self.0.next()
    }
}

/// Opens a generation of the repository at path: the selected one, or the one with this id.
///
/// Every byte is read and verified, unless verify is false: then opening takes no time, and
/// damage shows when it is met, or as wrong values.
///
/// records ("normal", "random"), indexes ("on-demand", "read-ahead", "prefault", "lock") and
/// huge_pages ("none", "indexes", "all") say how files are kept in memory; what the system refuses
/// of it is a RuntimeWarning.
#[pyfunction]
#[pyo3(signature = (path, generation = None, verify = true, *, records = "normal", indexes = "on-demand", huge_pages = "none"))]
pub(crate) fn open(
    py: Python<'_>,
    path: PathBuf,
    generation: Option<String>,
    verify: bool,
    records: &str,
    indexes: &str,
    huge_pages: &str,
) -> PyResult<Generation> {
    let memory = memory::policy(records, indexes, huge_pages)?;
    let not_text = || NightshardError::new_err(format!("{} is not UTF-8", path.display()));
    let uri = path.to_str().ok_or_else(not_text)?;
    let id: Option<GenerationId> = generation
        .map(|id| id.parse())
        .transpose()
        .map_err(|error| to_python(&error as &nightshard_format::Error))?;
    let runtime = runtime().map_err(|error| to_python(&error))?;
    let opened = py.detach(|| runtime.block_on(open_generation(uri, id, verify, memory)));
    let opened = opened.map_err(|error| to_python(&error))?;
    memory::advise(py, memory, opened.shards().collect::<Vec<_>>())?;
    Ok(Generation(Arc::new(opened)))
}

/// Makes a runtime for one call: threads that outlived it would be missing in a forked process.
fn runtime() -> std::io::Result<Runtime> {
    let threads = available_parallelism()?.get();
    Builder::new_current_thread()
        .max_blocking_threads(threads)
        .enable_all()
        .build()
}

async fn open_generation(
    uri: &str,
    id: Option<GenerationId>,
    verify: bool,
    memory: MemoryPolicy,
) -> Result<Shards<Mapped>, Error> {
    let repository = Repository::open(uri, &StorageConfig::default()).await?;
    let repository = repository.with_memory(memory);
    let id = match id {
        Some(id) => id,
        None => repository.current_generation().await?,
    };
    if verify {
        open_verified(&repository, &id).await
    } else {
        repository.open_generation_unverified(&id).await
    }
}

/// Verifies shards on the runtime's own threads, for the reason that [`runtime`] has.
async fn open_verified(
    repository: &Repository,
    id: &GenerationId,
) -> Result<Shards<Mapped>, Error> {
    let manifest = repository.manifest(id).await?;
    let begun: Vec<_> = manifest
        .shards
        .iter()
        .map(|entry| {
            let (repository, entry) = (repository.clone(), entry.clone());
            tokio::spawn(async move { repository.open_shard(&entry).await })
        })
        .collect();
    let mut maps = BTreeMap::new();
    for (entry, shard) in manifest.shards.iter().zip(begun) {
        let shard = shard.await.map_err(|_panicked| Error::Interrupted)??;
        maps.insert(entry.blob.clone(), shard.bytes().clone());
    }
    Repository::bind(manifest, &maps)
}
