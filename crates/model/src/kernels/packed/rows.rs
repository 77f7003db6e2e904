//! Tiles of a whole matrix, behind one interface whatever their type.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Range;

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::lanes::{Lanes, Plain, ROWS, Work};
use super::products::{of_small, of_super};
use super::rounded::Rounded;
use super::tiles::{Small, Super, Tile};
use super::wide::widest;

/// Vectors that are multiplied with some rows before others are: their numbers stay in the second
/// cache, as those of the rows do.
const VECTORS: usize = 64;

/// Vectors that are multiplied at the same time.
const TOGETHER: usize = 4;

/// All rows of a matrix, by groups of eight.
pub(super) trait Rows: Debug + Send + Sync {
    /// Bytes of all tiles.
    fn bytes(&self) -> usize;
    /// Columns that share a scale in a vector.
    fn block(&self) -> usize;
    /// Takes rows from the bytes of a file: eight, or the last ones.
    fn add(&mut self, bytes: &[u8]);
    /// The products of `groups` with all vectors; `out` has a part for each vector, as long as there are
    /// rows.
    fn multiply(&self, groups: Range<usize>, vectors: &Rounded, out: &mut [&mut [f32]]);
    /// The same without wide vectors.
    #[cfg(test)]
    fn multiply_plainly(&self, groups: Range<usize>, vectors: &Rounded, out: &mut [&mut [f32]]);
    /// One row as floats.
    fn floats(&self, row: usize, out: &mut [f32]);
}

/// How tiles of some size are multiplied.
pub(super) trait Size<T: Tile>: Debug + Send + Sync {
    fn multiply<L: Lanes, const G: usize, const N: usize>(
        lanes: L,
        tiles: [&[T]; G],
        vectors: &Rounded,
        first: usize,
    ) -> [[[f32; ROWS]; N]; G];

    /// A row of a tile.
    fn floats(tile: &T, row: usize, out: &mut [f32]);
}

/// Blocks of 256 columns.
#[derive(Debug)]
pub(super) struct Large;

impl<T: Super> Size<T> for Large {
    #[inline(always)]
    fn multiply<L: Lanes, const G: usize, const N: usize>(
        lanes: L,
        tiles: [&[T]; G],
        vectors: &Rounded,
        first: usize,
    ) -> [[[f32; ROWS]; N]; G] {
        of_super::<L, T, G, N>(lanes, tiles, vectors, first)
    }

    fn floats(tile: &T, row: usize, out: &mut [f32]) {
        let (step, least) = tile.steps(Plain);
        for (unit, out) in out.chunks_exact_mut(32).enumerate() {
            let scales = tile.scales(Plain, unit);
            let minimums = tile.minimums(Plain, if T::IS_FINE { unit } else { unit / 2 });
            for (n, out) in out.chunks_exact_mut(4).enumerate() {
                let quad = match unit % 4 {
                    0 => tile.quad::<_, 0>(Plain, unit / 4, n),
                    1 => tile.quad::<_, 1>(Plain, unit / 4, n),
                    2 => tile.quad::<_, 2>(Plain, unit / 4, n),
                    _ => tile.quad::<_, 3>(Plain, unit / 4, n),
                };
                let minimum = minimums[2 * row + if T::IS_FINE { n / 4 } else { unit % 2 }];
                let scale = step[row] * f32::from(scales[n / 4][2 * row]);
                let least = least[row] * f32::from(minimum);
                for (x, number) in out.iter_mut().zip(&quad[4 * row..]) {
                    *x = scale * f32::from(*number) - least;
                }
            }
        }
    }
}

/// Blocks of 32 columns.
#[derive(Debug)]
pub(super) struct Little;

impl<T: Small> Size<T> for Little {
    #[inline(always)]
    fn multiply<L: Lanes, const G: usize, const N: usize>(
        lanes: L,
        tiles: [&[T]; G],
        vectors: &Rounded,
        first: usize,
    ) -> [[[f32; ROWS]; N]; G] {
        of_small::<L, T, G, N>(lanes, tiles, vectors, first)
    }

    fn floats(tile: &T, row: usize, out: &mut [f32]) {
        let (step, least) = tile.steps(Plain);
        for (n, out) in out.chunks_exact_mut(4).enumerate() {
            let quad = tile.quad(Plain, n);
            for (x, number) in out.iter_mut().zip(&quad[4 * row..]) {
                let number = if T::IS_SIGNED {
                    f32::from(number.cast_signed())
                } else {
                    f32::from(*number)
                };
                *x = step[row] * number + least[row];
            }
        }
    }
}

