//! Places in a text: byte spans and line ranges.

use serde::{Deserialize, Serialize};

/// A half-open byte range `start..end` in a document's text. Both ends lie on character boundaries.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// `start..end`; an end before the start gives an empty span at `start`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `other` lies wholly inside.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The same span counted from `base` bytes further on.
    #[must_use]
    pub fn shifted(self, base: usize) -> Self {
        Self::new(self.start + base, self.end + base)
    }

    /// The text at the span, or the empty string where the span does not fit `text`.
    #[must_use]
    pub fn slice(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

impl From<(usize, usize)> for Span {
    fn from((start, end): (usize, usize)) -> Self {
        Self::new(start, end)
    }
}

impl From<Span> for (usize, usize) {
    fn from(span: Span) -> Self {
        (span.start, span.end)
    }
}

/// First and last line of a passage in its file, counted from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct Lines {
    pub first: u32,
    pub last: u32,
}

impl Lines {
    /// The lines that `span` touches in `text`. A line feed belongs to the line it ends.
    #[must_use]
    pub fn of(text: &str, span: Span) -> Self {
        let count = |upto: usize| {
            let breaks = text.as_bytes()[..upto].iter().filter(|b| **b == b'\n');
            u32::try_from(breaks.count()).unwrap_or(u32::MAX - 1)
        };
        let start = span.start.min(text.len());
        let inside = span.slice(text).trim_end_matches('\n').len();
        Self {
            first: count(start) + 1,
            last: count((start + inside).min(text.len())) + 1,
        }
    }
}

impl From<(u32, u32)> for Lines {
    fn from((first, last): (u32, u32)) -> Self {
        Self { first, last }
    }
}

impl From<Lines> for (u32, u32) {
    fn from(lines: Lines) -> Self {
        (lines.first, lines.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one_and_a_line_feed_belongs_to_the_line_it_ends() {
        let text = "one\ntwo\nthree\n";
        assert_eq!(
            Lines::of(text, Span::new(0, 3)),
            Lines { first: 1, last: 1 }
        );
        assert_eq!(
            Lines::of(text, Span::new(0, 4)),
            Lines { first: 1, last: 1 }
        );
        assert_eq!(
            Lines::of(text, Span::new(4, 13)),
            Lines { first: 2, last: 3 }
        );
        assert_eq!(
            Lines::of(text, Span::new(8, 14)),
            Lines { first: 3, last: 3 }
        );
    }

    #[test]
    fn a_span_that_does_not_fit_slices_to_nothing() {
        assert_eq!(Span::new(1, 2).slice("中"), "");
        assert_eq!(Span::new(0, 9).slice("abc"), "");
    }
}
