//! Org: headlines, lists, tables, blocks and drawers, as the syntax specification of Org mode has them.
//! Comments, drawers and settings are left out of the blocks.

use rag_core::{Block, BlockKind, Document, Span};

use super::{
    front::{iso_date, tags},
    marker::Marker,
};
use crate::lines::{Line, Lines, lines};

/// States of tasks that stand before a headline's words.
const STATES: [&str; 8] = [
    "TODO",
    "DONE",
    "NEXT",
    "WAITING",
    "HOLD",
    "CANCELLED",
    "CANCELED",
    "SOMEDAY",
];

/// Settings that people look for.
const TOLD: [&str; 6] = [
    "filetags",
    "tags",
    "keywords",
    "description",
    "author",
    "subtitle",
];

/// The document of a decoded Org text.
pub(super) fn read(text: String) -> Document {
    let mut reading = Reading {
        marker: Marker::new(&text),
        title: None,
        date: None,
        tags: Vec::new(),
        missing: Vec::new(),
    };
    let mut lines = lines(&text);
    while let Some(line) = lines.next() {
        reading.see(line, &mut lines);
    }
    let Reading {
        marker,
        title,
        date,
        tags,
        ..
    } = reading;
    let document = marker.finish().document(text);
    Document {
        title: title.or(document.title.clone()),
        date,
        tags,
        ..document
    }
}

struct Reading<'a> {
    marker: Marker<'a>,
    title: Option<String>,
    date: Option<String>,
    tags: Vec<String>,
    /// Marks that do not come any more: what they would close is text.
    missing: Vec<String>,
}

impl Reading<'_> {
    fn see(&mut self, line: Line<'_>, lines: &mut Lines<'_>) {
        let words = line.words();
        if words.is_empty() {
            self.marker.close();
            return;
        }
        let stars = line.text.bytes().take_while(|b| *b == b'*').count();
        if stars > 0 && line.text[stars..].starts_with(' ') {
            self.marker
                .heading(stars, line.span, headline(&line.text[stars..]));
            links(&mut self.marker, line);
        } else if let Some(setting) = words.strip_prefix("#+") {
            self.setting(setting, line, lines);
        } else if words == "#" || words.starts_with("# ") {
            self.marker.close();
        } else if is_drawer(words) {
            self.marker.close();
            self.skip_to(":end:", lines);
        } else if words.starts_with('|') {
            let mut span = line.span;
            while let Some(row) = lines.peek().filter(|row| row.words().starts_with('|')) {
                span.end = row.span.end;
                lines.next();
            }
            self.marker.block(Block::new(BlockKind::Table, span));
        } else if words == ":" || words.starts_with(": ") {
            let mut span = line.span;
            while let Some(row) = lines.peek().filter(|row| row.words().starts_with(':')) {
                span.end = row.span.end;
                lines.next();
            }
            self.marker.block(Block::new(BlockKind::Code, span));
        } else {
            if is_list_item(line) {
                self.marker.begin(BlockKind::ListItem, line.span);
            } else {
                self.marker.line(line);
            }
            links(&mut self.marker, line);
        }
    }

    /// `#+KEY: value` and `#+BEGIN_X … #+END_X`.
    fn setting(&mut self, setting: &str, line: Line<'_>, lines: &mut Lines<'_>) {
        self.marker.close();
        let lower = setting.to_lowercase();
        if let Some(kind) = lower.strip_prefix("begin_") {
            let kind = kind.split_whitespace().next().unwrap_or_default();
            match kind {
                "src" | "example" | "export" | "comment" => {
                    let told = setting.split_whitespace().nth(1).filter(|_| kind == "src");
                    let span = self.skip_to(&format!("#+end_{kind}"), lines);
                    if let Some(span) = span.filter(|_| kind == "src" || kind == "example") {
                        self.marker.code(span, told.unwrap_or_default());
                    }
                }
                // Quotes, verses and the like hold text like any other.
                _ => {}
            }
            return;
        }
        let Some((key, value)) = setting.split_once(':') else {
            return;
        };
        let value = value.trim();
        match key.to_lowercase().as_str() {
            "title" => self.title = Some(value.to_owned()).filter(|title| !title.is_empty()),
            "date" => self.date = iso_date(value),
            "caption" => self
                .marker
                .begin(BlockKind::Paragraph, line.place_of(value)),
            key if TOLD.contains(&key) => {
                match key {
                    "filetags" => {
                        let tags = value
                            .split(':')
                            .map(str::trim)
                            .filter(|tag| !tag.is_empty());
                        self.tags.extend(tags.map(str::to_owned));
                    }
                    "keywords" => self.tags.extend(tags(value)),
                    _ => {}
                }
                self.marker.begin(BlockKind::Paragraph, line.span);
            }
            _ => {}
        }
        self.marker.close();
    }

    /// The lines before the one that is `mark`, in any case; none where it does not come. A drawer ends
    /// before the next headline.
    fn skip_to(&mut self, mark: &str, lines: &mut Lines<'_>) -> Option<Span> {
        if self.missing.iter().any(|missing| missing == mark) {
            return None;
        }
        let mut ahead = lines.clone();
        let mut span: Option<Span> = None;
        while let Some(line) = ahead.next() {
            if line.words().eq_ignore_ascii_case(mark) {
                *lines = ahead;
                return span;
            }
            if mark == ":end:" && line.text.starts_with("* ") {
                return None;
            }
            span = Some(Span::new(
                span.map_or(line.span.start, |s| s.start),
                line.span.end,
            ));
        }
        self.missing.push(mark.to_owned());
        None
    }
}

