//! The lines and paragraphs of a text, as spans into it.

use rag_core::Span;

/// One line, without its line feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) span: Span,
    pub(crate) text: &'a str,
}

impl<'a> Line<'a> {
    pub(crate) fn is_blank(self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }

    /// Bytes of white space before its first character.
    pub(crate) fn indent(self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    /// Its text without the white space around it.
    pub(crate) fn words(self) -> &'a str {
        self.text.trim()
    }

    /// Where `part`, a slice of this line's text, stands in the whole text.
    pub(crate) fn place_of(self, part: &str) -> Span {
        let offset = part.as_ptr() as usize - self.text.as_ptr() as usize;
        let start = self.span.start + offset.min(self.text.len());
        Span::new(start, start + part.len())
    }
}

/// The lines of a text in order. A copy looks ahead.
#[derive(Debug, Clone)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn peek(&self) -> Option<Line<'a>> {
        let mut ahead = self.clone();
        ahead.next()
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let length = rest.find('\n').unwrap_or(rest.len());
        let span = Span::new(self.at, self.at + length);
        self.at = (span.end + 1).min(self.text.len());
        Some(Line {
            span,
            text: &rest[..length],
        })
    }
}

/// The lines of `text`.
pub(crate) fn lines(text: &str) -> Lines<'_> {
    Lines { text, at: 0 }
}

/// Runs of lines that are not blank, without the white space around them.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = Span> {
    let mut lines = lines(text);
    std::iter::from_fn(move || {
        let first = lines.find(|line| !line.is_blank())?;
        let mut last = first;
        for line in lines.by_ref() {
            if line.is_blank() {
                break;
            }
            last = line;
        }
        Some(trimmed(text, Span::new(first.span.start, last.span.end)))
    })
}

/// `span` without the white space at its ends.
pub(crate) fn trimmed(text: &str, span: Span) -> Span {
    let slice = span.slice(text);
    let kept = slice.trim_start();
    let start = span.start + (slice.len() - kept.len());
    Span::new(start, start + kept.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        paragraphs(text).map(|span| span.slice(text)).collect()
    }

    #[test]
    fn blank_lines_separate_paragraphs() {
        assert_eq!(texts("one\ntwo\n\n \t\n  three  \n"), ["one\ntwo", "three"]);
        assert_eq!(texts("\n\n"), Vec::<&str>::new());
        assert_eq!(texts("第一段\n\n第二段"), ["第一段", "第二段"]);
    }

    #[test]
    fn a_line_knows_where_its_parts_stand() {
        let text = "one\n  two 中\n";
        let line = lines(text).nth(1).unwrap();
        assert_eq!((line.indent(), line.words()), (2, "two 中"));
        assert_eq!(line.place_of(line.words()).slice(text), "two 中");
        assert_eq!(lines(text).count(), 2);
        assert_eq!(
            lines("a\n\nb").map(|l| l.text).collect::<Vec<_>>(),
            ["a", "", "b"]
        );
    }
}
