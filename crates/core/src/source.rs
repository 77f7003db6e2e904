//! A source: one file of a knowledge base, its identity and its state at rest.

use serde::{Deserialize, Serialize};

/// A file's identity in a knowledge base: the hash of its absolute path, 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceKey(pub String);

impl std::fmt::Display for SourceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a source lies. `root` is the folder that was ingested, `path` the way from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    pub key: SourceKey,
    /// Absolute path of the ingested folder.
    pub root: String,
    /// Relative to `root`, separated by `/`; what people are shown.
    pub path: String,
}

/// What the index knows of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    pub source: Source,
    /// BLAKE3 of the file's bytes, hex.
    pub hash: String,
    /// Version of the reading and splitting rules that made the chunks.
    pub rules: String,
    /// In bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970, as the file system gave it; 0 where it was too
    /// fresh to rely on, so that the next ingest compares hashes.
    pub modified_ns: i64,
    pub title: Option<String>,
    pub language: Option<String>,
    pub media_type: String,
    /// When the document says it was written or last changed; see [`crate::Document::date`].
    pub date: Option<String>,
    /// What the document is filed under by its author; see [`crate::Document::tags`].
    pub tags: Vec<String>,
    pub outcome: Outcome,
    /// Why the source was read in part, skipped or failed.
    pub reason: Option<String>,
    pub chunks: u32,
}

/// How reading a source ended. Skipped and failed files are remembered with their reason, so that
/// they are not tried again before they change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Read,
    Partly,
    Skipped,
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Read, Self::Partly, Self::Skipped, Self::Failed];

    /// The name at rest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Partly => "partly",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}
