//! What keys are looked up in.

use std::{borrow::Cow, sync::Arc};

use nightshard_format::{
    Result,
    generation::Generation,
    shard::{Mapped, Search, Searched, Shard, Span, Value},
};

use crate::cursor::Pair;

/// One dataset and span of a generation, or one shard; clones share its maps.
#[derive(Clone)]
pub(crate) enum Table {
    /// Part of a generation.
    Part {
        generation: Arc<Generation<Mapped>>,
        dataset: String,
        span: Span,
    },
    /// A shard by itself.
    Single(Arc<Shard<Mapped>>),
}

impl Table {
    /// Returns the shards, by partition.
    pub(crate) fn shards(&self) -> &[Shard<Mapped>] {
        match self {
            Self::Part {
                generation,
                dataset,
                span,
            } => generation.table(dataset, *span).shards(),
            Self::Single(shard) => std::slice::from_ref(shard),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Part { dataset, .. } => dataset,
            Self::Single(shard) => &shard.identity().dataset,
        }
    }

    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Part { span, .. } => *span,
            Self::Single(shard) => shard.identity().span,
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>> {
        match self {
            Self::Part {
                generation,
                dataset,
                span,
            } => generation.get(dataset, *span, key),
            Self::Single(shard) => shard.get(key),
        }
    }

    /// Returns the first records that are looked for, and how the search ended.
    pub(crate) fn search(
        &self,
        search: &Search,
        work: u64,
        limit: usize,
    ) -> Result<(Vec<Pair>, Searched)> {
        let mut pairs = Vec::new();
        let mut damage = Ok(());
        let searched = search.visit(self.shards(), work, |_term, record| {
            if pairs.len() < limit {
                match record.value.read() {
                    Ok(value) => pairs.push((record.key.to_vec(), value.into_owned())),
                    Err(error) => damage = Err(error),
                }
            }
            damage.is_ok() && pairs.len() < limit
        })?;
        damage?;
        Ok((pairs, searched))
    }

    /// Returns the values of many keys, in their order.
    pub(crate) fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Cow<'_, [u8]>>>> {
        let mut values = Vec::with_capacity(keys.len());
        let visit = |_number, found| values.push(found);
        match self {
            Self::Part {
                generation,
                dataset,
                span,
            } => {
                generation.table(dataset, *span).get_many(keys, visit);
            }
            Self::Single(shard) => shard.get_many(keys, visit),
        }
        let values = values.into_iter();
        values
            .map(|found: Result<_>| found?.map(Value::read).transpose())
            .collect()
    }
}
