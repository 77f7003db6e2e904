//! What tiles are: eight rows of a file's blocks, their bytes sorted so that eight rows are multiplied at once.
//!
//! Numbers stay as they are in the file, four columns of one row beside those of the next. Scales of
//! K-quants are spread out to a byte each. Layouts of blocks: `ggml-common.h` and `ggml-quants.c` of
//! ggml (<https://github.com/ggml-org/ggml>); names are those of the types of GGUF.

use std::fmt::Debug;

use super::lanes::{Lanes, ROWS};

/// Four columns of each of eight rows.
pub(super) type Quads = [u8; 4 * ROWS];
/// A half-precision number for each row.
pub(super) type Halves = [u8; 2 * ROWS];

pub(super) const NO_QUADS: Quads = [0; 4 * ROWS];
pub(super) const NO_HALVES: Halves = [0; 2 * ROWS];

/// Eight rows of blocks of one type.
pub(super) trait Tile: Clone + Debug + Send + Sync + 'static {
    const EMPTY: Self;
    /// Bytes of a block in the file.
    const BYTES: usize;
    /// Columns of a block.
    const COLUMNS: usize;

    /// Takes the block of a row.
    fn put(&mut self, row: usize, block: &[u8]);
}

/// Blocks of 256 columns in eight units of 32, whose scales are whole numbers. A weight is
/// `step` × scale × number − `least` × minimum.
pub(super) trait Super: Tile {
    /// So many products of a row fit 16 bits with their sums: 4 columns each.
    const FOLD: usize;
    /// Whether minimums are for 16 columns, not 32.
    const IS_FINE: bool;

    /// Columns 4 `quad`… of unit 4 `half` + `A`.
    fn quad<L: Lanes, const A: usize>(&self, lanes: L, half: usize, quad: usize) -> L::Bytes;
    /// Scales of both halves of a unit, each twice.
    fn scales<L: Lanes>(&self, lanes: L, unit: usize) -> [L::Shorts; 2];
    /// Minimums of both halves of unit `n`; where they are not fine, of units 2n and 2n + 1.
    fn minimums<L: Lanes>(&self, lanes: L, n: usize) -> L::Shorts;
    /// `step` and `least`.
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats);
}

/// Blocks of 32 columns: a weight is `step` × number + `least`.
pub(super) trait Small: Tile {
    const FOLD: usize;
    /// Whether numbers have signs: each is multiplied and widened by itself then.
    const IS_SIGNED: bool;

    fn quad<L: Lanes>(&self, lanes: L, quad: usize) -> L::Bytes;
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats);
}

pub(super) fn put_quads(quads: &mut [Quads], row: usize, bytes: &[u8]) {
    for (quad, four) in quads.iter_mut().zip(bytes.as_chunks::<4>().0) {
        quad.as_chunks_mut::<4>().0[row] = *four;
    }
}

pub(super) fn put_half(halves: &mut Halves, row: usize, bytes: &[u8]) {
    halves[2 * row..2 * row + 2].copy_from_slice(&bytes[..2]);
}

#[inline(always)]
pub(super) fn nibbles<L: Lanes>(lanes: L, bytes: L::Bytes, is_high: bool) -> L::Bytes {
    lanes.mask(
        if is_high {
            lanes.down::<4>(bytes)
        } else {
            bytes
        },
        15,
    )
}
