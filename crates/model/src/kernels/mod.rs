//! Steps that candle does slowly on a processor, done row by row over plain slices.
//!
//! Products of floats stay candle's. What is here runs in place, in parallel, and so that the compiler
//! turns it into vector instructions; `rows` holds the arithmetic, `packed` products with quantised
//! weights, `attention` that of a single token, `delta` that of delta nets. On another device each step
//! is candle's own.

mod attention;
mod delta;
mod packed;
mod rows;

use std::ops::Range;

use candle_core::{CpuStorage, D, Device, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

pub(crate) use attention::attend_once;
pub(crate) use delta::{DeltaRule, convolve};
use packed::vectorised;
pub(crate) use packed::{PackedMatrix, products};

/// Below this many numbers, a second thread costs more than it brings.
const WORTH_SHARING: usize = 8 * 1024;

/// Runs `work` on one of the threads that share the parallel steps. From outside, every single step
/// would have to wake them and wait to be woken: hundreds of times for one token.
pub(crate) fn among_workers<T: Send>(device: &Device, work: impl FnOnce() -> T + Send) -> T {
    if device.is_cpu() {
        rayon::scope(|_| work())
    } else {
        work()
    }
}

/// `a` times `b`, batch by batch (batch × n × k, batch × k × m).
pub(crate) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.device().is_cpu() {
        a.matmul(b) // reads any strides
    } else {
        a.contiguous()?.matmul(&b.contiguous()?)
    }
}

/// A matrix (rows × columns) times one vector (1 × columns): 1 × rows. Bound by memory, so it pays
/// to read the matrix with all cores, which candle's product does not.
pub(crate) fn matrix_vector(matrix: &Tensor, vector: &Tensor) -> Result<Tensor> {
    if !matrix.device().is_cpu() {
        return vector.matmul(&matrix.t()?);
    }
    let (height, width) = matrix.dims2()?;
    let (matrix_data, matrix_layout) = matrix.storage_and_layout();
    let (vector_data, vector_layout) = vector.storage_and_layout();
    let weights = floats(&matrix_data, matrix_layout)?;
    let x = floats(&vector_data, vector_layout)?;
    let mut out = vec![0.0; height];
    let share = (WORTH_SHARING / width.max(1)).max(1);
    let some_rows = |(out, weights): (&mut [f32], &[f32])| {
        for (y, row) in out.iter_mut().zip(weights.chunks_exact(width)) {
            *y = rows::dot(row, x);
        }
    };
    let some_rows = |part| vectorised(|| some_rows(part));
    out.par_chunks_mut(share)
        .zip(weights.par_chunks(share * width))
        .for_each(some_rows);
    Tensor::from_vec(out, (1, height), matrix.device())
}

/// `y` plus `bias`, row by row. `y` must be a result that nobody else holds: it is overwritten.
pub(crate) fn add_bias(y: Tensor, bias: &Tensor) -> Result<Tensor> {
    if !y.device().is_cpu() {
        return y.broadcast_add(bias);
    }
    let (data, layout) = bias.storage_and_layout();
    let bias = floats(&data, layout)?;
    in_place(&y, |_, row| rows::add(row, bias))?;
    Ok(y)
}

/// GELU of `y` plus `bias`, in its exact form. `y` is overwritten.
pub(crate) fn bias_gelu(y: Tensor, bias: &Tensor) -> Result<Tensor> {
    if !y.device().is_cpu() {
        return y.broadcast_add(bias)?.gelu_erf();
    }
    let (data, layout) = bias.storage_and_layout();
    let bias = floats(&data, layout)?;
    in_place(&y, |_, row| rows::bias_gelu(row, bias))?;
    Ok(y)
}

/// `SiLU` of `gate` times `up` (`SwiGLU`, <https://arxiv.org/abs/2002.05202>). `gate` is overwritten.
pub(crate) fn swiglu(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    if !gate.device().is_cpu() {
        return candle_nn::ops::silu(&gate)? * up;
    }
    let width = gate.dim(D::Minus1)?;
    let (data, layout) = up.storage_and_layout();
    let up = floats(&data, layout)?;
    in_place(&gate, |n, row| rows::swiglu(row, &up[nth(n, width)]))?;
    Ok(gate)
}

/// GELU of `gate`, in its exact form, times `up` (`GeGLU`, <https://arxiv.org/abs/2002.05202>). `gate` is
/// overwritten.
pub(crate) fn geglu(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    if !gate.device().is_cpu() {
        return gate.gelu_erf()? * up;
    }
    let width = gate.dim(D::Minus1)?;
    let (data, layout) = up.storage_and_layout();
    let up = floats(&data, layout)?;
    in_place(&gate, |n, row| rows::geglu(row, &up[nth(n, width)]))?;
    Ok(gate)
}

