//! What a PDF reader must be able to do. There are two, because each reads pages the other can't.

use super::draft::Draft;

/// A PDF reader with a file open.
pub(crate) trait Voice {
    /// Number of pages, at least one.
    fn page_count(&self) -> usize;

    /// The page at `index` (from 0), or why it could not be read. A page may be asked for once.
    fn page(&mut self, index: usize) -> Result<Draft, String>;
}

/// Why a reader can't open a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It needs a password that is neither the empty one nor among those tried.
    Encrypted,
    /// It is whole and has none.
    NoPages,
    Unreadable(String),
}
