//! What goes into a store and what comes out of it: plain values.

use std::sync::Arc;

use rag_core::{Chunk, Source, SourceKey, SourceState};

/// What every vector of a store has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Length of every vector.
    pub dimensions: usize,
    /// The embedder's fingerprint: equal fingerprints mean comparable vectors.
    pub fingerprint: String,
    /// The embedder's name, for people.
    pub embedder: String,
}

impl Layout {
    /// Whether vectors of both can be compared; what people call the embedders does not matter.
    #[must_use]
    pub fn is_comparable(&self, other: &Self) -> bool {
        (&self.fingerprint, self.dimensions) == (&other.fingerprint, other.dimensions)
    }
}

/// A change that happens wholly or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Each of these sources gets exactly these chunks, whatever it had before.
    pub put: Vec<SourceRows>,
    /// Each of these sources gets this state and keeps the chunks it has; one that is not there begins
    /// without any. Root, path, hash and number of chunks are those that its chunks know.
    pub heads: Vec<SourceState>,
    /// Each of these sources vanishes with its chunks; one that is not there is no error, and one
    /// that is also in `put` is put.
    pub drop: Vec<SourceKey>,
}

/// A source with all its chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRows {
    /// Its `chunks` is the length of [`SourceRows::chunks`].
    pub state: SourceState,
    /// In chunk order.
    pub chunks: Vec<StoredChunk>,
}

/// A chunk as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChunk {
    pub chunk: Chunk,
    /// Hash of the text that was embedded, so that the same text is never embedded twice.
    pub text_hash: String,
    /// As long as the layout says, of Euclidean length 1. Chunks of the same text share it.
    pub vector: Arc<[f32]>,
}

/// Which sources a search looks into. Applied before the best are taken, so that they are as many as
/// asked for wherever there are so many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    #[default]
    All,
    Only(Vec<SourceKey>),
    AllBut(Vec<SourceKey>),
}

impl Scope {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Only(keys) if keys.is_empty())
    }
}

/// A chunk that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub source: Source,
    /// BLAKE3 of the file the chunk was made from, hex.
    pub source_hash: String,
    pub chunk: Chunk,
    /// Cosine similarity (-1 to 1) or a sum of BM25 (above 0); higher is better.
    pub score: f32,
}

/// A chunk's place: its source and its position in it.
pub type Place = (SourceKey, u32);

/// A chunk that a search found, and that is still to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    pub place: Place,
    /// As in [`Found`].
    pub score: f32,
    /// Where its row lay when it was found; a hint, for rows are moved.
    pub row: u64,
}

/// A chunk that was read, with what is known of its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub source: Source,
    /// BLAKE3 of the file the chunk was made from, hex.
    pub source_hash: String,
    pub chunk: Chunk,
    /// How many chunks the source has; none in rows of older versions of this program.
    pub of: Option<u32>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub sources: u64,
    pub chunks: u64,
    /// Bytes on disk, old versions that are not yet pruned included.
    pub bytes: u64,
    /// Versions of the table that can still be read.
    pub versions: u64,
    /// Pieces the table is stored in.
    pub fragments: u64,
    /// Rows that word search has to read one by one.
    pub unindexed_rows: u64,
}
