//! Blocks to units: stretches that are never cut again, each with its size and its pages.
//!
//! A block that fits is one unit. A larger one is cut at the ends of sentences (tables and code: of
//! lines), and only a sentence that is itself too large is cut inside, by `text-splitter`: at words,
//! then at characters as people see them.

use rag_core::{Block, BlockKind, Document, Span, TokenCounter};
use text_splitter::{ChunkConfig, ChunkSizer, TextSplitter};

use crate::{lines::trimmed, sentence::sentences};

/// Longest text that is given to the tokenizer whole, in bytes.
const MAX_WEIGHED: usize = 1 << 20;

/// No token is taken for longer than this on average, in bytes.
pub(crate) const MOST_BYTES_PER_TOKEN: usize = 24;

/// A counter for which a long text is never small: word-piece tokenizers make one unknown token of any
/// word over a hundred characters, were it megabytes of encoded data.
pub(crate) struct Bounded<'a>(pub(crate) &'a dyn TokenCounter);

impl TokenCounter for Bounded<'_> {
    fn count_tokens(&self, text: &str) -> usize {
        let least = text.len() / MOST_BYTES_PER_TOKEN;
        self.0.count_tokens(text).max(least)
    }
}

/// `text-splitter` weighs ever longer stretches of what is left, so it is given so many bytes for each
/// token of the size at a time; the work stays linear in the text.
const WINDOW_BYTES_PER_TOKEN: usize = 6;

/// A stretch of the document's text that is never cut again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) span: Span,
    /// Size with the white space that parts it from its neighbour, in tokens.
    pub(crate) tokens: usize,
    /// Of its first byte; only what stands in one place shares a chunk.
    pub(crate) place: Place,
    /// Of the table that it goes on with: header row, and its size in tokens.
    pub(crate) table_header: Option<(Span, usize)>,
    /// Whether it is a heading that belongs to what follows.
    pub(crate) is_heading: bool,
    /// Names of the items of code or data around it, in [`Units::paths`].
    pub(crate) within: usize,
    /// Whether an item that was taken apart begins or ended here: what stood before is another matter.
    pub(crate) parted: bool,
}

/// Units in order, and the names that stand above some of them.
#[derive(Debug)]
pub(crate) struct Units {
    pub(crate) list: Vec<Unit>,
    /// Outermost first; the first path is empty.
    pub(crate) paths: Vec<Vec<String>>,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            paths: vec![Vec::new()],
        }
    }
}

impl Units {
    /// The index of a path; pieces in a row often share theirs.
    pub(crate) fn path(&mut self, path: Vec<String>) -> usize {
        if path.is_empty() {
            return 0;
        }
        if self.paths.last() != Some(&path) {
            self.paths.push(path);
        }
        self.paths.len() - 1
    }
}

/// Page and part of a document, where it has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) page: Option<u32>,
    /// Start of the part.
    pub(crate) part: Option<usize>,
}

/// Cuts the blocks of one document.
pub(crate) struct Cutter<'a> {
    pub(crate) document: &'a Document,
    pub(crate) counter: &'a dyn TokenCounter,
}

impl Cutter<'_> {
    /// `block` as one unit.
    pub(crate) fn whole(&self, block: &Block) -> Option<Unit> {
        let text = &self.document.text;
        let mut span = trimmed(text, block.span);
        if block.kind == BlockKind::Table {
            // A tab before the first cell says that the first cell is empty.
            let before = &text[block.span.start..span.start];
            let tabs = before.len() - before.trim_end_matches('\t').len();
            span.start -= tabs;
        }
        (!span.is_empty()).then(|| self.unit(span))
    }

    /// `block` as units of at most `cap` tokens.
    pub(crate) fn units(&self, block: &Block, cap: usize, into: &mut Units) {
        let Some(whole) = self.whole(block) else {
            return;
        };
        if whole.tokens <= cap {
            into.list.push(whole);
            return;
        }
        let text = whole.span.slice(&self.document.text);
        match (block.kind, &block.label) {
            (BlockKind::Table, _) => self.rows(whole, cap, &mut into.list),
            (BlockKind::Code, Some(label)) => self.carve(whole, label, cap, into),
            (BlockKind::Code, None) => self.fitting(whole, lines(text), cap, &mut into.list),
            _ => self.fitting(whole, sentences(text), cap, &mut into.list),
        }
    }

    /// The rows of a table, all but the first with its header row as context, if that is short.
    fn rows(&self, table: Unit, cap: usize, into: &mut Vec<Unit>) {
        let mut rows = rows(table.span.slice(&self.document.text));
        let rest = rows.split_off(1.min(rows.len()));
        let header = rows.first().map(|row| {
            let span = row.shifted(table.span.start);
            (span, self.unit(span).tokens)
        });
        let header = header.filter(|(_, tokens)| *tokens <= cap / 4);
        self.fitting(table, rows, cap, into);
        let first = into.len();
        let taken = header.map_or(0, |(_, tokens)| tokens);
        self.fitting(table, rest, cap - taken, into);
        for unit in &mut into[first..] {
            unit.table_header = header;
        }
    }

    /// `parts` of `whole` as units of at most `cap` tokens.
    pub(crate) fn fitting(&self, whole: Unit, parts: Vec<Span>, cap: usize, into: &mut Vec<Unit>) {
        for part in parts {
            let span = part.shifted(whole.span.start);
            let unit = if span == whole.span {
                whole
            } else {
                self.unit(span)
            };
            if unit.tokens <= cap {
                into.push(unit);
            } else {
                self.pieces(span, cap, into);
            }
        }
    }

    /// The stretch at `span` as units of at most `cap` tokens, cut wherever a word or character ends.
    pub(crate) fn pieces(&self, span: Span, cap: usize, into: &mut Vec<Unit>) {
        let text = span.slice(&self.document.text);
        // One token is for the white space that a unit's size counts in.
        let size = cap.saturating_sub(1).max(1);
        let splitter = TextSplitter::new(ChunkConfig::new(size).with_sizer(ByTokens {
            counter: self.counter,
            most_bytes: usize::MAX,
        }));
        for window in windows(text, size * WINDOW_BYTES_PER_TOKEN) {
            for (at, piece) in splitter.chunk_indices(window.slice(text)) {
                let start = span.start + window.start + at;
                let piece = trimmed(&self.document.text, Span::new(start, start + piece.len()));
                if !piece.is_empty() {
                    into.push(self.unit(piece));
                }
            }
        }
    }

    fn unit(&self, span: Span) -> Unit {
        let text = span.slice(&self.document.text);
        // Far longer than any chunk: cut without being weighed, as a tokenizer takes many times the
        // memory of its text.
        let tokens = if text.len() > MAX_WEIGHED {
            text.len()
        } else {
            self.counter.count_tokens(text) + 1
        };
        self.sized(span, tokens)
    }

    /// A unit whose size is known.
    pub(crate) fn sized(&self, span: Span, tokens: usize) -> Unit {
        let part = self.document.part_at(span.start);
        Unit {
            span,
            tokens,
            place: Place {
                page: self.document.page_at(span.start),
                part: part.map(|part| part.span.start),
            },
            table_header: None,
            is_heading: false,
            within: 0,
            parted: false,
        }
    }
}

