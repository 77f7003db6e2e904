//! The ledger of an answer: what was retrieved, what of it the model was shown, and what was left out.

use serde::{Deserialize, Serialize};

/// What became of every hit. Tokens are the language model's own; where none was asked there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Of the prompt without any passage: instructions, question, chat template.
    pub frame_tokens: Option<usize>,
    /// What passages may take.
    pub room_tokens: Option<usize>,
    /// What the passages took that were shown.
    pub used_tokens: Option<usize>,
    /// One for each hit, in the order of the hits.
    pub entries: Vec<Entry>,
}

/// What became of one hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, as in the hits.
    pub rank: u32,
    /// What it takes in the prompt, its place and its mark included.
    pub tokens: Option<usize>,
    pub fate: Fate,
    /// Why it was not used.
    pub reason: Option<String>,
    /// Characters that are not to be seen and were kept from the model.
    pub hidden: usize,
}

/// Whether a hit was used. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Shown to the model, or its sentences weighed for an extractive answer.
    Used,
    /// Left out whole; nothing is ever cut.
    Dropped,
    /// The question was refused before anybody looked at passages.
    NotReached,
}
