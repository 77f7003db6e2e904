//! The files of an embedder or reranker.

use std::path::PathBuf;

use rag_core::Result;

use crate::catalogue::Role;
use crate::shelf::Installed;

/// The files that a model is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// An encoder in three files.
    Encoder {
        /// `model.safetensors`, or a `PyTorch` archive (`.bin`).
        weights: PathBuf,
        /// `tokenizer.json`.
        tokenizer: PathBuf,
        /// `config.json`.
        config: PathBuf,
    },
    /// A decoder in one file, vocabulary and all.
    Gguf(PathBuf),
}

impl ModelFiles {
    /// The files of a model on this machine.
    ///
    /// # Errors
    /// `ModelInvalid` where one of them is not recorded.
    pub fn of(model: &Installed) -> Result<Self> {
        let weights = model.file(Role::Weights)?.to_owned();
        let is_alone = model.files.iter().all(|file| file.role == Role::Weights);
        if is_alone {
            return Ok(Self::Gguf(weights));
        }
        Ok(Self::Encoder {
            weights,
            tokenizer: model.file(Role::Tokenizer)?.to_owned(),
            config: model.file(Role::Config)?.to_owned(),
        })
    }
}
