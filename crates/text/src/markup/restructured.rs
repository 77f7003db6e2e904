//! reStructuredText: sections, lists, tables, code and directives, as docutils' specification of the
//! markup has them. Comments, targets and settings are left out of the blocks.

use rag_core::{BlockKind, Document, Span};

use super::{front::iso_date, marker::Marker};
use crate::lines::{Line, Lines, lines};

/// Directives whose content is a text like any other.
const TEXT_DIRECTIVES: [&str; 24] = [
    "note",
    "warning",
    "tip",
    "hint",
    "important",
    "caution",
    "danger",
    "error",
    "attention",
    "admonition",
    "seealso",
    "topic",
    "sidebar",
    "epigraph",
    "highlights",
    "pull-quote",
    "compound",
    "container",
    "figure",
    "versionadded",
    "versionchanged",
    "deprecated",
    "rubric",
    "glossary",
];

const CODE_DIRECTIVES: [&str; 6] = [
    "code-block",
    "code",
    "sourcecode",
    "highlight",
    "literalinclude",
    "parsed-literal",
];

const TABLE_DIRECTIVES: [&str; 3] = ["list-table", "csv-table", "table"];

/// The document of a decoded reStructuredText.
pub(super) fn read(text: String) -> Document {
    let mut reading = Reading {
        marker: Marker::new(&text),
        adornments: Vec::new(),
        date: None,
        title: None,
    };
    let mut lines = lines(&text);
    while let Some(line) = lines.next() {
        reading.see(line, &mut lines);
    }
    let Reading {
        marker,
        date,
        title,
        ..
    } = reading;
    let document = marker.finish().document(text);
    Document {
        title: title.or(document.title.clone()),
        date,
        ..document
    }
}

struct Reading<'a> {
    marker: Marker<'a>,
    /// Styles of headings in order of appearance, which is that of their levels: the mark, and whether
    /// it stands above the heading too.
    adornments: Vec<(char, bool)>,
    date: Option<String>,
    title: Option<String>,
}

