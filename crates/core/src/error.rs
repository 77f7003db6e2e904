//! The one error that crosses crates: a stable code, a fact, its cause, and what to do next.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Result of an operation that may be refused.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, for programs. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A path that does not exist or can't be read or written.
    Io,
    /// A file that is not what it claims to be.
    Malformed,
    /// A file of a kind that `rag` does not read.
    Unsupported,
    /// A file that needs a password.
    Encrypted,
    /// Reading took more time or memory than a file may have.
    LimitExceeded,
    /// A model that is not there, or not complete.
    ModelMissing,
    /// A model that is there and can't be used.
    ModelInvalid,
    /// A prompt that does not fit the model's context.
    PromptTooLong,
    /// A knowledge base that does not exist.
    NoKnowledgeBase,
    /// A knowledge base made with another embedder or by other rules.
    Incompatible,
    /// Another process is writing.
    Locked,
    /// Wrong settings or arguments.
    Usage,
    /// The network, in the one command that uses it.
    Network,
    /// The user stopped it.
    Interrupted,
    /// A bug: something that was thought impossible.
    Internal,
}

/// A failed operation: fact, cause chain, hint.
#[derive(Debug)]
pub struct Error {
    pub code: Code,
    /// What is the case, with the user's values in backticks; lower case, no full stop.
    pub fact: String,
    /// What to do about it.
    pub hint: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    #[must_use]
    pub fn new(code: Code, fact: impl Into<String>) -> Self {
        Self {
            code,
            fact: fact.into(),
            hint: None,
            cause: None,
        }
    }

    /// A failed file operation: `verb` is what was tried (`read`, `create`).
    #[must_use]
    pub fn io(verb: &str, path: &std::path::Path, cause: std::io::Error) -> Self {
        Self::new(Code::Io, format!("can't {verb} `{}`", path.display())).because(cause)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(
        mut self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The fact and every cause below it on one line, for a row in a report.
    #[must_use]
    pub fn one_line(&self) -> String {
        let mut line = self.fact.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line.replace(['\n', '\r'], " ")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fact)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_names_the_fact_and_every_cause() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such\nfile");
        let error = Error::io("read", std::path::Path::new("a.md"), cause);
        assert_eq!(error.one_line(), "can't read `a.md`: no such file");
    }
}
