//! An answer as Markdown, with its sources as footnotes (GitHub's, Pandoc's and Obsidian's syntax).

use std::fmt::Write;

use rag_core::Answer;

use super::{cited_place, nearest, pieces};
use crate::terminal::harmless;

/// The answer as a document that ends with a line feed.
pub(crate) fn markdown(answer: &Answer) -> String {
    let mut out = format!("# {}\n\n", line(&answer.question));
    if let Some(refusal) = &answer.refused {
        let _ = writeln!(out, "*{}*", line(&refusal.message));
        let near = nearest(answer);
        if !near.is_empty() {
            out.push_str("\nNearest passages:\n\n");
        }
        for (place, text) in near {
            let _ = writeln!(out, "- {}: {}", line(&place), line(&text));
        }
        return out;
    }
    for piece in pieces(answer) {
        out.push_str(if piece.gap.contains('\n') {
            "\n\n"
        } else {
            piece.gap
        });
        out.push_str(&line(piece.text));
        for n in piece.citations {
            let _ = write!(out, "[^{n}]");
        }
        if piece.citations.is_empty() {
            out.push_str(" \\[?\\]");
        }
    }
    out.push('\n');
    for citation in &answer.citations {
        let (place, under) = cited_place(citation);
        let _ = write!(
            out,
            "\n[^{}]: {}: “{}”",
            citation.n,
            line(&format!("{place}{under}")),
            line(&citation.quote)
        );
        if let Some(note) = &citation.note {
            let _ = write!(out, " ({})", line(note));
        }
        out.push('\n');
    }
    if answer
        .sentences
        .iter()
        .any(|sentence| sentence.citations.is_empty())
    {
        out.push_str("\n\\[?\\] no passage supports this sentence\n");
    }
    out
}

/// Text on one line, in which nothing is markup.
fn line(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(joined.len());
    let mut begins = true;
    for c in harmless(&joined).chars() {
        let is_markup = "\\`*_{}[]<>#|~&$^=".contains(c) || (begins && "+-".contains(c));
        if is_markup {
            out.push('\\');
        }
        out.push(c);
        begins = false;
    }
    // “1.” at the beginning of a line is a list.
    let digits = out.chars().take_while(char::is_ascii_digit).count();
    if digits > 0 && out[digits..].starts_with(['.', ')']) {
        out.insert(digits, '\\');
    }
    out
}
