//! An embedder with a watch: how long a search waited for vectors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rag_core::{Embedder, Purpose, Result, TokenCounter};

/// Does what the embedder within does, and adds up the time.
pub(crate) struct Timed<'a> {
    within: &'a dyn Embedder,
    nanoseconds: AtomicU64,
}

impl<'a> Timed<'a> {
    pub(crate) fn new(within: &'a dyn Embedder) -> Self {
        Self {
            within,
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// Time spent so far, in milliseconds.
    pub(crate) fn millis(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e6
    }
}

impl TokenCounter for Timed<'_> {
    fn count_tokens(&self, text: &str) -> usize {
        self.within.count_tokens(text)
    }
}

impl Embedder for Timed<'_> {
    fn fingerprint(&self) -> &str {
        self.within.fingerprint()
    }

    fn name(&self) -> &str {
        self.within.name()
    }

    fn languages(&self) -> &[String] {
        self.within.languages()
    }

    fn dimensions(&self) -> usize {
        self.within.dimensions()
    }

    fn max_tokens(&self) -> usize {
        self.within.max_tokens()
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        let started = Instant::now();
        let vectors = self.within.embed(texts, purpose);
        let spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(spent, Ordering::Relaxed);
        vectors
    }
}
