//! Stand-ins for models and readers: an embedder that knows the questions, a reader of nothing.

use std::collections::HashMap;
use std::path::Path;

use rag_core::{Code, Document, Embedder, Error, Extractor, Purpose, Result, TokenCounter};

use crate::corpus::{Asked, DIMENSIONS};

/// Gives each question the vector it was made with, so that no model's time is in the figures.
pub(crate) struct Asker {
    vectors: HashMap<String, Vec<f32>>,
}

impl Asker {
    pub(crate) fn new(asked: &[Asked]) -> Self {
        let vectors = asked
            .iter()
            .map(|asked| (asked.text.clone(), asked.vector.clone()));
        Self {
            vectors: vectors.collect(),
        }
    }
}

impl TokenCounter for Asker {
    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

impl Embedder for Asker {
    fn fingerprint(&self) -> &'static str {
        "scale-1"
    }

    fn name(&self) -> &'static str {
        "scale"
    }

    fn languages(&self) -> &[String] {
        &[]
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn max_tokens(&self) -> usize {
        512
    }

    fn embed(&self, texts: &[&str], _purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        let known = |text: &&str| {
            let unknown = || {
                Error::new(
                    Code::Internal,
                    format!("`{text}` is no question of the bench"),
                )
            };
            self.vectors.get(*text).cloned().ok_or_else(unknown)
        };
        texts.iter().map(known).collect()
    }
}

/// Nothing is read here.
pub(crate) struct NoFiles;

impl Extractor for NoFiles {
    fn rules(&self) -> String {
        "1".to_owned()
    }

    fn extract(&self, _path: &Path) -> Result<Document> {
        Err(Error::new(Code::Unsupported, "the bench reads no files"))
    }
}
