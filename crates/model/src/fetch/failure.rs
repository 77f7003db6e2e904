//! What can go wrong while a model is fetched: facts in fields, and what to do about each.

use std::io;
use std::path::{Path, PathBuf};

use rag_core::{Code, Error};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection to `{host}`")]
    Offline {
        host: String,
        #[source]
        cause: io::Error,
    },
    #[error("`{url}` does not exist (status 404)")]
    NotFound { url: String },
    #[error("`{repo}` is not open to this request (status {status})")]
    Gated { repo: String, status: u16 },
    #[error("`{url}` was refused (status {status})")]
    Refused { url: String, status: u16 },
    #[error("`{url}` leads nowhere: {why}")]
    Redirect { url: String, why: String },
    #[error("the download of `{file}` broke off {attempts} times; {done} bytes are kept")]
    Cut {
        file: String,
        attempts: u32,
        done: u64,
        #[source]
        cause: io::Error,
    },
    #[error(
        "`{file}` from {origin} is not the file that was expected and was removed: \
         its SHA-256 is {found}, not {expected}"
    )]
    WrongHash {
        file: String,
        origin: String,
        expected: String,
        found: String,
    },
    #[error("can't {verb} `{}`", path.display())]
    Disk {
        verb: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("no `pip` on this machine (tried {tried})")]
    NoPip { tried: String },
    #[error("`{command}` can't fetch {package} {version}: {said}")]
    Pip {
        command: String,
        package: String,
        version: String,
        /// The end of what it wrote to stderr.
        said: String,
    },
    #[error("the wheel of {package} is not as expected: {why}")]
    Wheel { package: String, why: String },
}

impl Failure {
    pub(crate) fn disk(verb: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Disk {
            verb,
            path: path.to_owned(),
            cause,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Disk { .. } => Code::Io,
            Self::WrongHash { .. } | Self::Wheel { .. } => Code::ModelInvalid,
            Self::Offline { .. }
            | Self::NotFound { .. }
            | Self::Gated { .. }
            | Self::Refused { .. }
            | Self::Redirect { .. }
            | Self::Cut { .. }
            | Self::NoPip { .. }
            | Self::Pip { .. } => Code::Network,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Offline { .. } => {
                "check the network; HF_ENDPOINT names a mirror of the hub (for example \
                 https://hf-mirror.com), HTTPS_PROXY a proxy"
                    .to_owned()
            }
            Self::NotFound { .. } => {
                "the publisher may have moved it; download the model by hand, then \
                 `rag models add PATH`"
                    .to_owned()
            }
            Self::Gated { repo, .. } => format!(
                "accept its licence at https://huggingface.co/{repo}, then set HF_TOKEN to a token \
                 of your account"
            ),
            Self::Refused { .. } | Self::Redirect { .. } => {
                "try again later, or another origin with `--from`".to_owned()
            }
            Self::Cut { .. } => "pull again: it goes on where it stopped".to_owned(),
            Self::WrongHash { .. } | Self::Wheel { .. } => {
                "pull again; if it stays so, the origin serves another file than the one that was \
                 checked, and should not be trusted"
                    .to_owned()
            }
            Self::Disk { cause, .. } if cause.kind() == io::ErrorKind::StorageFull => {
                "free some space and pull again: it goes on where it stopped".to_owned()
            }
            Self::Disk { .. } => return None,
            Self::NoPip { .. } => "install Python with pip, or pull with `--from hub`".to_owned(),
            Self::Pip { .. } => {
                "check pip's index settings (`pip config list`), or pull with `--from hub`"
                    .to_owned()
            }
        })
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let hint = failure.hint();
        let mut error = Error::new(failure.code(), failure.to_string());
        error.hint = hint;
        match failure {
            Failure::Offline { cause, .. }
            | Failure::Cut { cause, .. }
            | Failure::Disk { cause, .. } => error.because(cause),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_its_cause_and_says_what_to_do() {
        let cause = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::from(Failure::disk("write", Path::new("/m/x.part"), cause));
        assert_eq!(error.code, Code::Io);
        assert!(error.one_line().starts_with("can't write `/m/x.part`: "));
        assert!(error.hint.unwrap().contains("free some space"));
    }
}
