//! How the memory of a build is shared out.

/// What each worker may take, in bytes.
///
/// Rows in transit take a quarter at most; the rest is for what is being parsed, reduced and
/// written, and for what an allocator leaves unused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    pub(super) block: usize,
    pub(super) rows: usize,
    pub(super) partition: usize,
    pub(super) card_days: usize,
    /// What cards spent, and what they bought for, each.
    pub(super) spend: usize,
    pub(super) cells: usize,
    pub(super) pair_counts: usize,
    /// Rows are no longer in transit then.
    pub(super) place_cards: usize,
    /// Likewise: what is sent of cards as a whole, and what is added up before.
    pub(super) place_loyalty: usize,
    /// Pseudonyms, and what cards paid, each.
    pub(super) customers: usize,
    /// Nothing is reduced or counted yet while values are sent that must be unique.
    pub(super) unique: usize,
}

/// What is neither in transit nor being parsed gets this part of a worker's memory.
pub(super) const SMALL_SHARE: usize = 8;

impl Shares {
    pub(super) fn of(memory_bytes: u64, threads: usize) -> Self {
        let memory = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        let each = memory / threads;
        Self {
            block: (each / 32).clamp(256 << 10, 2 << 20),
            rows: each / 4,
            partition: each / SMALL_SHARE,
            card_days: each / SMALL_SHARE,
            spend: each / SMALL_SHARE / 4,
            cells: each / SMALL_SHARE / 2,
            pair_counts: each / SMALL_SHARE,
            place_cards: each / SMALL_SHARE,
            place_loyalty: each / SMALL_SHARE / 4,
            customers: each / 2 / SMALL_SHARE,
            unique: each / SMALL_SHARE,
        }
    }
}
