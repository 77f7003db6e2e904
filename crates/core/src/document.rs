//! A document: the text of one source with its structure and places.

use serde::{Deserialize, Serialize};

use crate::Span;

/// What a reader makes of a file. `text` is the one coordinate system: every span of every page, part,
/// block, link, chunk and citation is a byte range in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub text: String,
    /// From the file's own metadata or its first heading.
    pub title: Option<String>,
    /// In order, without overlap; empty for formats without pages. Numbers begin anew in every part.
    pub pages: Vec<Page>,
    /// In order, without overlap; empty for files that are one piece.
    pub parts: Vec<Part>,
    /// In reading order, without overlap, together holding all that is worth finding.
    pub blocks: Vec<Block>,
    /// Where the text points to, in order.
    pub links: Vec<Link>,
    /// Whether a line of `text` is a line of the file (plain text and Markdown are, HTML and PDF not).
    pub lines_are_source_lines: bool,
    /// BCP 47 tag (`en`, `zh-Hans`, …) where it could be told reliably.
    pub language: Option<String>,
    /// IANA media type, recognised from the content.
    pub media_type: String,
    /// Name of the character encoding, in lower case, of files that are text.
    pub encoding: Option<String>,
    /// When the document says it was written or last changed: `2026-11-21`, or with a time of day as in
    /// RFC 3339.
    pub date: Option<String>,
    /// What the document is filed under by its author (front matter, keywords), as it is written there.
    pub tags: Vec<String>,
    /// Damage met on the way. Damaged input is data: what could be read is in `text`.
    pub warnings: Vec<Warning>,
}

impl Document {
    /// The number of the page (from 1) that holds byte `at`, for formats that have pages.
    #[must_use]
    pub fn page_at(&self, at: usize) -> Option<u32> {
        let after = self.pages.partition_point(|page| page.span.start <= at);
        let page = self.pages[..after].last()?;
        // The last page of one part says nothing of the next part, which may have none.
        let same_part = self.part_index(at) == self.part_index(page.span.start);
        same_part.then_some(page.number)
    }

    /// The part that holds byte `at`, in files that have parts.
    #[must_use]
    pub fn part_at(&self, at: usize) -> Option<&Part> {
        self.part_index(at).map(|index| &self.parts[index])
    }

    fn part_index(&self, at: usize) -> Option<usize> {
        let after = self.parts.partition_point(|part| part.span.start <= at);
        let index = after.checked_sub(1)?;
        let part = self.parts[index].span;
        // An empty part still holds the empty page that stands in it.
        (at < part.end || at == part.start).then_some(index)
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

/// A named piece of a file that people open by its name: a sheet of a workbook, a file in an archive,
/// an attachment of a message, a chapter of a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `Sheet1`, `docs/a.md`; of a part within a part, `budget.xlsx › Sheet1`.
    pub name: String,
    pub span: Span,
}

/// A stretch of text that belongs together: a paragraph, a heading, a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    pub span: Span,
    /// Where it stands on its (first) page, for formats that fix this.
    pub area: Option<Area>,
    /// Of a heading, its words, where its text has marks around them (`## `, `\section{…}`). Of code,
    /// its language in lower case (`rust`), where that is told.
    pub label: Option<String>,
}

impl Block {
    /// A block whose place on a page is not known.
    #[must_use]
    pub fn new(kind: BlockKind, span: Span) -> Self {
        Self {
            kind,
            span,
            area: None,
            label: None,
        }
    }

    /// The same with its label.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

/// A rectangle on a page in points (1/72 inch), `bottom` and `top` counted upwards from the lower edge,
/// as in PDF's user space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    pub left: i32,
    pub bottom: i32,
    pub right: i32,
    pub top: i32,
}

/// A stretch of text that points somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub span: Span,
    /// As it stands in the file: a URL, or a path relative to it.
    pub target: String,
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
    /// Rows are parted by line breaks and their cells by tabs, nothing else added, so that a quote of a
    /// row stands in the file. The first row is taken as the header.
    Table,
    Code,
}

/// Something that went wrong while reading, without stopping the reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub kind: WarningKind,
    /// Name of the part, where there are parts.
    pub part: Option<String>,
    /// Page number from 1, where there are pages.
    pub page: Option<u32>,
    /// One line, lower case, without a full stop.
    pub fact: String,
}

impl Warning {
    /// A warning about the file as a whole.
    #[must_use]
    pub fn new(kind: WarningKind, fact: impl Into<String>) -> Self {
        Self {
            kind,
            part: None,
            page: None,
            fact: fact.into(),
        }
    }
}

/// What a warning means for the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// Text that is in the file is not in the document.
    Lost,
    /// All text is there; something about it had to be guessed (the encoding, say).
    Guessed,
    /// Text that the file does not show to its readers is not in the document.
    Hidden,
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

    #[test]
    fn the_pages_of_one_part_say_nothing_of_the_next() {
        let part = |name: &str, start, end| Part {
            name: name.to_owned(),
            span: Span::new(start, end),
        };
        let page = |number, start, end| Page {
            number,
            span: Span::new(start, end),
        };
        let document = Document {
            parts: vec![part("a.pdf", 10, 20), part("b.md", 22, 30)],
            pages: vec![page(1, 10, 14), page(2, 15, 20)],
            ..Document::default()
        };
        let name = |at| document.part_at(at).map(|part| part.name.as_str());
        assert_eq!(name(9), None);
        assert_eq!(name(19), Some("a.pdf"));
        assert_eq!(name(21), None);
        assert_eq!(name(22), Some("b.md"));
        let at = [9, 12, 19, 21, 25].map(|b| document.page_at(b));
        assert_eq!(at, [None, Some(1), Some(2), None, None]);
    }
}
