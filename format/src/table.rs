//! The shards of one dataset and span, as one table.

use crate::{
    Result, key,
    shard::{Record, Search, Searched, Shard, Value, batch},
};

/// One dataset and span of a [`crate::generation::Generation`]: what to look up many keys in.
#[derive(Debug)]
pub struct Table<'a, B> {
    /// By first partition, without overlap.
    shards: &'a [Shard<B>],
}

impl<B> Clone for Table<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Table<'_, B> {}

impl<'a, B: AsRef<[u8]>> Table<'a, B> {
    /// Makes a table of shards that are sorted by first partition and do not overlap.
    pub(crate) fn new(shards: &'a [Shard<B>]) -> Self {
        Self { shards }
    }

    /// Returns the shards, by partition.
    #[must_use]
    pub fn shards(self) -> &'a [Shard<B>] {
        self.shards
    }

    /// Returns the value of `key`, or `None` if there is none.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if the record found is damaged.
    #[inline]
    pub fn get(self, key: &[u8]) -> Result<Option<Value<'a>>> {
        let hash = key::hash(key);
        match self.shard_of(hash) {
            Some(shard) => shard.get_hashed(hash, key),
            None => Ok(None),
        }
    }

    /// Looks up many keys, and passes each one's number and value to `visit`, in their order.
    ///
    /// # Complexity
    /// The cache misses of many lookups are waited for together, whatever shards they fall into.
    pub fn get_many(self, keys: &[&[u8]], visit: impl FnMut(usize, Result<Option<Value<'a>>>)) {
        batch::get_many(keys, |hash| self.shard_of(hash), visit);
    }

    /// Passes the terms that are looked for to `visit`, ascending over all shards, as
    /// [`Search::visit`] does.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if an index or a record is damaged.
    pub fn search(
        self,
        search: &Search,
        work: u64,
        visit: impl FnMut(&[u8], Record<'a>) -> bool,
    ) -> Result<Searched> {
        search.visit(self.shards, work, visit)
    }

    /// Returns the shard that has the partition of a hash.
    ///
    /// Runs are nearly always equally long and all there, so that where one is can be computed;
    /// a search would be mispredicted at every step.
    #[inline]
    fn shard_of(self, hash: u64) -> Option<&'a Shard<B>> {
        let partition = key::partition_of(hash);
        let likely = self.shards.len() * usize::from(partition) / usize::from(key::PARTITIONS);
        match self.shards.get(likely) {
            Some(shard) if shard.identity().run.contains(partition) => Some(shard),
            _ => self.find_shard(partition),
        }
    }

    #[cold]
    fn find_shard(self, partition: u16) -> Option<&'a Shard<B>> {
        let is_before = |shard: &Shard<B>| shard.identity().run.first <= partition;
        let after = self.shards.partition_point(is_before);
        let shard = &self.shards[after.checked_sub(1)?];
        let has_it = shard.identity().run.contains(partition);
        has_it.then_some(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::PartitionRun,
        shard::{Identity, ShardWriter, Span},
    };

    /// Miri would take hours for more.
    const KEYS: u16 = if cfg!(miri) { 40 } else { 3_000 };

    /// A shard of those keys that fall into the run.
    fn shard(run: PartitionRun, keys: &[Vec<u8>]) -> Shard<Vec<u8>> {
        let identity = Identity {
            dataset: "test".into(),
            span: Span::Current,
            run,
        };
        let mut file = Vec::new();
        let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
        let is_inside = |key: &&Vec<u8>| run.contains(key::partition_of(key::hash(key)));
        for key in keys.iter().filter(is_inside) {
            writer.append(key, key).unwrap();
        }
        writer.finish().unwrap();
        Shard::open(file).unwrap()
    }

    #[test]
    fn a_key_is_found_in_whatever_shard_has_its_partition() {
        let mut keys: Vec<Vec<u8>> = (0..KEYS).map(|key| key.to_le_bytes().into()).collect();
        keys.sort_by_key(|key| (key::hash(key), key.clone()));
        let cuts: [&[u16]; 6] = [
            &[0, 1024],
            &[0, 341, 682, 1024],
            &[0, 1, 2, 1024],
            &[0, 1000, 1001, 1024],
            &[512, 600],
            &[0, 256, 300],
        ];
        for cuts in &cuts[..if cfg!(miri) { 2 } else { cuts.len() }] {
            let runs = cuts.windows(2).map(|pair| PartitionRun {
                first: pair[0],
                end: pair[1],
            });
            let shards: Vec<_> = runs.map(|run| shard(run, &keys)).collect();
            let table = Table::new(&shards);
            let there = cuts[0]..cuts[cuts.len() - 1];
            let is_there = |key: &[u8]| there.contains(&key::partition_of(key::hash(key)));
            let asked: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            table.get_many(&asked, |number, found| {
                let expected = is_there(asked[number]).then_some(asked[number]);
                for found in [found, table.get(asked[number])] {
                    let value = found.unwrap().map(|value| value.in_place().unwrap());
                    assert_eq!(value, expected);
                }
            });
        }
        let none: [Shard<Vec<u8>>; 0] = [];
        assert!(Table::new(&none).get(b"key").unwrap().is_none());
    }
}
