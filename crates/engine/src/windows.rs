//! The vector of a question of any length.
//!
//! An embedder reads so many tokens at once and cuts nothing. A question that is longer, a pasted page
//! say, is read in windows, and its vector is the mean of theirs, each counting by its tokens: every
//! word of it takes part.

use rag_core::fold::is_unspaced;
use rag_core::{Embedder, Purpose, Result};

/// The vector of `question` (Euclidean length 1), and in how many windows it was read.
///
/// # Errors
/// Whatever the embedder reports.
pub(crate) fn vector(question: &str, embedder: &dyn Embedder) -> Result<(Vec<f32>, usize)> {
    let windows = windows(question, embedder);
    let mut vectors = embedder.embed(&windows, Purpose::Query)?;
    if let [_] = vectors.as_slice() {
        return Ok((vectors.remove(0), 1));
    }
    let mut mean = vec![0.0; embedder.dimensions()];
    for (window, vector) in windows.iter().zip(&vectors) {
        let weight = embedder.count_tokens(window) as f32;
        for (sum, x) in mean.iter_mut().zip(vector) {
            *sum += weight * x;
        }
    }
    let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut mean {
        *x /= length.max(f32::MIN_POSITIVE);
    }
    Ok((mean, windows.len()))
}

/// `text` in pieces that the embedder reads at once, in order; all of it is in one of them.
pub(crate) fn windows<'a>(text: &'a str, embedder: &dyn Embedder) -> Vec<&'a str> {
    let mut windows = Vec::new();
    let mut rest = vec![text];
    while let Some(piece) = rest.pop() {
        let fits = embedder.count_tokens(piece) <= embedder.max_tokens();
        match middle(piece).filter(|_| !fits) {
            Some(at) => {
                let (before, after) = piece.split_at(at);
                rest.extend([after, before]);
            }
            None => windows.push(piece),
        }
    }
    windows
}

/// Where to halve a text: at the gap between two words that is nearest to its middle, as far as there
/// is one in its middle half, else between two characters. None for a text of one character.
fn middle(text: &str) -> Option<usize> {
    let half = text.len() / 2;
    let from_middle = |at: &usize| at.abs_diff(half);
    let inside = || text.char_indices().skip(1);
    let gaps = inside().filter(|(_, c)| c.is_whitespace() || is_mark(*c));
    let gap = gaps
        .map(|(at, c)| at + c.len_utf8())
        .min_by_key(from_middle);
    let gap = gap.filter(|at| from_middle(at) <= text.len() / 4 && *at < text.len());
    gap.or_else(|| inside().map(|(at, _)| at).min_by_key(from_middle))
}

/// Punctuation of Chinese and Japanese, after which no space stands.
fn is_mark(c: char) -> bool {
    is_unspaced(c) && !c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rag_core::TokenCounter;

    use super::*;
    use crate::testing::HashEmbedder;

    #[test]
    fn a_short_question_is_read_as_it_is() {
        let embedder = HashEmbedder::default();
        assert_eq!(
            windows("Who built the pier?", &embedder),
            ["Who built the pier?"]
        );
        assert_eq!(windows("", &embedder), [""]);
        let (alone, read) = vector("Who built the pier?", &embedder).unwrap();
        assert_eq!(read, 1);
        let same = embedder.embed(&["Who built the pier?"], Purpose::Query);
        assert_eq!(alone, same.unwrap()[0]);
    }

    #[test]
    fn a_long_question_is_cut_between_words_and_every_window_counts() {
        let embedder = HashEmbedder::default();
        let text = format!("{}heron {}", "pier ".repeat(60), "lamp ".repeat(60));
        let pieces = windows(&text, &embedder);
        assert_eq!(pieces.concat(), text);
        assert!(
            pieces.iter().all(|piece| piece.ends_with(' ')),
            "{pieces:?}"
        );
        let (mean, read) = vector(&text, &embedder).unwrap();
        assert_eq!(read, pieces.len());
        let length: f32 = mean.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        for word in ["pier", "heron", "lamp"] {
            let of_word = &embedder.embed(&[word], Purpose::Query).unwrap()[0];
            let cosine: f32 = of_word.iter().zip(&mean).map(|(a, b)| a * b).sum();
            let none = &embedder.embed(&["zebra"], Purpose::Query).unwrap()[0];
            let unlike: f32 = none.iter().zip(&mean).map(|(a, b)| a * b).sum();
            assert!(cosine > unlike, "{word}: {cosine} against {unlike}");
        }
    }

    proptest! {
        #[test]
        fn windows_fit_and_hold_the_whole_text(text in "\\PC{0,1500}") {
            let embedder = HashEmbedder::default();
            let pieces = windows(&text, &embedder);
            prop_assert_eq!(&pieces.concat(), &text);
            let most = embedder.max_tokens();
            prop_assert!(pieces.iter().all(|piece| embedder.count_tokens(piece) <= most));
        }
    }
}
