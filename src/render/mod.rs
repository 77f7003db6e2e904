//! Answers as documents: what an answer is made of, for Markdown and HTML alike. Everything in it came
//! from files and models, and is written as text that means nothing to its reader's program.

mod html;
mod markdown;

pub(crate) use self::html::html;
pub(crate) use self::markdown::markdown;

use rag_core::wire::HitRow;
use rag_core::{Answer, Citation};

use crate::verbs::search::{excerpt, place, under};

/// A sentence of an answer with what stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece<'a> {
    /// White space; a line feed in it begins a new line.
    gap: &'a str,
    text: &'a str,
    /// Numbers of citations; empty where nothing supports the sentence.
    citations: &'a [u32],
}

/// The sentences of an answer in order. Marks are told from text that looks like them by what the engine
/// says of each sentence.
fn pieces(answer: &Answer) -> Vec<Piece<'_>> {
    let mut at = 0;
    let mut pieces = Vec::new();
    for sentence in &answer.sentences {
        let rest = &answer.text[at..];
        let Some(start) = rest.find(&sentence.text) else {
            continue;
        };
        let end = start + sentence.text.len();
        pieces.push(Piece {
            gap: &rest[..start],
            text: &rest[start..end],
            citations: &sentence.citations,
        });
        let marks: Vec<String> = sentence
            .citations
            .iter()
            .map(|n| format!("[{n}]"))
            .collect();
        let marks = if marks.is_empty() {
            "[?]".to_owned()
        } else {
            marks.concat()
        };
        let after = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
        let after = after.strip_prefix(marks.as_str()).unwrap_or(after);
        at = answer.text.len() - after.len();
    }
    pieces
}

/// Nearest passages named with a refusal.
const NEAREST: usize = 3;

/// The place of a citation with its headings, as people write it.
fn cited_place(citation: &Citation) -> (String, String) {
    let part = citation.part.as_deref();
    let place = place(&citation.source, part, citation.page, citation.lines);
    (place, under(&citation.heading, part))
}

/// The places and beginnings of the passages that are nearest to a refused question.
fn nearest(answer: &Answer) -> Vec<(String, String)> {
    let near = HitRow::rows(&answer.hits).into_iter().take(NEAREST);
    near.map(|hit| {
        let part = hit.part.as_deref();
        let place = place(&hit.source, part, hit.page, hit.lines);
        let under = under(&hit.heading, part);
        (format!("{place}{under}"), excerpt(&hit.text, 120))
    })
    .collect()
}

#[cfg(test)]
mod tests;
