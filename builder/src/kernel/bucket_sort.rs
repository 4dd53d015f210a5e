//! Sorting by a bucket first, then within it.

/// Fewer items than this are sorted at once.
const LEN_MIN: usize = 64;

/// Sorts items whose order goes by `bucket_of` first.
///
/// # Shape
/// `bucket_of` is below `buckets`, and ascends with the order of items.
///
/// # Complexity
/// Two passes and a sort of each bucket: linear when buckets are about as many as items.
pub(super) fn sort<T: Copy + Ord>(
    items: &mut [T],
    buckets: usize,
    bucket_of: impl Fn(&T) -> usize,
    scratch: &mut Scratch<T>,
) {
    if items.len() < LEN_MIN || buckets > items.len() * 8 {
        items.sort_unstable();
        return;
    }
    let Scratch { ends, copy } = scratch;
    ends.clear();
    ends.resize(buckets + 1, 0);
    items.iter().for_each(|item| ends[bucket_of(item) + 1] += 1);
    (1..=buckets).for_each(|bucket| ends[bucket] += ends[bucket - 1]);
    copy.clear();
    copy.extend_from_slice(items);
    for item in copy {
        let end = &mut ends[bucket_of(item)];
        items[*end] = *item;
        *end += 1;
    }
    let mut start = 0;
    for end in &ends[..buckets] {
        items[start..*end].sort_unstable();
        start = *end;
    }
}

/// Memory that serves one sort after the other.
#[derive(Debug)]
pub(super) struct Scratch<T> {
    ends: Vec<usize>,
    copy: Vec<T>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self { ends: Vec::new(), copy: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_come_out_sorted(mut items in prop::collection::vec(0_u32..4_000, 0..600)) {
            let mut expected = items.clone();
            expected.sort_unstable();
            sort(&mut items, 400, |item| *item as usize / 10, &mut Scratch::default());
            prop_assert_eq!(items, expected);
        }
    }
}
