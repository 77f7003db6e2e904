//! Exit codes: part of the contract with scripts.

use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, found, answered.
    Done = 0,
    /// Nothing was found, the question was refused, or a figure missed its bound.
    Nothing = 1,
    /// Any error, one unreadable file included.
    Error = 2,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
