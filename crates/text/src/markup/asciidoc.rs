//! `AsciiDoc`: sections, lists, tables and delimited blocks. Attributes, comments and macros that draw
//! something are left out of the blocks; a file that `include::` names is said, not followed.

use rag_core::{Block, BlockKind, Document, Span, Warning, WarningKind};

use super::{front::iso_date, marker::Marker};
use crate::lines::{Line, Lines, lines};

/// So many included files are named.
const MAX_INCLUDES: usize = 5;

/// The document of a decoded `AsciiDoc` text.
pub(super) fn read(text: String) -> Document {
    let mut reading = Reading {
        marker: Marker::new(&text),
        date: None,
        language: String::new(),
        includes: Vec::new(),
        missing: Vec::new(),
    };
    let mut lines = lines(&text);
    while let Some(line) = lines.next() {
        reading.see(line, &mut lines);
    }
    let Reading {
        marker,
        date,
        includes,
        ..
    } = reading;
    let document = marker.finish().document(text);
    let warnings = includes.iter().map(|name| {
        let fact =
            format!("goes on in `{name}`, which is read as a file of its own if it is there");
        Warning::new(WarningKind::Guessed, fact)
    });
    Document {
        warnings: warnings.collect(),
        date,
        ..document
    }
}

struct Reading<'a> {
    marker: Marker<'a>,
    date: Option<String>,
    /// Of the next listing, as `[source,rust]` told.
    language: String,
    includes: Vec<String>,
    /// Delimiters that do not come again.
    missing: Vec<&'a str>,
}

impl<'a> Reading<'a> {
    fn see(&mut self, line: Line<'a>, lines: &mut Lines<'a>) {
        let words = line.words();
        if words.is_empty() {
            self.marker.close();
            return;
        }
        let marks = line.text.bytes().take_while(|b| *b == b'=').count();
        if (1..=6).contains(&marks) && line.text[marks..].starts_with(' ') {
            self.marker.heading(marks, line.span, &line.text[marks..]);
            if marks == 1 {
                self.revision(lines);
            }
            return;
        }
        if self.delimited(line, lines) || self.aside(line) {
            return;
        }
        let is_indented = line.indent() > 0 && self.marker.open_kind().is_none();
        if is_list_item(words) {
            self.marker.begin(BlockKind::ListItem, line.span);
        } else if is_indented {
            // A paragraph that is indented is literal.
            let mut span = line.span;
            while let Some(next) = lines.peek().filter(|next| !next.is_blank()) {
                span.end = next.span.end;
                lines.next();
            }
            self.marker.block(Block::new(BlockKind::Code, span));
            return;
        } else if words == "+" {
            // The next block belongs to the list item above.
            self.marker.close();
            return;
        } else {
            self.marker.line(line);
        }
        links(&mut self.marker, line);
    }

