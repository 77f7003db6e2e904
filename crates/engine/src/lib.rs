//! Policy: what is read, when it is written, what is retrieved, what is asked and what may be cited.
//!
//! The engine takes its readers and models as ports (`dyn` traits of [`rag_core`]); it knows nothing
//! of candle, of terminals and of HTTP. The binary wires them:
//!
//! ```no_run
//! # fn wire(embedder: std::sync::Arc<dyn rag_core::Embedder>) -> rag_core::Result<()> {
//! use std::sync::Arc;
//! use rag_engine::{Engine, KnowledgeBase};
//!
//! let kb = KnowledgeBase::new("/home/me/.local/share/rag".as_ref(), "default")?;
//! let engine = Engine::new(kb, Arc::new(rag_text::Reader::new())).with_embedder(embedder);
//! let report = engine.ingest(&["./docs".into()], &mut |_| {})?;
//! println!("{} files read", report.totals.read);
//! # Ok(()) }
//! ```

mod engine;
mod in_progress;
mod kb;
mod settings;

mod ingest;
mod survey;
mod watch;

mod extent;
mod name;
mod placeholder;
mod plan;
mod selection;
mod stamp;
mod walk;

mod carry;
mod pipeline;
mod record;
mod reindex;
mod room;
mod sandbox;
mod space;
mod workers;

mod filter;
mod fuse;
mod grow;
mod likelihood;
mod repeats;
mod rerank;
mod retrieve;
mod windows;

mod align;
mod ask;
mod cite;
mod conversation;
mod disarm;
mod everything;
mod extractive;
mod ledger;
mod prompt;
mod receipt;
mod refuse;
mod timed;
mod verify;

mod drafts;
mod evaluate;
mod findings;

#[cfg(test)]
mod any_query;
#[cfg(test)]
mod testing;

pub use ask::{AskEvent, Question};
pub use conversation::{CitedFile, Conversation, Reply, Turn};
pub use drafts::{Discarded, Draft, Drafting, Drafts, Drawn, Origin, QuestionFile, Tally};
pub use engine::Engine;
pub use evaluate::{
    AnswerGroup, AnswerMetrics, AnswerScores, Answered, Answering, Difference, EvalEvent,
    Evaluation, Evidence, Gold, GroupScores, Metrics, Scores,
};
pub use everything::{Asked, Counted};
pub use findings::{Counts, Findings, Heading, PartFound, Table};
pub use ingest::IngestEvent;
pub use kb::{KnowledgeBase, Summary, Trouble, Unfinished};
pub use likelihood::Likelihood;
pub use plan::Again;
pub use receipt::{
    AskedHow, Checked, Claim, Now, Receipt, Rerun, Stamped, Stands, UsedModel, Verified,
};
pub use refuse::Signs;
pub use reindex::ReindexPlan;
pub use sandbox::{Attempt, Confinement, Guard, Hold, Ocr, Probe};
pub use selection::{IgnoreFiles, Selection};
pub use settings::Settings;
pub use watch::{
    Bell, Footing, Looked, OnBattery, Pace, RootStatus, WatchEvent, WatchStatus, Watched, Watching,
    give_way,
};
pub use workers::{Limits, ReadOptions, Recognised, ToldBy, WorkerPool, serve_extractor};
