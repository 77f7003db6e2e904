//! Weights in; vectors, scores and words out.
//!
//! The only crate that knows candle and tokenizers. What it gives implements the ports of
//! `rag-core`; it knows nothing of documents, indexes, prompts or terminals.
//!
//! ```no_run
//! use rag_core::{Generator, Message, Role, Sampling};
//! use rag_model::{Device, GgufGenerator};
//! use std::{ops::ControlFlow, path::Path};
//!
//! # fn main() -> rag_core::Result<()> {
//! let path = Path::new("SmolLM2-135M-Instruct.Q4_1.gguf");
//! println!("{} weights", rag_model::inspect(path)?.parameters);
//! let model = GgufGenerator::load(path, "smollm2-135m", &Device::best())?;
//! let question = Message { role: Role::User, content: "What is a heron?".into() };
//! let sampling = Sampling::greedy(64);
//! let answer = model.generate(&[question], &sampling, &mut |_| ControlFlow::Continue(()))?;
//! println!("{}", answer.text);
//! # Ok(())
//! # }
//! ```

mod catalogue;
mod fetch;
mod shelf;

mod device;
mod fault;
mod kernels;

mod encoder;
mod model_files;
mod tokens;

mod embedder;
mod judge;
mod loading;
mod reranker;
mod resting;
mod sizer;

mod chat;
mod decoder;
mod generator;
mod gguf;
mod memory;
mod practice;
mod sampling;
mod stops;
mod thoughts;
mod vocabulary;

#[cfg(test)]
mod parity;
#[cfg(test)]
mod testing;

pub use device::{Device, threads, use_threads};
pub use embedder::{EmbedderSpec, LocalEmbedder};
pub use generator::GgufGenerator;
pub use gguf::{ModelCard, inspect};
pub use loading::LoadingEmbedder;
pub use model_files::ModelFiles;
pub use reranker::{LocalReranker, RerankerSpec};
pub use resting::RestingEmbedder;
pub use sizer::EmbedderSizer;

pub use catalogue::{
    Catalogue, Entry, FileSpec, Kind, Origin, PooledBy, Role, Support, TemplateSource,
};
pub use fetch::hub::Hub;
pub use fetch::wheel::Pip;
pub use fetch::{Progress, PullFrom};
pub use shelf::{FileState, Installed, InstalledFile, Shelf, Verified};
