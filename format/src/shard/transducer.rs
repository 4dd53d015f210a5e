//! Whether `fst` can walk an ordered index: it trusts its bytes, and panics where they mislead it.
//!
//! A checksum tells damage from what was written. This tells whether what was written is a
//! transducer at all: every node that can be reached lies within the bytes, and leads to nodes
//! before it.

use crate::{Error, Result};

/// Version and type of the layout.
const HEADER: [u8; 16] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Number of terms, root and checksum stand behind the root's last byte.
const TAIL_LEN: usize = 20;
/// The address of the node without transitions that ends a term; it takes no bytes.
const LEAF: usize = 0;
/// Nodes of more transitions have a table that finds them by their byte.
const SCANNED_MAX: usize = 32;
const TABLE_LEN: usize = 256;

/// Checks all nodes that can be reached, and that no output exceeds `output_max`, so that their
/// sums do not overflow.
///
/// # Errors
/// [`Error::Corrupt`] if walking it anywhere could go wrong.
///
/// # Complexity
/// Each node is read once; a bit of memory is taken for each byte.
pub(super) fn check(bytes: &[u8], output_max: u64) -> Result<()> {
    let (nodes, tail) = bytes.split_last_chunk::<TAIL_LEN>().ok_or_else(malformed)?;
    let (_len, root) = tail[..16].split_at(8);
    let root = usize::try_from(Back(root).uint(8)?).map_err(|_large| malformed())?;
    if !nodes.starts_with(&HEADER) {
        return Err(malformed());
    }
    if root == LEAF && nodes.len() == HEADER.len() {
        return Ok(());
    }
    if nodes.len() - 1 != root || root < HEADER.len() {
        return Err(malformed());
    }
    let mut reached = vec![0_u64; root / 64 + 1];
    reached[root / 64] |= 1 << (root % 64);
    for word in (0..reached.len()).rev() {
        while reached[word] != 0 {
            let bit = reached[word].ilog2() as usize;
            reached[word] &= !(1 << bit);
            let node = &nodes[HEADER.len()..=word * 64 + bit];
            check_node(node, root + 1 - HEADER.len(), output_max, |next| {
                reached[next / 64] |= 1 << (next % 64);
            })?;
        }
    }
    Ok(())
}

/// Checks the node that `bytes` end with, and passes the address of each next one to `reach`.
///
/// Only the root, whose end lies `root_len` bytes behind the header, may lead nowhere: there are no
/// terms then.
fn check_node(
    bytes: &[u8],
    root_len: usize,
    output_max: u64,
    mut reach: impl FnMut(usize),
) -> Result<()> {
    let mut back = Back(bytes);
    let state = back.byte()?;
    let (has_one, is_next, is_final) = (state & 0x80 != 0, state & 0x40 != 0, state & 0x40 != 0);
    let short = usize::from(state & 0x3f);
    if has_one {
        // A byte that is not common stands by itself.
        if short == 0 {
            back.byte()?;
        }
        if is_next {
            return reach_before(&back, 1, &mut reach);
        }
        let (delta_len, output_len) = back.sizes()?;
        let delta = back.uint(delta_len)?;
        check_output(back.uint_or_zero(output_len)?, output_max)?;
        return reach_before(&back, delta, &mut reach);
    }
    let transitions = match (short, short == 0) {
        (_, true) => match back.byte()? {
            1 => TABLE_LEN,
            more => more.into(),
        },
        (few, false) => few,
    };
    // A walk that meets many ends without a term finds none for a long time.
    if transitions == 0 && !is_final && bytes.len() < root_len {
        return Err(malformed());
    }
    let (delta_len, output_len) = back.sizes()?;
    let table = if transitions > SCANNED_MAX {
        back.take(TABLE_LEN)?
    } else {
        &[]
    };
    check_inputs(back.take(transitions)?, table)?;
    let mut deltas = Back(back.take(transitions * delta_len)?);
    let outputs = transitions + usize::from(is_final);
    for _ in 0..outputs {
        check_output(back.uint_or_zero(output_len)?, output_max)?;
    }
    for _ in 0..transitions {
        reach_before(&back, deltas.uint(delta_len)?, &mut reach)?;
    }
    Ok(())
}

/// Bytes of transitions stand last to first; the table says which transition has which byte.
fn check_inputs(inputs: &[u8], table: &[u8]) -> Result<()> {
    if inputs.windows(2).any(|pair| pair[0] <= pair[1]) {
        return Err(malformed());
    }
    let mut found = inputs.iter().rev().enumerate().peekable();
    for (input, told) in table.iter().enumerate() {
        let transition = found.next_if(|(_, found)| usize::from(**found) == input);
        let is_right = match transition {
            Some((transition, _)) => usize::from(*told) == transition,
            None => usize::from(*told) >= inputs.len(),
        };
        if !is_right {
            return Err(malformed());
        }
    }
    Ok(())
}

/// Outputs on the way to a term add up, so that one alone tells that they lead too far.
fn check_output(output: u64, output_max: u64) -> Result<()> {
    if output <= output_max {
        Ok(())
    } else {
        Err(Error::corrupt("ordered index", "a term leads to no record"))
    }
}

/// Passes on the node that ends `delta` bytes before the rest that a node leaves.
fn reach_before(rest: &Back<'_>, delta: u64, reach: &mut impl FnMut(usize)) -> Result<()> {
    if delta == LEAF as u64 {
        return Ok(());
    }
    let before = usize::try_from(delta)
        .ok()
        .and_then(|delta| rest.0.len().checked_sub(delta));
    reach(HEADER.len() + before.ok_or_else(malformed)?);
    Ok(())
}

