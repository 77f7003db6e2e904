//! Tiles of the K-quants, whose blocks have 256 columns.

use super::lanes::{Lanes, ROWS};
use super::tiles::{Halves, NO_HALVES, NO_QUADS, Quads, Super, Tile, nibbles, put_half, put_quads};

/// The number of bits of two that unit `A` has in bytes that four units share.
#[inline(always)]
fn two_bits<L: Lanes, const A: usize>(lanes: L, bytes: L::Bytes) -> L::Bytes {
    let bytes = match A {
        0 => bytes,
        1 => lanes.down::<2>(bytes),
        2 => lanes.down::<4>(bytes),
        _ => lanes.down::<6>(bytes),
    };
    lanes.mask(bytes, 3)
}

/// Scale or minimum number `n` of the twelve bytes of `Q4_K` and `Q5_K`.
fn six_bits(bytes: &[u8], n: usize) -> (u8, u8) {
    if n < 4 {
        (bytes[n] & 63, bytes[n + 4] & 63)
    } else {
        let (low, high) = (bytes[n + 4], (bytes[n - 4] >> 6, bytes[n] >> 6));
        (low & 15 | high.0 << 4, low >> 4 | high.1 << 4)
    }
}

/// What `Q4_K` and `Q5_K` have in common.
#[derive(Debug, Clone)]
struct CoarseScales {
    step: Halves,
    least: Halves,
    /// For each unit.
    scales: [[u8; ROWS]; 8],
    /// For each pair of units.
    minimums: [[u8; 2 * ROWS]; 4],
}

impl CoarseScales {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        least: NO_HALVES,
        scales: [[0; ROWS]; 8],
        minimums: [[0; 2 * ROWS]; 4],
    };

    fn put(&mut self, row: usize, block: &[u8]) {
        put_half(&mut self.step, row, block);
        put_half(&mut self.least, row, &block[2..]);
        for n in 0..8 {
            let (scale, minimum) = six_bits(&block[4..16], n);
            self.scales[n][row] = scale;
            self.minimums[n / 2][2 * row + n % 2] = minimum;
        }
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        (
            lanes.halves_to_floats(&self.step),
            lanes.halves_to_floats(&self.least),
        )
    }
}

#[derive(Debug, Clone)]
pub(super) struct Q4K {
    scales: CoarseScales,
    /// Of two neighbouring units in the halves of a byte.
    low: [[Quads; 8]; 4],
}

impl Tile for Q4K {
    const EMPTY: Self = Self {
        scales: CoarseScales::EMPTY,
        low: [[NO_QUADS; 8]; 4],
    };
    const BYTES: usize = 144;
    const COLUMNS: usize = 256;

    fn put(&mut self, row: usize, block: &[u8]) {
        self.scales.put(row, block);
        put_quads(self.low.as_flattened_mut(), row, &block[16..]);
    }
}

impl Super for Q4K {
    const FOLD: usize = 8; // 8 × 2 × 15 × 127 < 2^15
    const IS_FINE: bool = false;

    #[inline(always)]
    fn quad<L: Lanes, const A: usize>(&self, lanes: L, half: usize, quad: usize) -> L::Bytes {
        let both = lanes.load(&self.low[2 * half + A / 2][quad]);
        nibbles(lanes, both, A % 2 == 1)
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L, unit: usize) -> [L::Shorts; 2] {
        [lanes.doubled(self.scales.scales[unit]); 2]
    }