/// Sizes for `text-splitter`. What has more than `most_bytes` is not weighed: it is too large.
pub(crate) struct ByTokens<'a> {
    pub(crate) counter: &'a dyn TokenCounter,
    pub(crate) most_bytes: usize,
}

impl ChunkSizer for ByTokens<'_> {
    fn size(&self, chunk: &str) -> usize {
        if chunk.len() > self.most_bytes {
            return usize::MAX;
        }
        self.counter.count_tokens(chunk)
    }
}

/// Lines that are not blank, with the tabs of their empty cells.
fn rows(text: &str) -> Vec<Span> {
    let mut at = 0;
    let mut rows = Vec::new();
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            rows.push(Span::new(at, at + line.trim_end().len()));
        }
        at += line.len();
    }
    rows
}

/// Lines that are not blank, without the white space around them.
pub(crate) fn lines(text: &str) -> Vec<Span> {
    let mut at = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let span = Span::new(at, at + line.len());
            at += line.len();
            trimmed(text, span)
        })
        .filter(|span| !span.is_empty())
        .collect()
}

/// Stretches of about `size` bytes that together are `text`, ending after white space or a clause's
/// mark if there is one in the last quarter.
fn windows(text: &str, size: usize) -> Vec<Span> {
    let mut windows = Vec::new();
    let mut start = 0;
    while text.len() - start > size {
        let end = text.floor_char_boundary(start + size.max(4));
        let from = text.floor_char_boundary(start + size - size / 4);
        let is_break = |c: char| c.is_whitespace() || "，、：,;:".contains(c);
        let after = text[from..end]
            .rfind(is_break)
            .and_then(|at| Some(from + at + text[from + at..].chars().next()?.len_utf8()));
        let end = after.unwrap_or(end);
        windows.push(Span::new(start, end));
        start = end;
    }
    windows.push(Span::new(start, text.len()));
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chars;

    impl TokenCounter for Chars {
        fn count_tokens(&self, text: &str) -> usize {
            text.chars().filter(|c| !c.is_whitespace()).count()
        }
    }

    fn units(kind: BlockKind, text: &str, cap: usize) -> Vec<String> {
        let document = Document {
            text: text.to_owned(),
            ..Document::default()
        };
        let cutter = Cutter {
            document: &document,
            counter: &Chars,
        };
        let mut units = Units::default();
        let span = Span::new(0, text.len());
        cutter.units(&Block::new(kind, span), cap, &mut units);
        assert!(units.list.iter().all(|unit| unit.tokens <= cap));
        units
            .list
            .iter()
            .map(|unit| unit.span.slice(text).to_owned())
            .collect()
    }

    #[test]
    fn a_block_is_cut_only_if_it_must_be_and_then_at_sentences() {
        let text = "今天很好。我们出发吧！他不去";
        assert_eq!(units(BlockKind::Paragraph, text, 20), [text]);
        assert_eq!(
            units(BlockKind::Paragraph, text, 8),
            ["今天很好。", "我们出发吧！", "他不去"]
        );
    }

    #[test]
    fn a_table_is_cut_at_rows() {
        let table = "| a | b |\n|---|---|\n| 1 | 2 |";
        assert_eq!(
            units(BlockKind::Table, table, 12),
            ["| a | b |", "|---|---|", "| 1 | 2 |"]
        );
    }

    #[test]
    fn a_sentence_that_is_too_large_is_cut_at_words_and_then_at_characters() {
        let found = units(
            BlockKind::Paragraph,
            "some very long words without any end",
            10,
        );
        assert!(
            found.len() > 2
                && found
                    .iter()
                    .all(|piece| !piece.contains(' ') || piece.len() < 14)
        );
        assert_eq!(
            found.concat().replace(' ', ""),
            "someverylongwordswithoutanyend"
        );
        let found = units(BlockKind::Paragraph, &"x".repeat(100), 11);
        assert_eq!(found.concat(), "x".repeat(100));
    }

    #[test]
    fn windows_are_the_text() {
        let text = "一二三四五，六七八九十".repeat(20);
        let windows = windows(&text, 50);
        assert!(windows.len() > 5 && windows.iter().all(|w| w.len() <= 50));
        let joined: String = windows.iter().map(|w| w.slice(&text)).collect();
        assert_eq!(joined, text);
    }
}
