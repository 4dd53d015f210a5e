//! Where rows are held that have been sent: pages in memory, then files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::pages::PagePool;

/// A folder for what does not fit into memory, and the pages that all outboxes of a build share.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub(super) folder: PathBuf,
    pub(super) pages: Arc<PagePool>,
}

impl Scratch {
    /// Makes a scratch space that has taken no memory yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            pages: Arc::default(),
        }
    }
}
