//! Chunks and vectors at rest.
//!
//! The only crate that knows LanceDB and Arrow; nothing of either shows in its interface. It knows
//! nothing of files, models or questions: it keeps what it is given, finds it again by vector and by
//! word, and never leaves a source half replaced. Everything is synchronous; a [`Store`] owns the small
//! runtime that LanceDB needs and must not be used from inside another one.
//!
//! | module | holds |
//! |---|---|
//! | `contents` | what goes in and comes out |
//! | `store` | opening, reading back |
//! | `commit` | changing |
//! | `succession` | a store that is made beside another one and takes its place |
//! | `search` | by vector and by word |
//! | `around` | reading what was found, and what stands beside it |
//! | `view` | what searches keep of one version of the table, and ask without a plan |
//! | `upkeep` | indexes, compaction, old versions |
//! | `words` | how text becomes words |
//! | `standing` | every chunk that holds some words, and where they stand in it |
//! | `schema`, `encode`, `decode` | the one table, and the way there and back |
//! | `place`, `meta`, `lock` | the folder, and the small files beside the table |
//!
//! ```
//! use rag_core::{Chunk, Outcome, Source, SourceKey, SourceState, Span};
//! use rag_index::{Batch, Layout, SourceRows, Store, StoredChunk, Upkeep};
//!
//! # fn main() -> rag_core::Result<()> {
//! # let home = tempfile::tempdir().unwrap();
//! let layout = Layout { dimensions: 2, fingerprint: "f1".into(), embedder: "toy".into() };
//! let store = Store::open(&home.path().join("kb"), &layout)?;
//!
//! let text = "LanceDB keeps vectors.";
//! let chunk = Chunk {
//!     span: Span::new(0, text.len()), text: text.into(), tokens: 5, ..Chunk::default()
//! };
//! let source = Source { key: SourceKey("a1".into()), root: "/notes".into(), path: "db.md".into() };
//! let state = SourceState {
//!     source, hash: "h1".into(), rules: "1".into(), size: 22, modified_ns: 0, title: None,
//!     language: None, media_type: "text/markdown".into(), date: None, tags: vec![],
//!     outcome: Outcome::Read, reason: None, chunks: 1,
//! };
//! let chunks = vec![StoredChunk { chunk, text_hash: "t1".into(), vector: [0.6, 0.8].into() }];
//! store.commit(Batch { put: vec![SourceRows { state, chunks }], ..Batch::default() })?;
//! store.maintain(Upkeep::AfterIngest)?;
//!
//! assert_eq!(store.search_words("vector", 5)?[0].source.path, "db.md");
//! assert_eq!(store.search_vector(&[0.6, 0.8], 5)?[0].chunk.text, text);
//! # Ok(())
//! # }
//! ```

mod commit;
mod contents;
mod store;
mod succession;

mod around;
mod search;
mod standing;
mod upkeep;
mod view;
mod words;

mod decode;
mod encode;
mod schema;

mod error;
mod lock;
mod meta;
mod place;

#[cfg(test)]
mod tests;

pub use contents::{
    Batch, Counts, Found, Layout, Place, Ranked, Read, Scope, SourceRows, StoredChunk,
};
pub use meta::FORMAT;
pub use standing::Wanted;
pub use store::Store;
pub use upkeep::Upkeep;
