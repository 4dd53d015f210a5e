//! Pages of rows, from memory that is taken in large pieces.
//!
//! Rows fill gigabytes that are written once. Anonymous maps in huge pages cost a page fault for
//! every 2 MiB rather than for every 4 KiB, and go back to the operating system whole.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::{Advice, MmapMut};

use crate::{Error, Result};

/// Length of a page: there is an open one for every partition, and all of them together should
/// stay in a core's own cache.
pub(super) const PAGE_LEN: usize = 1024;
/// Length of the pieces that memory is taken in: a huge page.
const PIECE_LEN: usize = 2 << 20;
const PAGES_PER_PIECE: usize = PIECE_LEN / PAGE_LEN;

/// A page of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageId(u32);

/// Memory for pages of rows.
#[derive(Debug)]
pub(super) struct Arena<R> {
    pieces: Vec<MmapMut>,
    taken: u32,
    free: Vec<PageId>,
    rows: PhantomData<R>,
}

impl<R: Pod> Arena<R> {
    /// Rows that a page holds.
    pub(super) const PAGE_ROWS: usize = PAGE_LEN / size_of::<R>();

    pub(super) fn new() -> Self {
        Self {
            pieces: Vec::new(),
            taken: 0,
            free: Vec::new(),
            rows: PhantomData,
        }
    }

    /// Takes a page, whose content means nothing.
    pub(super) fn take(&mut self) -> Result<PageId> {
        if let Some(page) = self.free.pop() {
            return Ok(page);
        }
        if self.taken as usize == self.pieces.len() * PAGES_PER_PIECE {
            self.pieces.push(map_piece().map_err(|error| {
                Error::option("--memory", format!("the system gives no more: {error}"))
            })?);
        }
        self.taken += 1;
        Ok(PageId(self.taken - 1))
    }

    /// Gives a page back.
    pub(super) fn give_back(&mut self, page: PageId) {
        self.free.push(page);
    }

    /// Returns the rows of a page.
    pub(super) fn rows(&self, page: PageId) -> &[R] {
        let (piece, start) = locate(page);
        bytemuck::cast_slice(&self.pieces[piece][start..start + Self::PAGE_ROWS * size_of::<R>()])
    }

    /// Fills a page.
    pub(super) fn write(&mut self, page: PageId, rows: &[R]) {
        let (piece, start) = locate(page);
        let bytes = bytemuck::cast_slice(rows);
        self.pieces[piece][start..start + bytes.len()].copy_from_slice(bytes);
    }
}

fn locate(page: PageId) -> (usize, usize) {
    let page = page.0 as usize;
    (page / PAGES_PER_PIECE, page % PAGES_PER_PIECE * PAGE_LEN)
}

fn map_piece() -> std::io::Result<MmapMut> {
    let piece = MmapMut::map_anon(PIECE_LEN)?;
    // A system without huge pages serves small ones.
    let _refused = piece.advise(Advice::HugePage);
    Ok(piece)
}