impl Reading<'_> {
    fn see(&mut self, line: Line<'_>, lines: &mut Lines<'_>) {
        if line.is_blank() {
            self.marker.close();
            return;
        }
        let words = line.words();
        if line.indent() == 0 {
            if self.heading(line, lines) || self.table(line, lines) {
                return;
            }
            if words == ".." || words.starts_with(".. ") {
                self.explicit(line, lines);
                return;
            }
            if words.starts_with("__ ") {
                self.marker.close();
                return;
            }
        }
        if self.marker.open_kind().is_none() {
            if self.field(line) {
                return;
            }
            if words.starts_with(">>> ") {
                let span = to_blank(line, lines);
                self.marker.code(span, "python");
                return;
            }
        }
        if is_list_item(words) && self.may_begin_item(line) {
            self.marker.begin(BlockKind::ListItem, line.span);
        } else {
            self.marker.line(line);
        }
        links(&mut self.marker, line);
        if words.ends_with("::") && lines.peek().is_none_or(Line::is_blank) {
            self.marker.close();
            if let Some(span) = indented(line.indent(), lines) {
                self.marker.code(span, "");
            }
        }
    }

    /// A paragraph goes on with a line that only looks like an item of a list.
    fn may_begin_item(&self, line: Line<'_>) -> bool {
        match self.marker.open_kind() {
            None | Some(BlockKind::ListItem) => true,
            // `- ` inside of a paragraph of a list item is none; at the start of a line it may be.
            _ => line.words().starts_with(['-', '*', '+', '•']),
        }
    }

    /// A title between two lines of marks, or above one.
    fn heading(&mut self, line: Line<'_>, lines: &mut Lines<'_>) -> bool {
        let mut ahead = lines.clone();
        let is_blank = |line: Option<Line<'_>>| line.is_none_or(Line::is_blank);
        if let Some(mark) = adornment(line) {
            let (Some(title), Some(below)) = (ahead.next(), ahead.next()) else {
                return is_blank(lines.peek()) && self.transition();
            };
            if adornment(below) == Some(mark) && !title.is_blank() && adornment(title).is_none() {
                self.section((mark, true), line.span.start, title, below.span.end);
                lines.clone_from(&ahead);
                return true;
            }
            return line.text.len() >= 4 && is_blank(lines.peek()) && self.transition();
        }
        let Some(below) = ahead.next() else {
            return false;
        };
        match adornment(below) {
            Some(mark)
                if self.marker.open_kind().is_none()
                    && width(below.text.trim_end()) >= width(line.text.trim_end()).min(4) =>
            {
                self.section((mark, false), line.span.start, line, below.span.end);
                lines.clone_from(&ahead);
                true
            }
            _ => false,
        }
    }

    fn transition(&mut self) -> bool {
        self.marker.close();
        true
    }

    fn section(&mut self, style: (char, bool), start: usize, title: Line<'_>, end: usize) {
        let known = self.adornments.iter().position(|known| *known == style);
        let level = known.unwrap_or_else(|| {
            self.adornments.push(style);
            self.adornments.len() - 1
        });
        self.marker
            .heading(level + 1, Span::new(start, end), title.words());
    }

    /// Tables drawn with `+---+` or between lines of `=== ===`.
    fn table(&mut self, line: Line<'_>, lines: &mut Lines<'_>) -> bool {
        let is_grid = line.text.starts_with("+-") && line.text.trim_end().ends_with('+');
        if !is_grid && !is_ruler(line) || self.marker.open_kind().is_some() {
            return false;
        }
        let mut end = line.span.end;
        let mut ahead = lines.clone();
        let mut rulers = 1;
        while let Some(row) = ahead.next() {
            if is_grid && !row.text.starts_with(['+', '|']) {
                break;
            }
            rulers += usize::from(!is_grid && is_ruler(row));
            // A table of rulers may have blank lines in it, and ends after its last ruler.
            let is_last = is_ruler(row) && ahead.peek().is_none_or(Line::is_blank) && rulers > 1;
            if is_grid || is_ruler(row) {
                end = row.span.end;
                lines.clone_from(&ahead);
            }
            if !is_grid && (is_last || rulers > 3) {
                break;
            }
        }
        if rulers == 1 && !is_grid {
            return false;
        }
        self.marker.block(rag_core::Block::new(
            BlockKind::Table,
            Span::new(line.span.start, end),
        ));
        true
    }

    /// What begins with two dots: directives, footnotes, targets, comments.
    fn explicit(&mut self, line: Line<'_>, lines: &mut Lines<'_>) {
        self.marker.close();
        let words = line.words().trim_start_matches("..").trim_start();
        let Some((name, argument)) = directive(words) else {
            if words.starts_with('[') && words.contains(']') {
                // A footnote or citation, with the lines that it goes on.
                self.marker.begin(BlockKind::Paragraph, line.span);
                links(&mut self.marker, line);
                if let Some(rest) = lines.peek().filter(|l| !l.is_blank() && l.indent() > 0) {
                    let rest = to_blank(rest, lines);
                    self.marker.extend(rest);
                }
                self.marker.close();
            } else {
                indented(0, lines);
            }
            return;
        };
        if CODE_DIRECTIVES.contains(&name) {
            skip_options(lines);
            if let Some(span) = indented(0, lines) {
                self.marker.code(span, argument);
            }
        } else if TABLE_DIRECTIVES.contains(&name) {
            if !argument.is_empty() {
                self.marker
                    .begin(BlockKind::Paragraph, line.place_of(argument));
                self.marker.close();
            }
            skip_options(lines);
            if let Some(span) = indented(0, lines) {
                self.marker
                    .block(rag_core::Block::new(BlockKind::Table, span));
            }
        } else if TEXT_DIRECTIVES.contains(&name) {
            // A figure's argument is a file.
            if !argument.is_empty() && name != "figure" && name != "container" {
                self.marker
                    .begin(BlockKind::Paragraph, line.place_of(argument));
            }
            skip_options(lines);
        } else {
            // Pictures, tables of contents, raw output: nothing to read.
            indented(0, lines);
        }
    }

    /// `:Author: Tern` at the start of the text, or settings: its line is a block unless it is a date.
    fn field(&mut self, line: Line<'_>) -> bool {
        let Some((name, value)) = line
            .words()
            .strip_prefix(':')
            .and_then(|rest| rest.split_once(": "))
            .filter(|(name, _)| !name.contains(['`', ':']))
        else {
            return false;
        };
        match name.to_lowercase().as_str() {
            "date" => self.date = self.date.take().or_else(|| iso_date(value)),
            "title" => self.title = Some(value.trim().to_owned()),
            _ => {}
        }
        self.marker.begin(BlockKind::Paragraph, line.span);
        true
    }
}

