//! Verification: a quote is held against its source as the source is now.
//!
//! The file is read again, and the quote must stand in its text at the span, character for character
//! under [`rag_core::fold`]. A file that has changed since it was indexed is searched for the quote.

use std::collections::HashMap;

use rag_core::{Area, Block, Document, Extractor, Lines, Source, SourceKey, Span, fold};

use crate::name::place as place_of;

/// Reads each cited source once.
pub(crate) struct Verifier<'a> {
    extractor: &'a dyn Extractor,
    read: HashMap<SourceKey, Option<Document>>,
    /// Sources that could not be read again, with the reason.
    unreadable: Vec<String>,
}

/// A quote that was found in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) span: Span,
    pub(crate) part: Option<String>,
    pub(crate) page: Option<u32>,
    /// Of the blocks that the quote touches on `page`.
    pub(crate) areas: Vec<Area>,
    pub(crate) lines: Option<Lines>,
    /// Where it is not quite what was indexed.
    pub(crate) note: Option<String>,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(extractor: &'a dyn Extractor) -> Self {
        Self {
            extractor,
            read: HashMap::new(),
            unreadable: Vec::new(),
        }
    }

    /// Sources that could not be read again, with the reason.
    pub(crate) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// Where `quote` stands in `source` now: at `span`, or elsewhere if the file has changed. None
    /// where it can't be found; such a quote is not shown.
    pub(crate) fn find(&mut self, source: &Source, span: Span, quote: &str) -> Option<Place> {
        let (extractor, unreadable) = (self.extractor, &mut self.unreadable);
        let document = self
            .read
            .entry(source.key.clone())
            .or_insert_with(|| {
                let failed = |error: rag_core::Error| {
                    unreadable.push(format!("{}: {}", source.path, error.one_line()));
                };
                extractor.extract(&place_of(source)).map_err(failed).ok()
            })
            .as_ref()?;
        if fold::stands_at(&document.text, span, quote) {
            return Some(place(document, span, None));
        }
        let moved = fold::find(&document.text, quote)?;
        let note =
            "the file has changed since it was indexed; the quote stands elsewhere in it now";
        Some(place(document, moved, Some(note.to_owned())))
    }
}

fn place(document: &Document, span: Span, note: Option<String>) -> Place {
    let page = document.page_at(span.start);
    let on_page = |block: &&Block| document.page_at(block.span.start) == page;
    Place {
        span,
        part: document.part_at(span.start).map(|part| part.name.clone()),
        page,
        areas: touched(&document.blocks, span)
            .iter()
            .filter(on_page)
            .filter_map(|block| block.area)
            .collect(),
        lines: document
            .lines_are_source_lines
            .then(|| Lines::of(&document.text, span)),
        note,
    }
}

/// The blocks that share a byte with `span`; blocks are in order.
fn touched(blocks: &[Block], span: Span) -> &[Block] {
    let first = blocks.partition_point(|block| block.span.end <= span.start);
    let end = blocks.partition_point(|block| block.span.start < span.end);
    blocks.get(first..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn source(dir: &Path, path: &str) -> Source {
        Source {
            key: SourceKey(path.into()),
            root: dir.display().to_string(),
            path: path.into(),
        }
    }

    #[test]
    fn a_quote_is_found_where_it_was_where_it_went_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.txt"), "One.\nTwo is two.\n").unwrap();
        let reader = rag_text::Reader::new();
        let source = source(dir.path(), "a.txt");
        let mut verifier = Verifier::new(&reader);
        let place = verifier
            .find(&source, Span::new(5, 16), "Two is two.")
            .unwrap();
        assert_eq!(place.lines, Some(Lines { first: 2, last: 2 }));
        assert_eq!(place.note, None);
        assert_eq!(
            verifier.find(&source, Span::new(5, 16), "Two is three."),
            None
        );

        std::fs::write(dir.path().join("a.txt"), "New.\n\nOne.\nTwo is two.\n").unwrap();
        let mut verifier = Verifier::new(&reader);
        let place = verifier
            .find(&source, Span::new(5, 16), "Two is two.")
            .unwrap();
        assert_eq!(place.lines, Some(Lines { first: 4, last: 4 }));
        assert!(place.note.unwrap().contains("changed"));

        std::fs::remove_file(dir.path().join("a.txt")).unwrap();
        let mut verifier = Verifier::new(&reader);
        assert_eq!(
            verifier.find(&source, Span::new(5, 16), "Two is two."),
            None
        );
        assert!(verifier.unreadable()[0].starts_with("a.txt: "));
    }

    #[test]
    fn a_quote_has_the_areas_of_the_blocks_that_it_touches_on_its_page() {
        let area = |bottom| {
            let (left, right, top) = (70, 500, bottom + 12);
            Some(Area {
                left,
                bottom,
                right,
                top,
            })
        };
        let block = |start, end, bottom| Block {
            area: area(bottom),
            ..Block::new(rag_core::BlockKind::Paragraph, Span::new(start, end))
        };
        let page = |number, start, end| rag_core::Page {
            number,
            span: Span::new(start, end),
        };
        let document = Document {
            text: "One.\n\nTwo.\n\nSix.".into(),
            blocks: vec![block(0, 4, 700), block(6, 10, 600), block(12, 16, 700)],
            pages: vec![page(1, 0, 10), page(2, 12, 16)],
            ..Document::default()
        };
        let areas = |start, end| place(&document, Span::new(start, end), None).areas;
        assert_eq!(areas(6, 10), [area(600).unwrap()]);
        assert_eq!(areas(2, 8).len(), 2);
        assert_eq!(areas(7, 16), [area(600).unwrap()]);
    }
}
