//! Findings: what was understood of a document, counted and listed for people. Pure.

use rag_core::{Block, BlockKind, Document, Warning};
use serde::Serialize;

/// Most entries of a list; the counts are always whole.
const MOST_LISTED: usize = 100;

/// Words read in a minute: adults, silently (Brysbaert 2019, <https://doi.org/10.1016/j.jml.2019.104047>).
const WORDS_A_MINUTE: f64 = 238.0;
/// Chinese characters read in a minute: what China's schools ask of children of twelve is 300, of those
/// of fifteen 500.
const IDEOGRAPHS_A_MINUTE: f64 = 400.0;

/// What was understood of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    pub media_type: String,
    pub title: Option<String>,
    pub language: Option<String>,
    pub encoding: Option<String>,
    pub date: Option<String>,
    pub counts: Counts,
    pub reading_minutes: f64,
    /// Pieces of the file, as far as listed.
    pub parts: Vec<PartFound>,
    /// Headings in order, as far as listed.
    pub outline: Vec<Heading>,
    /// Tables in order, as far as listed.
    pub tables: Vec<Table>,
    /// Where the text points to, as far as listed.
    pub links: Vec<String>,
    /// All of them.
    pub warnings: Vec<Warning>,
    /// Whether text of the file is missing.
    pub is_partial: bool,
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub pages: usize,
    pub parts: usize,
    pub headings: usize,
    pub paragraphs: usize,
    pub list_items: usize,
    pub tables: usize,
    pub code_blocks: usize,
    pub links: usize,
    /// Of scripts that write words apart.
    pub words: usize,
    /// Chinese characters and kana, which nothing parts.
    pub ideographs: usize,
    /// Everything but white space.
    pub characters: usize,
    /// Size of the text.
    pub bytes: usize,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartFound {
    pub name: String,
    /// Size of its text.
    pub bytes: usize,
}

/// A heading and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    pub text: String,
    pub page: Option<u32>,
    pub line: Option<u32>,
}

/// A table and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Header included.
    pub rows: usize,
    pub columns: usize,
    pub page: Option<u32>,
    pub line: Option<u32>,
}

impl Findings {
    /// What there is in `document`; its size and blocks are gone through once.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let counts = counts(document);
        let minutes =
            counts.words as f64 / WORDS_A_MINUTE + counts.ideographs as f64 / IDEOGRAPHS_A_MINUTE;
        let parts = document.parts.iter().take(MOST_LISTED);
        let (outline, tables) = structure(document);
        Self {
            media_type: document.media_type.clone(),
            title: document.title.clone(),
            language: document.language.clone(),
            encoding: document.encoding.clone(),
            date: document.date.clone(),
            counts,
            reading_minutes: (minutes * 10.0).round() / 10.0,
            parts: parts
                .map(|part| PartFound {
                    name: part.name.clone(),
                    bytes: part.span.len(),
                })
                .collect(),
            outline,
            tables,
            links: document
                .links
                .iter()
                .take(MOST_LISTED)
                .map(|link| link.target.clone())
                .collect(),
            warnings: document.warnings.clone(),
            is_partial: document.is_partial(),
        }
    }
}

fn counts(document: &Document) -> Counts {
    let of = |is: fn(BlockKind) -> bool| document.blocks.iter().filter(|b| is(b.kind)).count();
    let (words, ideographs) = words_and_ideographs(&document.text);
    Counts {
        pages: document.pages.len(),
        parts: document.parts.len(),
        headings: of(|kind| matches!(kind, BlockKind::Heading(_))),
        paragraphs: of(|kind| kind == BlockKind::Paragraph),
        list_items: of(|kind| kind == BlockKind::ListItem),
        tables: of(|kind| kind == BlockKind::Table),
        code_blocks: of(|kind| kind == BlockKind::Code),
        links: document.links.len(),
        words,
        ideographs,
        characters: document.text.chars().filter(|c| !c.is_whitespace()).count(),
        bytes: document.text.len(),
    }
}

/// Headings and tables as far as they are listed, with their places.
fn structure(document: &Document) -> (Vec<Heading>, Vec<Table>) {
    let (mut outline, mut tables) = (Vec::new(), Vec::new());
    let mut lines = LineCounter::new(document);
    for block in &document.blocks {
        match block.kind {
            BlockKind::Heading(level) if outline.len() < MOST_LISTED => outline.push(Heading {
                level,
                text: one_line(block.span.slice(&document.text)),
                page: document.page_at(block.span.start),
                line: lines.line_of(block),
            }),
            BlockKind::Table if tables.len() < MOST_LISTED => {
                let rows = block.span.slice(&document.text).trim_end().lines();
                let cells = |row: &str| row.split('\t').count();
                tables.push(Table {
                    rows: rows.clone().count(),
                    columns: rows.map(cells).max().unwrap_or(0),
                    page: document.page_at(block.span.start),
                    line: lines.line_of(block),
                });
            }
            _ => {}
        }
    }
    (outline, tables)
}