/// The mark that a line consists of, if it may underline a heading.
fn adornment(line: Line<'_>) -> Option<char> {
    let marks = line.text.trim_end();
    let mark = marks.chars().next().filter(char::is_ascii_punctuation)?;
    let is_long = marks.len() >= 2 && marks != "..";
    (is_long && marks.bytes().all(|b| b == mark as u8)).then_some(mark)
}

/// Columns that a text takes.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// `===  ===`: two columns at least.
fn is_ruler(line: Line<'_>) -> bool {
    let marks = line.text.trim_end();
    marks.contains("= =") && marks.bytes().all(|b| b == b'=' || b == b' ')
        || marks.contains("- -") && marks.bytes().all(|b| b == b'-' || b == b' ')
}

fn directive(words: &str) -> Option<(&str, &str)> {
    // `|name| replace:: text` is a directive under a name.
    let (name, argument) = words.split_once("::")?;
    let name = name.rsplit(' ').next().unwrap_or(name).trim();
    let is_name = |c: char| c.is_alphanumeric() || "-_:.+".contains(c);
    (!name.is_empty() && name.chars().all(is_name)).then(|| (name, argument.trim()))
}

fn is_list_item(words: &str) -> bool {
    let mut rest = words.chars();
    if rest.next().is_some_and(|c| "-*+•‣".contains(c)) {
        return rest.next() == Some(' ');
    }
    let marker = words.trim_start_matches('(');
    let end = marker.find(['.', ')']).filter(|end| *end > 0 && *end <= 5);
    end.is_some_and(|end| {
        let label = &marker[..end];
        let is_label = label == "#"
            || label.bytes().all(|b| b.is_ascii_digit())
            || label.len() == 1 && label.bytes().all(|b| b.is_ascii_alphabetic())
            || label.bytes().all(|b| b"ivxlIVXL".contains(&b));
        is_label && marker[end + 1..].starts_with(' ')
    })
}

/// From `line` to before the next blank line.
fn to_blank(line: Line<'_>, lines: &mut Lines<'_>) -> Span {
    let mut span = line.span;
    while let Some(next) = lines.peek().filter(|next| !next.is_blank()) {
        span.end = next.span.end;
        lines.next();
    }
    span
}

/// The lines below that are indented by more than `indent`, blank ones between them included.
fn indented(indent: usize, lines: &mut Lines<'_>) -> Option<Span> {
    let mut span: Option<Span> = None;
    let mut ahead = lines.clone();
    while let Some(line) = ahead.next() {
        if line.is_blank() {
            continue;
        }
        if line.indent() <= indent {
            break;
        }
        span = Some(Span::new(
            span.map_or(line.span.start, |s| s.start),
            line.span.end,
        ));
        lines.clone_from(&ahead);
    }
    span
}

/// `:option: value` lines right below a directive.
fn skip_options(lines: &mut Lines<'_>) {
    while lines
        .peek()
        .is_some_and(|line| line.indent() > 0 && line.words().starts_with(':'))
    {
        lines.next();
    }
}

