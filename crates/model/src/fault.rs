//! What can go wrong between a model file and its words or vectors.

use std::path::PathBuf;

use rag_core::{Code, Error};

pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// A failure of inference. Becomes a [`rag_core::Error`] with a code and a hint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("can't read `{}`", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{}` is not a readable {format} file", path.display())]
    Format {
        path: PathBuf,
        format: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{}` is cut short: {missing} bytes are missing, tensor `{tensor}` is not all there", path.display())]
    CutShort {
        path: PathBuf,
        tensor: String,
        missing: u64,
    },
    #[error("the {what} `{found}` of `{model}` is not supported")]
    Unsupported {
        model: String,
        /// `architecture`, `tensor type`, `vocabulary`, …
        what: &'static str,
        found: String,
        /// What is supported.
        known: String,
    },
    #[error("`{model}` is not sound: {problem}")]
    Unsound { model: String, problem: String },
    #[error("`{model}` has no chat template")]
    NoTemplate { model: String },
    #[error("the chat template of `{model}` {problem}")]
    Template {
        model: String,
        problem: String,
        source: Option<minijinja::Error>,
    },
    #[error(
        "the prompt has {prompt} tokens and the answer may have {answer}; `{model}` has room for {context}"
    )]
    PromptTooLong {
        model: String,
        prompt: usize,
        answer: usize,
        context: usize,
    },
    #[error(
        "`{model}` needs {:.1} GB of memory more, and {:.1} GB are free",
        *needed as f64 / 1e9,
        *free as f64 / 1e9
    )]
    Memory {
        model: String,
        /// Bytes.
        needed: u64,
        free: u64,
        advice: String,
    },
    #[error("text {index} has {tokens} tokens; `{model}` takes {limit}")]
    TextTooLong {
        model: String,
        /// Position in the call, from 0.
        index: usize,
        tokens: usize,
        limit: usize,
    },
    #[error("the question has {tokens} tokens; `{model}` takes {limit} with a passage")]
    QuestionTooLong {
        model: String,
        tokens: usize,
        limit: usize,
    },
    #[error("the vectors of `{model}` can't have length {wanted}")]
    VectorLength {
        model: String,
        wanted: usize,
        shortest: usize,
        longest: usize,
    },
    #[error("`{model}` can't be run")]
    Compute {
        model: String,
        source: candle_core::Error,
    },
    #[error("`{model}` gave numbers that are not numbers")]
    NotANumber { model: String },
    #[error("the tokenizer of `{model}` failed")]
    Tokenizer {
        model: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Fault {
    fn code(&self) -> Code {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Code::ModelMissing
            }
            Self::Read { .. } => Code::Io,
            Self::PromptTooLong { .. } => Code::PromptTooLong,
            Self::Memory { .. } | Self::TextTooLong { .. } | Self::QuestionTooLong { .. } => {
                Code::LimitExceeded
            }
            Self::VectorLength { .. } => Code::Usage,
            _ => Code::ModelInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Memory { advice, .. } => advice.clone(),
            Self::Read { .. } => "see what is there with `rag models list`".to_owned(),
            Self::Format { .. } | Self::CutShort { .. } => {
                "fetch the model again with `rag models pull`".to_owned()
            }
            Self::Unsupported { what, known, .. } => {
                format!("supported as {what}: {known}; choose another with `rag models list`")
            }
            Self::Unsound { .. } | Self::NotANumber { .. } | Self::Tokenizer { .. } => {
                "check the file with `rag models verify`, or choose another with `rag models list`"
                    .to_owned()
            }
            Self::NoTemplate { .. } | Self::Template { .. } => {
                "use an instruction-tuned (`-Instruct`, `-Chat`) file of the model".to_owned()
            }
            Self::PromptTooLong { .. } => {
                "show fewer passages, allow a shorter answer, or choose a model with a longer context"
                    .to_owned()
            }
            Self::TextTooLong { .. } => "split the text into smaller chunks".to_owned(),
            Self::QuestionTooLong { .. } => "ask a shorter question, or search without a reranker".to_owned(),
            Self::VectorLength { shortest, longest, .. } if shortest == longest => {
                format!("use the name without `@`: its vectors have length {longest}")
            }
            Self::VectorLength { shortest, longest, .. } => {
                format!("ask for a length from {shortest} to {longest}")
            }
            Self::Compute { .. } => return None,
        };
        Some(hint)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let mut error = Error::new(fault.code(), fault.to_string());
        error.hint = fault.hint();
        match fault {
            Fault::Read { source, .. } => error.because(source),
            Fault::Format { source, .. } | Fault::Tokenizer { source, .. } => error.because(source),
            Fault::Compute { source, .. } => error.because(source),
            Fault::Template {
                source: Some(source),
                ..
            } => error.because(source),
            _ => error,
        }
    }
}

/// Names the model in what candle says.
pub(crate) trait OfModel<T> {
    fn of(self, model: &str) -> Result<T>;
}

impl<T> OfModel<T> for candle_core::Result<T> {
    fn of(self, model: &str) -> Result<T> {
        self.map_err(|source| Fault::Compute {
            model: model.to_owned(),
            source,
        })
    }
}
