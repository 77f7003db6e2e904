//! One page of a PDF as a reader of it gives it: blocks of lines, and what could not be read.

use rag_core::{Area, BlockKind};

use crate::hidden::Hidden;

/// A page before it is written into a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Draft {
    /// In reading order.
    pub(crate) blocks: Vec<DraftBlock>,
    /// What was written onto the page: values of form fields, notes.
    pub(crate) written: Vec<DraftBlock>,
    /// Where it leads to.
    pub(crate) links: Vec<DraftLink>,
    /// What the page draws; asked only where it gave hardly any text.
    pub(crate) draws: Draws,
    /// What could not be read, each as one fact.
    pub(crate) skipped: Vec<String>,
    /// What stands on it and nobody sees.
    pub(crate) hidden: Hidden,
}

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DraftBlock {
    pub(crate) kind: BlockKind,
    /// Without line breaks; the cells of a table's row are parted by tabs.
    pub(crate) lines: Vec<String>,
    pub(crate) area: Option<Area>,
}

/// A place on the page that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DraftLink {
    /// The words that stand there.
    pub(crate) text: String,
    pub(crate) area: Area,
    pub(crate) target: String,
}

/// What is on a page with no text or hardly any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Draws {
    #[default]
    Nothing,
    /// Operators that show text, which gave no characters.
    Text,
    /// Pictures; where there is some text, one that fills most of the page.
    Picture,
    /// So many lines that they may be letters.
    Outlines,
    /// A few lines and areas, which are none.
    Shapes,
}

impl Draft {
    /// Whether there is no character on the page.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines().all(|line| line.trim().is_empty())
    }

    /// Whether there are at least so many characters on it, white space aside.
    pub(crate) fn has_chars(&self, count: usize) -> bool {
        let mut chars = self
            .lines()
            .flat_map(str::chars)
            .filter(|c| !c.is_whitespace());
        count
            .checked_sub(1)
            .is_none_or(|before| chars.nth(before).is_some())
    }

    /// Length of the text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.lines().map(str::len).sum()
    }

    /// All lines, from wherever they come.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.blocks
            .iter()
            .chain(&self.written)
            .flat_map(|block| block.lines.iter().map(String::as_str))
    }
}

impl DraftBlock {
    /// A block of the lines that hold anything; none where no line does.
    pub(crate) fn new(kind: BlockKind, lines: impl IntoIterator<Item = String>) -> Option<Self> {
        let lines: Vec<String> = lines
            .into_iter()
            .map(|line| cleaned(&line))
            .filter(|line| !line.is_empty())
            .collect();
        (!lines.is_empty()).then_some(Self {
            kind,
            lines,
            area: None,
        })
    }

    /// The same, standing there.
    pub(crate) fn at(mut self, area: Area) -> Self {
        self.area = Some(area);
        self
    }

    /// The block's text: its lines, a word that was divided at a line's end made whole.
    ///
    /// A hyphen between two lower-case letters at a line's end divides a word (`infor-` `mation`);
    /// compounds that happen to break there (`well-` `known`) lose theirs, which reading forgives.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            if text.is_empty() {
                text.push_str(line);
            } else if let Some(kept) = divided(&text, line) {
                text.truncate(kept);
                text.push_str(line);
            } else {
                text.push('\n');
                text.push_str(line);
            }
        }
        text
    }
}

/// Length of `text` without its last hyphen, where that hyphen divides a word that `next` ends.
pub(crate) fn divided(text: &str, next: &str) -> Option<usize> {
    if let Some(rest) = text.strip_suffix('\u{AD}') {
        return Some(rest.len());
    }
    let rest = text.strip_suffix(['-', '\u{2010}'])?;
    let is_lower = |c: Option<char>| c.is_some_and(char::is_lowercase);
    (is_lower(rest.chars().next_back()) && is_lower(next.chars().next())).then_some(rest.len())
}

/// A line without characters that mean nothing in a text, trimmed.
fn cleaned(line: &str) -> String {
    let line: String = line
        .chars()
        .map(|c| {
            if matches!(
                c,
                '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
            ) {
                ' '
            } else {
                c
            }
        })
        .filter(|c| *c == '\t' || !c.is_control())
        .collect();
    let line = line.trim();
    if line.contains(|c| ligature(c).is_some()) {
        let mut spelt = String::with_capacity(line.len());
        for c in line.chars() {
            match ligature(c) {
                Some(letters) => spelt.push_str(letters),
                None => spelt.push(c),
            }
        }
        return spelt;
    }
    line.to_owned()
}

/// The letters of a sign that stands for several, as fonts draw them together.
pub(crate) fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' | 'ﬆ' => "st",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[&str]) -> String {
        let lines = lines.iter().map(|line| (*line).to_owned());
        DraftBlock::new(BlockKind::Paragraph, lines).unwrap().text()
    }

    #[test]
    fn a_word_divided_at_a_lines_end_is_made_whole_only_between_lower_case_letters() {
        assert_eq!(text(&["infor-", "mation is"]), "information is");
        assert_eq!(text(&["A-", "b"]), "A-\nb");
        assert_eq!(text(&["2019-", "2020"]), "2019-\n2020");
        assert_eq!(text(&["soft\u{ad}", "ware"]), "software");
        assert_eq!(text(&["第一", "第二"]), "第一\n第二");
    }

    #[test]
    fn letters_that_are_drawn_together_are_spelt_out() {
        assert_eq!(text(&["ﬁrst oﬃce, laſt ﬂag"]), "first office, laſt flag");
        assert_eq!(text(&["eﬃ-", "cient"]), "efficient");
    }

    #[test]
    fn a_block_without_characters_is_none() {
        assert_eq!(
            DraftBlock::new(BlockKind::Paragraph, [" \u{1}".to_owned()]),
            None
        );
    }
}
