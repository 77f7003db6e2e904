//! Hostile bytes in; a document with pages, structure and places, and its chunks, out.
//!
//! Pure and synchronous. It knows parsers and nothing of models, indexes, terminals or the network; how
//! long a text is in tokens it asks a [`rag_core::TokenCounter`]. A file that makes a parser run for
//! ever or exhaust the stack can't be stopped from inside: callers that read files they do not trust
//! run [`Reader`] in a process that can be killed.
//!
//! ```
//! use rag_core::TokenCounter;
//! use rag_text::{Reader, Sizes, split};
//!
//! struct Words;
//! impl TokenCounter for Words {
//!     fn count_tokens(&self, text: &str) -> usize {
//!         text.split_whitespace().count()
//!     }
//! }
//!
//! let file = "# Storms\n\nThe keeper counted 101 storms.\n\n## Why\n\nNobody knows.\n";
//! let document = Reader::new().read("storms.md", file.as_bytes())?;
//! let chunks = split(&document, Sizes { target: 20, max: 40 }, &Words);
//! assert_eq!(chunks[1].text, "## Why\n\nNobody knows.");
//! assert_eq!(chunks[1].heading, ["Storms"]);
//! assert_eq!(chunks[1].span.slice(&document.text), chunks[1].text);
//! # Ok::<(), rag_core::Error>(())
//! ```

pub use format::media_types;
pub use ocr::tesseract;
pub use reader::{MAX_FILE_BYTES, READ_RULES, Reader, recognised};
pub use recognise::ToldBy;
pub use refit::refit;
pub use sentence::sentences;
pub use split::{SPLIT_RULES, Sizes, split};
pub use terms::terms;

// Reading: a file's bytes to a document.
mod archive;
mod blobs;
mod book;
mod code;
mod data;
mod decode;
mod error;
mod flow;
mod format;
mod guard;
mod hidden;
mod html;
mod language;
mod lines;
mod mail;
mod markup;
mod member;
mod nest;
mod ocr;
mod office;
mod pdf;
mod reader;
mod recognise;

// Splitting: a document to its chunks.
mod carve;
mod cut;
mod items;
mod outline;
mod refit;
mod sentence;
mod split;

// Measuring: what a text speaks of.
mod terms;

#[cfg(test)]
mod golden;
