//! Vectors of 256 bits on x86-64 that has AVX2 (from 2013 on), through pulp, which makes its instructions
//! safe to call.

use std::arch::x86_64::{__m128i, __m256, __m256i, _MM_HINT_T0};
use std::sync::LazyLock;

use pulp::bytemuck::cast;
use pulp::x86::V3;

use super::lanes::{HALF_TO_SINGLE, Lanes, Plain, ROWS, Work};

static AVX2: LazyLock<Option<V3>> = LazyLock::new(V3::try_new);

/// Bytes that come from memory at once.
const LINE: usize = 64;

/// Does `work` with the widest vectors there are.
pub(super) fn widest<W: Work>(work: W) -> W::Output {
    match *AVX2 {
        Some(simd) => simd.vectorize(
            #[inline(always)]
            || work.run(Avx2(simd)),
        ),
        None => work.run(Plain),
    }
}

/// Does `work` as compiled for the widest vectors there are, as far as its parts are inlined.
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    match *AVX2 {
        Some(simd) => simd.vectorize(work),
        None => work(),
    }
}

#[derive(Clone, Copy)]
struct Avx2(V3);

impl Lanes for Avx2 {
    type Bytes = __m256i;
    type Shorts = __m256i;
    type Ints = __m256i;
    type Floats = __m256;

    #[inline(always)]
    fn fetch<T>(self, tile: &T, count: usize) {
        let start = std::ptr::from_ref(tile).wrapping_add(count).cast::<i8>();
        for line in 0..size_of::<T>().div_ceil(LINE) {
            let line = start.wrapping_add(line * LINE);
            self.0.sse._mm_prefetch::<_MM_HINT_T0>(line);
        }
    }

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> __m256i {
        cast(*bytes)
    }

    #[inline(always)]
    fn splat_quad(self, quad: [i8; 4]) -> __m256i {
        self.0.avx._mm256_set1_epi32(cast(quad))
    }

    #[inline(always)]
    fn mask(self, bytes: __m256i, mask: u8) -> __m256i {
        let mask = self.0.avx._mm256_set1_epi8(mask.cast_signed());
        self.0.avx2._mm256_and_si256(bytes, mask)
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_or_si256(a, b)
    }

    #[inline(always)]
    fn down<const N: i32>(self, bytes: __m256i) -> __m256i {
        self.0.avx2._mm256_srli_epi16::<N>(bytes)
    }

    #[inline(always)]
    fn up<const N: i32>(self, bytes: __m256i) -> __m256i {
        self.0.avx2._mm256_slli_epi16::<N>(bytes)
    }

    #[inline(always)]
    fn where_bit(self, bytes: __m256i, bit: u8, value: u8) -> __m256i {
        let bit = self.0.avx._mm256_set1_epi8(bit.cast_signed());
        let bytes = self.0.avx2._mm256_and_si256(bytes, bit);
        let has = self.0.avx2._mm256_cmpeq_epi8(bytes, bit);
        self.mask(has, value)
    }

    #[inline(always)]
    fn magnitude(self, bytes: __m256i) -> __m256i {
        self.0.avx2._mm256_abs_epi8(bytes)
    }

    #[inline(always)]
    fn with_sign(self, bytes: __m256i, of: __m256i) -> __m256i {
        self.0.avx2._mm256_sign_epi8(bytes, of)
    }

    #[inline(always)]
    fn no_shorts(self) -> __m256i {
        self.0.avx._mm256_setzero_si256()
    }

    #[inline(always)]
    fn multiply_bytes(self, unsigned: __m256i, signed: __m256i) -> __m256i {
        self.0.avx2._mm256_maddubs_epi16(unsigned, signed)
    }

    #[inline(always)]
    fn add_shorts(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_add_epi16(a, b)
    }

    #[inline(always)]
    fn splat_pair(self, pair: [i16; 2]) -> __m256i {
        self.0.avx._mm256_set1_epi32(cast(pair))
    }

    #[inline(always)]
    fn doubled(self, bytes: [u8; ROWS]) -> __m256i {
        let low = self.0.sse2._mm_set_epi64x(0, i64::from_le_bytes(bytes));
        let wide = self.0.avx2._mm256_cvtepu8_epi32(low);
        let high = self.0.avx2._mm256_slli_epi32::<16>(wide);
        self.or(wide, high)
    }

    #[inline(always)]
    fn unsigned_pairs(self, bytes: &[u8; 16]) -> __m256i {
        self.0.avx2._mm256_cvtepu8_epi16(cast(*bytes))
    }

    #[inline(always)]
    fn signed_pairs(self, bytes: &[u8; 16]) -> __m256i {
        self.0.avx2._mm256_cvtepi8_epi16(cast(*bytes))
    }

    #[inline(always)]
    fn halves(self, pairs: __m256i) -> [__m256i; 2] {
        const FIRST: [u8; 16] = [0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13];
        const SECOND: [u8; 16] = [2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15];
        let first = self
            .0
            .avx2
            ._mm256_broadcastsi128_si256(cast::<_, __m128i>(FIRST));
        let second = self
            .0
            .avx2
            ._mm256_broadcastsi128_si256(cast::<_, __m128i>(SECOND));
        [
            self.0.avx2._mm256_shuffle_epi8(pairs, first),
            self.0.avx2._mm256_shuffle_epi8(pairs, second),
        ]
    }

    #[inline(always)]
    fn no_ints(self) -> __m256i {
        self.0.avx._mm256_setzero_si256()
    }

    #[inline(always)]
    fn multiply_shorts(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_madd_epi16(a, b)
    }

    #[inline(always)]
    fn add_ints(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_add_epi32(a, b)
    }

    #[inline(always)]
    fn to_floats(self, ints: __m256i) -> __m256 {
        self.0.avx._mm256_cvtepi32_ps(ints)
    }

    #[inline(always)]
    fn halves_to_floats(self, bytes: &[u8; 16]) -> __m256 {
        let wide = self.0.avx2._mm256_cvtepi16_epi32(cast(*bytes));
        let moved = self.0.avx2._mm256_slli_epi32::<13>(wide);
        let kept = self.0.avx._mm256_set1_epi32(0x8FFF_E000_u32.cast_signed());
        let bits = self.0.avx2._mm256_and_si256(moved, kept);
        self.multiply(cast(bits), self.splat(HALF_TO_SINGLE))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        self.0.avx._mm256_set1_ps(x)
    }

    #[inline(always)]
    fn multiply(self, a: __m256, b: __m256) -> __m256 {
        self.0.avx._mm256_mul_ps(a, b)
    }

    #[inline(always)]
    fn multiply_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        self.0.fma._mm256_fmadd_ps(a, b, c)
    }

    #[inline(always)]
    fn subtract_product(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        self.0.fma._mm256_fnmadd_ps(a, b, c)
    }

    #[inline(always)]
    fn store(self, floats: __m256) -> [f32; ROWS] {
        cast(floats)
    }
}
