//! Tiles of the types whose blocks have 32 columns.

use super::lanes::Lanes;
use super::tiles::{Halves, NO_HALVES, NO_QUADS, Quads, Small, Tile, nibbles, put_half, put_quads};

/// `Q4_0`, and with a least weight of its own `Q4_1`.
#[derive(Debug, Clone)]
pub(super) struct Q4<L> {
    step: Halves,
    least: L,
    /// Of columns n and n + 16 in the halves of a byte.
    low: [Quads; 4],
}

pub(super) type Q40 = Q4<[u8; 0]>;
pub(super) type Q41 = Q4<Halves>;

impl Tile for Q40 {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        least: [],
        low: [NO_QUADS; 4],
    };
    const BYTES: usize = 18;
    const COLUMNS: usize = 32;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_half(&mut self.step, row, block);
        put_quads(&mut self.low, row, &block[2..]);
    }
}

impl Tile for Q41 {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        least: NO_HALVES,
        low: [NO_QUADS; 4],
    };
    const BYTES: usize = 20;
    const COLUMNS: usize = 32;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_half(&mut self.step, row, block);
        put_half(&mut self.least, row, &block[2..]);
        put_quads(&mut self.low, row, &block[4..]);
    }
}

#[inline(always)]
fn small_nibbles<L: Lanes>(lanes: L, low: &[Quads; 4], quad: usize) -> L::Bytes {
    nibbles(lanes, lanes.load(&low[quad % 4]), quad >= 4)
}

impl Small for Q40 {
    const FOLD: usize = 8;
    const IS_SIGNED: bool = false;

    #[inline(always)]
    fn quad<L: Lanes>(&self, lanes: L, quad: usize) -> L::Bytes {
        small_nibbles(lanes, &self.low, quad)
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        let step = lanes.halves_to_floats(&self.step);
        (step, lanes.multiply(step, lanes.splat(-8.0)))
    }
}

impl Small for Q41 {
    const FOLD: usize = 8;
    const IS_SIGNED: bool = false;

    #[inline(always)]
    fn quad<L: Lanes>(&self, lanes: L, quad: usize) -> L::Bytes {
        small_nibbles(lanes, &self.low, quad)
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        (
            lanes.halves_to_floats(&self.step),
            lanes.halves_to_floats(&self.least),
        )
    }
}

/// `Q5_0`, and with a least weight of its own `Q5_1`.
#[derive(Debug, Clone)]
pub(super) struct Q5<L> {
    nibbles: L,
    /// The fifth bits: a bit for each quad.
    high: Quads,
}

pub(super) type Q50 = Q5<Q40>;
pub(super) type Q51 = Q5<Q41>;

/// Takes a bit for each of 32 columns.
fn put_bits(high: &mut Quads, row: usize, bytes: &[u8]) {
    let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for column in 0..32 {
        let bit = (bits >> column & 1) as u8;
        let at = &mut high[4 * row + column % 4];
        *at = *at & !(1 << (column / 4)) | bit << (column / 4);
    }
}

impl Tile for Q50 {
    const EMPTY: Self = Self {
        nibbles: Q40::EMPTY,
        high: NO_QUADS,
    };
    const BYTES: usize = 22;
    const COLUMNS: usize = 32;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_half(&mut self.nibbles.step, row, block);
        put_bits(&mut self.high, row, &block[2..]);
        put_quads(&mut self.nibbles.low, row, &block[6..]);
    }
}

impl Tile for Q51 {
    const EMPTY: Self = Self {
        nibbles: Q41::EMPTY,
        high: NO_QUADS,
    };
    const BYTES: usize = 24;
    const COLUMNS: usize = 32;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_half(&mut self.nibbles.step, row, block);
        put_half(&mut self.nibbles.least, row, &block[2..]);
        put_bits(&mut self.high, row, &block[4..]);
        put_quads(&mut self.nibbles.low, row, &block[8..]);
    }
}

#[inline(always)]
fn with_fifth<L: Lanes>(lanes: L, nibbles: L::Bytes, high: &Quads, quad: usize) -> L::Bytes {
    lanes.or(nibbles, lanes.where_bit(lanes.load(high), 1 << quad, 16))
}

impl Small for Q50 {
    const FOLD: usize = 4;
    const IS_SIGNED: bool = false;

    #[inline(always)]
    fn quad<L: Lanes>(&self, lanes: L, quad: usize) -> L::Bytes {
        with_fifth(lanes, self.nibbles.quad(lanes, quad), &self.high, quad)
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        let step = lanes.halves_to_floats(&self.nibbles.step);
        (step, lanes.multiply(step, lanes.splat(-16.0)))
    }
}

impl Small for Q51 {
    const FOLD: usize = 4;
    const IS_SIGNED: bool = false;

    #[inline(always)]
    fn quad<L: Lanes>(&self, lanes: L, quad: usize) -> L::Bytes {
        with_fifth(lanes, self.nibbles.quad(lanes, quad), &self.high, quad)
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        self.nibbles.steps(lanes)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Q80 {
    step: Halves,
    numbers: [Quads; 8],
}

impl Tile for Q80 {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        numbers: [NO_QUADS; 8],
    };
    const BYTES: usize = 34;
    const COLUMNS: usize = 32;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_half(&mut self.step, row, block);
        put_quads(&mut self.numbers, row, &block[2..]);
    }
}

impl Small for Q80 {
    const FOLD: usize = 1;
    const IS_SIGNED: bool = true;

    #[inline(always)]
    fn quad<L: Lanes>(&self, lanes: L, quad: usize) -> L::Bytes {
        lanes.load(&self.numbers[quad])
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        (lanes.halves_to_floats(&self.step), lanes.splat(0.0))
    }
}
