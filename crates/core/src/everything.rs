//! Answers that were counted: every place in the documents where some words stand.

use serde::{Deserialize, Serialize};

/// What a question over everything asks to be counted. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Sources in which the words stand.
    Sources,
    /// Places where they stand.
    Places,
}

/// How the words have to stand. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// One behind the other, as they were asked for.
    AsAsked,
    /// All of them in one sentence: as they were asked for they stand nowhere.
    InOneSentence,
}

/// What was counted, over every chunk of the sources that were asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Everything {
    pub counted: Counted,
    /// The words, as they were asked for.
    pub subject: String,
    pub standing: Standing,
    /// What had to stand: the subject, or each of its words.
    pub terms: Vec<String>,
    /// Sources in which they stand.
    pub sources: usize,
    /// Sentences and rows of tables in which they stand; each is a citation.
    pub places: usize,
    /// How often they stand there; of several terms, the number of places.
    pub mentions: usize,
    /// Sources whose text was searched.
    pub searched: usize,
    /// Sources that were not read, or only in part: what stands in them is not known.
    pub unread: usize,
    /// In the order of their paths.
    pub by_source: Vec<InSource>,
    /// What is in the index and not in the files any more; not counted.
    pub lost: Vec<Lost>,
}

/// The places in one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSource {
    /// Path relative to the ingested folder.
    pub source: String,
    pub mentions: usize,
    /// Numbers of the citations.
    pub citations: Vec<u32>,
}

/// Places that were found in the index and could not be verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub source: String,
    pub places: usize,
    /// On one line.
    pub reason: String,
}
