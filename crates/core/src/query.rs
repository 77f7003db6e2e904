//! Questions to the index, and what they find.

use serde::{Deserialize, Serialize};

use crate::{Chunk, Source, Span, calendar::Period};

/// Which searches take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Words and vectors, fused.
    #[default]
    Hybrid,
    Words,
    Vector,
    /// The same as hybrid, and the best read again by a reranker.
    Rerank,
}

/// A question to the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub text: String,
    pub mode: Mode,
    /// How many hits are wanted.
    pub limit: usize,
    pub filter: Filter,
}

/// Which sources a question is about. What is empty lets every source through; a source must pass all
/// that is not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Patterns as in `.gitignore`, from the ingested folder; one of them must fit the path.
    pub within: Vec<String>,
    /// Names or extensions of formats: `pdf`, `markdown`, `docx`.
    pub types: Vec<String>,
    /// BCP 47 tags; `zh` stands for `zh-Hans` and `zh-Hant` as well.
    pub languages: Vec<String>,
    /// What the document is filed under, in any case; `sea` stands for `sea/storms` as well.
    pub tags: Vec<String>,
    /// Of the document's own date, or of the file's where it has none; both ends included.
    pub since: Option<Period>,
    pub until: Option<Period>,
}

/// A chunk and why it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub source: Source,
    /// BLAKE3 of the file the chunk was made from, hex.
    pub source_hash: String,
    /// What was found, with its neighbours as far as its section and a budget go.
    pub chunk: Chunk,
    /// What was found, within the span of `chunk`.
    pub focus: Span,
    /// The fused score; only its order means something across queries.
    pub score: f32,
    pub why: Why,
}

/// What each search said of a hit; none where it did not return it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Why {
    /// Rank and cosine similarity (-1 to 1).
    pub vector: Option<Reason>,
    /// Rank and BM25 score.
    pub words: Option<Reason>,
    /// Rank and score of the reranker.
    pub rerank: Option<Reason>,
    /// Rank of the better hit that says nearly the same; it cost this one its place.
    pub repeats: Option<u32>,
}

/// A place in one search's list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// From 1.
    pub rank: u32,
    /// As that search gives it.
    pub score: f32,
    /// What the place added to the fused score.
    pub points: f32,
}
