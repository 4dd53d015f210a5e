//! Pages of rows that all outboxes share, from memory that is taken in large pieces.
//!
//! Rows fill gigabytes that are written once and read once. Memory that was never touched before
//! is the dearest of all: the system has to find and clear it. So pages that were read serve
//! whoever writes next, and pieces are huge pages: one fault for every 2 MiB rather than 4 KiB.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytemuck::Pod;
use memmap2::{Advice, MmapMut};

use crate::{Error, Result};

/// Length of a page: a worker has an open one for every partition, and all of them together
/// should stay in a core's own cache.
pub(super) const PAGE_LEN: usize = 1024;
/// Length of the pieces that memory is taken in: a huge page.
const PIECE_LEN: usize = 2 << 20;
const PAGES_PER_PIECE: usize = PIECE_LEN / PAGE_LEN;

/// How many rows a page holds.
pub(super) const fn page_rows<R>() -> usize {
    PAGE_LEN / size_of::<R>()
}

/// A page of a pool, which belongs to whoever has its id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageId(u32);

/// Memory for pages of rows, shared by all workers.
#[derive(Debug, Default)]
pub(super) struct PagePool {
    pieces: RwLock<Vec<Arc<Mutex<MmapMut>>>>,
    free: Mutex<Vec<PageId>>,
}

impl PagePool {
    /// Takes as many pages as a piece has, or those that were given back.
    pub(super) fn take(&self) -> Result<Vec<PageId>> {
        let mut free = lock(&self.free);
        if !free.is_empty() {
            let rest = free.len().saturating_sub(PAGES_PER_PIECE);
            return Ok(free.split_off(rest));
        }
        drop(free);
        let piece = map_piece().map_err(|error| {
            Error::option("--memory", format!("the system gives no more: {error}"))
        })?;
        let mut pieces = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        let first = pieces.len() * PAGES_PER_PIECE;
        pieces.push(Arc::new(Mutex::new(piece)));
        let ids = first..first + PAGES_PER_PIECE;
        ids.map(|id| u32::try_from(id).map(PageId))
            .collect::<Result<_, _>>()
            .map_err(|_many| Error::option("--memory", "at most 4 TiB can be used"))
    }

    /// Gives pages back, whose content means nothing from then on.
    pub(super) fn give_back(&self, pages: impl IntoIterator<Item = PageId>) {
        lock(&self.free).extend(pages);
    }

    /// Fills the beginning of a page.
    pub(super) fn write<R: Pod>(&self, page: &PageId, rows: &[R]) {
        let bytes = bytemuck::cast_slice(rows);
        self.with(page, |page| page[..bytes.len()].copy_from_slice(bytes));
    }

    /// Copies the beginning of a page to `rows`: small, and it leaves the page to nobody's lock.
    pub(super) fn read<R: Pod>(&self, page: &PageId, rows: &mut [R]) {
        let bytes = bytemuck::cast_slice_mut(rows);
        self.with(page, |page| bytes.copy_from_slice(&page[..bytes.len()]));
    }

    fn with(&self, page: &PageId, work: impl FnOnce(&mut [u8])) {
        let (piece, start) = (
            page.0 as usize / PAGES_PER_PIECE,
            page.0 as usize % PAGES_PER_PIECE,
        );
        let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
        let start = start * PAGE_LEN;
        work(&mut lock(&pieces[piece])[start..start + PAGE_LEN]);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn map_piece() -> std::io::Result<MmapMut> {
    let piece = MmapMut::map_anon(PIECE_LEN)?;
    // A system without huge pages serves small ones.
    let _refused = piece.advise(Advice::HugePage);
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_what_was_written_and_serve_again() {
        let pool = PagePool::default();
        let first = pool.take().unwrap();
        let second = pool.take().unwrap();
        assert_eq!(
            (first.len(), second.len()),
            (PAGES_PER_PIECE, PAGES_PER_PIECE)
        );
        for (number, page) in (0_u64..).zip(first.iter().chain(&second)) {
            pool.write(page, &[number; page_rows::<u64>()]);
        }
        let mut rows = [0_u64; page_rows::<u64>()];
        for (number, page) in (0_u64..).zip(first.iter().chain(&second)) {
            pool.read(page, &mut rows);
            assert!(rows.iter().all(|row| *row == number));
        }
        pool.give_back(first);
        assert_eq!(pool.take().unwrap().len(), PAGES_PER_PIECE);
        assert_eq!(lock(&pool.free).len(), 0);
        assert_eq!(pool.pieces.read().unwrap().len(), 2);
    }
}
