//! `nightshard.Dataset`: keys and values.

use std::{path::PathBuf, sync::Arc};

use nightshard_format::shard::{Record, Search, Searched, Shard, Value};
use pyo3::{
    exceptions::{PyKeyError, PyTypeError},
    prelude::*,
    types::{PyBytes, PyList, PyTuple},
};

use crate::{
    cursor::{Records, Terms},
    error::{NightshardError, to_python},
    key::Key,
    memory,
    table::Table,
};

/// The keys and values of one dataset and span, mapped into memory.
///
/// Keys are bytes, or str that stands for its UTF-8. Values are copies of the mapped bytes,
/// decompressed if need be. It is a collections.abc.Mapping; only itself is equal to it.
#[pyclass(frozen, mapping, module = "nightshard")]
pub(crate) struct Dataset(Table);

impl Dataset {
    pub(crate) fn new(table: Table) -> Self {
        Self(table)
    }

    fn find<'py>(&self, py: Python<'py>, key: &Key) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let found = self.0.get(key.as_ref());
        let value = found.and_then(|found| found.map(Value::read).transpose());
        let value = value.map_err(|error| to_python(&error))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }

    fn check_ordered(&self) -> PyResult<()> {
        if self.0.shards().iter().all(Shard::is_ordered) {
            return Ok(());
        }
        let (name, span) = (self.0.name(), self.0.span());
        let problem = format!("{name} {span} has no ordered index: filter its items()");
        Err(NightshardError::new_err(problem))
    }
}

/// Makes a view of a dataset, of a class of the package.
fn view<'py>(dataset: &Bound<'py, Dataset>, class: &str) -> PyResult<Bound<'py, PyAny>> {
    let views = dataset.py().import("nightshard._views")?;
    views.getattr(class)?.call1((dataset,))
}

#[pymethods]
impl Dataset {
    /// The name of the dataset.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// The time that it covers: "current" or a month, such as "2018-03".
    #[getter]
    fn span(&self) -> String {
        self.0.span().to_string()
    }

    /// Returns the value of key, or default if there is none.
    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.find(py, &key)?;
        Ok(found.map(Bound::into_any).or(default))
    }

    /// Returns the value of each of keys, None where there is none, in their order.
    ///
    /// Many lookups wait for memory together, and other threads run meanwhile.
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        if keys.extract::<Key>().is_ok() {
            return Err(PyTypeError::new_err("keys must be many, not one"));
        }
        let keys = keys.try_iter()?;
        let keys: Vec<Key> = keys
            .map(|key| key?.extract::<Key>())
            .collect::<PyResult<_>>()?;
        let values = py.detach(|| {
            let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
            self.0.get_many(&keys)
        });
        let values = values.map_err(|error| to_python(&error))?;
        let copies = values
            .into_iter()
            .map(|value| value.map(|value| PyBytes::new(py, &value)));
        PyList::new(py, copies.collect::<Vec<_>>())
    }

    /// Iterates over the keys and values whose term in the ordered index begins with prefix, in
    /// the order of terms.
    ///
    /// In a packed dataset the terms are the keys. A dataset without an ordered index raises
    /// NightshardError: filter its items(), which are in no useful order.
    #[pyo3(signature = (prefix = None))]
    fn scan(&self, prefix: Option<Key>) -> PyResult<PairsByTerm> {
        self.check_ordered()?;
        let prefix = prefix.as_ref().map_or(&[][..], AsRef::as_ref);
        Ok(PairsByTerm(Terms::new(self.0.clone(), prefix)))
    }

    /// Returns the keys and values whose keys are like fuzzy, but for distance letters, or that
    /// regex, a regular expression, matches whole: a list in the order of keys.
    ///
    /// At most limit of them. NightshardError is raised once work bytes of keys were looked at
    /// before that, and by a dataset without an ordered index.
    #[pyo3(signature = (*, fuzzy = None, distance = 1, regex = None, limit = None, work = 100_000_000))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        fuzzy: Option<&str>,
        distance: u32,
        regex: Option<&str>,
        limit: Option<usize>,
        work: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let search = match (fuzzy, regex) {
            (Some(term), None) => Search::fuzzy(term, distance),
            (None, Some(expression)) => Search::regex(expression),
            _ => return Err(PyTypeError::new_err("search takes one of fuzzy and regex")),
        };
        let search = search.map_err(|error| to_python(&error))?;
        self.check_ordered()?;
        let found = py.detach(|| self.0.search(&search, work, limit.unwrap_or(usize::MAX)));
        let (pairs, searched) = found.map_err(|error| to_python(&error))?;
        if searched == Searched::Exhausted {
            let problem = format!("not all was searched: allow more than work={work}");
            return Err(NightshardError::new_err(problem));
        }
        let pairs = pairs.iter().map(|(key, value)| to_tuple(py, key, value));
        PyList::new(py, pairs.collect::<PyResult<Vec<_>>>()?)
    }

    /// All keys and values, in the order of the keys' hashes.
    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view(slf, "Items")
    }

    /// All keys, in the order of their hashes.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view(slf, "Keys")
    }

    /// All values, in the order of the keys' hashes.
    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view(slf, "Values")
    }

    /// Iterates over keys and values, for items() and values().
    fn _pairs(&self) -> Pairs {
        Pairs(Records::new(self.0.clone()))
    }

    fn __iter__(&self) -> Keys {
        Keys(Records::new(self.0.clone()))
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let found = self.find(py, &key.extract()?)?;
        found.ok_or_else(|| PyKeyError::new_err(key.unbind()))
    }

    fn __contains__(&self, key: Key) -> PyResult<bool> {
        let found = self.0.get(key.as_ref());
        Ok(found.map_err(|error| to_python(&error))?.is_some())
    }

    fn __len__(&self) -> PyResult<usize> {
        let records: u64 = self.0.shards().iter().map(Shard::len).sum();
        Ok(usize::try_from(records)?)
    }

    fn __repr__(&self) -> PyResult<String> {
        let (name, span, len) = (self.0.name(), self.0.span(), self.__len__()?);
        Ok(format!("<nightshard.Dataset {name} {span}, {len} keys>"))
    }
}