/// `` `words <target>`_ ``
fn links(marker: &mut Marker<'_>, line: Line<'_>) {
    let mut rest = line.text;
    while let Some(end) = rest.find(">`_") {
        let before = &rest[..end];
        if let Some(open) = before.rfind('`')
            && let Some((_, target)) = before[open..].split_once('<')
        {
            let whole = &rest[open..end + 3];
            marker.link(line.place_of(whole), target);
        }
        rest = &rest[end + 3..];
    }
}

#[cfg(test)]
mod tests {
    use rag_core::Block;

    use super::*;

    fn parts(text: &str) -> Vec<(BlockKind, String)> {
        let document = read(text.to_owned());
        let part = |b: &Block| (b.kind, b.span.slice(text).to_owned());
        document.blocks.iter().map(part).collect()
    }

    fn part(kind: BlockKind, text: &str) -> (BlockKind, String) {
        (kind, text.to_owned())
    }

    #[test]
    fn levels_of_headings_are_those_of_their_first_appearance() {
        let text =
            "=====\nPorts\n=====\n\n:Date: 2026-11-21\n\nOne\n---\n\nTwo\n~~~\n\nDrei\n----\n";
        let document = read(text.to_owned());
        let headings: Vec<_> = document
            .blocks
            .iter()
            .map(|b| (b.kind, b.label.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            headings,
            [
                (BlockKind::Heading(1), "Ports"),
                (BlockKind::Paragraph, ""),
                (BlockKind::Heading(2), "One"),
                (BlockKind::Heading(3), "Two"),
                (BlockKind::Heading(2), "Drei"),
            ]
        );
        assert_eq!(document.title.as_deref(), Some("Ports"));
        assert_eq!(document.date.as_deref(), Some("2026-11-21"));
    }

    #[test]
    fn lists_code_tables_and_notes_are_blocks_and_comments_are_not() {
        let text = "- one\n  goes on\n- two\n\n#. first\n\nCode::\n\n    x = 1\n\n    y\n\n.. code-block:: py\n   :linenos:\n\n   z = 2\n\n.. a comment\n   that goes on\n\n.. _target:\n\n.. note:: Mind\n   the gap.\n\n.. [1] A note\n   below.\n\n+---+---+\n| a | b |\n+---+---+\n\n=== ===\nA   B\n=== ===\n1   2\n=== ===\n\n.. image:: x.png\n   :alt: no\n\nEnd.\n";
        assert_eq!(
            parts(text),
            [
                part(BlockKind::ListItem, "- one\n  goes on"),
                part(BlockKind::ListItem, "- two"),
                part(BlockKind::ListItem, "#. first"),
                part(BlockKind::Paragraph, "Code::"),
                part(BlockKind::Code, "x = 1\n\n    y"),
                part(BlockKind::Code, "z = 2"),
                part(BlockKind::Paragraph, "Mind\n   the gap."),
                part(BlockKind::Paragraph, ".. [1] A note\n   below."),
                part(BlockKind::Table, "+---+---+\n| a | b |\n+---+---+"),
                part(BlockKind::Table, "=== ===\nA   B\n=== ===\n1   2\n=== ==="),
                part(BlockKind::Paragraph, "End."),
            ]
        );
        let document = read(text.to_owned());
        assert_eq!(document.blocks[5].label.as_deref(), Some("python"));
    }

    #[test]
    fn links_have_their_targets() {
        let text = "See `the port <https://example.org/>`_ and `x`_.\n";
        let links = read(text.to_owned()).links;
        assert_eq!(links[0].target, "https://example.org/");
        assert_eq!(
            links[0].span.slice(text),
            "`the port <https://example.org/>`_"
        );
    }

    #[test]
    fn damage_loses_nothing_and_ends() {
        for text in [
            "==\n",
            "====\nT\n",
            "+--\n",
            "=== ===\n",
            ".. x::",
            "..",
            "::",
            "`<>`_",
            "- ",
            "*\n*\n",
        ] {
            read(text.to_owned());
        }
        assert_eq!(parts("=== ===\nno table\n").len(), 1);
    }
}
