//! Answers, the citations that carry them, and refusals.

use serde::{Deserialize, Serialize};

use crate::{Area, Everything, Hit, Ledger, Lines, Source, Span};

/// What a question got: text with citations, or a refusal. Both come with the hits they rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub question: String,
    pub mode: AnswerMode,
    /// The answer with its `[n]` marks; empty where the question was refused.
    pub text: String,
    pub refused: Option<Refusal>,
    /// How likely it is, going by the hits, that the documents hold the answer (0 to 1).
    pub confidence: f32,
    /// Sentences of the answer in order, each with the numbers of the citations that support it.
    pub sentences: Vec<Sentence>,
    /// In order of appearance; `n` counts from 1 without gaps.
    pub citations: Vec<Citation>,
    /// The source of each citation, in their order.
    pub cited: Vec<Cited>,
    pub hits: Vec<Hit>,
    /// What became of the hits.
    pub ledger: Ledger,
    /// What was counted, where the question was put to everything.
    pub everything: Option<Everything>,
    /// What was done otherwise than asked or than usual, a line each.
    pub notes: Vec<String>,
    pub usage: Usage,
    pub timings: Timings,
}

impl Answer {
    /// An answer to `question` of which nothing is there yet.
    #[must_use]
    pub fn begun(question: &str, mode: AnswerMode) -> Self {
        Self {
            question: question.to_owned(),
            mode,
            text: String::new(),
            refused: None,
            confidence: 0.0,
            sentences: Vec::new(),
            citations: Vec::new(),
            cited: Vec::new(),
            hits: Vec::new(),
            ledger: Ledger::default(),
            everything: None,
            notes: Vec::new(),
            usage: Usage::default(),
            timings: Timings::default(),
        }
    }
}

/// Where the source of a citation lies, and what it was when it was indexed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cited {
    pub source: Source,
    /// BLAKE3 of the file that was indexed, hex.
    pub hash: String,
}

/// Who writes an answer. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerMode {
    /// A language model, from the passages; each of its sentences is held against them.
    #[default]
    Generated,
    /// Nobody: the sentences of the passages that answer best, as they stand. No language model.
    Extractive,
    /// Nobody: every place was counted. No language model, and no best passages.
    Everything,
}

/// A question of a conversation, made to stand by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    pub text: String,
    pub by: RewrittenBy,
}

/// Who made a question stand by itself. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewrittenBy {
    /// The engine: readings that its rules make, chosen by what the documents speak of.
    Rule,
    /// The language model, held to the words of the conversation.
    Model,
}

/// One sentence of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    pub text: String,
    /// Numbers of citations; empty where no passage supports the sentence.
    pub citations: Vec<u32>,
}

/// A place in a source that supports a sentence of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    pub n: u32,
    /// Path relative to the ingested folder.
    pub source: String,
    /// The piece of the file, where it has pieces.
    pub part: Option<String>,
    pub page: Option<u32>,
    pub lines: Option<Lines>,
    pub heading: Vec<String>,
    /// Stands in the source, character for character, at `span`.
    pub quote: String,
    /// Byte range in the document's text.
    pub span: Span,
    /// Where the quoted blocks stand on `page`, for formats that fix this.
    pub areas: Vec<Area>,
    /// Whether the quote was found at its span when the file was read again to check it. One that was
    /// not is no citation, so this is true of all that are shown.
    pub verified: bool,
    /// Where it is not quite what was indexed: the file has changed since.
    pub note: Option<String>,
}

/// An answer that was not given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: RefusalReason,
    /// One sentence for people.
    pub message: String,
}

/// Why a question was refused. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The search found nothing.
    NoHits,
    /// What was found does not speak of what was asked.
    WeakHits,
    /// The model said that the passages do not hold the answer.
    ModelDeclined,
    /// The model's draft is not supported by any passage.
    Unsupported,
}

/// What the answer cost in tokens, and what did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: usize,
    /// Of the prompt, so many were held from the one before and not computed again.
    #[serde(default)]
    pub reused_tokens: usize,
    pub generated_tokens: usize,
    /// Passages shown to the model.
    pub passages: usize,
    /// Hits that did not fit the token budget.
    pub dropped_passages: usize,
    /// Whether the answer was cut at its token limit.
    pub cut: bool,
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Timings {
    pub load_ms: f64,
    /// Of the search, what making the question's vector took.
    #[serde(default)]
    pub embed_ms: f64,
    pub search_ms: f64,
    /// Choosing the passages that fit.
    #[serde(default)]
    pub prompt_ms: f64,
    pub prefill_ms: f64,
    pub decode_ms: f64,
    pub cite_ms: f64,
    pub total_ms: f64,
}
