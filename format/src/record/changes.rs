//! Ascending distances with more or fewer cards: how buyers differ from cards.

use crate::{
    Result,
    bytes::{Bytes, put_signed, put_varint},
};

/// So many cards more or fewer at one distance.
///
/// # Units
/// `distance` in days; 0 stands for cards that were never there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Days since the card was seen before, or 0.
    pub distance: u32,
    /// Cards, not 0.
    pub cards: i64,
}

/// Adds up the changes of each distance, and drops what adds up to nothing.
pub fn net_changes(changes: &mut Vec<Change>) {
    changes.sort_unstable_by_key(|change| change.distance);
    changes.dedup_by(|next, kept| {
        let same = next.distance == kept.distance;
        if same {
            kept.cards = kept.cards.saturating_add(next.cards);
        }
        same
    });
    changes.retain(|change| change.cards != 0);
}

/// Appends changes of ascending distance.
pub(super) fn encode(changes: &[Change], out: &mut Vec<u8>) {
    put_varint(out, changes.len() as u64);
    let mut previous = 0;
    for change in changes {
        put_varint(out, (change.distance - previous).into());
        put_signed(out, change.cards);
        previous = change.distance;
    }
}

/// Reads changes, passing each to `visit`.
pub(super) fn decode(bytes: &mut Bytes<'_>, mut visit: impl FnMut(Change)) -> Result<()> {
    let len = bytes.varint()?;
    let mut distance = 0_u32;
    for _ in 0..len {
        let step = u32::try_from(bytes.varint()?).unwrap_or(u32::MAX);
        distance = distance.saturating_add(step);
        visit(Change {
            distance,
            cards: bytes.signed()?,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_added_up_and_round_trip() {
        let mut changes = [
            (7, 1),
            (0, -2),
            (7, 3),
            (90, -1),
            (0, -1),
            (90, 1),
            (70_000, 9),
        ]
        .map(|(distance, cards)| Change { distance, cards })
        .to_vec();
        net_changes(&mut changes);
        let mut out = Vec::new();
        encode(&changes, &mut out);
        let mut read = Vec::new();
        let mut bytes = Bytes::new(&out, "test");
        decode(&mut bytes, |change| {
            read.push((change.distance, change.cards));
        })
        .unwrap();
        assert!(bytes.is_empty());
        assert_eq!(read, [(0, -3), (7, 4), (70_000, 9)]);
    }
}
