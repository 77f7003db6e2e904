//! Carrying over: what is stored of a source stands in for its file where that is gone, out of reach or
//! not what it was. A change of embedder changes nothing else: what was found before is found after.

use rag_core::{Code, Error, Outcome, Result, SourceState, TokenCounter};
use rag_index::Store;
use rag_text::{Sizes, refit};

use crate::pipeline::Reading;
use crate::record::{Prepared, from_store};

/// Where the stored chunks lie, and what they are to fit.
#[derive(Clone, Copy)]
pub(crate) struct Carry<'a> {
    pub(crate) old: &'a Store,
    pub(crate) sizes: Sizes,
    pub(crate) counter: &'a dyn TokenCounter,
}

impl Carry<'_> {
    /// What was read of a source, or what is stored of it where the reading is not of the bytes that are
    /// known, or found less in them.
    pub(crate) fn settle(&self, reading: Reading, known: &SourceState) -> Reading {
        let reason = match &reading {
            Reading::Broken(_) => None,
            Reading::Gone(_) => Some("its file is gone".to_owned()),
            Reading::OutOfReach(state) => state.reason.clone(),
            Reading::Prepared(prepared) => shortfall(&prepared.state, known),
        };
        match reason.map(|reason| self.stored(known, reason)) {
            None => reading,
            Some(Ok(prepared)) => Reading::Prepared(prepared),
            Some(Err(error)) => Reading::Broken(error),
        }
    }

    /// What is stored of a source, for the other embedder.
    pub(crate) fn stored(&self, known: &SourceState, reason: String) -> Result<Prepared> {
        let rows = self.old.rows(std::slice::from_ref(&known.source.key))?;
        let rows = rows.into_iter().next().ok_or_else(|| {
            let fact = format!("`{}` is not in the store any more", known.source.path);
            Error::new(Code::Internal, fact)
        })?;
        let fitted = rows
            .chunks
            .iter()
            .flat_map(|stored| refit(&stored.chunk, self.sizes, self.counter));
        let mut chunks: Vec<_> = fitted.collect();
        for (ordinal, chunk) in chunks.iter_mut().enumerate() {
            chunk.ordinal = ordinal as u32;
        }
        let state = SourceState {
            rules: carried_rules(known),
            ..known.clone()
        };
        Ok(from_store(state, chunks, reason))
    }
}

/// The rules of a source that was carried over. No ingest works by them, so that the next one reads the
/// file as soon as it can; and they tell which rules the stored chunks had been made by.
pub(crate) fn carried_rules(known: &SourceState) -> String {
    match known.rules.strip_prefix(CARRIED) {
        Some(_) => known.rules.clone(),
        None => format!("{CARRIED}{}", known.rules),
    }
}

const CARRIED: &str = "carried over from ";

/// In what `read` is less than what is known of the same source; none where it is as much or more.
pub(crate) fn shortfall(read: &SourceState, known: &SourceState) -> Option<String> {
    if read.hash != known.hash {
        return Some("its file has changed".to_owned());
    }
    let is_less = read.chunks == 0
        || match (read.outcome, known.outcome) {
            (Outcome::Read, _) => false,
            (Outcome::Partly, known) => known == Outcome::Read,
            (Outcome::Skipped | Outcome::Failed, _) => true,
        };
    is_less.then(|| {
        let reason = read.reason.as_deref();
        reason.unwrap_or("less is found in its file").to_owned()
    })
}