/// Bytes read from their end.
struct Back<'a>(&'a [u8]);

impl<'a> Back<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let at = self.0.len().checked_sub(len).ok_or_else(malformed)?;
        let (rest, taken) = self.0.split_at(at);
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Reads an integer of 1 to 8 bytes.
    fn uint(&mut self, len: usize) -> Result<u64> {
        let bytes = self.take(len)?;
        let mut all = [0; 8];
        let room = all.get_mut(..len).filter(|room| !room.is_empty());
        room.ok_or_else(malformed)?.copy_from_slice(bytes);
        Ok(u64::from_le_bytes(all))
    }

    fn uint_or_zero(&mut self, len: usize) -> Result<u64> {
        if len == 0 { Ok(0) } else { self.uint(len) }
    }

    /// Reads how long addresses and outputs are.
    fn sizes(&mut self) -> Result<(usize, usize)> {
        let sizes = usize::from(self.byte()?);
        Ok((sizes >> 4, sizes & 0xf))
    }
}

fn malformed() -> Error {
    Error::corrupt("ordered index", "it is no transducer")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fst::{IntoStreamer, Map, MapBuilder, Streamer};
    use proptest::prelude::*;

    use super::*;

    fn transducer(terms: &BTreeMap<Vec<u8>, u64>) -> Vec<u8> {
        let mut builder = MapBuilder::memory();
        for (term, output) in terms {
            builder.insert(term, *output).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// Terms whose first nodes have so many transitions, with and without outputs.
    fn wide(transitions: u16) -> BTreeMap<Vec<u8>, u64> {
        let bytes = (0..transitions).map(|byte| u8::try_from(byte).unwrap());
        bytes
            .flat_map(|byte| [vec![byte], vec![byte, 7], vec![1, byte, byte ^ 3]])
            .map(|term| (term.clone(), u64::from(term[0]) * 300))
            .collect()
    }

    /// Walks all of it, and to every byte from every node.
    fn walk(bytes: &[u8], prefixes: impl Iterator<Item = Vec<u8>>) {
        let Ok(map) = Map::new(bytes) else { return };
        let mut terms = map.stream();
        let mut left = 10_000;
        while terms.next().is_some() && left > 0 {
            left -= 1;
        }
        for prefix in prefixes {
            map.get(&prefix);
            map.range().ge(&prefix).into_stream().next();
        }
    }

    proptest! {
        #[test]
        fn what_fst_writes_is_a_transducer(
            terms in proptest::collection::btree_map(
                proptest::collection::vec(any::<u8>(), 0..6), any::<u32>(), 0..300)
        ) {
            let terms = terms.into_iter().map(|(term, output)| (term, output.into())).collect();
            check(&transducer(&terms), u32::MAX.into()).unwrap();
        }
    }

    #[test]
    fn nodes_of_any_number_of_transitions_are_right() {
        for transitions in [0, 1, 2, 31, 32, 33, 63, 64, 65, 255, 256] {
            check(&transducer(&wide(transitions)), 1 << 20).unwrap();
        }
        let empty_term = BTreeMap::from([(vec![], 0)]);
        check(&transducer(&empty_term), 0).unwrap();
    }

    /// Two transitions lead from each node to the one before it in the bytes, down to the first.
    fn doubling(first: &[u8], nodes: usize) -> Vec<u8> {
        let mut bytes = [&HEADER[..], first].concat();
        for _ in 0..nodes {
            bytes.extend([1, 1, b'b', b'a', 0x10, 2]);
        }
        let root = bytes.len() as u64 - 1;
        for field in [1_u64, root] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend([0; 4]);
        bytes
    }

    /// A walk looks into each of 2^60 ways before it knows that there is no term.
    #[test]
    fn nodes_from_which_no_term_is_reached_are_found() {
        let (ends_a_term, leads_nowhere) = ([0, 0, 0x40], [0, 0, 0]);
        check(&doubling(&ends_a_term, 60), 0).unwrap();
        for nodes in [1, 60] {
            check(&doubling(&leads_nowhere, nodes), 0).unwrap_err();
        }
        check(&doubling(&leads_nowhere, 0), 0).unwrap();
    }

    #[test]
    fn an_output_that_exceeds_the_largest_is_found() {
        let terms = BTreeMap::from([(b"a".to_vec(), 5), (b"ab".to_vec(), 9)]);
        check(&transducer(&terms), 9).unwrap();
        check(&transducer(&terms), 3).unwrap_err();
    }

    #[test]
    fn whatever_is_a_transducer_can_be_walked() {
        for transitions in [1, 3, 33, 70] {
            let right = transducer(&wide(transitions));
            let mut passed = 0;
            for at in 0..right.len() {
                for byte in [0, 1, 2, 0x10, 0x11, 0x40, 0x80, 0xc0, 0xff, right[at] ^ 1] {
                    let mut bytes = right.clone();
                    bytes[at] = byte;
                    if check(&bytes, 1 << 40).is_ok() {
                        passed += 1;
                        walk(&bytes, (0..=255).map(|byte| vec![byte]));
                        walk(&bytes, (0..=255).map(|byte| vec![1, byte, byte]));
                    }
                }
            }
            assert!(passed > 0, "nothing was walked");
        }
    }

    #[test]
    fn what_ends_early_is_none() {
        let right = transducer(&wide(40));
        for len in 0..right.len() {
            check(&right[..len], 1 << 40).unwrap_err();
        }
    }
}
