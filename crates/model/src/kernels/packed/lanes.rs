//! Vectors of 256 bits as the products of packed weights need them, and their plain form for processors
//! without any.
//!
//! A vector of bytes holds four neighbouring columns for each of eight rows: one row, one 32-bit lane.

/// Rows that are multiplied at the same time.
pub(super) const ROWS: usize = 8;

/// Something to be done with the widest vectors at hand.
pub(super) trait Work {
    type Output;

    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Instructions on eight rows at once. Sums of 16 bits must not overflow: what is multiplied sees to it.
pub(super) trait Lanes: Copy {
    /// 32 numbers of 8 bits.
    type Bytes: Copy;
    /// 16 whole numbers.
    type Shorts: Copy;
    /// 8 whole numbers.
    type Ints: Copy;
    type Floats: Copy;

    /// Asks for the tile that lies `count` behind this one in memory, which may be none.
    fn fetch<T>(self, tile: &T, count: usize);
    fn load(self, bytes: &[u8; 32]) -> Self::Bytes;
    /// The same four bytes for each row.
    fn splat_quad(self, quad: [i8; 4]) -> Self::Bytes;
    fn mask(self, bytes: Self::Bytes, mask: u8) -> Self::Bytes;
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Each 16 bits moved down by `N`: bits of neighbouring bytes come in.
    fn down<const N: i32>(self, bytes: Self::Bytes) -> Self::Bytes;
    /// Each 16 bits moved up by `N`.
    fn up<const N: i32>(self, bytes: Self::Bytes) -> Self::Bytes;
    /// `value` where a byte has the single bit `bit`, else 0.
    fn where_bit(self, bytes: Self::Bytes, bit: u8, value: u8) -> Self::Bytes;
    fn magnitude(self, bytes: Self::Bytes) -> Self::Bytes;
    /// `bytes` with the sign of `of`; 0 where that is 0.
    fn with_sign(self, bytes: Self::Bytes, of: Self::Bytes) -> Self::Bytes;

