//! Plain text: paragraphs, lists and, in texts of some length, headings.
//!
//! Some texts break their lines at a column and part paragraphs by blank lines, others have a paragraph
//! on every line; how the lines of a text end tells which.

use std::collections::BTreeMap;

use rag_core::{BlockKind, Document};

use super::{
    log,
    marker::Marker,
    titles::{Mark, columns, mark_of},
};
use crate::lines::{Line, lines};

/// Shorter texts have no headings but underlined ones and chapters.
const LONG_TEXT: usize = 1500;

/// So many lines are looked at to tell how a text breaks its lines.
const SAMPLE: usize = 5000;

/// Lines of more columns than this are not broken at a column.
const WIDE: usize = 160;

/// The document of a decoded plain text.
pub(crate) fn read(text: String) -> Document {
    if log::is_log(&text) {
        return log::read(text);
    }
    let style = Style::of(&text);
    let marks = marks(&text, style);
    let mut reading = Reading {
        marker: Marker::new(&text),
        style,
        before: None,
    };
    let mut marks = marks.into_iter().peekable();
    let mut all = lines(&text);
    while let Some(line) = all.next() {
        let below = all.peek();
        if let Some((_, mark)) = marks.next_if(|(start, _)| *start == line.span.start) {
            let mut span = line.span;
            if let (Mark::Underline(_), Some(below)) = (mark, below) {
                span.end = below.span.end;
                all.next();
            }
            reading.marker.heading(mark.level(), span, line.words());
            reading.before = None;
        } else {
            reading.see(line, below);
        }
    }
    let title = title_of(&text);
    let document = reading.marker.finish().document(text);
    Document {
        title: title.or(document.title.clone()),
        ..document
    }
}

/// How a text breaks its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// At a column; a paragraph ends at a blank line.
    Wrapped,
    /// Where a paragraph ends.
    Paragraphs,
}

impl Style {
    fn of(text: &str) -> Self {
        let (mut pairs, mut ended, mut wide, mut all) = (0, 0, 0, 0);
        let mut before: Option<Line<'_>> = None;
        for line in lines(text).take(SAMPLE) {
            if line.is_blank() {
                before = None;
                continue;
            }
            all += 1;
            wide += usize::from(line.text.len() > WIDE && columns(line.words()) > WIDE);
            if let Some(before) = before {
                pairs += 1;
                ended += usize::from(ends_sentence(before));
            }
            before = Some(line);
        }
        if wide * 10 > all || pairs >= 3 && ended * 10 >= pairs * 6 {
            Self::Paragraphs
        } else {
            Self::Wrapped
        }
    }
}

/// Where the headings stand, in order, and what makes them headings.
fn marks(text: &str, style: Style) -> Vec<(usize, Mark)> {
    let mut found: Vec<(usize, Mark)> = Vec::new();
    let mut count: BTreeMap<Mark, usize> = BTreeMap::new();
    let mut before: Option<Line<'_>> = None;
    let mut all = lines(text);
    while let Some(line) = all.next() {
        let below = all.peek();
        let mark = mark_of(line, below).filter(|mark| {
            let begins = before.is_none_or(|before| before.is_blank() || ends_sentence(before));
            let ends = below.is_none_or(Line::is_blank);
            // Items of a list follow each other.
            let next = || below.and_then(|below| mark_of(below, None));
            match mark {
                Mark::Underline(_) => before.is_none_or(Line::is_blank),
                mark if !mark.is_weak() => begins || style == Style::Paragraphs,
                mark if style == Style::Wrapped => {
                    begins && ends && text.len() >= LONG_TEXT && next() != Some(*mark)
                }
                mark => text.len() >= LONG_TEXT && next() != Some(*mark),
            }
        });
        if let Some(mark) = mark {
            *count.entry(mark).or_default() += 1;
            found.push((line.span.start, mark));
        }
        before = Some(line);
    }
    found.retain(|(_, mark)| !mark.is_weak() || count[mark] > 1);
    found
}

struct Reading<'a> {
    marker: Marker<'a>,
    style: Style,
    before: Option<Line<'a>>,
}

impl<'a> Reading<'a> {
    fn see(&mut self, line: Line<'a>, below: Option<Line<'a>>) {
        if line.is_blank()
            || !line.words().contains(char::is_alphanumeric) && line.words().len() > 3
        {
            // A blank line, or a rule between two parts.
            self.marker.close();
            self.before = None;
            return;
        }
        if is_bullet(line.words()) {
            self.marker.begin(BlockKind::ListItem, line.span);
        } else if self.style == Style::Paragraphs && !self.goes_on(line)
            || self.is_indented_start(line, below)
        {
            self.marker.begin(BlockKind::Paragraph, line.span);
        } else {
            self.marker.line(line);
        }
        self.before = Some(line);
    }

    /// Whether an indented line goes on with an item above it.
    fn goes_on(&self, line: Line<'_>) -> bool {
        let is_item = self.marker.open_kind() == Some(BlockKind::ListItem);
        is_item
            && line.indent() > 0
            && self
                .before
                .is_some_and(|before| before.indent() < line.indent())
    }

