//! Ascending distances with counts: how many cards came back after how many days.

use crate::{
    Result,
    bytes::{Bytes, put_varint},
};

/// So many cards at one distance.
///
/// # Units
/// `distance` in days, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Days since the card was seen before.
    pub distance: u32,
    /// Cards.
    pub count: u64,
}

/// Appends runs of ascending distance.
pub(super) fn encode(runs: &[Run], out: &mut Vec<u8>) {
    put_varint(out, runs.len() as u64);
    let mut previous = 0;
    for run in runs {
        let step = u64::from(run.distance - previous) << 1;
        // Small stores see nearly every distance once: such a run is one byte.
        if run.count == 1 {
            put_varint(out, step);
        } else {
            put_varint(out, step | 1);
            put_varint(out, run.count - 2);
        }
        previous = run.distance;
    }
}

/// Reads past runs and returns the number of cards at distances above `limit`.
pub(super) fn count_above(bytes: &mut Bytes<'_>, limit: u32) -> Result<u64> {
    let mut above = 0;
    decode(bytes, |run| {
        if run.distance > limit {
            above = u64::saturating_add(above, run.count);
        }
    })?;
    Ok(above)
}

/// Reads runs, passing each to `visit`.
pub(super) fn decode(bytes: &mut Bytes<'_>, mut visit: impl FnMut(Run)) -> Result<()> {
    let len = bytes.varint()?;
    let mut distance = 0_u32;
    for _ in 0..len {
        let step = bytes.varint()?;
        let count = if step & 1 == 0 {
            1
        } else {
            bytes.varint()?.saturating_add(2)
        };
        distance = distance.saturating_add(u32::try_from(step >> 1).unwrap_or(u32::MAX));
        visit(Run { distance, count });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_round_trip() {
        let runs = [(1, 1), (2, 2), (90, 1), (400, 70_000), (100_000, 1)]
            .map(|(distance, count)| Run { distance, count });
        let mut out = Vec::new();
        encode(&runs, &mut out);
        let mut read = Vec::new();
        let mut bytes = Bytes::new(&out, "test");
        decode(&mut bytes, |run| read.push(run)).unwrap();
        assert!(bytes.is_empty());
        assert_eq!(read, runs);
        assert_eq!(
            count_above(&mut Bytes::new(&out, "test"), 90).unwrap(),
            70_001
        );
    }
}