/// Numbers lines while it goes through the blocks, so that no text is gone through twice.
struct LineCounter<'a> {
    document: &'a Document,
    at: usize,
    line: u32,
}

impl<'a> LineCounter<'a> {
    fn new(document: &'a Document) -> Self {
        Self {
            document,
            at: 0,
            line: 1,
        }
    }

    /// The line on which a block begins, for files whose lines are the text's.
    fn line_of(&mut self, block: &Block) -> Option<u32> {
        let start = block.span.start.min(self.document.text.len());
        if !self.document.lines_are_source_lines || start < self.at {
            return None;
        }
        let passed = self.document.text.get(self.at..start).unwrap_or_default();
        self.line += passed.matches('\n').count() as u32;
        self.at = start;
        Some(self.line)
    }
}

/// A heading's own text: no mark of Markdown before it, no line break inside.
fn one_line(heading: &str) -> String {
    let words: Vec<&str> = heading.split_whitespace().collect();
    let line = words.join(" ");
    let bare = line.trim_start_matches('#').trim_start();
    (if bare.is_empty() { &line } else { bare }).to_owned()
}

/// Words of scripts that write words apart, and characters of those that do not.
fn words_and_ideographs(text: &str) -> (usize, usize) {
    let (mut words, mut ideographs) = (0, 0);
    let mut in_word = false;
    for c in text.chars() {
        if is_ideograph(c) {
            ideographs += 1;
            in_word = false;
        } else if c.is_alphanumeric() {
            words += usize::from(!in_word);
            in_word = true;
        } else if c.is_whitespace() || !matches!(c, '\'' | '’' | '-' | '.' | ',' | '_') {
            in_word = false;
        }
    }
    (words, ideographs)
}

/// Han, kana and bopomofo (Unicode 17, blocks).
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{312F}' | '\u{31A0}'..='\u{31BF}'
        | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, text: &str) -> Findings {
        Findings::of(&rag_text::Reader::new().read(name, text.as_bytes()).unwrap())
    }

    #[test]
    fn words_are_counted_by_the_script_they_are_written_in() {
        let cases = [
            ("The keeper's lamp burned 1,280 hours.", (6, 0)),
            ("灯塔记录了101次暴雨。", (1, 8)),
            ("A well-known e.g. — dash", (4, 0)),
            ("燈塔 lighthouse とう台", (1, 5)),
            ("등대 지기", (2, 0)),
            ("", (0, 0)),
        ];
        for (text, counted) in cases {
            assert_eq!(words_and_ideographs(text), counted, "{text}");
        }
    }

    #[test]
    fn headings_and_tables_are_listed_with_their_places() {
        let text = "# Harbour 港口\n\nText.\n\n## Fares\n\n| from | to | € |\n|---|---|---|\n| a | b | 2 |\n\n- one\n- two\n";
        let findings = findings("a.md", text);
        let outline: Vec<_> = findings
            .outline
            .iter()
            .map(|h| (h.level, h.text.as_str(), h.line))
            .collect();
        assert_eq!(
            outline,
            [(1, "Harbour 港口", Some(1)), (2, "Fares", Some(5))]
        );
        assert_eq!(findings.counts.tables, 1);
        assert_eq!(findings.tables[0].line, Some(7));
        assert_eq!(findings.counts.list_items, 2);
        assert_eq!(findings.counts.ideographs, 2);
        assert!(!findings.is_partial);
    }

    #[test]
    fn lists_end_and_counts_do_not() {
        let text = "# Heading\n\n".repeat(3 * MOST_LISTED);
        let findings = findings("a.md", &text);
        assert_eq!(findings.outline.len(), MOST_LISTED);
        assert_eq!(findings.counts.headings, 3 * MOST_LISTED);
    }

    #[test]
    fn reading_takes_longer_the_more_there_is() {
        assert!((findings("a.txt", &"word ".repeat(2380)).reading_minutes - 10.0).abs() < 1e-9);
        assert!((findings("a.txt", &"灯".repeat(4000)).reading_minutes - 10.0).abs() < 1e-9);
    }
}
