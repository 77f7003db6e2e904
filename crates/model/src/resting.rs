//! An embedder that is in memory only while it is needed: loaded by the first text, put down by whoever
//! knows that there will be none for a while.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rag_core::{Embedder, Purpose, Result, TokenCounter};

use crate::device::Device;
use crate::embedder::{EmbedderSpec, LocalEmbedder};
use crate::model_files::ModelFiles;

/// A [`LocalEmbedder`] that comes and goes.
#[derive(Debug)]
pub struct RestingEmbedder {
    files: ModelFiles,
    spec: EmbedderSpec,
    device: Device,
    loaded: Mutex<Option<Arc<LocalEmbedder>>>,
    /// What its files say, once they were read.
    max_tokens: OnceLock<usize>,
}

impl RestingEmbedder {
    /// The embedder in `files`, which are read when they are needed.
    #[must_use]
    pub fn new(files: ModelFiles, spec: EmbedderSpec, device: Device) -> Self {
        Self {
            files,
            spec,
            device,
            loaded: Mutex::default(),
            max_tokens: OnceLock::new(),
        }
    }

    /// Loads it now, so that what is wrong with its files is said before anything rests on it.
    ///
    /// # Errors
    /// `ModelInvalid`, `Io`.
    pub fn wake(&self) -> Result<()> {
        self.awake().map(|_| ())
    }

    /// Gives its memory back until it is needed again.
    pub fn rest(&self) {
        *self.slot() = None;
    }

    /// Whether it is in memory.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.slot().is_some()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<LocalEmbedder>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The embedder, loaded where it was not.
    fn awake(&self) -> Result<Arc<LocalEmbedder>> {
        let mut slot = self.slot();
        if let Some(embedder) = &*slot {
            return Ok(Arc::clone(embedder));
        }
        let embedder = LocalEmbedder::load(&self.files, self.spec.clone(), &self.device)?;
        let embedder = Arc::new(embedder);
        let _ = self.max_tokens.set(embedder.max_tokens());
        *slot = Some(Arc::clone(&embedder));
        Ok(embedder)
    }
}

impl TokenCounter for RestingEmbedder {
    fn count_tokens(&self, text: &str) -> usize {
        // Of one that can't be loaded, `embed` says so. A token has at least one byte.
        self.awake()
            .map_or(text.len(), |embedder| embedder.count_tokens(text))
    }
}

impl Embedder for RestingEmbedder {
    fn fingerprint(&self) -> &str {
        &self.spec.fingerprint
    }

    fn name(&self) -> &str {
        &self.spec.name
    }

    fn languages(&self) -> &[String] {
        &self.spec.languages
    }

    fn dimensions(&self) -> usize {
        self.spec.dimensions
    }

    fn max_tokens(&self) -> usize {
        let known = self.max_tokens.get().copied();
        known.unwrap_or_else(|| {
            self.awake()
                .map_or(self.spec.max_tokens, |embedder| embedder.max_tokens())
        })
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        self.awake()?.embed(texts, purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{save_encoder, tiny_bert, tiny_spec, tiny_word_tokenizer};

    #[test]
    fn it_comes_when_it_is_needed_and_embeds_the_same_after_a_rest() {
        let folder = tempfile::tempdir().unwrap();
        let (tensors, config) = tiny_bert();
        let files = save_encoder(folder.path(), &tensors, &config, &tiny_word_tokenizer());
        let spec = tiny_spec();
        let embedder = RestingEmbedder::new(files, spec, Device::cpu());
        assert_eq!((embedder.name(), embedder.is_awake()), ("tiny", false));
        let first = embedder.embed(&["a b c"], Purpose::Passage).unwrap();
        assert!(embedder.is_awake());
        let most = embedder.max_tokens();
        embedder.rest();
        assert_eq!(embedder.max_tokens(), most);
        assert!(!embedder.is_awake(), "that was known");
        assert_eq!(embedder.count_tokens("a b"), 2);
        assert_eq!(embedder.embed(&["a b c"], Purpose::Passage).unwrap(), first);
    }
}
