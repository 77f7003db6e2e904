//! The one integration binary: every further one would link LanceDB and candle again.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "in a test a failed unwrap is the test failing, and stderr is where people look"
)]

/// The pinned world of the tests below: homes, folders, running `rag`.
mod harness;

/// The walls between crates and the rules for files, held against manifests and sources.
mod walls;

/// The fixtures are what their script writes and what their questions say.
mod fixtures;

/// What people see: help, errors, exit codes, what goes to stdout.
mod terminal;

/// Ingest, ask, status and forget on the fixtures, with the starter models.
mod journey;

/// Questions, filters, reasons and scores of a search.
mod finding;

/// Answers that are sentences of the documents, without a language model.
mod extracting;

/// Conversations: follow-ups, what is kept of them, sources that are opened, answers as documents.
mod chatting;
/// Answers that are counted, explained, kept and checked again.
mod receipts;

/// Question sets: scoring, bounds, drafting; and queries of any characters.
mod evaluating;

/// Reading files that nobody should trust: workers, their confinement, and what `rag doctor` says.
mod reading;

/// What happens to a knowledge base over time: changes, kills, two at once.
mod lifecycle;

/// A knowledge base that stays in step with its folder.
mod watch;

/// Changing the embedder of a knowledge base.
mod reindex;

/// The whole flow with the network gone.
mod offline;
