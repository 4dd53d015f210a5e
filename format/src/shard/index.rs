//! The point index: an open-addressing table of 64-bit slots (docs/format.md, "Point index").
//!
//! A slot packs sixteen bits of the key's hash with the record's offset, so that nearly every
//! probe that leads to the wrong record is told apart without touching that record.

use crate::bytes::Bytes;

const OFFSET_BITS: u32 = 48;
/// One more than the largest offset that a slot can hold.
pub(super) const OFFSET_END: u64 = (1 << OFFSET_BITS) - 1;

/// Returns how many slots a table for `keys` keys has: a quarter more, at least one empty.
pub(super) fn slots_for(keys: u64) -> u64 {
    if keys == 0 { 0 } else { keys + keys / 4 + 1 }
}

/// Returns where probing for `hash` starts.
///
/// The top ten bits are the partition, nearly equal for the keys of one shard: they are shifted
/// out, and the rest is scaled to the number of slots.
fn start(hash: u64, slots: u64) -> u64 {
    let scaled = (u128::from(hash << 10) * u128::from(slots)) >> 64;
    u64::try_from(scaled).expect("a 64-bit factor less than one leaves fewer than the slots")
}

/// Returns [`start`] as an index into a table in memory.
fn start_index(hash: u64, slots: usize) -> usize {
    usize::try_from(start(hash, slots as u64)).expect("it is less than the slots in memory")
}

fn fingerprint(hash: u64) -> u64 {
    hash << OFFSET_BITS
}

/// Builds the table of (hash, offset) pairs, in their order.
///
/// # Shape
/// Offsets are below [`OFFSET_END`].
pub(super) fn build(entries: &[(u64, u64)]) -> Vec<u64> {
    let slots = slots_for(entries.len() as u64);
    let slots = usize::try_from(slots).expect("entries of twice the size are in memory");
    let mut table = vec![0_u64; slots];
    for (hash, offset) in entries {
        debug_assert!(*offset + 1 < OFFSET_END);
        let mut slot = start_index(*hash, slots);
        while table[slot] != 0 {
            slot = if slot + 1 == table.len() { 0 } else { slot + 1 };
        }
        table[slot] = fingerprint(*hash) | (offset + 1);
    }
    table
}

/// Returns the offsets of the records that may have the key of this hash, in probing order.
pub(super) fn candidates(table: &[u8], hash: u64) -> impl Iterator<Item = u64> {
    let slots = table.len() / 8;
    let first = start_index(hash, slots);
    (0..slots)
        .map(move |probe| {
            let slot = if first + probe < slots {
                first + probe
            } else {
                first + probe - slots
            };
            Bytes::new(&table[slot * 8..], "point index")
                .u64()
                .expect("a slot below their number is in the table")
        })
        .take_while(|slot| *slot != 0)
        .filter(move |slot| (slot ^ fingerprint(hash)) >> OFFSET_BITS == 0)
        .filter_map(|slot| (slot & OFFSET_END).checked_sub(1))
}

/// Returns how many slots of the table are not empty.
pub(super) fn occupied(table: &[u8]) -> usize {
    table.chunks(8).filter(|slot| **slot != [0; 8]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_candidate_even_when_all_hashes_are_equal() {
        let entries: Vec<(u64, u64)> = (0..100).map(|index| (u64::MAX, index * 8)).collect();
        let table: Vec<u8> = build(&entries)
            .iter()
            .flat_map(|slot| slot.to_le_bytes())
            .collect();
        let found: Vec<u64> = candidates(&table, u64::MAX).collect();
        assert_eq!(
            found,
            entries.iter().map(|entry| entry.1).collect::<Vec<_>>()
        );
        assert_eq!(candidates(&table, 0).count(), 0);
    }

    #[test]
    fn a_full_table_ends_every_probe() {
        let table = [0xff; 64];
        assert_eq!(candidates(&table, u64::MAX).count(), 8);
        assert_eq!(candidates(&[], 5).count(), 0);
    }
}
