//! Sums of products of tiles with rounded vectors.
//!
//! A row's sum with a vector is made in one order, however many rows and vectors are multiplied at
//! once: a text has the same scores whether it is read token by token or all at once.
//!
//! No closure may stand in here: one knows the vectors that it was written for, the functions of the
//! standard library that would call it do not, and then nothing is inlined.

use super::lanes::{Lanes, ROWS};
use super::rounded::{Block, Rounded};
use super::tiles::{Small, Super};

/// Bytes ahead that are asked for where memory is what one waits for: a single vector reads each tile
/// once, and a processor's own guesses end with a page.
const AHEAD: usize = 4096;

/// What vector number `n` of `vectors` is.
#[derive(Debug, Clone, Copy)]
struct Vector<'a> {
    numbers: &'a [i8],
    parts: &'a [i16],
    blocks: &'a [Block],
}

impl<'a> Vector<'a> {
    #[inline(always)]
    fn of(vectors: &'a Rounded, n: usize) -> Self {
        let columns = vectors.columns;
        let blocks = vectors.blocks.len() / (vectors.numbers.len() / columns);
        Self {
            numbers: &vectors.numbers[n * columns..][..columns],
            parts: &vectors.parts[n * columns / 16..][..columns / 16],
            blocks: &vectors.blocks[n * blocks..][..blocks],
        }
    }
}

/// Eight rows each of `G` rows of tiles times `N` vectors from number `first` on.
#[inline(always)]
pub(super) fn of_super<L: Lanes, T: Super, const G: usize, const N: usize>(
    lanes: L,
    tiles: [&[T]; G],
    vectors: &Rounded,
    first: usize,
) -> [[[f32; ROWS]; N]; G] {
    let mut sums = [[lanes.splat(0.0); N]; G];
    let mut vector = [Vector::of(vectors, first); N];
    for n in 1..N {
        vector[n] = Vector::of(vectors, first + n);
    }
    for at in 0..tiles[0].len() {
        let mut tile = [&tiles[0][at]; G];
        for g in 1..G {
            tile[g] = &tiles[g][at];
        }
        if N == 1 {
            lanes.fetch(tile[0], AHEAD / size_of::<T>() + 1);
        }
        let mut numbers = [quads(vector[0].numbers, at); N];
        let mut parts = [&vector[0].parts.as_chunks::<16>().0[at]; N];
        for n in 1..N {
            numbers[n] = quads(vector[n].numbers, at);
            parts[n] = &vector[n].parts.as_chunks::<16>().0[at];
        }
        let mut ints = [[lanes.no_ints(); N]; G];
        for half in 0..2 {
            unit::<L, T, G, N, 0>(lanes, tile, numbers, half, &mut ints);
            unit::<L, T, G, N, 1>(lanes, tile, numbers, half, &mut ints);
            unit::<L, T, G, N, 2>(lanes, tile, numbers, half, &mut ints);
            unit::<L, T, G, N, 3>(lanes, tile, numbers, half, &mut ints);
        }
        let least = minimums::<L, T, G, N>(lanes, tile, parts);
        for g in 0..G {
            let (step, minimum) = tile[g].steps(lanes);
            for n in 0..N {
                let value = lanes.multiply(lanes.to_floats(ints[g][n]), step);
                let least = lanes.to_floats(least[g][n]);
                let value = lanes.subtract_product(least, minimum, value);
                let scale = lanes.splat(vector[n].blocks[at].scale);
                sums[g][n] = lanes.multiply_add(value, scale, sums[g][n]);
            }
        }
    }
    stored(lanes, sums)
}

#[inline(always)]
fn quads(numbers: &[i8], at: usize) -> &[[i8; 4]; 64] {
    let (quads, _) = numbers.as_chunks::<4>();
    &quads.as_chunks::<64>().0[at]
}

#[inline(always)]
fn small_quads(numbers: &[i8], at: usize) -> &[[i8; 4]; 8] {
    let (quads, _) = numbers.as_chunks::<4>();
    &quads.as_chunks::<8>().0[at]
}

/// Unit 4 `half` + `A`.
#[inline(always)]
fn unit<L: Lanes, T: Super, const G: usize, const N: usize, const A: usize>(
    lanes: L,
    tile: [&T; G],
    numbers: [&[[i8; 4]; 64]; N],
    half: usize,
    ints: &mut [[L::Ints; N]; G],
) {
    let number = 4 * half + A;
    let mut scales = [tile[0].scales(lanes, number); G];
    for g in 1..G {
        scales[g] = tile[g].scales(lanes, number);
    }
    for fold in 0..8 / T::FOLD {
        let mut shorts = [[lanes.no_shorts(); N]; G];
        for quad in fold * T::FOLD..(fold + 1) * T::FOLD {
            let mut weights = [tile[0].quad::<L, A>(lanes, half, quad); G];
            for g in 1..G {
                weights[g] = tile[g].quad::<L, A>(lanes, half, quad);
            }
            for n in 0..N {
                let vector = lanes.splat_quad(numbers[n][8 * number + quad]);
                for g in 0..G {
                    let products = lanes.multiply_bytes(weights[g], vector);
                    shorts[g][n] = lanes.add_shorts(shorts[g][n], products);
                }
            }
        }
        for g in 0..G {
            let scale = scales[g][fold * T::FOLD / 4];
            for n in 0..N {
                let sum = lanes.multiply_shorts(shorts[g][n], scale);
                ints[g][n] = lanes.add_ints(ints[g][n], sum);
            }
        }
    }
}

