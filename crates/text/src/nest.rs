//! Files within files: what is read, how deep it lies, and one document made of many.
//!
//! Archives and messages hold files that are read by the same parsers. Depth, number and unpacked size
//! are counted over the whole tree, so that no nesting multiplies them.

use std::{cell::Cell, time::Duration};

use rag_core::{Document, Link, Page, Part, Span, Warning, WarningKind};

use crate::{error::Failure, reader::Reader};

/// An archive in an archive in a message is read, one deeper is not.
const MAX_DEPTH: u32 = 3;
/// Files read within one source.
const MAX_FILES: u32 = 20_000;
/// Unpacked bytes read within one source: 1 GiB.
const MAX_BYTES: u64 = 1 << 30;

/// Time for reading scans within one source, and for drawing them, which takes the processor time of
/// this process; a file's size adds to both. Whoever runs the reader stops it a little later, and then
/// everything is lost.
const SCANS: Duration = Duration::from_mins(9);
const DRAWING: Duration = Duration::from_mins(2);

/// A file's bytes on their way to a parser.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// File name; its extension counts.
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) reader: &'a Reader,
    pub(crate) nest: &'a Nest,
}

impl Input<'_> {
    /// Reads a file that was found in this one.
    ///
    /// # Errors
    /// As [`Reader::read`], and `TooDeep` or `TooMuch` where the limits of nesting are met.
    pub(crate) fn read_inner(&self, name: &str, bytes: &[u8]) -> Result<Document, Failure> {
        let nest = self.nest.enter(name, bytes.len() as u64)?;
        self.reader.read_nested(name, bytes, &nest)
    }

    /// Counts bytes that were unpacked and are not read by [`Self::read_inner`].
    ///
    /// # Errors
    /// `TooMuch` where the limits of nesting are met.
    pub(crate) fn spend(&self, name: &str, bytes: u64) -> Result<(), Failure> {
        self.nest.spend(name, bytes)
    }

    /// How many more bytes may be unpacked from this source: to be asked before unpacking.
    pub(crate) fn bytes_left(&self) -> u64 {
        self.nest.budget.bytes.get()
    }

    /// What is left of the time for scans and for drawing them, to be lessened by whoever uses it.
    pub(crate) fn scan_time(&self) -> (&Cell<Duration>, &Cell<Duration>) {
        (&self.nest.budget.scans, &self.nest.budget.drawing)
    }
}

/// How deep a file lies, and what is left of the limits of its source.
#[derive(Debug, Default)]
pub(crate) struct Nest {
    depth: u32,
    budget: std::rc::Rc<Budget>,
}

#[derive(Debug)]
struct Budget {
    files: Cell<u32>,
    bytes: Cell<u64>,
    scans: Cell<Duration>,
    drawing: Cell<Duration>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            files: Cell::new(MAX_FILES),
            bytes: Cell::new(MAX_BYTES),
            scans: Cell::new(SCANS),
            drawing: Cell::new(DRAWING),
        }
    }
}

impl Nest {
    fn enter(&self, name: &str, bytes: u64) -> Result<Self, Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure::TooDeep {
                name: name.to_owned(),
                limit: MAX_DEPTH,
            });
        }
        self.spend(name, bytes)?;
        Ok(Self {
            depth: self.depth + 1,
            budget: std::rc::Rc::clone(&self.budget),
        })
    }

    fn spend(&self, name: &str, bytes: u64) -> Result<(), Failure> {
        let Budget {
            files, bytes: left, ..
        } = &*self.budget;
        if files.get() == 0 || left.get() < bytes {
            return Err(Failure::TooMuch {
                name: name.to_owned(),
                files: MAX_FILES,
                bytes: MAX_BYTES,
            });
        }
        files.set(files.get() - 1);
        left.set(left.get() - bytes);
        Ok(())
    }
}

/// A document made of the documents of a file's parts.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    document: Document,
}

impl Bundle {
    /// Starts with a document of the file's own text, without parts: a message before its attachments.
    pub(crate) fn starting_with(document: Document) -> Self {
        Self { document }
    }

    /// Adds a part. Its own parts become parts of the whole, named after it.
    pub(crate) fn add(&mut self, name: &str, part: Document) {
        let parts = part.parts.clone();
        let length = part.text.len();
        let base = self.append(part, Some(name));
        let whole = &mut self.document;
        for inner in covering(&parts, length) {
            let name = match &inner.name {
                Some(inner) => format!("{name} › {inner}"),
                None => name.to_owned(),
            };
            let span = inner.span.shifted(base);
            whole.parts.push(Part { name, span });
        }
    }

