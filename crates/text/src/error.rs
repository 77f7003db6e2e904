//! What can keep a file from being read, as facts; `rag_core::Error` adds the code and the advice.

use std::path::PathBuf;

use rag_core::{Code, Error};

/// A file of which nothing could be read. Damage that leaves something is a warning instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("can't read `{}`", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{name}` is {kind}, which can't be read yet")]
    Unsupported { name: String, kind: String },
    #[error("`{name}` needs a password")]
    Encrypted { name: String },
    #[error("no password that was given opens `{name}`")]
    WrongPassword { name: String },
    #[error("`{name}` has {size} bytes, more than the {limit} that a file may have")]
    TooLarge { name: String, size: u64, limit: u64 },
    #[error("`{name}` lies in more than {limit} archives or messages within each other")]
    TooDeep { name: String, limit: u32 },
    #[error("`{name}` and what was read before it are more than {files} files or {bytes} bytes")]
    TooMuch {
        name: String,
        files: u32,
        bytes: u64,
    },
    #[error("`{name}` is not a {kind} file that can be read: {cause}")]
    Malformed {
        name: String,
        kind: &'static str,
        cause: String,
    },
    #[error("the {kind} parser failed on `{name}`: {cause}")]
    Panicked {
        name: String,
        kind: &'static str,
        cause: String,
    },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let fact = failure.to_string();
        let (code, hint) = match failure {
            Failure::Io { source, .. } => return Self::new(Code::Io, fact).because(source),
            Failure::Unsupported { .. } => (
                Code::Unsupported,
                "convert it to a document format (PDF, Markdown, …) if it holds text that you want to find",
            ),
            Failure::Encrypted { .. } => (
                Code::Encrypted,
                "give it with `--password`, or save a copy without it and ingest that",
            ),
            Failure::WrongPassword { .. } => (
                Code::Encrypted,
                "give the right one with `--password`; upper and lower case count",
            ),
            Failure::TooLarge { .. } => (
                Code::LimitExceeded,
                "split the file into smaller ones and ingest those",
            ),
            Failure::TooDeep { .. } | Failure::TooMuch { .. } => {
                (Code::LimitExceeded, "unpack the file and ingest the folder")
            }
            Failure::Malformed { .. } => (
                Code::Malformed,
                "open the file in another program and save it again, then ingest the copy",
            ),
            Failure::Panicked { .. } => (
                Code::Malformed,
                "the file is damaged or unusual; save it again with another program and ingest the copy",
            ),
        };
        Self::new(code, fact).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_is_the_case_and_what_to_do() {
        let error = Error::from(Failure::Encrypted {
            name: "plan.pdf".to_owned(),
        });
        assert_eq!(error.code, Code::Encrypted);
        assert_eq!(error.fact, "`plan.pdf` needs a password");
        assert!(error.hint.unwrap().contains("--password"));
    }
}
