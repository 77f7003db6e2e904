//! Arithmetic on one row of floats.
//!
//! Written in lanes of eight and without calls into the C library, so that it vectorises on any
//! processor; inlined, so that it does with what vectors its callers are compiled for. Exponentials are good to about
//! 2 units in the last place, the error function to 1.5e-7.

#![allow(clippy::inline_always)]

const LANES: usize = 8;

/// `row` += `other`.
#[inline(always)]
pub(super) fn add(row: &mut [f32], other: &[f32]) {
    for (a, b) in row.iter_mut().zip(other) {
        *a += b;
    }
}

/// `row` += `other` × `factor`.
#[inline(always)]
pub(super) fn add_times(row: &mut [f32], other: &[f32], factor: f32) {
    for (a, b) in row.iter_mut().zip(other) {
        *a += b * factor;
    }
}

/// `row` += `a` × `b`, number by number.
#[inline(always)]
pub(super) fn add_product(row: &mut [f32], a: &[f32], b: &[f32]) {
    for ((x, a), b) in row.iter_mut().zip(a).zip(b) {
        *x += a * b;
    }
}

/// `row` × `factor`.
#[inline(always)]
pub(super) fn multiply(row: &mut [f32], factor: f32) {
    for x in row {
        *x *= factor;
    }
}

/// Sum of products.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four independent sums hide the latency of an addition.
    const WIDE: usize = 4 * LANES;
    let mut sums = [0.0_f32; WIDE];
    let (a_wide, b_wide) = (a.chunks_exact(WIDE), b.chunks_exact(WIDE));
    let mut rest = 0.0;
    for (x, y) in a_wide.remainder().iter().zip(b_wide.remainder()) {
        rest += x * y;
    }
    for (x, y) in a_wide.zip(b_wide) {
        for lane in 0..WIDE {
            sums[lane] += x[lane] * y[lane];
        }
    }
    total(sums) + rest
}

/// Halves are added to one another: one after the other, each sum would wait for the last.
#[inline(always)]
fn total<const N: usize>(mut sums: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// GELU(x) = x Φ(x), of `row` + `bias`.
#[inline(always)]
pub(super) fn bias_gelu(row: &mut [f32], bias: &[f32]) {
    for (x, b) in row.iter_mut().zip(bias) {
        let y = *x + b;
        *x = 0.5 * y * (1.0 + erf(y * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// `SiLU`(x) = x / (1 + e^-x).
#[inline(always)]
pub(super) fn silu(row: &mut [f32]) {
    for x in row {
        *x /= 1.0 + exp(-*x);
    }
}

/// `SiLU`(x) = x / (1 + e^-x) of `gate`, times `up`.
#[inline(always)]
pub(super) fn swiglu(gate: &mut [f32], up: &[f32]) {
    for (x, u) in gate.iter_mut().zip(up) {
        *x = *x / (1.0 + exp(-*x)) * u;
    }
}

/// GELU(x) of `gate`, times `up`.
#[inline(always)]
pub(super) fn geglu(gate: &mut [f32], up: &[f32]) {
    for (x, u) in gate.iter_mut().zip(up) {
        *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2)) * u;
    }
}

/// GELU(x) of `gate` by its approximation x / (1 + e^-2y), y = √(2/π) (x + 0.044715 x³), times `up`
/// (Hendrycks and Gimpel, <https://arxiv.org/abs/1606.08415>; 0.5 (1 + tanh y) is 1 / (1 + e^-2y)).
#[inline(always)]
pub(super) fn tanh_geglu(gate: &mut [f32], up: &[f32]) {
    const ROOT: f32 = 0.797_884_6;
    for (x, u) in gate.iter_mut().zip(up) {
        let y = ROOT * (*x + 0.044_715 * *x * *x * *x);
        *x = *x / (1.0 + exp(-2.0 * y)) * u;
    }
}

/// Softmax of `row` × `scale`.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32], scale: f32) {
    let highest = highest(row);
    for x in row.iter_mut() {
        *x = exp((*x - highest) * scale);
    }
    let share = 1.0 / sum(row);
    for x in row.iter_mut() {
        *x *= share;
    }
}

/// (x − mean) / √(variance + epsilon) × weight + bias.
#[inline(always)]
pub(super) fn layer_norm(row: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mean = sum(row) / count;
    for x in row.iter_mut() {
        *x -= mean;
    }
    let scale = 1.0 / (dot(row, row) / count + epsilon).sqrt();
    for ((x, w), b) in row.iter_mut().zip(weight).zip(bias) {
        *x = *x * scale * w + b;
    }
}

/// x / √(mean of x² + epsilon) × weight.
#[inline(always)]
pub(super) fn rms_norm(row: &mut [f32], weight: &[f32], epsilon: f32) {
    let scale = 1.0 / (dot(row, row) / row.len() as f32 + epsilon).sqrt();
    for (x, w) in row.iter_mut().zip(weight) {
        *x = *x * scale * w;
    }
}

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut rest = 0.0;
    for x in chunks.remainder() {
        rest += x;
    }
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    total(sums) + rest
}

#[inline(always)]
fn highest(row: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            best[lane] = higher(best[lane], chunk[lane]);
        }
    }
    let mut most = f32::NEG_INFINITY;
    for x in best.iter().chain(rest) {
        most = higher(most, *x);
    }
    most
}

#[inline(always)]
fn higher(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// e^x: 2^n from the exponent bits times a polynomial for the rest (the coefficients are those of
/// Cephes' `expf`). Numbers below -87 give about 1e-38 instead of less.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding this leaves a float's nearest whole number in its low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_2e-4;
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p * r + c;
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000));
    (p * r * r + r + 1.0) * power
}

/// The error function (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let z = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + c;
    }
    (1.0 - p * t * exp(-z * z)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_exact_to_a_few_units_in_the_last_place() {
        for step in -8_700..=8_800 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3e-7, "e^{x} is off by {error}");
        }
        assert!(exp(-1e9) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn what_is_not_a_number_stays_visible() {
        let mut row = [1.0, f32::NAN, 2.0];
        softmax(&mut row, 1.0);
        assert!(row.iter().all(|x| x.is_nan()));
    }
}