/// Iterates over keys.
#[pyclass(module = "nightshard")]
struct Keys(Records);

#[pymethods]
impl Keys {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let key = self.0.next(|record| Ok(PyBytes::new(py, record.key)));
        key.transpose().map_err(|error| to_python(&error))
    }
}

/// Iterates over keys and values.
#[pyclass(module = "nightshard")]
struct Pairs(Records);

#[pymethods]
impl Pairs {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let read = |Record { key, value }: Record<'_>| Ok(to_tuple(py, key, &value.read()?));
        let pair = self.0.next(read).transpose();
        pair.map_err(|error| to_python(&error))?.transpose()
    }
}

/// Iterates over keys and values in the order of terms.
#[pyclass(module = "nightshard")]
struct PairsByTerm(Terms);

#[pymethods]
impl PairsByTerm {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let pair = self.0.next().map_err(|error| to_python(&error))?;
        pair.map(|(key, value)| to_tuple(py, &key, &value))
            .transpose()
    }
}

fn to_tuple<'py>(py: Python<'py>, key: &[u8], value: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, [PyBytes::new(py, key), PyBytes::new(py, value)])
}

/// Opens one shard by itself, and reads every byte of it unless verify is false.
///
/// records, indexes and huge_pages are as in open.
#[pyfunction]
#[pyo3(signature = (path, verify = true, *, records = "normal", indexes = "on-demand", huge_pages = "none"))]
pub(crate) fn open_shard(
    py: Python<'_>,
    path: PathBuf,
    verify: bool,
    records: &str,
    indexes: &str,
    huge_pages: &str,
) -> PyResult<Dataset> {
    let memory = memory::policy(records, indexes, huge_pages)?;
    let shard = py.detach(|| {
        let shard = Shard::open(memory.map(&path)?)?;
        if verify {
            memory.walk(&shard, || shard.verify())?;
        }
        Ok(shard)
    });
    let named = |error: nightshard_format::Error| {
        NightshardError::new_err(format!("{}: {error}", path.display()))
    };
    let shard = shard.map_err(named)?;
    memory::advise(py, memory, [&shard])?;
    Ok(Dataset::new(Table::Single(Arc::new(shard))))
}