    /// Adds text that belongs to no part: the body of a message under its headers.
    pub(crate) fn add_own(&mut self, piece: Document) {
        self.append(piece, None);
    }

    /// Adds everything of `part` but its parts; returns where it begins.
    fn append(&mut self, part: Document, name: Option<&str>) -> usize {
        let whole = &mut self.document;
        if !whole.text.is_empty() && !part.text.is_empty() {
            whole.text.push_str("\n\n");
        }
        let base = whole.text.len();
        whole.text.push_str(&part.text);
        whole.lines_are_source_lines = false;
        let pages = part.pages.into_iter().map(|page| Page {
            span: page.span.shifted(base),
            ..page
        });
        whole.pages.extend(pages);
        for mut block in part.blocks {
            block.span = block.span.shifted(base);
            whole.blocks.push(block);
        }
        let links = part.links.into_iter().map(|link| Link {
            span: link.span.shifted(base),
            ..link
        });
        whole.links.extend(links);
        for warning in part.warnings {
            let part = match (name, warning.part) {
                (Some(name), Some(inner)) => Some(format!("{name} › {inner}")),
                (name, inner) => name.map(str::to_owned).or(inner),
            };
            whole.warnings.push(Warning { part, ..warning });
        }
        base
    }

    /// Says something about the whole.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.document.warnings.push(warning);
    }

    /// Says that a part could not be read. One of a kind that is not read at all (a picture in an
    /// archive) is no loss of text.
    pub(crate) fn miss(&mut self, name: &str, failure: &Failure) {
        let kind = match failure {
            Failure::Unsupported { .. } => WarningKind::Guessed,
            _ => WarningKind::Lost,
        };
        self.document.warnings.push(Warning {
            part: Some(name.to_owned()),
            ..Warning::new(kind, format!("left out: {failure}"))
        });
    }

    pub(crate) fn finish(self) -> Document {
        self.document
    }
}

struct Piece<'a> {
    name: Option<&'a str>,
    span: Span,
}

/// `parts` and the stretches between them, which together are all of a text of `length` bytes.
fn covering(parts: &[Part], length: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for part in parts {
        if part.span.start > at {
            let span = Span::new(at, part.span.start);
            pieces.push(Piece { name: None, span });
        }
        at = part.span.end;
        pieces.push(Piece {
            name: Some(&part.name),
            span: part.span,
        });
    }
    if at < length || parts.is_empty() {
        let span = Span::new(at, length);
        pieces.push(Piece { name: None, span });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use rag_core::{Block, BlockKind};

    use super::*;

    fn document(text: &str) -> Document {
        Document {
            text: text.to_owned(),
            blocks: vec![Block::new(BlockKind::Paragraph, Span::new(0, text.len()))],
            pages: vec![Page {
                number: 1,
                span: Span::new(0, text.len()),
            }],
            ..Document::default()
        }
    }

    #[test]
    fn places_in_a_part_are_places_in_the_whole() {
        let mut message = Bundle::starting_with(Document {
            pages: Vec::new(),
            ..document("See the files.")
        });
        let mut inner = Bundle::default();
        inner.add("a.pdf", document("Alpha."));
        inner.add("b.pdf", document("Beta."));
        message.add("all.zip", inner.finish());
        message.add("c.pdf", document("Gamma."));
        let whole = message.finish();
        let found = |word: &str| {
            let at = whole.text.find(word).unwrap();
            let part = whole.part_at(at).map(|part| part.name.as_str());
            (part, whole.page_at(at))
        };
        assert_eq!(found("See"), (None, None));
        assert_eq!(found("Alpha"), (Some("all.zip › a.pdf"), Some(1)));
        assert_eq!(found("Beta"), (Some("all.zip › b.pdf"), Some(1)));
        assert_eq!(found("Gamma"), (Some("c.pdf"), Some(1)));
        let texts: Vec<&str> = whole
            .blocks
            .iter()
            .map(|b| b.span.slice(&whole.text))
            .collect();
        assert_eq!(texts, ["See the files.", "Alpha.", "Beta.", "Gamma."]);
    }

    #[test]
    fn no_nesting_goes_deeper_or_holds_more_than_the_limits() {
        let mut nest = Nest::default();
        for _ in 0..MAX_DEPTH {
            nest = nest.enter("a.zip", 1).unwrap();
        }
        assert!(matches!(
            nest.enter("a.zip", 1),
            Err(Failure::TooDeep { .. })
        ));
        let top = Nest::default();
        let inner = top.enter("a.zip", MAX_BYTES - 1).unwrap();
        assert!(matches!(inner.enter("b", 2), Err(Failure::TooMuch { .. })));
        assert!(top.enter("c", 1).is_ok());
    }
}
