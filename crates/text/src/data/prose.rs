//! XML that marks up a text (JATS, `DocBook`, TEI and their like): what a reader would read.
//!
//! Which elements stand within a line, no schema has to tell: those that were seen beside words.

use std::collections::{BTreeMap, BTreeSet};

use rag_core::{BlockKind, Document};

use super::xml::{Token, name_of, tokens, unescaped};
use crate::{flow::Flow, language};

/// An element of so many beside words makes a text of records with markup in it a marked-up text.
const MIN_MIXED: usize = 3;
const MIXED_SHARE: usize = 60;

/// Words are at least a third of the bytes of a text.
const WORDS_SHARE: usize = 3;

/// More different names of elements than this are data.
const MAX_NAMES: usize = 2000;

const HEADINGS: [&str; 8] = [
    "title",
    "head",
    "heading",
    "article-title",
    "h1",
    "h2",
    "h3",
    "subtitle",
];
const SECTIONS: [&str; 14] = [
    "sec", "section", "sect1", "sect2", "sect3", "sect4", "chapter", "part", "appendix", "div",
    "div1", "div2", "div3", "article",
];
const ITEMS: [&str; 4] = ["list-item", "listitem", "item", "li"];
const ROWS: [&str; 3] = ["tr", "row", "strow"];
const CELLS: [&str; 5] = ["td", "th", "entry", "cell", "stentry"];
const CODE: [&str; 6] = [
    "programlisting",
    "screen",
    "preformat",
    "pre",
    "codeblock",
    "literallayout",
];
const BLOCKS: [&str; 3] = ["p", "para", "table"];
const SILENT: [&str; 3] = ["script", "style", "object-id"];

/// Whether `text` marks up words rather than holds records.
pub(super) fn is_prose(text: &str) -> bool {
    let Some(names) = names_in_lines(text) else {
        return false;
    };
    let (mut elements, mut mixed, mut words) = (0_usize, 0_usize, 0_usize);
    for (_, token) in tokens(text) {
        match token {
            Token::Open { inner, .. } => {
                elements += 1;
                mixed += usize::from(names.contains(name_of(inner)));
            }
            Token::Text(text) | Token::Data(text) => words += text.trim().len(),
            Token::Close { .. } => {}
        }
    }
    mixed >= MIN_MIXED && mixed * MIXED_SHARE >= elements && words * WORDS_SHARE >= text.len()
}

/// Names of elements that stand beside words more often than not; none where there are too many names.
fn names_in_lines(text: &str) -> Option<BTreeSet<&str>> {
    // How often an element was seen, and how often right after or before words.
    let mut seen: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut after_words = false;
    let mut closed: Option<&str> = None;
    for (_, token) in tokens(text) {
        match token {
            Token::Open { inner, is_empty } => {
                let name = name_of(inner);
                let count = seen.entry(name).or_default();
                count.0 += 1;
                count.1 += u32::from(after_words);
                // Words after `<b>bold</b>` stand beside it, words inside do not.
                closed = (is_empty && !after_words).then_some(name);
                after_words = false;
            }
            Token::Close { name } => {
                closed = Some(name);
                after_words = false;
            }
            Token::Text(words) | Token::Data(words) if !words.trim().is_empty() => {
                if let Some(count) = closed.take().and_then(|name| seen.get_mut(name)) {
                    count.1 += 1;
                }
                after_words = true;
            }
            Token::Text(_) | Token::Data(_) => {}
        }
        if seen.len() > MAX_NAMES {
            return None;
        }
    }
    let is_in_line = |(_, (all, beside)): &(&str, (u32, u32))| beside * 2 > *all;
    let lists: [&[&str]; 6] = [&HEADINGS, &SECTIONS, &ITEMS, &ROWS, &CELLS, &BLOCKS];
    let is_structure = |name: &str| lists.iter().any(|list| list.contains(&name));
    let in_line = seen.into_iter().filter(is_in_line).map(|(name, _)| name);
    Some(in_line.filter(|name| !is_structure(name)).collect())
}

/// The document of a marked-up text.
pub(super) fn read(text: &str) -> Document {
    let mut reading = Reading {
        in_line: names_in_lines(text).unwrap_or_default(),
        flow: Flow::default(),
        kinds: Vec::new(),
        sections: 0,
        silent: 0,
        tables: 0,
        cells: 0,
        title: None,
        language: None,
    };
    for (_, token) in tokens(text) {
        match token {
            Token::Open { inner, is_empty } => {
                reading.open(inner);
                if is_empty {
                    reading.close(name_of(inner));
                }
            }
            Token::Close { name } => reading.close(name),
            Token::Text(words) => reading.words(&unescaped(words)),
            Token::Data(words) => reading.words(words),
        }
    }
    let document = reading.flow.finish();
    let title = reading.title.map(|at| document.blocks.get(at));
    Document {
        title: title
            .flatten()
            .map(|block| block.span.slice(&document.text).to_owned()),
        language: reading.language,
        media_type: "application/xml".to_owned(),
        ..document
    }
}

struct Reading<'a> {
    in_line: BTreeSet<&'a str>,
    flow: Flow,
    /// Kinds of the blocks that the elements around say, innermost last.
    kinds: Vec<(&'a str, BlockKind)>,
    sections: u8,
    silent: usize,
    tables: usize,
    cells: usize,
    /// Number of the first heading, which is the title.
    title: Option<usize>,
    language: Option<String>,
}

