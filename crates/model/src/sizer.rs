//! An embedder's tokenizer by itself: enough to cut a document as an ingest does, without the weights.

use rag_core::TokenCounter;

use crate::embedder::EmbedderSpec;
use crate::fault::Result;
use crate::model_files::ModelFiles;
use crate::tokens::TextTokens;

/// Counts tokens as an embedder does, and knows how many of them its texts may have.
#[derive(Debug)]
pub struct EmbedderSizer {
    tokens: TextTokens,
    max_tokens: usize,
}

impl EmbedderSizer {
    /// Loads the tokenizer of the embedder that `spec` describes.
    ///
    /// # Errors
    /// `ModelMissing` or `Io` for a file that can't be read; `ModelInvalid` for one that is damaged.
    pub fn load(files: &ModelFiles, spec: &EmbedderSpec) -> rag_core::Result<Self> {
        Ok(Self::open(files, spec)?)
    }

    pub(crate) fn open(files: &ModelFiles, spec: &EmbedderSpec) -> Result<Self> {
        Ok(Self::new(TextTokens::open(files, &spec.name)?, spec))
    }

    pub(crate) fn new(tokens: TextTokens, spec: &EmbedderSpec) -> Self {
        let prompts = [&spec.query_prompt, &spec.passage_prompt];
        let prompts = prompts.map(|prompt| tokens.count(prompt));
        let longer = prompts.into_iter().max().unwrap_or(0);
        let around = tokens.special() + longer;
        Self {
            tokens,
            max_tokens: spec.max_tokens.saturating_sub(around),
        }
    }

    /// Longest text in tokens, without the special tokens and the longer prompt around it.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    pub(crate) fn tokens(&self) -> &TextTokens {
        &self.tokens
    }
}

impl TokenCounter for EmbedderSizer {
    fn count_tokens(&self, text: &str) -> usize {
        self.tokens.count(text)
    }
}