/// Minimums times the sums of the vectors' numbers.
#[inline(always)]
fn minimums<L: Lanes, T: Super, const G: usize, const N: usize>(
    lanes: L,
    tile: [&T; G],
    parts: [&[i16; 16]; N],
) -> [[L::Ints; N]; G] {
    let mut sums = [[lanes.no_ints(); N]; G];
    for pair in 0..if T::IS_FINE { 8 } else { 4 } {
        let mut minimums = [tile[0].minimums(lanes, pair); G];
        for g in 1..G {
            minimums[g] = tile[g].minimums(lanes, pair);
        }
        for n in 0..N {
            let part = if T::IS_FINE {
                [parts[n][2 * pair], parts[n][2 * pair + 1]]
            } else {
                let part = &parts[n][4 * pair..4 * pair + 4];
                [part[0] + part[1], part[2] + part[3]]
            };
            let part = lanes.splat_pair(part);
            for g in 0..G {
                let product = lanes.multiply_shorts(minimums[g], part);
                sums[g][n] = lanes.add_ints(sums[g][n], product);
            }
        }
    }
    sums
}

/// The same for blocks of 32 columns.
#[inline(always)]
pub(super) fn of_small<L: Lanes, T: Small, const G: usize, const N: usize>(
    lanes: L,
    tiles: [&[T]; G],
    vectors: &Rounded,
    first: usize,
) -> [[[f32; ROWS]; N]; G] {
    let mut sums = [[lanes.splat(0.0); N]; G];
    let mut vector = [Vector::of(vectors, first); N];
    for n in 1..N {
        vector[n] = Vector::of(vectors, first + n);
    }
    for at in 0..tiles[0].len() {
        let mut tile = [&tiles[0][at]; G];
        for g in 1..G {
            tile[g] = &tiles[g][at];
        }
        if N == 1 {
            lanes.fetch(tile[0], AHEAD / size_of::<T>() + 1);
        }
        let mut numbers = [small_quads(vector[0].numbers, at); N];
        for n in 1..N {
            numbers[n] = small_quads(vector[n].numbers, at);
        }
        let ints = small_block::<L, T, G, N>(lanes, tile, numbers);
        for g in 0..G {
            let (step, least) = tile[g].steps(lanes);
            for n in 0..N {
                let block = vector[n].blocks[at];
                let step = lanes.multiply(step, lanes.splat(block.scale));
                sums[g][n] = lanes.multiply_add(lanes.to_floats(ints[g][n]), step, sums[g][n]);
                if !T::IS_SIGNED {
                    sums[g][n] = lanes.multiply_add(least, lanes.splat(block.sum), sums[g][n]);
                }
            }
        }
    }
    stored(lanes, sums)
}

#[inline(always)]
fn small_block<L: Lanes, T: Small, const G: usize, const N: usize>(
    lanes: L,
    tile: [&T; G],
    numbers: [&[[i8; 4]; 8]; N],
) -> [[L::Ints; N]; G] {
    let ones = lanes.splat_pair([1, 1]);
    let mut ints = [[lanes.no_ints(); N]; G];
    for fold in 0..8 / T::FOLD {
        let mut shorts = [[lanes.no_shorts(); N]; G];
        for quad in fold * T::FOLD..(fold + 1) * T::FOLD {
            for g in 0..G {
                let weights = tile[g].quad(lanes, quad);
                for n in 0..N {
                    let vector = lanes.splat_quad(numbers[n][quad]);
                    let products = if T::IS_SIGNED {
                        let vector = lanes.with_sign(vector, weights);
                        lanes.multiply_bytes(lanes.magnitude(weights), vector)
                    } else {
                        lanes.multiply_bytes(weights, vector)
                    };
                    shorts[g][n] = lanes.add_shorts(shorts[g][n], products);
                }
            }
        }
        for g in 0..G {
            for n in 0..N {
                let wide = lanes.multiply_shorts(shorts[g][n], ones);
                ints[g][n] = lanes.add_ints(ints[g][n], wide);
            }
        }
    }
    ints
}

#[inline(always)]
fn stored<L: Lanes, const G: usize, const N: usize>(
    lanes: L,
    sums: [[L::Floats; N]; G],
) -> [[[f32; ROWS]; N]; G] {
    let mut out = [[[0.0; ROWS]; N]; G];
    for g in 0..G {
        for n in 0..N {
            out[g][n] = lanes.store(sums[g][n]);
        }
    }
    out
}
