//! An embedder's tokenizer by itself: enough to cut a document as an ingest does, without the weights.

use std::path::Path;

use rag_core::TokenCounter;
use tokenizers::{PostProcessor, Tokenizer};

use crate::embedder::EmbedderSpec;
use crate::fault::{Fault, Result};

/// Counts tokens as an embedder does, and knows how many of them its texts may have.
#[derive(Debug)]
pub struct EmbedderSizer {
    tokenizer: Tokenizer,
    max_tokens: usize,
}

impl EmbedderSizer {
    /// Loads the tokenizer of the embedder that `spec` describes.
    ///
    /// # Errors
    /// `ModelMissing` or `Io` for a file that can't be read; `ModelInvalid` for one that is damaged.
    pub fn load(path: &Path, spec: &EmbedderSpec) -> rag_core::Result<Self> {
        Ok(Self::open(path, spec)?)
    }

    pub(crate) fn open(path: &Path, spec: &EmbedderSpec) -> Result<Self> {
        let tokenizer = tokenizer(path)?;
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false));
        let mut sizer = Self {
            tokenizer,
            max_tokens: 0,
        };
        let prompts = [&spec.query_prompt, &spec.passage_prompt];
        let prompts = prompts.map(|prompt| sizer.count_tokens(prompt));
        let longer = prompts.into_iter().max().unwrap_or(0);
        sizer.max_tokens = spec.max_tokens.saturating_sub(special + longer);
        Ok(sizer)
    }

    /// Longest text in tokens, without the special tokens and the longer prompt around it.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

impl TokenCounter for EmbedderSizer {
    fn count_tokens(&self, text: &str) -> usize {
        // A token has at least one byte.
        self.tokenizer
            .encode_fast(text, false)
            .map_or(text.len(), |encoding| encoding.len())
    }
}

fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let fault = |source| Fault::Format {
        path: path.to_owned(),
        format: "tokenizer",
        source,
    };
    let bytes = std::fs::read(path).map_err(|source| Fault::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(fault)?;
    // Files may ask for cutting and filling up; nothing is cut here, and nothing needs filling.
    tokenizer.with_truncation(None).map_err(fault)?;
    tokenizer.with_padding(None);
    // `[SEP]` in a text is text: special tokens are set by the post-processor alone.
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}