    fn no_shorts(self) -> Self::Shorts;
    /// Sums of two products each, of unsigned with signed bytes.
    fn multiply_bytes(self, unsigned: Self::Bytes, signed: Self::Bytes) -> Self::Shorts;
    fn add_shorts(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// The same two numbers for each row.
    fn splat_pair(self, pair: [i16; 2]) -> Self::Shorts;
    /// One number for each row, twice.
    fn doubled(self, bytes: [u8; ROWS]) -> Self::Shorts;
    /// Two numbers for each row.
    fn unsigned_pairs(self, bytes: &[u8; 16]) -> Self::Shorts;
    fn signed_pairs(self, bytes: &[u8; 16]) -> Self::Shorts;
    /// The first of each pair, twice; the second of each pair, twice.
    fn halves(self, pairs: Self::Shorts) -> [Self::Shorts; 2];

    fn no_ints(self) -> Self::Ints;
    /// Sums of two products each.
    fn multiply_shorts(self, a: Self::Shorts, b: Self::Shorts) -> Self::Ints;
    fn add_ints(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;

    fn to_floats(self, ints: Self::Ints) -> Self::Floats;
    /// Half-precision numbers, low byte first.
    fn halves_to_floats(self, bytes: &[u8; 16]) -> Self::Floats;
    fn splat(self, x: f32) -> Self::Floats;
    fn multiply(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a` × `b` + `c`.
    fn multiply_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `c` − `a` × `b`.
    fn subtract_product(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    fn store(self, floats: Self::Floats) -> [f32; ROWS];
}

/// Plain loops, which compilers turn into what vectors a processor surely has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

fn each<A: Copy, B: Copy + Default, const N: usize>(
    a: [A; N],
    f: impl Fn(usize, A) -> B,
) -> [B; N] {
    let mut out = [B::default(); N];
    for (n, (out, a)) in out.iter_mut().zip(a).enumerate() {
        *out = f(n, a);
    }
    out
}

impl Lanes for Plain {
    type Bytes = [u8; 32];
    type Shorts = [i16; 16];
    type Ints = [i32; ROWS];
    type Floats = [f32; ROWS];

    fn fetch<T>(self, _tile: &T, _count: usize) {}

    fn load(self, bytes: &[u8; 32]) -> [u8; 32] {
        *bytes
    }

    fn splat_quad(self, quad: [i8; 4]) -> [u8; 32] {
        each([0; 32], |n, _: u8| quad[n % 4].cast_unsigned())
    }

    fn mask(self, bytes: [u8; 32], mask: u8) -> [u8; 32] {
        each(bytes, |_, x| x & mask)
    }

    fn or(self, a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
        each(a, |n, x| x | b[n])
    }

    fn down<const N: i32>(self, bytes: [u8; 32]) -> [u8; 32] {
        each(bytes, |n, x| {
            let above = if n % 2 == 0 { bytes[n + 1] } else { 0 };
            (u16::from_le_bytes([x, above]) >> N) as u8
        })
    }

    fn up<const N: i32>(self, bytes: [u8; 32]) -> [u8; 32] {
        each(bytes, |n, x| {
            let below = if n % 2 == 1 { bytes[n - 1] } else { 0 };
            (u16::from_le_bytes([below, x]) << N >> 8) as u8
        })
    }

    fn where_bit(self, bytes: [u8; 32], bit: u8, value: u8) -> [u8; 32] {
        each(bytes, |_, x| if x & bit == 0 { 0 } else { value })
    }

    fn magnitude(self, bytes: [u8; 32]) -> [u8; 32] {
        each(bytes, |_, x| x.cast_signed().unsigned_abs())
    }

    fn with_sign(self, bytes: [u8; 32], of: [u8; 32]) -> [u8; 32] {
        each(bytes, |n, x| {
            let sign = of[n].cast_signed().signum();
            x.cast_signed().wrapping_mul(sign).cast_unsigned()
        })
    }

    fn no_shorts(self) -> [i16; 16] {
        [0; 16]
    }

    fn multiply_bytes(self, unsigned: [u8; 32], signed: [u8; 32]) -> [i16; 16] {
        each([0; 16], |n, _: i16| {
            let product = |at: usize| i16::from(unsigned[at]) * i16::from(signed[at].cast_signed());
            product(2 * n) + product(2 * n + 1)
        })
    }

    fn add_shorts(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        each(a, |n, x| x + b[n])
    }

    fn splat_pair(self, pair: [i16; 2]) -> [i16; 16] {
        each([0; 16], |n, _: i16| pair[n % 2])
    }

    fn doubled(self, bytes: [u8; ROWS]) -> [i16; 16] {
        each([0; 16], |n, _: i16| i16::from(bytes[n / 2]))
    }

    fn unsigned_pairs(self, bytes: &[u8; 16]) -> [i16; 16] {
        each(*bytes, |_, x| i16::from(x))
    }

    fn signed_pairs(self, bytes: &[u8; 16]) -> [i16; 16] {
        each(*bytes, |_, x| i16::from(x.cast_signed()))
    }

    fn halves(self, pairs: [i16; 16]) -> [[i16; 16]; 2] {
        [0, 1].map(|half| each(pairs, |n, _| pairs[n / 2 * 2 + half]))
    }

    fn no_ints(self) -> [i32; ROWS] {
        [0; ROWS]
    }

    fn multiply_shorts(self, a: [i16; 16], b: [i16; 16]) -> [i32; ROWS] {
        each([0; ROWS], |n, _: i32| {
            let product = |at: usize| i32::from(a[at]) * i32::from(b[at]);
            product(2 * n) + product(2 * n + 1)
        })
    }

    fn add_ints(self, a: [i32; ROWS], b: [i32; ROWS]) -> [i32; ROWS] {
        each(a, |n, x| x + b[n])
    }

    fn to_floats(self, ints: [i32; ROWS]) -> [f32; ROWS] {
        each(ints, |_, x| x as f32)
    }

    fn halves_to_floats(self, bytes: &[u8; 16]) -> [f32; ROWS] {
        each([0.0; ROWS], |n, _: f32| {
            half(bytes[2 * n], bytes[2 * n + 1])
        })
    }

    fn splat(self, x: f32) -> [f32; ROWS] {
        [x; ROWS]
    }

    fn multiply(self, a: [f32; ROWS], b: [f32; ROWS]) -> [f32; ROWS] {
        each(a, |n, x| x * b[n])
    }

    fn multiply_add(self, a: [f32; ROWS], b: [f32; ROWS], c: [f32; ROWS]) -> [f32; ROWS] {
        each(a, |n, x| x * b[n] + c[n])
    }

    fn subtract_product(self, a: [f32; ROWS], b: [f32; ROWS], c: [f32; ROWS]) -> [f32; ROWS] {
        each(a, |n, x| c[n] - x * b[n])
    }

    fn store(self, floats: [f32; ROWS]) -> [f32; ROWS] {
        floats
    }
}

/// 2^112: what is between the exponents of half and single precision.
pub(super) const HALF_TO_SINGLE: f32 = f32::from_bits((127 + 112) << 23);

/// A number of half precision; infinities are none.
fn half(low: u8, high: u8) -> f32 {
    let bits = i32::from(i16::from_le_bytes([low, high])) << 13;
    f32::from_bits(bits.cast_unsigned() & 0x8FFF_E000) * HALF_TO_SINGLE
}