    #[inline(always)]
    fn minimums<L: Lanes>(&self, lanes: L, n: usize) -> L::Shorts {
        lanes.unsigned_pairs(&self.scales.minimums[n])
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        self.scales.steps(lanes)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Q5K {
    scales: CoarseScales,
    low: [[Quads; 8]; 4],
    /// The fifth bits: a bit for each unit.
    high: [Quads; 8],
}

impl Tile for Q5K {
    const EMPTY: Self = Self {
        scales: CoarseScales::EMPTY,
        low: [[NO_QUADS; 8]; 4],
        high: [NO_QUADS; 8],
    };
    const BYTES: usize = 176;
    const COLUMNS: usize = 256;

    fn put(&mut self, row: usize, block: &[u8]) {
        self.scales.put(row, block);
        put_quads(&mut self.high, row, &block[16..48]);
        put_quads(self.low.as_flattened_mut(), row, &block[48..]);
    }
}

impl Super for Q5K {
    const FOLD: usize = 4; // 4 × 2 × 31 × 127 < 2^15
    const IS_FINE: bool = false;

    #[inline(always)]
    fn quad<L: Lanes, const A: usize>(&self, lanes: L, half: usize, quad: usize) -> L::Bytes {
        let both = lanes.load(&self.low[2 * half + A / 2][quad]);
        let high = lanes.load(&self.high[quad]);
        let high = lanes.where_bit(high, 1 << (4 * half + A), 16);
        lanes.or(nibbles(lanes, both, A % 2 == 1), high)
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L, unit: usize) -> [L::Shorts; 2] {
        [lanes.doubled(self.scales.scales[unit]); 2]
    }

    #[inline(always)]
    fn minimums<L: Lanes>(&self, lanes: L, n: usize) -> L::Shorts {
        lanes.unsigned_pairs(&self.scales.minimums[n])
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        self.scales.steps(lanes)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Q6K {
    step: Halves,
    /// For each unit, both halves; they have signs.
    scales: [[u8; 2 * ROWS]; 8],
    /// Of units 4n + a and 4n + a + 2 in the halves of a byte.
    low: [[Quads; 8]; 4],
    /// Two bits for each of four units.
    high: [[Quads; 8]; 2],
}

impl Tile for Q6K {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        scales: [[0; 2 * ROWS]; 8],
        low: [[NO_QUADS; 8]; 4],
        high: [[NO_QUADS; 8]; 2],
    };
    const BYTES: usize = 210;
    const COLUMNS: usize = 256;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_quads(self.low.as_flattened_mut(), row, &block[..128]);
        put_quads(self.high.as_flattened_mut(), row, &block[128..192]);
        for n in 0..16 {
            self.scales[n / 2][2 * row + n % 2] = block[192 + n];
        }
        put_half(&mut self.step, row, &block[208..]);
    }
}

impl Super for Q6K {
    const FOLD: usize = 2; // 2 × 2 × 63 × 127 < 2^15
    const IS_FINE: bool = true;

    #[inline(always)]
    fn quad<L: Lanes, const A: usize>(&self, lanes: L, half: usize, quad: usize) -> L::Bytes {
        let both = lanes.load(&self.low[2 * half + A % 2][quad]);
        let high = lanes.load(&self.high[half][quad]);
        let high = match A {
            0 => lanes.up::<4>(high),
            1 => lanes.up::<2>(high),
            2 => high,
            _ => lanes.down::<2>(high),
        };
        let high = lanes.mask(high, 0x30);
        lanes.or(nibbles(lanes, both, A / 2 == 1), high)
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L, unit: usize) -> [L::Shorts; 2] {
        lanes.halves(lanes.signed_pairs(&self.scales[unit]))
    }

    #[inline(always)]
    fn minimums<L: Lanes>(&self, lanes: L, n: usize) -> L::Shorts {
        lanes.signed_pairs(&self.scales[n])
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        let step = lanes.halves_to_floats(&self.step);
        (step, lanes.multiply(step, lanes.splat(32.0)))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Q3K {
    step: Halves,
    /// For each unit, both halves; they have signs.
    scales: [[u8; 2 * ROWS]; 8],
    /// Two bits for each of four units.
    low: [[Quads; 8]; 2],
    /// The third bits: a bit for each unit.
    high: [Quads; 8],
}

impl Tile for Q3K {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        scales: [[0; 2 * ROWS]; 8],
        low: [[NO_QUADS; 8]; 2],
        high: [NO_QUADS; 8],
    };
    const BYTES: usize = 110;
    const COLUMNS: usize = 256;

    fn put(&mut self, row: usize, block: &[u8]) {
        put_quads(&mut self.high, row, &block[..32]);
        put_quads(self.low.as_flattened_mut(), row, &block[32..96]);
        let packed = &block[96..108];
        for n in 0..16 {
            let low = packed[n % 8] >> (n / 8 * 4) & 15;
            let high = packed[8 + n % 4] >> (n / 4 * 2) & 3;
            let scale = (low | high << 4).wrapping_sub(32);
            self.scales[n / 2][2 * row + n % 2] = scale;
        }
        put_half(&mut self.step, row, &block[108..]);
    }
}

impl Super for Q3K {
    const FOLD: usize = 4;
    const IS_FINE: bool = true;

    #[inline(always)]
    fn quad<L: Lanes, const A: usize>(&self, lanes: L, half: usize, quad: usize) -> L::Bytes {
        let low = two_bits::<L, A>(lanes, lanes.load(&self.low[half][quad]));
        let high = lanes.load(&self.high[quad]);
        lanes.or(low, lanes.where_bit(high, 1 << (4 * half + A), 4))
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L, unit: usize) -> [L::Shorts; 2] {
        lanes.halves(lanes.signed_pairs(&self.scales[unit]))
    }

    #[inline(always)]
    fn minimums<L: Lanes>(&self, lanes: L, n: usize) -> L::Shorts {
        lanes.signed_pairs(&self.scales[n])
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        let step = lanes.halves_to_floats(&self.step);
        (step, lanes.multiply(step, lanes.splat(4.0)))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Q2K {
    step: Halves,
    least: Halves,
    scales: [[u8; 2 * ROWS]; 8],
    minimums: [[u8; 2 * ROWS]; 8],
    low: [[Quads; 8]; 2],
}

impl Tile for Q2K {
    const EMPTY: Self = Self {
        step: NO_HALVES,
        least: NO_HALVES,
        scales: [[0; 2 * ROWS]; 8],
        minimums: [[0; 2 * ROWS]; 8],
        low: [[NO_QUADS; 8]; 2],
    };
    const BYTES: usize = 84;
    const COLUMNS: usize = 256;

    fn put(&mut self, row: usize, block: &[u8]) {
        for n in 0..16 {
            self.scales[n / 2][2 * row + n % 2] = block[n] & 15;
            self.minimums[n / 2][2 * row + n % 2] = block[n] >> 4;
        }
        put_quads(self.low.as_flattened_mut(), row, &block[16..80]);
        put_half(&mut self.step, row, &block[80..]);
        put_half(&mut self.least, row, &block[82..]);
    }
}

impl Super for Q2K {
    const FOLD: usize = 4;
    const IS_FINE: bool = true;

    #[inline(always)]
    fn quad<L: Lanes, const A: usize>(&self, lanes: L, half: usize, quad: usize) -> L::Bytes {
        two_bits::<L, A>(lanes, lanes.load(&self.low[half][quad]))
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L, unit: usize) -> [L::Shorts; 2] {
        lanes.halves(lanes.unsigned_pairs(&self.scales[unit]))
    }

    #[inline(always)]
    fn minimums<L: Lanes>(&self, lanes: L, n: usize) -> L::Shorts {
        lanes.unsigned_pairs(&self.minimums[n])
    }

    #[inline(always)]
    fn steps<L: Lanes>(&self, lanes: L) -> (L::Floats, L::Floats) {
        (
            lanes.halves_to_floats(&self.step),
            lanes.halves_to_floats(&self.least),
        )
    }
}
