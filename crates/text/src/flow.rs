//! A text that is written block by block, for formats whose text is not the file's own.
//!
//! Between two blocks stands a blank line (a line break between two items of a list); inside a block
//! white space is collapsed as browsers do, except where it is asked to be kept.

use rag_core::{Block, BlockKind, Span};

/// A text under construction.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    text: String,
    blocks: Vec<Block>,
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
                self.blocks.push(Block {
                    kind,
                    span: Span::new(start, end),
                });
            }
        }
    }

    /// Whether a block is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
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

    /// Writes one white-space character that is kept (a line break, a tab between cells), unless the
    /// block has no character yet.
    pub(crate) fn separator(&mut self, c: char) {
        if self.start().is_some() {
            let kept = self.text.trim_end_matches(' ').len();
            self.text.truncate(kept);
            self.text.push(c);
        }
        self.gap = false;
    }

    /// The text and its blocks.
    pub(crate) fn finish(mut self) -> (String, Vec<Block>) {
        self.close();
        (self.text, self.blocks)
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
        let (text, blocks) = flow.finish();
        assert_eq!(text, "A title\n\none twothree\n\na\nb");
        let slices: Vec<&str> = blocks.iter().map(|b| b.span.slice(&text)).collect();
        assert_eq!(slices, ["A title", "one twothree", "a", "b"]);
    }

    #[test]
    fn kept_white_space_stays() {
        let mut flow = Flow::default();
        flow.begin(BlockKind::Code);
        flow.verbatim("\nfn x() {\n    1\n}\n");
        let (text, blocks) = flow.finish();
        assert_eq!(text, "fn x() {\n    1\n}");
        assert_eq!(blocks[0].span, Span::new(0, text.len()));
    }
}