/// GELU of `gate`, approximated by a hyperbolic tangent, times `up`. `gate` is overwritten.
pub(crate) fn tanh_geglu(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    if !gate.device().is_cpu() {
        return gate.gelu()? * up;
    }
    let width = gate.dim(D::Minus1)?;
    let (data, layout) = up.storage_and_layout();
    let up = floats(&data, layout)?;
    in_place(&gate, |n, row| rows::tanh_geglu(row, &up[nth(n, width)]))?;
    Ok(gate)
}

/// Weight, bias and epsilon of a layer norm (<https://arxiv.org/abs/1607.06450>).
#[derive(Debug)]
pub(crate) struct LayerNorm {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
    pub(crate) epsilon: f32,
}

impl LayerNorm {
    /// The norm of every row of `y`, which is overwritten.
    pub(crate) fn apply(&self, y: Tensor) -> Result<Tensor> {
        if !y.device().is_cpu() {
            return candle_nn::ops::layer_norm(&y, &self.weight, &self.bias, self.epsilon);
        }
        self.on_rows(&y, |_, _| {})?;
        Ok(y)
    }

    /// The norm of every row of `y` + `bias` + `residual`. `y` is overwritten.
    pub(crate) fn apply_to_sum(
        &self,
        y: Tensor,
        bias: &Tensor,
        residual: &Tensor,
    ) -> Result<Tensor> {
        if !y.device().is_cpu() {
            let sum = (y.broadcast_add(bias)? + residual)?;
            return candle_nn::ops::layer_norm(&sum, &self.weight, &self.bias, self.epsilon);
        }
        let width = y.dim(D::Minus1)?;
        let (bias_data, bias_layout) = bias.storage_and_layout();
        let (residual_data, residual_layout) = residual.storage_and_layout();
        let bias = floats(&bias_data, bias_layout)?;
        let residual = floats(&residual_data, residual_layout)?;
        self.on_rows(&y, |n, row| {
            rows::add(row, bias);
            rows::add(row, &residual[nth(n, width)]);
        })?;
        Ok(y)
    }

    fn on_rows(&self, y: &Tensor, prepare: impl Fn(usize, &mut [f32]) + Sync) -> Result<()> {
        let (weight_data, weight_layout) = self.weight.storage_and_layout();
        let (bias_data, bias_layout) = self.bias.storage_and_layout();
        let weight = floats(&weight_data, weight_layout)?;
        let bias = floats(&bias_data, bias_layout)?;
        in_place(y, |n, row| {
            prepare(n, row);
            rows::layer_norm(row, weight, bias, self.epsilon);
        })
    }
}

/// The root-mean-square norm of every row of `x` (<https://arxiv.org/abs/1910.07467>).
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return candle_nn::ops::rms_norm(x, weight, epsilon);
    }
    let y = x.force_contiguous()?;
    let (data, layout) = weight.storage_and_layout();
    let weight = floats(&data, layout)?;
    in_place(&y, |_, row| rows::rms_norm(row, weight, epsilon))?;
    Ok(y)
}

/// Softmax of every row of `scores` × `scale`. `scores` is overwritten.
pub(crate) fn softmax(scores: Tensor, scale: f32) -> Result<Tensor> {
    if !scores.device().is_cpu() {
        return candle_nn::ops::softmax_last_dim(&(scores * f64::from(scale))?);
    }
    in_place(&scores, |_, row| rows::softmax(row, scale))?;
    Ok(scores)
}

/// What each of some tokens may look at: the tokens of its window, which ends with its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    pub(crate) tokens: usize,
    /// Positions before the first of the tokens.
    pub(crate) before: usize,
    /// Most tokens that are looked at; `usize::MAX` for all.
    pub(crate) window: usize,
}

impl Past {
    /// The positions that token number `n` looks at.
    fn of(&self, n: usize) -> Range<usize> {
        let end = self.before + n + 1;
        end.saturating_sub(self.window)..end
    }
}

/// Softmax of every row of `scores` × `scale` over the positions a token may look at. Row r of a batch
/// (batch × rows × positions) belongs to token r mod `past.tokens`. `scores` is overwritten.
pub(crate) fn causal_softmax(scores: Tensor, scale: f32, past: Past) -> Result<Tensor> {
    let (batch, height, width) = scores.dims3()?;
    if !scores.device().is_cpu() {
        let mask = unseen(past, width, scores.device())?;
        let shape = (batch, height / past.tokens, past.tokens, width);
        let scores = (scores * f64::from(scale))?
            .reshape(shape)?
            .broadcast_add(&mask)?;
        return candle_nn::ops::softmax_last_dim(&scores)?.reshape((batch, height, width));
    }
    in_place(&scores, |n, row| {
        let seen = past.of(n % past.tokens);
        let (row, after) = row.split_at_mut(seen.end.min(width));
        let (before, row) = row.split_at_mut(seen.start.min(width));
        rows::softmax(row, scale);
        before.fill(0.0);
        after.fill(0.0);
    })?;
    Ok(scores)
}

