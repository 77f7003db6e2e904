//! What is recorded of a file: its state at rest and its row in the report.

use rag_core::{Chunk, Code, Document, Error, Outcome, Row, SourceState, Status, WarningKind};

use crate::plan::Seen;

/// A file read and split, before its vectors.
pub(crate) struct Prepared {
    pub(crate) state: SourceState,
    pub(crate) chunks: Vec<(Chunk, String)>,
}

/// The record of a file that was read.
pub(crate) fn prepared(
    seen: &Seen,
    rules: &str,
    document: &Document,
    chunks: Vec<Chunk>,
) -> Prepared {
    let facts: Vec<String> = document
        .warnings
        .iter()
        .filter(|warning| warning.kind == WarningKind::Lost)
        .map(|warning| match &warning.part {
            Some(part) => format!("{part}: {}", warning.fact),
            None => warning.fact.clone(),
        })
        .collect();
    let mut state = state_of(seen, rules);
    state.title.clone_from(&document.title);
    state.language.clone_from(&document.language);
    state.media_type.clone_from(&document.media_type);
    state.date.clone_from(&document.date);
    state.chunks = chunks.len() as u32;
    if !facts.is_empty() {
        state.outcome = Outcome::Partly;
        state.reason = Some(facts.join("; "));
    }
    let hashed = |chunk: Chunk| {
        let hash = blake3::hash(chunk.embedded_text().as_bytes()).to_hex()[..32].to_owned();
        (chunk, hash)
    };
    Prepared {
        state,
        chunks: chunks.into_iter().map(hashed).collect(),
    }
}

/// The record of a file that can't be read: it has no chunks, and its old ones vanish.
pub(crate) fn refused(seen: &Seen, rules: &str, error: &Error) -> Prepared {
    let mut state = state_of(seen, rules);
    state.outcome = match error.code {
        Code::Unsupported => Outcome::Skipped,
        _ => Outcome::Failed,
    };
    state.reason = Some(error.one_line());
    Prepared {
        state,
        chunks: Vec::new(),
    }
}

fn state_of(seen: &Seen, rules: &str) -> SourceState {
    SourceState {
        source: seen.source.clone(),
        hash: seen.hash.clone().unwrap_or_default(),
        rules: rules.to_owned(),
        size: seen.size,
        modified_ns: seen.modified_ns,
        title: None,
        language: None,
        media_type: String::new(),
        date: None,
        outcome: Outcome::Read,
        reason: None,
        chunks: 0,
    }
}

/// The row of a source that is gone.
pub(crate) fn removed(state: &SourceState) -> Row {
    Row {
        source: state.source.path.clone(),
        status: Status::Removed,
        reason: None,
        chunks: state.chunks,
    }
}

pub(crate) fn row_of(seen: &Seen, status: Status, reason: Option<String>) -> Row {
    Row {
        source: seen.source.path.clone(),
        status,
        reason,
        chunks: 0,
    }
}

pub(crate) fn row_of_state(state: &SourceState) -> Row {
    Row {
        source: state.source.path.clone(),
        status: match state.outcome {
            Outcome::Read => Status::Read,
            Outcome::Partly => Status::Partly,
            Outcome::Skipped => Status::Skipped,
            Outcome::Failed => Status::Failed,
        },
        reason: state.reason.clone(),
        chunks: state.chunks,
    }
}

/// The row of a source that has not changed: a trouble stays a trouble until the file changes.
pub(crate) fn kept(state: &SourceState) -> Row {
    let mut row = row_of_state(state);
    if row.status == Status::Read {
        row.status = Status::Unchanged;
    }
    row
}
