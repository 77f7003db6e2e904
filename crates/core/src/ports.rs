//! The ports: what a reader, an embedder, a reranker and a generator must be able to do.
//!
//! All are synchronous and narrow. Who implements them may own threads; who calls them need not know.

use std::ops::ControlFlow;
use std::path::Path;

use crate::{Code, Document, Error, Result};

/// Reads a file into a document.
pub trait Extractor: Send + Sync {
    /// Version of the reading rules; a change means that every source must be read again.
    fn rules(&self) -> String;

    /// Reads `path`.
    ///
    /// # Errors
    /// Where nothing at all can be read: `Io`, `Malformed`, `Unsupported`, `Encrypted`,
    /// `LimitExceeded`. Damage that leaves something readable is a warning in the document.
    fn extract(&self, path: &Path) -> Result<Document>;
}

/// Counts tokens as a model does.
pub trait TokenCounter: Send + Sync {
    /// Number of tokens of `text`, without the special tokens that the model adds around it.
    fn count_tokens(&self, text: &str) -> usize;
}

/// Turns text into unit vectors.
pub trait Embedder: TokenCounter {
    /// Identifies weights, pooling and prompts: equal fingerprints mean comparable vectors.
    fn fingerprint(&self) -> &str;

    /// Catalogue name, for people.
    fn name(&self) -> &str;

    /// Languages it was trained on (BCP 47, as in the catalogue); empty where that is not known.
    fn languages(&self) -> &[String];

    /// Length of every vector.
    fn dimensions(&self) -> usize;

    /// Longest text in tokens, without the special tokens.
    fn max_tokens(&self) -> usize;

    /// One vector of Euclidean length 1 for each text, in order.
    ///
    /// # Errors
    /// `LimitExceeded` for a text over [`Embedder::max_tokens`]: nothing is cut in silence.
    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>>;
}

/// What a text is embedded for; some models want a different prompt for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Query,
    Passage,
}

/// Scores passages against a question.
pub trait Reranker: Send + Sync {
    /// One score for each passage, in order; higher is better. Scores are logits: the logistic function
    /// makes a probability of them.
    ///
    /// # Errors
    /// `LimitExceeded` for a question that leaves no room for a passage; else where the model can't be
    /// run.
    fn score(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>>;

    /// Most passages that are worth its time for one question.
    fn most_passages(&self) -> usize {
        usize::MAX
    }
}

/// Writes text after a conversation.
pub trait Generator: Send + Sync {
    /// Catalogue name, for people.
    fn name(&self) -> &str;

    /// Prompt and answer together can't be longer than this, in tokens.
    fn context_tokens(&self) -> usize;

    /// Size of the conversation in tokens once it stands in the model's chat template.
    ///
    /// # Errors
    /// `ModelInvalid` where the template can't be rendered.
    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize>;

    /// Writes the next message, giving each piece of text to `on_text` as it is made; `Break` stops.
    /// A piece may be empty: a sign of life while a long prompt is read, and a chance to stop.
    ///
    /// # Errors
    /// `PromptTooLong` where prompt and `max_tokens` exceed the context; `ModelInvalid` where the
    /// template or the weights fail.
    fn generate(
        &self,
        messages: &[Message],
        sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation>;

    /// How likely the model finds `text` as its next message: the mean of the natural logarithms of
    /// its tokens' probabilities, at most 0; 0 for a text without tokens.
    ///
    /// # Errors
    /// `PromptTooLong` where messages and text exceed the context; `ModelInvalid` where the template or
    /// the weights fail, and of a generator that shows no probabilities.
    fn likelihood(&self, messages: &[Message], text: &str) -> Result<f32> {
        let _ = (messages, text);
        let fact = format!("`{}` does not tell how likely a text is", self.name());
        Err(Error::new(Code::ModelInvalid, fact).hint("use a model of this machine for it"))
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    /// The name that chat templates use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// How tokens are chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 is greedy: always the likeliest token.
    pub temperature: f64,
    /// Nucleus: only the likeliest tokens that together reach this probability (0 to 1).
    pub top_p: f64,
    /// Only tokens at least so likely as this share of the likeliest (0 to 1); 0 for all.
    pub min_p: f64,
    pub seed: u64,
    /// Stop after so many new tokens.
    pub max_tokens: usize,
    /// Stop before the first of these texts, which is not written.
    pub stop: Vec<String>,
}

impl Sampling {
    /// The likeliest tokens, at most so many.
    #[must_use]
    pub fn greedy(max_tokens: usize) -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            max_tokens,
            stop: Vec::new(),
        }
    }
}

/// What a generation did.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    pub text: String,
    pub prompt_tokens: usize,
    /// Of the prompt, so many at its beginning were held from the one before and not computed again.
    pub reused_tokens: usize,
    pub generated_tokens: usize,
    pub finish: Finish,
    pub prefill_ms: f64,
    pub decode_ms: f64,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model closed its message.
    Stop,
    /// The limit on new tokens was reached.
    Length,
    /// The caller said so.
    Cancelled,
}
