//! The words and the ports of `rag`: what a document, a chunk, a hit and a citation are, and what a
//! reader, an embedder and a generator must be able to do. No I/O, no threads, no async.
//!
//! | module | holds |
//! |---|---|
//! | [`span`] | places: byte spans, line ranges, pages |
//! | [`document`] | what a reader makes of a file |
//! | [`source`] | a file's identity and state at rest |
//! | [`chunk`] | the indexed unit |
//! | [`query`] | questions to the index, filters, hits and why they were found |
//! | [`answer`] | answers, citations, refusals |
//! | [`everything`] | answers that were counted |
//! | [`ledger`] | what became of every hit of an answer |
//! | [`plan`] | what an ingest would do, one row a file |
//! | [`report`] | what an ingest did, one row a file |
//! | [`ports`] | the traits that the machinery implements |
//! | [`error`] | the one error that crosses crates: a code, a fact, a cause, a hint |
//! | [`calendar`] | seconds since 1970 as people write them |
//! | [`wire`] | the JSON that leaves the program |
//! | [`fold`] | the documented folding under which a quote is compared with its source |
//!
//! ```
//! use rag_core::{Span, fold};
//!
//! let text = "Revenue rose ３％ in\n2024.";
//! let found = fold::find(text, "rose 3% in 2024").unwrap();
//! assert_eq!(found.slice(text), "rose ３％ in\n2024");
//! assert_eq!(found, Span::new(8, 27));
//! ```

pub mod answer;
pub mod calendar;
pub mod chunk;
pub mod document;
pub mod error;
pub mod everything;
pub mod fold;
pub mod ledger;
pub mod plan;
pub mod ports;
pub mod query;
pub mod report;
pub mod source;
pub mod span;
pub mod wire;

pub use answer::{
    Answer, AnswerMode, Citation, Cited, Refusal, RefusalReason, Rewritten, RewrittenBy, Sentence,
    Timings, Usage,
};
pub use chunk::Chunk;
pub use document::{Area, Block, BlockKind, Document, Link, Page, Part, Warning, WarningKind};
pub use error::{Code, Error, Result};
pub use everything::Everything;
pub use ledger::Ledger;
pub use plan::{Plan, PlanRow, PlanTotals, Step};
pub use ports::{
    Embedder, Extractor, Finish, Generation, Generator, Message, Purpose, Reranker, Role, Sampling,
    TokenCounter,
};
pub use query::{Filter, Hit, Mode, Query, Reason, Why};
pub use report::{Report, Row, Status, Totals};
pub use source::{Outcome, Source, SourceKey, SourceState};
pub use span::{Lines, Span};
