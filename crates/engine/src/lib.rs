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
mod kb;

mod ingest;
mod plan;
mod record;
mod walk;
mod workers;

mod fuse;
mod retrieve;

mod align;
mod ask;
mod prompt;
mod verify;

mod evaluate;

#[cfg(test)]
mod testing;

pub use ask::{AskEvent, Question};
pub use engine::{Engine, Settings};
pub use evaluate::{EvalEvent, Evaluation, Evidence, Gold, Metrics};
pub use ingest::IngestEvent;
pub use kb::{KnowledgeBase, Summary};
pub use workers::{WorkerPool, serve_extractor};
