//! A document's sections and the headings above them.

use std::ops::Range;

use rag_core::{Block, BlockKind, Document};

/// A longer heading is left out of heading paths: it is a paragraph in large type.
const MAX_HEADING_CHARS: usize = 200;

/// Blocks under one heading. Headings that follow each other without text between, each deeper than the
/// one before, open one section together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// All blocks of the section, its own headings first.
    pub(crate) blocks: Range<usize>,
    /// How many of them are its own headings.
    pub(crate) own_headings: usize,
    /// Title and headings above the section's first block.
    pub(crate) above: Vec<String>,
    /// The same and the section's own headings: what stands above its later chunks.
    pub(crate) within: Vec<String>,
}

/// The sections of `document` in order; together they hold every block once.
pub(crate) fn sections(document: &Document) -> Vec<Section> {
    let blocks = &document.blocks;
    let level = |at: usize| match blocks.get(at)?.kind {
        BlockKind::Heading(level) => Some(level),
        _ => None,
    };
    let mut sections = Vec::new();
    let part = |at: usize| document.part_at(blocks.get(at)?.span.start);
    let mut path = Path::of(document);
    let mut at = 0;
    while at < blocks.len() {
        let first = at;
        path.enter_part(part(first).map(|part| part.name.as_str()));
        let within_part = |at: usize| part(at) == part(first);
        let mut deepest = 0;
        let mut above = None;
        while let Some(level) =
            level(at).filter(|level| at == first || *level > deepest && within_part(at))
        {
            path.leave(level);
            let text = heading_text(&blocks[at], &document.text);
            above.get_or_insert_with(|| path.names(&text));
            path.enter(level, text);
            deepest = level;
            at += 1;
        }
        let own_headings = at - first;
        while at < blocks.len() && level(at).is_none() && within_part(at) {
            at += 1;
        }
        let within = path.names("");
        sections.push(Section {
            blocks: first..at,
            own_headings,
            above: above.unwrap_or_else(|| within.clone()),
            within,
        });
    }
    sections
}

/// A heading's words on one line.
fn heading_text(block: &Block, text: &str) -> String {
    let words = match &block.label {
        Some(label) => label,
        None => block.span.slice(text),
    };
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The title, the part and the headings that are open.
struct Path<'a> {
    title: Option<&'a str>,
    part: Option<&'a str>,
    open: Vec<(u8, String)>,
}

impl<'a> Path<'a> {
    fn of(document: &'a Document) -> Self {
        Self {
            title: document.title.as_deref(),
            part: None,
            open: Vec::new(),
        }
    }

    /// The headings of one part are not above the text of another.
    fn enter_part(&mut self, part: Option<&'a str>) {
        if self.part != part {
            self.part = part;
            self.open.clear();
        }
    }

    fn leave(&mut self, level: u8) {
        self.open.retain(|(open, _)| *open < level);
    }

    fn enter(&mut self, level: u8, text: String) {
        self.open.push((level, text));
    }

    /// Outermost first. A title that is also the first heading, open or `next`, is named once.
    fn names(&self, next: &str) -> Vec<String> {
        let first = self.open.first().map_or(next, |(_, text)| text.as_str());
        self.title
            .filter(|title| !is_same(title, first))
            .into_iter()
            .chain(self.part)
            .chain(self.open.iter().map(|(_, text)| text.as_str()))
            .filter(|name| !name.is_empty() && name.chars().count() <= MAX_HEADING_CHARS)
            .map(str::to_owned)
            .collect()
    }
}

fn is_same(a: &str, b: &str) -> bool {
    let letters = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Vec<(usize, Vec<String>, Vec<String>)> {
        let document = crate::Reader::new().read("a.md", text.as_bytes()).unwrap();
        sections(&document)
            .into_iter()
            .map(|section| (section.blocks.len(), section.above, section.within))
            .collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_section_knows_the_headings_above_it() {
        let found = outline("before\n\n# A\n\n## B\n\ntext\n\n### C\n\ntext\n\n## D\n\n# E\n");
        assert_eq!(
            found,
            [
                // The title is the first heading of level 1, which is not above this text.
                (1, names(&["A"]), names(&["A"])),
                (3, names(&[]), names(&["A", "B"])),
                (2, names(&["A", "B"]), names(&["A", "B", "C"])),
                (1, names(&["A"]), names(&["A", "D"])),
                (1, names(&["A"]), names(&["A", "E"])),
            ]
        );
    }

    #[test]
    fn a_title_that_is_no_heading_comes_first() {
        let found = outline("---\ntitle: Guide\n---\n\n# A\n\ntext\n");
        assert_eq!(found, [(2, names(&["Guide"]), names(&["Guide", "A"]))]);
    }
}
