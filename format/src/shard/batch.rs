//! Many lookups at once, which wait for memory together.

use super::{Shard, Value, probe::Probe};
use crate::{Result, key};

/// So many lookups are under way at once: more than the cache misses that a core can wait for,
/// few enough that the first is still in the cache when the last has come.
const UNDER_WAY: usize = 32;

/// Looks up `keys`, each in the shard that `shard_of` says for its hash, and passes each one's
/// number and value to `visit`, in their order.
pub(crate) fn get_many<'a, B: AsRef<[u8]> + 'a>(
    keys: &[&[u8]],
    shard_of: impl Fn(u64) -> Option<&'a Shard<B>>,
    mut visit: impl FnMut(usize, Result<Option<Value<'a>>>),
) {
    let mut probes: [Option<(&'a Shard<B>, Probe<'a>)>; UNDER_WAY] = [None; UNDER_WAY];
    for (first, keys) in (0..).step_by(UNDER_WAY).zip(keys.chunks(UNDER_WAY)) {
        for (probe, key) in probes.iter_mut().zip(keys) {
            let hash = key::hash(key);
            *probe = shard_of(hash).map(|shard| (shard, shard.probe(hash)));
            probe.inspect(|(_, probe)| probe.touch_line());
        }
        let under_way = &probes[..keys.len()];
        under_way
            .iter()
            .flatten()
            .for_each(|(_, probe)| probe.touch_record());
        for ((number, probe), key) in (first..).zip(under_way).zip(keys) {
            let found = probe.map_or(Ok(None), |(shard, probe)| {
                let found = probe.find(key)?;
                Ok(found.map(|stored| shard.value(stored)))
            });
            visit(number, found);
        }
    }
}