    /// Whether a paragraph begins with an indented line, as in books.
    fn is_indented_start(&self, line: Line<'_>, below: Option<Line<'_>>) -> bool {
        let is_flush = |line: Line<'_>| line.indent() == 0;
        line.indent() > 1
            && self
                .before
                .is_some_and(|before| ends_sentence(before) && is_flush(before))
            && below.is_none_or(is_flush)
    }
}

fn ends_sentence(line: Line<'_>) -> bool {
    let words = line
        .words()
        .trim_end_matches(['"', '\'', ')', '”', '’', '」', '』', '）', '*', '_']);
    words.ends_with([
        '.', '!', '?', '…', '。', '！', '？', ':', '：', ';', '；', '~', '—',
    ])
}

fn is_bullet(words: &str) -> bool {
    let mut chars = words.chars();
    let is_mark = chars.next().is_some_and(|c| "-*•·●○■□◆▪‣".contains(c));
    is_mark && chars.next().is_some_and(char::is_whitespace) && chars.next().is_some()
}

/// `Title: x` in the first lines, as Project Gutenberg has it, or 《x》 alone on one of them.
fn title_of(text: &str) -> Option<String> {
    let first = lines(text).filter(|line| !line.is_blank()).take(20);
    first.enumerate().find_map(|(at, line)| {
        let words = line.words();
        let titled = words.strip_prefix("Title: ").or_else(|| {
            let inner = words.strip_prefix('《')?.strip_suffix('》')?;
            (at < 3 && !inner.contains('》')).then_some(inner)
        })?;
        let title = titled.trim();
        (!title.is_empty() && title.len() <= 200).then(|| title.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use rag_core::Block;

    use rag_core::Span;

    use super::*;

    fn parts(text: &str) -> Vec<(BlockKind, String)> {
        let document = read(text.to_owned());
        let part = |b: &Block| (b.kind, b.span.slice(text).to_owned());
        document.blocks.iter().map(part).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        parts(text).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_text_is_kept_to_the_byte() {
        let document = read("  a\n\nb\n".to_owned());
        assert_eq!(document.text, "  a\n\nb\n");
        assert_eq!(document.blocks[0].span, Span::new(2, 3));
        assert!(document.lines_are_source_lines);
        assert!(read(String::new()).blocks.is_empty());
    }

    #[test]
    fn paragraphs_end_at_blank_lines_where_lines_are_wrapped() {
        let text = "The keeper counted\nstorms all winter\nlong. He wrote\nthem down.\n\nThen he slept\nfor a week.\n";
        assert_eq!(
            texts(text),
            [
                "The keeper counted\nstorms all winter\nlong. He wrote\nthem down.",
                "Then he slept\nfor a week."
            ]
        );
    }

    #[test]
    fn every_line_is_a_paragraph_where_lines_end_with_sentences() {
        let text =
            "　　管理员记录了暴雨。\n　　他写进了年度报告。\n　　“为什么？”\n　　没有人知道！\n";
        assert_eq!(
            texts(text),
            [
                "管理员记录了暴雨。",
                "他写进了年度报告。",
                "“为什么？”",
                "没有人知道！"
            ]
        );
        let book = "He counted the storms of that winter and wrote them\ndown in a book.\n  The next winter he counted them again and had to\nbuy another book.\n";
        assert_eq!(texts(book).len(), 2);
    }

    #[test]
    fn chapters_are_headings_and_items_of_a_list_are_not() {
        let text = format!(
            "《港口》\n\n第一章 风暴\n{0}\n第二章 灯塔\n{0}",
            "　　管理员记录了暴雨。\n".repeat(5)
        );
        let document = read(text.clone());
        assert_eq!(document.title.as_deref(), Some("港口"));
        let kinds: Vec<_> = document.blocks.iter().map(|b| b.kind).collect();
        assert_eq!(
            kinds
                .iter()
                .filter(|k| **k == BlockKind::Heading(2))
                .count(),
            2
        );
        let list = format!(
            "{}\n\n1. Ropes\n2. Lamps\n3. Oil\n\nEnd.\n",
            "Some words. ".repeat(200)
        );
        assert!(
            parts(&list)
                .iter()
                .all(|(kind, _)| !matches!(kind, BlockKind::Heading(_)))
        );
        let report = format!(
            "1. Storms\n\n{0}\n\n2. Ships\n\n{0}\n",
            "Some words of it. ".repeat(60)
        );
        assert_eq!(
            parts(&report)[2],
            (BlockKind::Heading(2), "2. Ships".to_owned())
        );
    }

    #[test]
    fn underlined_titles_bullets_and_hanging_indents_are_seen() {
        let text = "Storms\n======\n\n- one\n  goes on\n- two\n\n2025-01-22  Ramp. Hose\n            replaced.\n-----\nEnd\n";
        assert_eq!(
            parts(text),
            [
                (BlockKind::Heading(1), "Storms\n======".to_owned()),
                (BlockKind::ListItem, "- one\n  goes on".to_owned()),
                (BlockKind::ListItem, "- two".to_owned()),
                (
                    BlockKind::Paragraph,
                    "2025-01-22  Ramp. Hose\n            replaced.".to_owned()
                ),
                (BlockKind::Paragraph, "End".to_owned()),
            ]
        );
        assert_eq!(read(text.to_owned()).title.as_deref(), Some("Storms"));
    }
}
