//! What is recorded of a file: its state at rest and its row in the report.

use rag_core::{
    Chunk, Code, Document, Error, Outcome, Row, Source, SourceState, Status, WarningKind,
};

use crate::plan::{Seen, is_out_of_reach};
use crate::walk::Unreached;

/// The media type of a folder that could not be listed, as desktops write it.
const FOLDER: &str = "inode/directory";

/// A file read and split, before its vectors.
pub(crate) struct Prepared {
    pub(crate) state: SourceState,
    /// With the hash of what is embedded of each.
    pub(crate) chunks: Vec<(Chunk, String)>,
    /// Why these are its stored chunks, where it was not read.
    pub(crate) carried: Option<String>,
}

impl Prepared {
    /// Bytes of text that it keeps in memory.
    pub(crate) fn text_bytes(&self) -> usize {
        self.chunks.iter().map(|(chunk, _)| chunk.text.len()).sum()
    }

    /// Its row in the report, and the bytes that were read for it.
    pub(crate) fn row(&self) -> (Row, u64) {
        match &self.carried {
            Some(reason) => (carried(&self.state, reason), 0),
            None => (row_of_state(&self.state), self.state.size),
        }
    }
}

/// The record of a source that is made of what is stored of it, and why.
pub(crate) fn from_store(state: SourceState, chunks: Vec<Chunk>, reason: String) -> Prepared {
    Prepared {
        state: SourceState {
            chunks: chunks.len() as u32,
            ..state
        },
        chunks: chunks.into_iter().map(hashed).collect(),
        carried: Some(reason),
    }
}

/// The row of a source that is made of what is stored of it.
pub(crate) fn carried(state: &SourceState, reason: &str) -> Row {
    Row {
        source: state.source.path.clone(),
        status: Status::Carried,
        reason: Some(format!("{reason}; what is stored of it was taken instead")),
        chunks: state.chunks,
    }
}

/// A chunk with the hash of what is embedded of it.
fn hashed(chunk: Chunk) -> (Chunk, String) {
    let hash = blake3::hash(chunk.embedded_text().as_bytes()).to_hex()[..32].to_owned();
    (chunk, hash)
}

/// The record of a file that was read.
pub(crate) fn prepared(
    seen: &Seen,
    rules: &str,
    document: &Document,
    chunks: Vec<Chunk>,
) -> Prepared {
    // Nothing is called read of which nothing can be found, without a word on why.
    let is_mute = chunks.is_empty() && !document.warnings.is_empty();
    let facts: Vec<String> = document
        .warnings
        .iter()
        .filter(|warning| is_mute || warning.kind == WarningKind::Lost)
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
    state.tags.clone_from(&document.tags);
    state.chunks = chunks.len() as u32;
    if is_mute || document.is_partial() {
        state.outcome = Outcome::Partly;
        state.reason = Some(facts.join("; "));
    }
    Prepared {
        state,
        chunks: chunks.into_iter().map(hashed).collect(),
        carried: None,
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
        carried: None,
    }
}

/// The record of a file that could not be got at, though it may be readable another time. What is
/// known of it stays, and the next run tries again whatever size and time say.
pub(crate) fn out_of_reach(
    source: &Source,
    known: Option<SourceState>,
    reason: String,
) -> SourceState {
    let mut state = known.unwrap_or_else(|| blank(source.clone()));
    state.outcome = Outcome::Failed;
    state.reason = Some(reason);
    state.modified_ns = 0;
    state
}

/// [`out_of_reach`] for what the walk could not look at.
pub(crate) fn unreached(unreached: &Unreached, known: Option<SourceState>) -> SourceState {
    let mut state = out_of_reach(&unreached.source, known, unreached.reason.clone());
    if unreached.is_folder {
        FOLDER.clone_into(&mut state.media_type);
    }
    state
}

/// Whether this is the record of a folder that could not be listed, and of no file.
pub(crate) fn is_folder(state: &SourceState) -> bool {
    state.media_type == FOLDER
}

fn state_of(seen: &Seen, rules: &str) -> SourceState {
    SourceState {
        hash: seen.hash.clone().unwrap_or_default(),
        rules: rules.to_owned(),
        size: seen.stamp.size,
        modified_ns: seen.stamp.modified_ns,
        ..blank(seen.source.clone())
    }
}

fn blank(source: Source) -> SourceState {
    SourceState {
        source,
        hash: String::new(),
        rules: String::new(),
        size: 0,
        modified_ns: 0,
        title: None,
        language: None,
        media_type: String::new(),
        date: None,
        tags: Vec::new(),
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

pub(crate) fn row_of(source: &Source, status: Status, reason: Option<String>) -> Row {
    Row {
        source: source.path.clone(),
        status,
        reason,
        chunks: 0,
    }
}

pub(crate) fn row_of_state(state: &SourceState) -> Row {
    let kept = is_out_of_reach(state).then_some("; what was read of it before is kept");
    Row {
        source: state.source.path.clone(),
        status: match state.outcome {
            Outcome::Read => Status::Read,
            Outcome::Partly => Status::Partly,
            Outcome::Skipped => Status::Skipped,
            Outcome::Failed => Status::Failed,
        },
        reason: state
            .reason
            .as_ref()
            .map(|reason| format!("{reason}{}", kept.unwrap_or_default())),
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
