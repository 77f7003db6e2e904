//! A chunk that was made for one embedder, made to fit another one, where the file it came from can't
//! be read again.

use rag_core::{Block, BlockKind, Chunk, Document, Lines, Span, TokenCounter, chunk::in_context};

use crate::cut::Bounded;
use crate::split::{Sizes, split};

/// `chunk` for an embedder that counts like `counter`: the chunk itself with its new size, or where it
/// is larger than `sizes` allow, the pieces it is cut into. They have its heading path where they have
/// room for it, and its pages, since where in it a page ends is not known any more.
///
/// The pieces are numbered from 0.
#[must_use]
pub fn refit(chunk: &Chunk, sizes: Sizes, counter: &dyn TokenCounter) -> Vec<Chunk> {
    let counter = Bounded(counter);
    let weighed = |chunk: &Chunk| counter.count_tokens(&chunk.embedded_text());
    let tokens = weighed(chunk);
    if tokens <= sizes.max {
        return vec![Chunk {
            ordinal: 0,
            tokens: tokens as u32,
            ..chunk.clone()
        }];
    }
    let context = in_context(&chunk.heading, chunk.table_header.as_deref(), "");
    let context = counter.count_tokens(&context) + 1;
    let room = sizes.max.saturating_sub(context);
    let has_room = room >= sizes.max / 2;
    let max = if has_room { room } else { sizes.max };
    let whole = Span::new(0, chunk.text.len());
    let document = Document {
        text: chunk.text.clone(),
        blocks: vec![Block::new(BlockKind::Paragraph, whole)],
        lines_are_source_lines: chunk.lines.is_some(),
        ..Document::default()
    };
    let sizes = Sizes {
        target: sizes.target.min(max),
        max,
    };
    let pieces = split(&document, sizes, counter.0);
    let placed = |piece: Chunk| {
        let lines = chunk.lines.zip(piece.lines);
        let bare = Chunk {
            span: piece.span.shifted(chunk.span.start),
            lines: lines.map(|(all, own)| Lines {
                first: all.first + own.first - 1,
                last: all.first + own.last - 1,
            }),
            part: chunk.part.clone(),
            page: chunk.page,
            page_end: chunk.page_end,
            ..piece
        };
        let under = Chunk {
            heading: chunk.heading.clone(),
            table_header: chunk.table_header.clone(),
            ..bare.clone()
        };
        let tokens = weighed(&under);
        if has_room && tokens <= max + context {
            let tokens = tokens as u32;
            return Chunk { tokens, ..under };
        }
        bare
    };
    pieces.into_iter().map(placed).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A token for each so many characters.
    struct Every(usize);

    impl TokenCounter for Every {
        fn count_tokens(&self, text: &str) -> usize {
            text.chars().count().div_ceil(self.0)
        }
    }

    fn chunk(text: &str, heading: &[&str]) -> Chunk {
        Chunk {
            ordinal: 3,
            span: Span::new(1000, 1000 + text.len()),
            text: text.to_owned(),
            heading: heading.iter().map(ToString::to_string).collect(),
            part: Some("Sheet1".into()),
            page: Some(4),
            page_end: Some(5),
            lines: Some(Lines {
                first: 21,
                last: 21 + text.matches('\n').count() as u32,
            }),
            tokens: 9,
            ..Chunk::default()
        }
    }

    const SIZES: Sizes = Sizes {
        target: 24,
        max: 32,
    };

    #[test]
    fn a_chunk_that_fits_is_only_counted_anew() {
        let chunk = chunk("The heron waits.", &["Birds"]);
        let expected = Chunk {
            ordinal: 0,
            tokens: 11,
            ..chunk.clone()
        };
        assert_eq!(refit(&chunk, SIZES, &Every(2)), [expected]);
    }

    #[test]
    fn a_larger_one_is_cut_at_its_sentences_which_keep_their_places() {
        let text = "The heron waits by the ford.\nThe otter swims. The seal sleeps now.";
        let pieces = refit(&chunk(text, &["A"]), SIZES, &Every(1));
        let told: Vec<(&str, u32)> = pieces
            .iter()
            .map(|piece| (piece.text.as_str(), piece.lines.unwrap().first))
            .collect();
        let expected = [
            ("The heron waits by the ford.", 21),
            ("The otter swims.", 22),
            ("The seal sleeps now.", 22),
        ];
        assert_eq!(told, expected);
        let last = &pieces[2];
        assert_eq!((last.page, last.page_end), (Some(4), Some(5)));
        assert_eq!(last.part.as_deref(), Some("Sheet1"));
        assert_eq!((last.ordinal, last.heading.len()), (2, 1));
    }

    #[test]
    fn a_heading_path_that_would_take_half_the_room_is_left_out() {
        let heading = "a heading as long as a chunk";
        let pieces = refit(
            &chunk(&"Some words. ".repeat(9), &[heading]),
            SIZES,
            &Every(1),
        );
        assert!(pieces.iter().all(|piece| piece.heading.is_empty()));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_large(
            text in "[a-z。 \n]{1,300}", heading in "[a-z]{0,40}", every in 1..4usize,
        ) {
            let whole = chunk(&text, &[&heading]);
            let pieces = refit(&whole, SIZES, &Every(every));
            let mut rest = 0;
            for piece in &pieces {
                let span = Span::new(piece.span.start - 1000, piece.span.end - 1000);
                prop_assert_eq!(span.slice(&text), &piece.text);
                prop_assert!(text[rest..span.start].trim().is_empty());
                rest = span.end;
                let tokens = Every(every).count_tokens(&piece.embedded_text());
                prop_assert_eq!(tokens, piece.tokens as usize);
                prop_assert!(tokens <= SIZES.max);
            }
            prop_assert!(text[rest..].trim().is_empty());
        }
    }
}