/// Softmax of every row of `scores` × `scale` over the positions near a token: at most `reach` away.
/// Row r of a batch (batch × rows × positions) belongs to the token at position `first` + r.
/// `scores` is overwritten.
pub(crate) fn near_softmax(
    scores: Tensor,
    scale: f32,
    first: usize,
    reach: usize,
) -> Result<Tensor> {
    let (_, height, width) = scores.dims3()?;
    if !scores.device().is_cpu() {
        let mask = far(height, first, reach, width, scores.device())?;
        let scores = (scores * f64::from(scale))?.broadcast_add(&mask)?;
        return candle_nn::ops::softmax_last_dim(&scores);
    }
    in_place(&scores, |n, row| {
        let token = first + n % height;
        let end = (token + reach + 1).min(width);
        let (near, after) = row.split_at_mut(end);
        let (before, near) = near.split_at_mut(token.saturating_sub(reach).min(end));
        rows::softmax(near, scale);
        before.fill(0.0);
        after.fill(0.0);
    })?;
    Ok(scores)
}

/// Minus infinity where a token would look further than `reach`, else 0: 1 × `height` × `width`.
fn far(height: usize, first: usize, reach: usize, width: usize, device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..height * width)
        .map(|n| {
            if (first + n / width).abs_diff(n % width) > reach {
                f32::NEG_INFINITY
            } else {
                0.0
            }
        })
        .collect();
    Tensor::from_vec(mask, (1, height, width), device)
}

/// Minus infinity where a token may not look, else 0: tokens × `width`.
fn unseen(past: Past, width: usize, device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..past.tokens)
        .flat_map(|t| {
            let seen = past.of(t);
            (0..width).map(move |p| {
                if seen.contains(&p) {
                    0.0
                } else {
                    f32::NEG_INFINITY
                }
            })
        })
        .collect();
    Tensor::from_vec(mask, (past.tokens, width), device)
}

/// Calls `f` with the number and the numbers of every row (last dimension) of `x`, in parallel.
/// Whole-tensor rows are counted over all batches.
fn in_place(x: &Tensor, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<()> {
    let width = x.dim(D::Minus1)?;
    x.inplace_op1(&OnRows { width, f })
}

struct OnRows<F> {
    width: usize,
    f: F,
}

impl<F: Fn(usize, &mut [f32]) + Sync> InplaceOp1 for OnRows<F> {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(data), Some((from, to))) = (storage, layout.contiguous_offsets())
        else {
            bail!("rows must be contiguous floats");
        };
        let data = &mut data[from..to];
        if self.width == 0 {
            return Ok(());
        }
        let share = (WORTH_SHARING / self.width).max(1);
        data.par_chunks_mut(share * self.width)
            .enumerate()
            .for_each(|(chunk, data)| {
                vectorised(|| {
                    for (n, row) in data.chunks_exact_mut(self.width).enumerate() {
                        (self.f)(chunk * share + n, row);
                    }
                });
            });
        Ok(())
    }
}

fn nth(n: usize, width: usize) -> Range<usize> {
    n * width..(n + 1) * width
}

