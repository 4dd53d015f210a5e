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

/// Returns the number of cards at distances up to `limit`, and reads no further than that.
pub(super) fn count_within(bytes: &mut Bytes<'_>, limit: u32) -> Result<u64> {
    let (mut distance, mut within) = (0, 0_u64);
    for _ in 0..bytes.varint()? {
        let run = read_behind(distance, bytes)?;
        if run.distance > limit {
            break;
        }
        within = within.saturating_add(run.count);
        distance = run.distance;
    }
    Ok(within)
}

/// Reads runs, passing each to `visit`.
pub(super) fn decode(bytes: &mut Bytes<'_>, mut visit: impl FnMut(Run)) -> Result<()> {
    let mut distance = 0;
    for _ in 0..bytes.varint()? {
        let run = read_behind(distance, bytes)?;
        distance = run.distance;
        visit(run);
    }
    Ok(())
}

/// Reads the run behind one of this distance.
fn read_behind(distance: u32, bytes: &mut Bytes<'_>) -> Result<Run> {
    let step = bytes.varint()?;
    let count = if step & 1 == 0 {
        1
    } else {
        bytes.varint()?.saturating_add(2)
    };
    Ok(Run {
        distance: distance.saturating_add(u32::try_from(step >> 1).unwrap_or(u32::MAX)),
        count,
    })
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
        for (limit, within) in [
            (0, 0),
            (1, 1),
            (89, 3),
            (90, 4),
            (400, 70_004),
            (u32::MAX, 70_005),
        ] {
            let [mut above, mut near] = [(); 2].map(|()| Bytes::new(&out, "test"));
            assert_eq!(count_above(&mut above, limit).unwrap(), 70_005 - within);
            assert_eq!(count_within(&mut near, limit).unwrap(), within);
            assert!(above.is_empty());
        }
    }
}