/// A headline's words: without state, priority and tags.
fn headline(line: &str) -> &str {
    let mut words = line.trim();
    if let Some((state, rest)) = words.split_once(' ')
        && STATES.contains(&state)
    {
        words = rest.trim_start();
    }
    if words.starts_with("[#") && words.as_bytes().get(3) == Some(&b']') {
        words = words[4..].trim_start();
    }
    match words.rsplit_once(char::is_whitespace) {
        Some((before, tags)) if tags.len() > 2 && tags.starts_with(':') && tags.ends_with(':') => {
            before.trim_end()
        }
        _ => words,
    }
}

fn is_drawer(words: &str) -> bool {
    let name = words
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'));
    name.is_some_and(|name| {
        !name.is_empty()
            && name != "END"
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b == b'_' || b == b'-')
    })
}

fn is_list_item(line: Line<'_>) -> bool {
    let words = line.words();
    if words.starts_with("- ") || words.starts_with("+ ") || words == "-" {
        return true;
    }
    if words.starts_with("* ") && line.indent() > 0 {
        return true;
    }
    let digits = words.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &words[digits..];
    (1..=4).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "))
}

/// `[[target][words]]` and `[[target]]`
fn links(marker: &mut Marker<'_>, line: Line<'_>) {
    let mut rest = line.text;
    while let Some(start) = rest.find("[[") {
        let Some(end) = rest[start..].find("]]").map(|at| start + at + 2) else {
            return;
        };
        let inner = &rest[start + 2..end - 2];
        let target = inner.split("][").next().unwrap_or(inner);
        marker.link(line.place_of(&rest[start..end]), target);
        rest = &rest[end..];
    }
}

#[cfg(test)]
mod tests {
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
    fn headlines_have_levels_and_bare_words() {
        let text = "#+TITLE: 港口\n#+DATE: <2026-11-21 Sat>\n#+FILETAGS: :sea:\n* TODO [#A] Count storms :work:home:\n** Why\n*bold* is none\n";
        let document = read(text.to_owned());
        assert_eq!(document.title.as_deref(), Some("港口"));
        assert_eq!(document.date.as_deref(), Some("2026-11-21"));
        assert_eq!(document.tags, ["sea"]);
        let labels: Vec<_> = document
            .blocks
            .iter()
            .map(|b| (b.kind, b.label.as_deref()))
            .collect();
        assert_eq!(
            labels,
            [
                (BlockKind::Paragraph, None),
                (BlockKind::Heading(1), Some("Count storms")),
                (BlockKind::Heading(2), Some("Why")),
                (BlockKind::Paragraph, None),
            ]
        );
    }

    #[test]
    fn lists_tables_and_code_are_blocks_and_drawers_and_comments_are_not() {
        let text = "* A\n:PROPERTIES:\n:ID: x\n:END:\n# no\n- one\n  more\n- two\n1. first\n\n| a | b |\n|---+---|\n\n#+BEGIN_SRC rust :x\nfn y() {}\n\n#+END_SRC\n#+begin_comment\nno\n#+end_comment\n#+BEGIN_QUOTE\nSaid.\n#+END_QUOTE\n: out\n";
        assert_eq!(
            parts(text),
            [
                part(BlockKind::Heading(1), "* A"),
                part(BlockKind::ListItem, "- one\n  more"),
                part(BlockKind::ListItem, "- two"),
                part(BlockKind::ListItem, "1. first"),
                part(BlockKind::Table, "| a | b |\n|---+---|"),
                part(BlockKind::Code, "fn y() {}"),
                part(BlockKind::Paragraph, "Said."),
                part(BlockKind::Code, ": out"),
            ]
        );
    }

    #[test]
    fn links_have_their_targets_and_damage_loses_nothing() {
        let text = "See [[https://example.org/][the site]] and [[note]] [[x.\n";
        let links = read(text.to_owned()).links;
        let targets: Vec<&str> = links.iter().map(|l| l.target.as_str()).collect();
        assert_eq!(targets, ["https://example.org/", "note"]);
        assert_eq!(parts(":LOGBOOK:\nwords\n* A\n").len(), 2);
        assert_eq!(parts("#+begin_src\nwords\n").len(), 1);
    }
}
