//! A chunk: the unit that is embedded, indexed and found.

use serde::{Deserialize, Serialize};

use crate::{Lines, Span};

/// A stretch of a document's text, small enough for the embedder.
///
/// `text` is the document's text at `span`, to the byte. The heading path is context for finding it
/// and never part of a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub ordinal: u32,
    pub span: Span,
    pub text: String,
    /// Title and headings above the chunk, outermost first.
    pub heading: Vec<String>,
    /// First page, from 1, for formats with pages.
    pub page: Option<u32>,
    /// Last page.
    pub page_end: Option<u32>,
    /// For formats whose lines are the file's own.
    pub lines: Option<Lines>,
    /// Size of [`Chunk::embedded_text`] in the embedder's tokens.
    pub tokens: u32,
}

impl Chunk {
    /// What the embedder is given: the heading path on a line of its own, then the text.
    #[must_use]
    pub fn embedded_text(&self) -> String {
        with_heading(&self.heading, &self.text)
    }
}

/// `text` below its heading path, as it is embedded and as its size is counted.
#[must_use]
pub fn with_heading(heading: &[String], text: &str) -> String {
    if heading.is_empty() {
        text.to_owned()
    } else {
        format!("{}\n{text}", heading.join(" › "))
    }
}
