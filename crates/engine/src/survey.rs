//! The survey: walk, hash what must be hashed, plan. It reads files and writes nothing, so that a plan
//! can be shown without being carried out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rag_core::{Outcome, Plan, PlanRow, Result, Row, SourceKey, SourceState, Step};
use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use crate::engine::interrupted;
use crate::extent::Extent;
use crate::plan::{Action, Again, Scope, Seen, Terms, is_out_of_reach, plan, to_hash};
use crate::record::is_folder;
use crate::selection::Selection;
use crate::stamp::hash_of;
use crate::walk::{Unreached, walk};

/// What there is, and what is to be done about it.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Files that are passed over.
    pub(crate) skipped: Vec<Row>,
    /// Files and folders that could not be looked at, with what is known of them.
    pub(crate) unreached: Vec<(Unreached, Option<SourceState>)>,
    pub(crate) actions: Vec<Action>,
}

/// Surveys `paths`, as far as `extent` says, against what is `known`.
///
/// # Errors
/// As [`walk`]; `Interrupted`.
pub(crate) fn survey(
    (paths, extent): (&[PathBuf], &Extent),
    known: Vec<SourceState>,
    selection: &Selection,
    terms: Terms<'_>,
    stop: &AtomicBool,
) -> Result<Survey> {
    let mut roots: Vec<String> = known.iter().map(|s| s.source.root.clone()).collect();
    roots.dedup();
    let mut walked = walk(paths, &roots, selection, extent)?;
    let open = to_hash(&walked.seen, &known, &walked.scopes, terms);
    let mut unreached = walked.unreached;
    let mut seen = Vec::with_capacity(open.len());
    for (file, hashed) in hash_some(walked.seen, &open, stop) {
        match hashed {
            Ok(()) => seen.push(file),
            Err(cause) => unreached.push(lost(file, &cause, &mut walked.scopes)),
        }
    }
    if stop.load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    let unreached = with_known(unreached, &known);
    Ok(Survey {
        skipped: walked.rows,
        unreached,
        actions: plan(seen, known, &walked.scopes, terms),
    })
}

/// Hashes the files that are marked, on all cores.
fn hash_some(
    seen: Vec<Seen>,
    open: &[bool],
    stop: &AtomicBool,
) -> Vec<(Seen, std::io::Result<()>)> {
    let hashed = |(mut file, open): (Seen, &bool)| {
        if !open || stop.load(Ordering::Relaxed) {
            return (file, Ok(()));
        }
        let hashed = hash_of(&file.absolute).map(|hash| file.hash = Some(hash));
        (file, hashed)
    };
    if open.contains(&true) {
        let pairs: Vec<_> = seen.into_iter().zip(open).collect();
        pairs.into_par_iter().map(hashed).collect()
    } else {
        seen.into_iter().zip(open).map(hashed).collect()
    }
}

/// A file that is there and can't be read: what is known of it is not proven gone.
fn lost(file: Seen, cause: &std::io::Error, scopes: &mut [Scope]) -> Unreached {
    for scope in scopes {
        scope.spared.insert(file.absolute.clone());
    }
    Unreached {
        source: file.source,
        is_folder: false,
        reason: format!("can't be read: {cause}"),
    }
}

fn with_known(
    unreached: Vec<Unreached>,
    known: &[SourceState],
) -> Vec<(Unreached, Option<SourceState>)> {
    if unreached.is_empty() {
        return Vec::new();
    }
    let known: HashMap<&SourceKey, &SourceState> = known
        .iter()
        .map(|state| (&state.source.key, state))
        .collect();
    let pair = |unreached: Unreached| {
        let state = known.get(&unreached.source.key).copied().cloned();
        (unreached, state)
    };
    unreached.into_iter().map(pair).collect()
}

impl Survey {
    /// The plan as people and programs see it, sorted by name.
    pub(crate) fn shown(self, terms: Terms<'_>) -> Plan {
        let mut rows: Vec<PlanRow> = self.skipped.into_iter().map(skipped).collect();
        rows.extend(self.unreached.into_iter().map(|(unreached, _)| PlanRow {
            source: unreached.source.path,
            step: Step::Fail,
            reason: Some(unreached.reason),
            bytes: 0,
        }));
        let actions = self.actions.into_iter().filter(is_about_a_file);
        rows.extend(actions.map(|action| row(action, terms)));
        rows.sort_by(|a, b| a.source.cmp(&b.source));
        let mut plan = Plan::default();
        for row in rows {
            plan.push(row);
        }
        plan
    }
}

/// A folder that can be listed again is forgotten without a word: its files have rows of their own.
fn is_about_a_file(action: &Action) -> bool {
    !matches!(action, Action::Drop(state) if is_folder(state))
}

fn skipped(row: Row) -> PlanRow {
    PlanRow {
        source: row.source,
        step: Step::Skip,
        reason: row.reason,
        bytes: 0,
    }
}

fn row(action: Action, terms: Terms<'_>) -> PlanRow {
    let (source, step, reason, bytes) = match action {
        Action::Read { file, known: None } => (file.source, Step::Add, None, file.stamp.size),
        Action::Read {
            file,
            known: Some(state),
        } => {
            let reason = Some(because(&state, terms).to_owned());
            (file.source, Step::Replace, reason, file.stamp.size)
        }
        Action::Move { from, to } => {
            let reason = format!("from {}", from.source.path);
            (to.source, Step::Move, Some(reason), to.stamp.size)
        }
        Action::Keep(state) | Action::Settle(state) => {
            (state.source, Step::Keep, state.reason, state.size)
        }
        Action::Drop(state) => (state.source, Step::Drop, None, state.size),
    };
    PlanRow {
        source: source.path,
        step,
        reason,
        bytes,
    }
}

/// Why a source is read again.
fn because(state: &SourceState, terms: Terms<'_>) -> &'static str {
    if terms.again == Again::Everything {
        "everything is read again"
    } else if state.rules != terms.rules {
        "it was read by other rules"
    } else if is_out_of_reach(state) || state.hash.is_empty() {
        "it could not be read before"
    } else if terms.again == Again::Failed && state.outcome == Outcome::Failed {
        "it failed before"
    } else {
        "it has changed"
    }
}
