//! The one wire schema: what `--json` prints, today on the terminal, tomorrow over HTTP.
//!
//! JSON types live apart from the domain, so that a field renamed inside stays the same outside.

use serde::{Deserialize, Serialize};

use crate::{
    Answer, AnswerMode, Citation, Code, Error, Everything, Hit, Ledger, Lines, Refusal, Rewritten,
    Sentence, Span, Timings, Usage, Why,
};

/// One hit of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HitRow {
    /// From 1.
    pub rank: u32,
    /// Path relative to the ingested folder.
    pub source: String,
    /// The piece of the file (a sheet, an attachment, a file in an archive), where it has pieces.
    pub part: Option<String>,
    pub page: Option<u32>,
    pub page_end: Option<u32>,
    pub lines: Option<Lines>,
    pub heading: Vec<String>,
    pub span: Span,
    /// What was found, within `span`; around it stand its neighbours.
    pub focus: Span,
    pub text: String,
    /// Header row of the table that `text` goes on with.
    pub table_header: Option<String>,
    pub score: f32,
    pub why: Why,
}

impl HitRow {
    /// The rows of `hits`, ranked in their order.
    #[must_use]
    pub fn rows(hits: &[Hit]) -> Vec<Self> {
        hits.iter()
            .zip(1..)
            .map(|(hit, rank)| Self {
                rank,
                source: hit.source.path.clone(),
                part: hit.chunk.part.clone(),
                page: hit.chunk.page,
                page_end: hit.chunk.page_end,
                lines: hit.chunk.lines,
                heading: hit.chunk.heading.clone(),
                span: hit.chunk.span,
                focus: hit.focus,
                text: hit.chunk.text.clone(),
                table_header: hit.chunk.table_header.clone(),
                score: hit.score,
                why: hit.why,
            })
            .collect()
    }
}

/// What `rag search --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    pub query: String,
    pub hits: Vec<HitRow>,
    /// What was done otherwise than asked or than usual; left out where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub took_ms: f64,
}

/// What `rag ask --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskResult {
    /// As it was typed.
    pub question: String,
    /// As it was searched for and answered, where it leant on the questions before; else left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<Rewritten>,
    pub mode: AnswerMode,
    pub answer: String,
    pub refused: bool,
    pub refusal: Option<Refusal>,
    pub confidence: f32,
    pub sentences: Vec<Sentence>,
    pub citations: Vec<Citation>,
    pub hits: Vec<HitRow>,
    /// What became of the hits: used, or dropped and why.
    #[serde(default)]
    pub ledger: Ledger,
    /// Counts, of an answer in the mode `everything`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<Everything>,
    /// What was done otherwise than asked or than usual; left out where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub usage: Usage,
    pub timings: Timings,
}

impl From<Answer> for AskResult {
    fn from(answer: Answer) -> Self {
        Self {
            question: answer.question,
            rewritten: None,
            mode: answer.mode,
            answer: answer.text,
            refused: answer.refused.is_some(),
            refusal: answer.refused,
            confidence: answer.confidence,
            sentences: answer.sentences,
            citations: answer.citations,
            hits: HitRow::rows(&answer.hits),
            ledger: answer.ledger,
            everything: answer.everything,
            notes: answer.notes,
            usage: answer.usage,
            timings: answer.timings,
        }
    }
}

/// A failed command: what `--json` prints in place of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: Code,
    /// The fact and its causes on one line.
    pub message: String,
    pub hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code,
            message: error.one_line(),
            hint: error.hint.clone(),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.code, failure.message);
        error.hint = failure.hint;
        error
    }
}
