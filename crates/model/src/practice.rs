//! A language model that reads and writes for nobody: what `rag bench` measures.

use std::sync::PoisonError;

use crate::GgufGenerator;
use crate::fault::OfModel;

impl GgufGenerator {
    /// Reads a text of `tokens` made-up tokens (at least one) from its start, with room for `more`.
    ///
    /// # Errors
    /// `ModelInvalid` where the model can't be run.
    pub fn practise_reading(&self, tokens: usize, more: usize) -> rag_core::Result<()> {
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        crate::memory::check_conversation(&self.name, &decoder, tokens + more)?;
        decoder.forget().of(&self.name)?;
        decoder.expect(tokens + more);
        let vocabulary = decoder.shape().vocabulary;
        let text: Vec<u32> = (0..tokens.max(1)).map(|n| made_up(n, vocabulary)).collect();
        decoder.read(&text, &mut || true).of(&self.name)?;
        Ok(())
    }

    /// Writes `tokens` made-up tokens after those that were read, with the scores for each.
    ///
    /// # Errors
    /// `ModelInvalid` where the model can't be run.
    pub fn practise_writing(&self, tokens: usize) -> rag_core::Result<()> {
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        let vocabulary = decoder.shape().vocabulary;
        for n in 0..tokens {
            decoder.step(made_up(n, vocabulary)).of(&self.name)?;
        }
        Ok(())
    }

    /// Bytes of weights, keys and values that a token needs which is written after `depth` others.
    #[must_use]
    pub fn bytes_per_token(&self, depth: usize) -> usize {
        let decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        decoder.bytes_per_token(depth)
    }
}

/// Tokens of all the vocabulary, since rows of its table lie apart.
fn made_up(n: usize, vocabulary: usize) -> u32 {
    (n * 7919 % vocabulary.max(1)) as u32
}
