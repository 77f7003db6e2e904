//! The plan of an ingest: what a run would do, made without doing it.

use serde::{Deserialize, Serialize};

/// What an ingest would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub sources: Vec<PlanRow>,
    pub totals: PlanTotals,
    pub took_ms: u64,
}

impl Plan {
    /// Adds a row and counts it.
    pub fn push(&mut self, row: PlanRow) {
        let totals = &mut self.totals;
        match row.step {
            Step::Add => totals.add += 1,
            Step::Replace => totals.replace += 1,
            Step::Move => totals.r#move += 1,
            Step::Keep => totals.keep += 1,
            Step::Drop => totals.drop += 1,
            Step::Skip => totals.skip += 1,
            Step::Fail => totals.fail += 1,
        }
        if matches!(row.step, Step::Add | Step::Replace) {
            totals.bytes += row.bytes;
        }
        self.sources.push(row);
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Path relative to the ingested folder.
    pub source: String,
    pub step: Step,
    /// Why it would be read again, skipped or not reached; where it would be moved from.
    pub reason: Option<String>,
    /// Size of the file; 0 where it was not looked at.
    pub bytes: u64,
}

/// What would become of a file. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// New: it would be read.
    Add,
    /// Known and changed, or to be read again for the reason given.
    Replace,
    /// Known under another name: nothing would be read.
    Move,
    Keep,
    /// Gone: what is known of it would be forgotten.
    Drop,
    Skip,
    /// It is there and can't be looked at.
    Fail,
}

/// Counts of files by step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTotals {
    pub add: u64,
    pub replace: u64,
    pub r#move: u64,
    pub keep: u64,
    pub drop: u64,
    pub skip: u64,
    pub fail: u64,
    /// Bytes of the files that would be read.
    pub bytes: u64,
}