    /// The lines of author and revision right below the title.
    fn revision(&mut self, lines: &mut Lines<'a>) {
        let is_author = |line: &Line<'_>| {
            line.words().starts_with(|c: char| c.is_alphabetic()) && line.words().len() < 120
        };
        let Some(author) = lines.peek().filter(is_author) else {
            return;
        };
        lines.next();
        self.marker.begin(BlockKind::Paragraph, author.span);
        if let Some(revision) = lines.peek()
            && let Some(date) = revision.words().split(',').find_map(iso_date)
        {
            self.date = Some(date);
            lines.next();
        }
        self.marker.close();
    }

    /// Blocks between two lines of the same marks, and tables.
    fn delimited(&mut self, line: Line<'a>, lines: &mut Lines<'a>) -> bool {
        let mark = line.text.trim_end();
        let told = std::mem::take(&mut self.language);
        let kind = match mark {
            "|===" | ",===" | ":===" | "!===" => Some(BlockKind::Table),
            "```" => Some(BlockKind::Code),
            _ if is_run_of(mark, b"-.+") => Some(BlockKind::Code),
            _ if is_run_of(mark, b"/") => None,
            _ if is_run_of(mark, b"=*_") || mark == "--" => {
                // An example, a sidebar, a quote: text like any other.
                self.marker.close();
                return true;
            }
            _ => {
                self.language = told;
                return false;
            }
        };
        let open = self.marker.open_kind();
        // `Title\n-----` in old documents is a heading.
        if open == Some(BlockKind::Paragraph)
            && kind == Some(BlockKind::Code)
            && mark != "```"
            && let Some(span) = self.marker.take_open()
        {
            let title = span.slice(self.marker.text);
            if title.contains('\n') || title.len().abs_diff(mark.len()) > title.len() / 2 + 3 {
                self.marker.begin(BlockKind::Paragraph, span);
                self.marker.close();
            } else {
                self.marker
                    .heading(2, Span::new(span.start, line.span.end), title);
                return true;
            }
        }
        self.marker.close();
        let Some(inner) = self.before_mark(mark, lines) else {
            return true;
        };
        match kind {
            Some(BlockKind::Code) => self.marker.code(inner, &told),
            Some(kind) => self.marker.block(Block::new(kind, inner)),
            None => {}
        }
        true
    }

    /// The lines before the next one that is `mark`; none where it does not come.
    fn before_mark(&mut self, mark: &'a str, lines: &mut Lines<'a>) -> Option<Span> {
        if self.missing.contains(&mark) {
            return None;
        }
        let mut ahead = lines.clone();
        let start = ahead.peek()?.span.start;
        let mut end = start;
        while let Some(line) = ahead.next() {
            if line.text.trim_end() == mark {
                *lines = ahead;
                return Some(Span::new(start, end));
            }
            end = line.span.end;
        }
        self.missing.push(mark);
        None
    }

    /// Lines that are about the text rather than in it.
    fn aside(&mut self, line: Line<'a>) -> bool {
        let words = line.text.trim_end();
        if words.starts_with("//") {
            self.marker.close();
            return true;
        }
        if let Some((name, value)) = words
            .strip_prefix(':')
            .and_then(|rest| rest.split_once(':'))
        {
            let is_name = |c: char| c.is_alphanumeric() || "-_!".contains(c);
            if !name.is_empty() && name.chars().all(is_name) {
                if name == "revdate" || name == "date" {
                    self.date = iso_date(value);
                }
                self.marker.close();
                if matches!(name, "keywords" | "description" | "author") {
                    self.marker.begin(BlockKind::Paragraph, line.span);
                    self.marker.close();
                }
                return true;
            }
        }
        if words.starts_with('[') && words.ends_with(']') && !words.starts_with("[[[") {
            self.marker.close();
            let inner = words.trim_matches(['[', ']']);
            if let Some((style, rest)) = inner.split_once(',')
                && matches!(style.split('%').next(), Some("source" | "listing" | ""))
            {
                let told = rest.split(',').next().unwrap_or_default();
                told.clone_into(&mut self.language);
            }
            return true;
        }
        let (name, target) = words.split_once("::").unwrap_or_default();
        match name {
            "include" => {
                let path = target.split('[').next().unwrap_or(target);
                if self.includes.len() < MAX_INCLUDES {
                    self.includes.push(path.to_owned());
                }
            }
            "image" | "video" | "audio" | "toc" | "ifdef" | "ifndef" | "ifeval" | "endif" => {}
            _ => return false,
        }
        self.marker.close();
        true
    }
}

/// Four or more of one of `marks` and nothing else.
fn is_run_of(line: &str, marks: &[u8]) -> bool {
    let bytes = line.as_bytes();
    line.len() >= 4 && marks.contains(&bytes[0]) && bytes.iter().all(|b| *b == bytes[0])
}

