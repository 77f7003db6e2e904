//! Plain text: paragraphs between blank lines.

use rag_core::{Block, BlockKind, Document, Span};

/// The document of a decoded plain text.
pub(crate) fn read(text: String) -> Document {
    let blocks = paragraphs(&text)
        .map(|span| Block::new(BlockKind::Paragraph, span))
        .collect();
    Document {
        text,
        blocks,
        lines_are_source_lines: true,
        ..Document::default()
    }
}

/// Runs of lines that are not blank, without the white space around them.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = Span> {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        Span::new(start, at)
    });
    std::iter::from_fn(move || {
        let first = lines.find(|line| !is_blank(line.slice(text)))?;
        let mut last = first;
        for line in lines.by_ref() {
            if is_blank(line.slice(text)) {
                break;
            }
            last = line;
        }
        Some(trimmed(text, Span::new(first.start, last.end)))
    })
}

/// `span` without the white space at its ends.
pub(crate) fn trimmed(text: &str, span: Span) -> Span {
    let slice = span.slice(text);
    let kept = slice.trim_start();
    let start = span.start + (slice.len() - kept.len());
    Span::new(start, start + kept.trim_end().len())
}

fn is_blank(line: &str) -> bool {
    line.chars().all(char::is_whitespace)
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
    fn the_text_is_kept_to_the_byte() {
        let document = read("  a\n\nb\n".to_owned());
        assert_eq!(document.text, "  a\n\nb\n");
        assert_eq!(document.blocks[0].span, Span::new(2, 3));
        assert!(document.lines_are_source_lines);
        assert!(read(String::new()).blocks.is_empty());
    }
}
