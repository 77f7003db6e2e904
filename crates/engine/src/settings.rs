//! Settings: how much is read, retrieved and shown.

use rag_text::Sizes;

use crate::plan::Again;
use crate::retrieve::Breadth;
use crate::selection::Selection;

/// What can be set; the defaults are what the measurements in `benches/README.md` support.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Size that chunks aim at, in the embedder's tokens, the heading path included.
    pub chunk_tokens: usize,
    /// What an ingest is about.
    pub selection: Selection,
    /// What an ingest reads although it has not changed.
    pub again: Again,
    /// Tokens of the prompt that passages may take.
    pub passage_tokens: usize,
    /// Turns of a conversation that the model is shown before a question; 0 for one too small to use them.
    pub turns_shown: usize,
    /// Whether the model is asked to make follow-ups stand by themselves, beside the engine's rules.
    pub rewrites: bool,
    /// Hits taken from each search before fusion.
    pub candidates: usize,
    /// Size up to which a hit takes in its neighbours, in the embedder's tokens.
    pub hit_tokens: usize,
    /// A question whose hits give less confidence (0 to 1) is refused.
    pub least_confidence: f32,
    /// Worker processes that read files; 0 means one for each core.
    pub readers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chunk_tokens: 180,
            selection: Selection::default(),
            again: Again::default(),
            passage_tokens: 1000,
            turns_shown: 0,
            rewrites: false,
            candidates: 60,
            hit_tokens: 480,
            least_confidence: 0.5,
            readers: 0,
        }
    }
}

impl Settings {
    pub(crate) fn breadth(&self) -> Breadth {
        Breadth {
            candidates: self.candidates,
            hit_tokens: self.hit_tokens,
        }
    }

    /// Sizes of chunks for an embedder whose texts may have so many tokens.
    pub(crate) fn sizes(&self, max_tokens: usize) -> Sizes {
        Sizes {
            target: self.chunk_tokens.min(max_tokens),
            max: max_tokens,
        }
    }
}
