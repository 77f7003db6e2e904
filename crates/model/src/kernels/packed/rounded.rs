//! Vectors rounded to 8 bits, with what products need to know of them.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::lanes::{Lanes, Work};
use super::wide::widest;
use crate::kernels::WORTH_SHARING;

/// Columns of the smallest part that a sum is kept of.
const PART: usize = 16;

/// Some vectors of the same length as whole numbers from −127 to 127, with a scale for each `block` of
/// them.
#[derive(Debug)]
pub(super) struct Rounded {
    pub(super) columns: usize,
    pub(super) numbers: Vec<i8>,
    pub(super) blocks: Vec<Block>,
    /// Sums of 16 numbers each.
    pub(super) parts: Vec<i16>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    /// What a number is to be multiplied with.
    pub(super) scale: f32,
    /// Sum of the numbers × scale.
    pub(super) sum: f32,
}

impl Rounded {
    /// Rounds vectors of `columns` numbers, which fill blocks of `block`.
    pub(super) fn new(source: &[f32], columns: usize, block: usize) -> Self {
        let mut rounded = Self {
            columns,
            numbers: vec![0; source.len()],
            blocks: vec![Block::default(); source.len() / block],
            parts: vec![0; source.len() / PART],
        };
        let blocks = (WORTH_SHARING / block).max(1);
        rounded
            .numbers
            .par_chunks_mut(blocks * block)
            .zip(rounded.parts.par_chunks_mut(blocks * block / PART))
            .zip(rounded.blocks.par_chunks_mut(blocks))
            .zip(source.par_chunks(blocks * block))
            .for_each(|(((numbers, parts), blocks), source)| {
                widest(Rounding {
                    block,
                    source,
                    numbers,
                    parts,
                    blocks,
                });
            });
        rounded
    }
}

struct Rounding<'a> {
    block: usize,
    source: &'a [f32],
    numbers: &'a mut [i8],
    parts: &'a mut [i16],
    blocks: &'a mut [Block],
}

impl Work for Rounding<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let blocks = self.source.chunks_exact(self.block).zip(self.blocks);
        let numbers = self.numbers.chunks_exact_mut(self.block);
        let parts = self.parts.chunks_exact_mut(self.block / PART);
        for (((source, block), numbers), parts) in blocks.zip(numbers).zip(parts) {
            let scale = largest(source) / 127.0;
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            for (number, x) in numbers.iter_mut().zip(source) {
                *number = nearest(x * inverse);
            }
            for (part, numbers) in parts.iter_mut().zip(numbers.as_chunks::<PART>().0) {
                *part = 0;
                for x in numbers {
                    *part += i16::from(*x);
                }
            }
            let mut sum = 0;
            for x in parts.iter() {
                sum += i32::from(*x);
            }
            *block = Block {
                scale,
                sum: sum as f32 * scale,
            };
        }
    }
}

/// The nearest whole number: adding 1.5 · 2^23 to a float leaves it in the low bits.
#[inline(always)]
fn nearest(x: f32) -> i8 {
    (x + 12_582_912.0).to_bits() as i8
}

/// Largest magnitude; not a number where there is one that is none, so that it stays visible.
#[inline(always)]
fn largest(block: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut most = [0.0_f32; LANES];
    let mut broken = [0_u32; LANES];
    for chunk in block.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            let x = chunk[lane].abs();
            most[lane] = if x > most[lane] { x } else { most[lane] };
            broken[lane] |= u32::from(x.is_nan());
        }
    }
    let (mut all, mut any_broken) = (0.0_f32, 0);
    for lane in 0..LANES {
        all = if most[lane] > all { most[lane] } else { all };
        any_broken |= broken[lane];
    }
    if any_broken == 0 { all } else { f32::NAN }
}
