//! A text that is written block by block, for formats whose text is not the file's own.
//!
//! Between two blocks stands a blank line (a line break between two items of a list); inside a block
//! white space is collapsed as browsers do, except where it is asked to be kept.

use rag_core::{Block, BlockKind, Document, Link, Page, Part, Span};

/// A text under construction.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    text: String,
    blocks: Vec<Block>,
    links: Vec<Link>,
    /// Pages and parts, with their beginnings only: where the next block of each begins.
    pages: Vec<(usize, u32)>,
    parts: Vec<(usize, String)>,
    /// Kind of the open block, and where its first character stands once it has one.
    open: Option<(BlockKind, Option<usize>)>,
    /// White space was seen after the last character written in the open block.
    gap: bool,
}

impl Flow {
    /// Closes the open block and begins another; it is there once it has a character.
    pub(crate) fn begin(&mut self, kind: BlockKind) {
        self.close();
        self.open = Some((kind, None));
    }

    /// Closes the open block.
    pub(crate) fn close(&mut self) {
        self.gap = false;
        if let Some((kind, Some(start))) = self.open.take() {
            let end = start + self.text[start..].trim_end().len();
            self.text.truncate(end);
            if end > start {
                self.blocks.push(Block::new(kind, Span::new(start, end)));
            } else {
                // Nothing but empty cells: the blank line before them goes with them.
                let before = self.blocks.last().map_or(0, |block| block.span.end);
                self.text.truncate(before);
            }
        }
    }

    /// Whether a block is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a block of this kind is open and has a character.
    pub(crate) fn is_in(&self, kind: BlockKind) -> bool {
        matches!(self.open, Some((open, Some(_))) if open == kind)
    }

    /// Whether the open block has a character.
    pub(crate) fn has_text(&self) -> bool {
        self.start().is_some()
    }