fn floats<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    let (Storage::Cpu(data), Some((from, to))) = (storage, layout.contiguous_offsets()) else {
        bail!("operands must be contiguous and on the processor");
    };
    Ok(&data.as_slice::<f32>()?[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    fn assert_close(ours: &Tensor, reference: &Tensor) {
        assert_eq!(ours.dims(), reference.dims());
        let ours: Vec<f32> = ours.flatten_all().unwrap().to_vec1().unwrap();
        let reference: Vec<f32> = reference.flatten_all().unwrap().to_vec1().unwrap();
        for (a, b) in ours.iter().zip(&reference) {
            assert!((a - b).abs() <= 2e-6 * b.abs().max(1.0), "{a} is not {b}");
        }
    }

    #[test]
    fn every_step_gives_what_candle_gives() {
        let (y, x) = (noise(&[70, 300], 4.0, 1), noise(&[70, 300], 4.0, 2));
        let bias = noise(&[300], 1.0, 3);
        let fresh = || y.copy().unwrap();
        let sum = y.broadcast_add(&bias).unwrap();
        assert_close(&add_bias(fresh(), &bias).unwrap(), &sum);
        assert_close(
            &bias_gelu(fresh(), &bias).unwrap(),
            &sum.gelu_erf().unwrap(),
        );
        let gated = (candle_nn::ops::silu(&y).unwrap() * &x).unwrap();
        assert_close(&swiglu(fresh(), &x).unwrap(), &gated);
        let gated = (y.gelu_erf().unwrap() * &x).unwrap();
        assert_close(&geglu(fresh(), &x).unwrap(), &gated);
        let gated = (y.gelu().unwrap() * &x).unwrap();
        assert_close(&tanh_geglu(fresh(), &x).unwrap(), &gated);
        let weight = noise(&[300], 1.0, 4);
        assert_close(
            &rms_norm(&y, &weight, 1e-6).unwrap(),
            &candle_nn::ops::rms_norm_slow(&y, &weight, 1e-6).unwrap(),
        );
        let norm = LayerNorm {
            weight: noise(&[300], 1.0, 4),
            bias: noise(&[300], 1.0, 5),
            epsilon: 1e-12,
        };
        let reference = |y: &Tensor| {
            candle_nn::ops::layer_norm_slow(y, &norm.weight, &norm.bias, norm.epsilon).unwrap()
        };
        assert_close(&norm.apply(fresh()).unwrap(), &reference(&y));
        assert_close(
            &norm.apply_to_sum(fresh(), &bias, &x).unwrap(),
            &reference(&(sum + &x).unwrap()),
        );
    }

    #[test]
    fn softmax_gives_what_candle_gives() {
        let scores = noise(&[3, 50, 77], 30.0, 6);
        let scaled = (&scores * 0.125).unwrap();
        let reference = candle_nn::ops::softmax(&scaled, D::Minus1).unwrap();
        assert_close(&softmax(scores, 0.125).unwrap(), &reference);
    }

    #[test]
    fn a_token_never_looks_into_its_future() {
        let past = Past {
            tokens: 5,
            before: 3,
            window: usize::MAX,
        };
        let scores = noise(&[2, 10, 8], 3.0, 7);
        let mask = unseen(past, 8, &Device::Cpu).unwrap();
        let masked = scores
            .reshape((2, 2, 5, 8))
            .unwrap()
            .broadcast_add(&mask)
            .unwrap();
        let reference = candle_nn::ops::softmax(&masked, D::Minus1).unwrap();
        let ours = causal_softmax(scores, 1.0, past).unwrap();
        assert_close(&ours, &reference.reshape((2, 10, 8)).unwrap());
        let first: Vec<f32> = ours.get(0).unwrap().get(0).unwrap().to_vec1().unwrap();
        assert_eq!(first[4..], [0.0; 4]);
    }

    #[test]
    fn a_token_with_a_window_looks_at_the_nearest_before_it() {
        let past = Past {
            tokens: 3,
            before: 2,
            window: 2,
        };
        let scores = noise(&[1, 6, 5], 3.0, 7);
        let ours = causal_softmax(scores, 1.0, past).unwrap();
        let rows: Vec<Vec<f32>> = ours.get(0).unwrap().to_vec2().unwrap();
        let seen = |row: &[f32]| -> Vec<bool> { row.iter().map(|x| *x > 0.0).collect() };
        for rows in rows.chunks(3) {
            assert_eq!(seen(&rows[0]), [false, true, true, false, false]);
            assert_eq!(seen(&rows[2]), [false, false, false, true, true]);
        }
    }

    #[test]
    fn a_token_looks_no_further_than_its_neighbours() {
        let (first, reach) = (2, 3);
        let scores = noise(&[2, 5, 9], 3.0, 10);
        let mask = far(5, first, reach, 9, &Device::Cpu).unwrap();
        let masked = scores.broadcast_add(&mask).unwrap();
        let reference = candle_nn::ops::softmax(&masked, D::Minus1).unwrap();
        let ours = near_softmax(scores, 1.0, first, reach).unwrap();
        assert_close(&ours, &reference);
        let last: Vec<f32> = ours.get(1).unwrap().get(4).unwrap().to_vec1().unwrap();
        assert_eq!(last[..3], [0.0; 3]);
    }

    #[test]
    fn a_matrix_times_a_vector_is_their_product() {
        let (matrix, vector) = (noise(&[130, 90], 1.0, 8), noise(&[1, 90], 1.0, 9));
        let reference = vector.matmul(&matrix.t().unwrap()).unwrap();
        assert_close(&matrix_vector(&matrix, &vector).unwrap(), &reference);
    }
}
