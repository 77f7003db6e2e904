//! The report of an ingest: one row for every file seen.

use serde::{Deserialize, Serialize};

/// What an ingest did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub sources: Vec<Row>,
    pub totals: Totals,
    pub took_ms: u64,
}

impl Report {
    /// Adds a row and counts it.
    pub fn push(&mut self, row: Row) {
        let totals = &mut self.totals;
        match row.status {
            Status::Read => totals.read += 1,
            Status::Partly => totals.partly += 1,
            Status::Unchanged => totals.unchanged += 1,
            Status::Moved => totals.moved += 1,
            Status::Removed => totals.removed += 1,
            Status::Carried => totals.carried += 1,
            Status::Skipped => totals.skipped += 1,
            Status::Failed => totals.failed += 1,
        }
        self.sources.push(row);
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Path relative to the ingested folder.
    pub source: String,
    pub status: Status,
    /// Why it was skipped, carried over, failed or read in part.
    pub reason: Option<String>,
    pub chunks: u32,
}

/// What became of a file. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Read,
    Partly,
    Unchanged,
    Moved,
    Removed,
    /// Of a change of embedder: not read, but made of what is stored of it.
    Carried,
    Skipped,
    Failed,
}

/// Counts of files by status, and of the work done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    pub read: u64,
    pub partly: u64,
    pub unchanged: u64,
    pub moved: u64,
    pub removed: u64,
    pub carried: u64,
    pub skipped: u64,
    pub failed: u64,
    /// Bytes of the files that were read.
    pub bytes: u64,
    /// Chunks written.
    pub chunks: u64,
    /// Chunks whose vector had to be computed; the others were known already.
    pub embedded: u64,
    /// Tokens embedded.
    pub tokens: u64,
}