    /// Writes words, every run of white space as one space and none at the start of the block.
    pub(crate) fn words(&mut self, words: &str) {
        for c in words.chars() {
            // A no-break space is a character like any other to a browser.
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                self.gap = true;
                continue;
            }
            let starts_line = self.start().is_none() || self.text.ends_with(['\n', '\t']);
            if std::mem::take(&mut self.gap) && !starts_line {
                self.text.push(' ');
            }
            self.ensure_started();
            self.text.push(c);
        }
    }

    /// Writes text as it is.
    pub(crate) fn verbatim(&mut self, text: &str) {
        let text = if self.start().is_none() {
            text.trim_start_matches('\n')
        } else {
            text
        };
        if !text.is_empty() {
            self.ensure_started();
            self.text.push_str(text);
        }
    }

    /// Writes one white-space character that is kept: a tab between cells, of which the first may be
    /// empty, or a line break, unless the block has no character yet.
    pub(crate) fn separator(&mut self, c: char) {
        if c == '\t' {
            self.ensure_started();
        }
        if self.start().is_some() {
            let kept = self.text.trim_end_matches(' ').len();
            self.text.truncate(kept);
            self.text.push(c);
        }
        self.gap = false;
    }

    /// Writes a row of a table, as a line: cells parted by tabs, white space within them collapsed.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        self.ensure_started();
        if self.start().is_some_and(|start| start < self.text.len()) {
            self.text.push('\n');
        }
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.text.push('\t');
            }
            let words = cell.as_ref().split_whitespace().collect::<Vec<_>>();
            self.text.push_str(&words.join(" "));
        }
    }

    /// How many blocks there are: the number of the next one to be begun.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Length of the text so far: where a link begins that is written next.
    pub(crate) fn position(&self) -> usize {
        self.text.len()
    }

    /// Says that what was written since `from` points to `target`. Words alone make a link: without
    /// any nothing is kept.
    pub(crate) fn link(&mut self, from: usize, target: &str) {
        let Some(text) = self.text.get(from..) else {
            return;
        };
        let start = from + (text.len() - text.trim_start().len());
        let end = from + text.trim_end().len();
        if end > start && !target.is_empty() {
            self.links.push(Link {
                span: Span::new(start, end),
                target: target.to_owned(),
            });
        }
    }

    /// Closes the open block; what follows stands on page `number`.
    pub(crate) fn page(&mut self, number: u32) {
        self.close();
        self.pages.push((self.blocks.len(), number));
    }

    /// Closes the open block; what follows belongs to the part `name`.
    pub(crate) fn part(&mut self, name: &str) {
        self.close();
        self.parts.push((self.blocks.len(), name.to_owned()));
    }

    /// The text with its blocks, links, pages and parts; title, language and the like are the caller's.
    pub(crate) fn finish(mut self) -> Document {
        self.close();
        let blocks = &self.blocks;
        // From the first block to the last before the next beginning; an empty one lies at its end.
        let span = |from: usize, to: usize| match blocks.get(from..to) {
            Some([first, .., last]) => Span::new(first.span.start, last.span.end),
            Some([only]) => only.span,
            _ => {
                let at = from
                    .checked_sub(1)
                    .map_or(0, |before| blocks[before].span.end);
                Span::new(at, at)
            }
        };
        let to = |next: Option<usize>| next.unwrap_or(blocks.len());
        let pages = self
            .pages
            .iter()
            .enumerate()
            .map(|(at, (from, number))| Page {
                number: *number,
                span: span(*from, to(self.pages.get(at + 1).map(|next| next.0))),
            });
        let parts = self
            .parts
            .iter()
            .enumerate()
            .map(|(at, (from, name))| Part {
                name: name.clone(),
                span: span(*from, to(self.parts.get(at + 1).map(|next| next.0))),
            });
        let (pages, parts) = (pages.collect(), parts.collect());
        Document {
            text: self.text,
            blocks: self.blocks,
            links: self.links,
            pages,
            parts,
            ..Document::default()
        }
    }

    fn start(&self) -> Option<usize> {
        self.open.and_then(|(_, start)| start)
    }

    fn ensure_started(&mut self) {
        let (kind, start) = self.open.unwrap_or((BlockKind::Paragraph, None));
        if start.is_some() {
            return;
        }
        if let Some(before) = self.blocks.last() {
            let in_list = before.kind == BlockKind::ListItem && kind == BlockKind::ListItem;
            self.text.push_str(if in_list { "\n" } else { "\n\n" });
        }
        self.open = Some((kind, Some(self.text.len())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_collapsed_within_a_block_and_blocks_stand_apart() {
        let mut flow = Flow::default();
        flow.begin(BlockKind::Heading(1));
        flow.words("  A \n title ");
        flow.begin(BlockKind::Paragraph);
        flow.words("one");
        flow.words(" two");
        flow.words("three  ");
        flow.begin(BlockKind::ListItem);
        flow.words("a");
        flow.begin(BlockKind::ListItem);
        flow.words("b");
        flow.begin(BlockKind::Paragraph);
        let Document { text, blocks, .. } = flow.finish();
        assert_eq!(text, "A title\n\none twothree\n\na\nb");
        let slices: Vec<&str> = blocks.iter().map(|b| b.span.slice(&text)).collect();
        assert_eq!(slices, ["A title", "one twothree", "a", "b"]);
    }

    #[test]
    fn kept_white_space_stays() {
        let mut flow = Flow::default();
        flow.begin(BlockKind::Code);
        flow.verbatim("\nfn x() {\n    1\n}\n");
        let Document { text, blocks, .. } = flow.finish();
        assert_eq!(text, "fn x() {\n    1\n}");
        assert_eq!(blocks[0].span, Span::new(0, text.len()));
    }

    #[test]
    fn rows_links_pages_and_parts_have_their_places() {
        let mut flow = Flow::default();
        flow.part("Prices");
        flow.page(1);
        flow.begin(BlockKind::Table);
        flow.row(&["", "Day  ticket"]);
        flow.row(&["Adult", "12"]);
        flow.page(2);
        flow.part("Notes");
        flow.page(3);
        flow.begin(BlockKind::Paragraph);
        flow.words("See");
        let from = flow.position();
        flow.words(" the site");
        flow.link(from, "https://example.org/");
        let document = flow.finish();
        assert_eq!(document.text, "\tDay ticket\nAdult\t12\n\nSee the site");
        let of = |span: Span| span.slice(&document.text);
        let pages: Vec<_> = document
            .pages
            .iter()
            .map(|p| (p.number, of(p.span)))
            .collect();
        let table = "\tDay ticket\nAdult\t12";
        assert_eq!(pages, [(1, table), (2, ""), (3, "See the site")]);
        let parts: Vec<_> = document
            .parts
            .iter()
            .map(|p| (&*p.name, of(p.span)))
            .collect();
        assert_eq!(parts, [("Prices", table), ("Notes", "See the site")]);
        assert_eq!(of(document.links[0].span), "the site");
    }
}
