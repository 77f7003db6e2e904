//! Vectors as the compiler makes them of plain loops.

use super::lanes::{Plain, Work};

/// Does `work` with the vectors that every processor of this kind has.
pub(super) fn widest<W: Work>(work: W) -> W::Output {
    work.run(Plain)
}

/// Does `work`.
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    work()
}