fn is_list_item(words: &str) -> bool {
    let first = words.split(' ').next().unwrap_or_default();
    if first.len() == words.len() || first.is_empty() {
        return false;
    }
    let is_all = |mark: char| first.chars().all(|c| c == mark);
    let digits = first.trim_end_matches('.');
    is_all('*') && first.len() <= 5
        || is_all('.') && first.len() <= 5
        || first == "-"
        || digits.len() < first.len()
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
        || words
            .split_once(":: ")
            .is_some_and(|(term, _)| term.len() < 100)
}

/// `https://example.org/[words]`, `link:target[words]`, `xref:target[words]`, `<<target,words>>`
fn links(marker: &mut Marker<'_>, line: Line<'_>) {
    const MARKS: [&str; 5] = ["https://", "http://", "link:", "xref:", "mailto:"];
    let mut rest = line.text;
    while let Some(open) = rest.find('[') {
        let before = &rest[..open];
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &before[start..];
        let mark = MARKS.iter().filter_map(|mark| word.find(mark)).min();
        let Some(close) = rest[open..].find(']').map(|at| open + at + 1) else {
            break;
        };
        if let Some(at) = mark {
            let target = word[at..]
                .trim_start_matches("link:")
                .trim_start_matches("xref:");
            marker.link(line.place_of(&rest[start + at..close]), target);
        }
        rest = &rest[close..];
    }
    let mut rest = line.text;
    while let Some(start) = rest.find("<<") {
        let Some(end) = rest[start..].find(">>").map(|at| start + at + 2) else {
            return;
        };
        let target = rest[start + 2..end - 2]
            .split(',')
            .next()
            .unwrap_or_default();
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
    fn a_guide_has_its_title_sections_and_blocks() {
        let text = "= 港口指南\nA. Tern <tern@example.org>\nv1.0, 2026-11-21\n:toc:\n\nFirst words.\n\n== Storms\n// no\n.Per year\n[cols=\"1,1\"]\n|===\n|Year |Storms\n\n|1931 |101\n|===\n\n* one\ngoes on\n** deeper\n. first\nterm:: what it is\n\n[source,rust]\n----\nfn x() {}\n\n----\n\n====\nAn example.\n====\n\n////\nno\n////\n\nimage::x.png[]\ninclude::rest.adoc[]\n";
        let document = read(text.to_owned());
        assert_eq!(document.title.as_deref(), Some("港口指南"));
        assert_eq!(document.date.as_deref(), Some("2026-11-21"));
        assert_eq!(
            parts(text),
            [
                part(BlockKind::Heading(1), "= 港口指南"),
                part(BlockKind::Paragraph, "A. Tern <tern@example.org>"),
                part(BlockKind::Paragraph, "First words."),
                part(BlockKind::Heading(2), "== Storms"),
                part(BlockKind::Paragraph, ".Per year"),
                part(BlockKind::Table, "|Year |Storms\n\n|1931 |101"),
                part(BlockKind::ListItem, "* one\ngoes on"),
                part(BlockKind::ListItem, "** deeper"),
                part(BlockKind::ListItem, ". first"),
                part(BlockKind::ListItem, "term:: what it is"),
                part(BlockKind::Code, "fn x() {}"),
                part(BlockKind::Paragraph, "An example."),
            ]
        );
        assert_eq!(document.blocks[10].label.as_deref(), Some("rust"));
        assert!(document.warnings[0].fact.contains("`rest.adoc`"));
    }

    #[test]
    fn links_have_their_targets_and_damage_loses_nothing() {
        let text = "See https://example.org/[the site], xref:a.adoc[A] and <<b,B>> [.\n";
        let links = read(text.to_owned()).links;
        let targets: Vec<&str> = links.iter().map(|l| l.target.as_str()).collect();
        assert_eq!(targets, ["https://example.org/", "a.adoc", "b"]);
        assert_eq!(parts("----\nwords\n").len(), 1);
        assert_eq!(
            parts("Old title\n---------\n\nwords\n")[0].0,
            BlockKind::Heading(2)
        );
    }
}
