//! Blocks and links as spans into a text that stays as it is.

use rag_core::{Block, BlockKind, Document, Link, Span};

use crate::lines::{Line, trimmed};

/// What has been found in a text so far, in order.
#[derive(Debug)]
pub(super) struct Marker<'a> {
    pub(super) text: &'a str,
    blocks: Vec<Block>,
    links: Vec<Link>,
    /// A block that the next lines may go on with.
    open: Option<(BlockKind, Span)>,
}

/// What was found, without the text.
#[derive(Debug, Default)]
pub(super) struct Marked {
    pub(super) blocks: Vec<Block>,
    pub(super) links: Vec<Link>,
}

impl<'a> Marker<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            blocks: Vec::new(),
            links: Vec::new(),
            open: None,
        }
    }

    /// Whether a block is open, and of which kind.
    pub(super) fn open_kind(&self) -> Option<BlockKind> {
        self.open.map(|(kind, _)| kind)
    }

    /// Adds a line to the open block, or begins a paragraph with it.
    pub(super) fn line(&mut self, line: Line<'_>) {
        self.extend(line.span);
    }

    /// Adds a stretch to the open block, or begins a paragraph with it.
    pub(super) fn extend(&mut self, span: Span) {
        match &mut self.open {
            Some((_, open)) => open.end = span.end,
            None => self.open = Some((BlockKind::Paragraph, span)),
        }
    }

    /// Begins a block with a line.
    pub(super) fn begin(&mut self, kind: BlockKind, span: Span) {
        self.close();
        self.open = Some((kind, span));
    }

    /// Ends the open block.
    pub(super) fn close(&mut self) {
        if let Some((kind, span)) = self.open.take() {
            self.block(Block::new(kind, span));
        }
    }

    /// Forgets the open block: what looked like a paragraph is part of something else.
    pub(super) fn take_open(&mut self) -> Option<Span> {
        self.open.take().map(|(_, span)| span)
    }

    /// Adds a whole block, unless there is nothing but white space in it.
    pub(super) fn block(&mut self, mut block: Block) {
        self.close();
        block.span = trimmed(self.text, block.span);
        if !block.span.is_empty() {
            self.blocks.push(block);
        }
    }

    /// Adds a heading of a level from 1; deeper ones than 6 count as 6.
    pub(super) fn heading(&mut self, level: usize, span: Span, words: &str) {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() {
            self.close();
            return;
        }
        let kind = BlockKind::Heading(level.clamp(1, 6) as u8);
        self.block(Block::new(kind, span).labelled(words));
    }

    /// Adds code in the language that is told, if it is.
    pub(super) fn code(&mut self, span: Span, told: &str) {
        let label = crate::code::label_of(told);
        self.block(Block {
            label,
            ..Block::new(BlockKind::Code, span)
        });
    }

    /// Says that the words at `span` point to `target`.
    pub(super) fn link(&mut self, span: Span, target: &str) {
        let span = trimmed(self.text, span);
        let target = target.trim();
        if !span.is_empty() && !target.is_empty() {
            let target = target.to_owned();
            self.links.push(Link { span, target });
        }
    }

    pub(super) fn finish(mut self) -> Marked {
        self.close();
        Marked {
            blocks: self.blocks,
            links: self.links,
        }
    }
}

impl Marked {
    /// The document of `text`, in which all this was found.
    pub(super) fn document(self, text: String) -> Document {
        Document {
            title: self.first_heading(),
            blocks: self.blocks,
            links: self.links,
            text,
            lines_are_source_lines: true,
            ..Document::default()
        }
    }

    /// The words of the first heading of the first level.
    fn first_heading(&self) -> Option<String> {
        let is_first = |block: &&Block| block.kind == BlockKind::Heading(1);
        self.blocks.iter().find(is_first)?.label.clone()
    }
}
