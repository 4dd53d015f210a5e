//! Which stores a list is of, by region and category, and in which order.

use std::borrow::Cow;

use nightshard_format::{
    Error,
    record::{RANKINGS, RankBy, Ranking, ranking_key},
    shard::Span,
};

use super::parameters::Parameters;
use crate::{
    generation::ServedGeneration,
    problem::{Problem, Result},
};

/// The stores of a region and a category, or of any.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    region: Option<Cow<'a, str>>,
    category: Option<Cow<'a, str>>,
}

impl<'a> Filter<'a> {
    /// Takes `region` and `category`.
    pub(super) fn take(parameters: &mut Parameters<'a>) -> Self {
        Self {
            region: parameters.take("region"),
            category: parameters.take("category"),
        }
    }

    /// Returns the region asked for.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the category asked for.
    pub(super) fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Finds the stores in order, or `None` if there are none that are of both.
    ///
    /// # Errors
    /// A problem that names the parameter, if there is no such region or no such category.
    pub(super) fn ranking<'g>(
        &self,
        served: &'g ServedGeneration,
        by: RankBy,
    ) -> Result<Option<Ranking<'g>>> {
        let (region, category) = (self.region(), self.category());
        let parts = [
            ("region", region.map(|_| (region, None))),
            ("category", category.map(|_| (None, category))),
        ];
        for (name, part) in parts {
            if let Some((region, category)) = part
                && find(served, by, region, category)?.is_none()
            {
                let mut problem = Problem::not_found(format!("there is no such {name}"));
                problem.parameter = Some(name.to_owned());
                return Err(problem.into());
            }
        }
        find(served, by, region, category)
    }
}

/// Finds the stores of a region and a category in order, or `None` if there are none.
pub(super) fn find<'g>(
    served: &'g ServedGeneration,
    by: RankBy,
    region: Option<&str>,
    category: Option<&str>,
) -> Result<Option<Ranking<'g>>> {
    let key = ranking_key(by, region, category);
    let found = served.generation().get(RANKINGS, Span::Current, &key)?;
    let ranking = found.map(|ranking| Ranking::parse(ranking.in_place()?));
    Ok(ranking.transpose()?)
}

/// Returns the error of a list whose store is not there.
pub(super) fn missing_store() -> Error {
    Error::Corrupt {
        structure: "ranking",
        problem: "it names a store that there is not".into(),
    }
}