/// A matrix of tiles of one type.
#[derive(Debug)]
pub(super) struct Tiles<T, S> {
    /// Tiles of a group.
    width: usize,
    all: Vec<T>,
    size: PhantomData<S>,
}

impl<T: Tile, S: Size<T>> Tiles<T, S> {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let width = columns / T::COLUMNS;
        Self {
            width,
            all: Vec::with_capacity(rows.div_ceil(ROWS) * width),
            size: PhantomData,
        }
    }

    fn group(&self, n: usize) -> &[T] {
        &self.all[n * self.width..(n + 1) * self.width]
    }
}

impl<T: Tile, S: Size<T> + 'static> Rows for Tiles<T, S> {
    fn bytes(&self) -> usize {
        size_of_val(&*self.all)
    }

    fn block(&self) -> usize {
        T::COLUMNS
    }

    fn add(&mut self, bytes: &[u8]) {
        let start = self.all.len();
        let row_bytes = self.width * T::BYTES;
        let groups = bytes.len().div_ceil(ROWS * row_bytes);
        self.all.resize(start + groups * self.width, T::EMPTY);
        self.all[start..]
            .par_chunks_mut(self.width)
            .zip(bytes.par_chunks(ROWS * row_bytes))
            .for_each(|(tiles, rows)| {
                for (row, bytes) in rows.chunks_exact(row_bytes).enumerate() {
                    for (tile, block) in tiles.iter_mut().zip(bytes.chunks_exact(T::BYTES)) {
                        tile.put(row, block);
                    }
                }
            });
    }

    fn multiply(&self, groups: Range<usize>, vectors: &Rounded, out: &mut [&mut [f32]]) {
        widest(Share {
            of: self,
            groups,
            vectors,
            out,
        });
    }

    #[cfg(test)]
    fn multiply_plainly(&self, groups: Range<usize>, vectors: &Rounded, out: &mut [&mut [f32]]) {
        let share = Share {
            of: self,
            groups,
            vectors,
            out,
        };
        share.run(Plain);
    }

    fn floats(&self, row: usize, out: &mut [f32]) {
        let tiles = self.group(row / ROWS);
        for (tile, out) in tiles.iter().zip(out.chunks_exact_mut(T::COLUMNS)) {
            S::floats(tile, row % ROWS, out);
        }
    }
}

/// A part of a product.
struct Share<'a, 'b, T, S> {
    of: &'a Tiles<T, S>,
    groups: Range<usize>,
    vectors: &'a Rounded,
    out: &'a mut [&'b mut [f32]],
}

impl<T: Tile, S: Size<T>> Work for Share<'_, '_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let (count, end) = (self.out.len(), self.groups.end);
        for first in (0..count).step_by(VECTORS) {
            let vectors = VECTORS.min(count - first);
            for group in self.groups.clone().step_by(2) {
                let together = if group + 2 <= end {
                    vectors / TOGETHER * TOGETHER
                } else {
                    0
                };
                for n in (0..together).step_by(TOGETHER) {
                    self.once::<L, 2, TOGETHER>(lanes, group, first + n);
                }
                // A single vector meets the rows in the order of memory.
                for group in group..end.min(group + 2) {
                    for n in together..vectors {
                        self.once::<L, 1, 1>(lanes, group, first + n);
                    }
                }
            }
        }
    }
}

impl<T: Tile, S: Size<T>> Share<'_, '_, T, S> {
    /// `G` groups of rows from number `group` on with `N` vectors.
    #[inline(always)]
    fn once<L: Lanes, const G: usize, const N: usize>(
        &mut self,
        lanes: L,
        group: usize,
        first: usize,
    ) {
        let mut tiles = [self.of.group(group); G];
        for g in 1..G {
            tiles[g] = self.of.group(group + g);
        }
        let sums = S::multiply::<L, G, N>(lanes, tiles, self.vectors, first);
        for (g, sums) in sums.iter().enumerate() {
            let at = (group + g - self.groups.start) * ROWS;
            for (n, sums) in sums.iter().enumerate() {
                let out = &mut self.out[first + n][at..];
                let rows = out.len().min(ROWS);
                out[..rows].copy_from_slice(&sums[..rows]);
            }
        }
    }
}
