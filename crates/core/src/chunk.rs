//! A chunk: the unit that is embedded, indexed and found.

use serde::{Deserialize, Serialize};

use crate::{Lines, Span};

/// A stretch of a document's text, small enough for the embedder.
///
/// `text` is the document's text at `span`, to the byte. The heading path is context for finding it
/// and never part of a quote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub ordinal: u32,
    pub span: Span,
    pub text: String,
    /// Title and headings above the chunk, outermost first.
    pub heading: Vec<String>,
    /// Name of the part of the file, for formats with parts.
    pub part: Option<String>,
    /// Header row of the table that the chunk goes on with, cells parted by tabs.
    pub table_header: Option<String>,
    /// First page, from 1, for formats with pages.
    pub page: Option<u32>,
    /// Last page.
    pub page_end: Option<u32>,
    /// For formats whose lines are the file's own.
    pub lines: Option<Lines>,
    /// Size of [`Chunk::embedded_text`] in the embedder's tokens; of
    /// text without words, no fewer than its length allows.
    pub tokens: u32,
}

impl Chunk {
    /// What the embedder is given: the heading path and the table's header on lines of their own, then
    /// the text.
    #[must_use]
    pub fn embedded_text(&self) -> String {
        in_context(&self.heading, self.table_header.as_deref(), &self.text)
    }
}

/// `text` below its heading path and table header, as it is embedded and as its size is counted.
#[must_use]
pub fn in_context(heading: &[String], table_header: Option<&str>, text: &str) -> String {
    let path = heading.join(" › ");
    let above = [
        Some(path.as_str()).filter(|path| !path.is_empty()),
        table_header,
    ];
    let lines: Vec<&str> = above.into_iter().flatten().chain([text]).collect();
    lines.join("\n")
}
