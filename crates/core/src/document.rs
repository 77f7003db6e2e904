//! A document: the text of one source with its structure and places.

use serde::{Deserialize, Serialize};

use crate::Span;

/// What a reader makes of a file. `text` is the one coordinate system: every span of every page,
/// block, chunk and citation is a byte range in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub text: String,
    /// From the file's own metadata or its first heading.
    pub title: Option<String>,
    /// In order, without overlap; empty for formats without pages.
    pub pages: Vec<Page>,
    /// In reading order, without overlap, together holding all that is worth finding.
    pub blocks: Vec<Block>,
    /// Whether a line of `text` is a line of the file (plain text and Markdown are, HTML and PDF not).
    pub lines_are_source_lines: bool,
    /// BCP 47 tag (`en`, `zh-Hans`, …) where it could be told reliably.
    pub language: Option<String>,
    /// IANA media type, recognised from the content.
    pub media_type: String,
    /// Damage met on the way. Damaged input is data: what could be read is in `text`.
    pub warnings: Vec<Warning>,
}

impl Document {
    /// The number of the page (from 1) that holds byte `at`, for formats that have pages.
    #[must_use]
    pub fn page_at(&self, at: usize) -> Option<u32> {
        let after = self.pages.partition_point(|page| page.span.start <= at);
        self.pages[..after].last().map(|page| page.number)
    }

    /// Whether anything was lost on the way.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.warnings.iter().any(|w| w.kind == WarningKind::Lost)
    }
}

/// One page of a paged document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Physical number, from 1.
    pub number: u32,
    pub span: Span,
}

/// A stretch of text that belongs together: a paragraph, a heading, a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    pub span: Span,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Level 1 (outermost) to 6.
    Heading(u8),
    Paragraph,
    /// One item of a list.
    ListItem,
    Table,
    Code,
}

/// Something that went wrong while reading, without stopping the reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub kind: WarningKind,
    /// Page number from 1, where there are pages.
    pub page: Option<u32>,
    /// One line, lower case, without a full stop.
    pub fact: String,
}

/// Whether a warning means that text was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// Text that is in the file is not in the document.
    Lost,
    /// All text is there; something about it had to be guessed (the encoding, say).
    Guessed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_between_two_pages_belongs_to_the_earlier_one() {
        let page = |number, start, end| Page {
            number,
            span: Span::new(start, end),
        };
        let document = Document {
            pages: vec![page(1, 0, 10), page(3, 11, 20)],
            ..Document::default()
        };
        let at = [0, 9, 10, 11, 99].map(|b| document.page_at(b));
        assert_eq!(at, [Some(1), Some(1), Some(1), Some(3), Some(3)]);
        assert_eq!(Document::default().page_at(0), None);
    }
}