impl<'a> Reading<'a> {
    fn open(&mut self, inner: &'a str) {
        let name = name_of(inner);
        if self.language.is_none()
            && let Some(at) = inner.find("xml:lang=")
        {
            let value = inner[at + 9..].trim_start_matches(['"', '\'']);
            let end = value.find(['"', '\'']).unwrap_or(0);
            self.language = language::normal_tag(&value[..end]);
        }
        if self.silent > 0 || SILENT.contains(&name) {
            self.silent += 1;
            return;
        }
        if self.in_line.contains(name) {
            return;
        }
        self.sections += u8::from(SECTIONS.contains(&name) && self.sections < u8::MAX);
        if name == "table" {
            self.tables += 1;
            self.flow.begin(BlockKind::Table);
        } else if self.tables > 0 {
            self.open_in_table(name);
        } else {
            let kind = if HEADINGS.contains(&name) {
                Some(BlockKind::Heading(self.sections.clamp(1, 6)))
            } else if ITEMS.contains(&name) {
                Some(BlockKind::ListItem)
            } else if CODE.contains(&name) {
                Some(BlockKind::Code)
            } else {
                None
            };
            self.flow.close();
            self.kinds.extend(kind.map(|kind| (name, kind)));
        }
    }

    fn open_in_table(&mut self, name: &str) {
        if ROWS.contains(&name) {
            self.flow.separator('\n');
            self.cells = 0;
        } else if CELLS.contains(&name) {
            if self.cells > 0 {
                self.flow.separator('\t');
            }
            self.cells += 1;
        } else {
            self.flow.words(" ");
        }
    }

    fn close(&mut self, name: &str) {
        if self.silent > 0 {
            self.silent -= 1;
        } else if self.in_line.contains(name) {
        } else if name == "table" && self.tables > 0 {
            self.tables -= 1;
            self.flow.close();
        } else if self.tables > 0 {
            self.flow.words(" ");
        } else {
            self.sections -= u8::from(SECTIONS.contains(&name) && self.sections > 0);
            if self.kinds.last().is_some_and(|(open, _)| *open == name) {
                self.kinds.pop();
            }
            self.flow.close();
        }
    }

    fn words(&mut self, words: &str) {
        if self.silent > 0 {
            return;
        }
        if self.tables == 0 && !self.flow.is_open() {
            if words.trim().is_empty() {
                return;
            }
            self.begin();
        }
        if self
            .kinds
            .last()
            .is_some_and(|(_, kind)| *kind == BlockKind::Code)
        {
            self.flow.verbatim(words);
        } else {
            self.flow.words(words);
        }
    }

    /// Begins a block of the kind that the elements around say; of an item, only the first is one.
    fn begin(&mut self) {
        let kind = self
            .kinds
            .last_mut()
            .map_or(BlockKind::Paragraph, |(_, kind)| {
                let begun = *kind;
                if begun == BlockKind::ListItem {
                    *kind = BlockKind::Paragraph;
                }
                begun
            });
        if matches!(kind, BlockKind::Heading(_)) {
            self.title.get_or_insert(self.flow.blocks());
        }
        self.flow.begin(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTICLE: &str = "<?xml version='1.0'?><article xml:lang='en'><front><article-title>Storms of <i>Averill</i></article-title></front>\
        <sec><title>Counting</title><p>The keeper counted <b>101</b> storms, see <xref>1</xref>. Nobody knew why there had been so many of them, and \
        the council asked for a report that was never written.</p>\
        <list><list-item><p>One &amp; two</p></list-item></list>\
        <table><tr><th>Year</th><th>Storms</th></tr><tr><td>1931</td><td>101</td></tr></table>\
        <programlisting>a\n  b</programlisting></sec></article>";

    #[test]
    fn a_marked_up_text_is_read_as_its_text() {
        assert!(is_prose(ARTICLE));
        let document = read(ARTICLE);
        let parts: Vec<(BlockKind, &str)> = document
            .blocks
            .iter()
            .map(|b| (b.kind, b.span.slice(&document.text)))
            .collect();
        assert_eq!(
            parts,
            [
                (BlockKind::Heading(1), "Storms of Averill"),
                (BlockKind::Heading(2), "Counting"),
                (
                    BlockKind::Paragraph,
                    "The keeper counted 101 storms, see 1. Nobody knew why there had been so many of them, and \
                     the council asked for a report that was never written."
                ),
                (BlockKind::ListItem, "One & two"),
                (BlockKind::Table, "Year\tStorms\n1931\t101"),
                (BlockKind::Code, "a\n  b"),
            ]
        );
        assert_eq!(document.title.as_deref(), Some("Storms of Averill"));
        assert_eq!(document.language.as_deref(), Some("en"));
    }

    #[test]
    fn records_are_not_a_text() {
        let ships: String = (0..20)
            .map(|n| format!("<ship><id>{n}</id><name>Tern {n}</name></ship>"))
            .collect::<Vec<_>>()
            .concat();
        assert!(!is_prose(&format!("<ships>{ships}</ships>")));
        assert!(!is_prose(""));
    }
}
