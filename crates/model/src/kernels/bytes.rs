//! Matrices of 8-bit weights, for the types that candle has no good kernel for.
//!
//! Weights are held in blocks of 32 with one scale, which is exact for `Q8_0` and near enough for the
//! types of 4 and 5 bits. Products with one vector are integer sums (the vector is rounded to 15
//! bits a block), shared out so that a thread that has to wait holds up nobody: candle's own kernels
//! meet at a barrier after every product, which on a busy machine makes them ten times slower.

use candle_core::{Device, Result, Tensor};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::{WORTH_SHARING, floats, nth};

/// Weights with a common scale.
const BLOCK: usize = 32;

/// Largest number of a rounded vector: 32 products with it still fit 32 bits.
const LARGEST: f32 = 32_767.0;

/// A matrix of rows × columns; the columns fill whole blocks.
#[derive(Debug)]
pub(crate) struct ByteMatrix {
    columns: usize,
    weights: Vec<i8>,
    /// One for each block: what its weights are to be multiplied with.
    scales: Vec<f32>,
}

impl ByteMatrix {
    /// Rounds a matrix of floats.
    pub(crate) fn new(matrix: &Tensor) -> Result<Self> {
        let (rows, columns) = matrix.dims2()?;
        if !columns.is_multiple_of(BLOCK) {
            candle_core::bail!("{columns} columns don't fill blocks of {BLOCK}");
        }
        let (data, layout) = matrix.storage_and_layout();
        let source = floats(&data, layout)?;
        let mut weights = vec![0_i8; rows * columns];
        let mut scales = vec![0.0; rows * columns / BLOCK];
        weights
            .par_chunks_mut(BLOCK)
            .zip(&mut scales)
            .zip(source.par_chunks(BLOCK))
            .with_min_len(WORTH_SHARING / BLOCK)
            .for_each(|((weights, scale), source)| {
                *scale = largest(source) / f32::from(i8::MAX);
                let inverse = inverse(*scale);
                for (weight, x) in weights.iter_mut().zip(source) {
                    *weight = nearest(x * inverse) as i8;
                }
            });
        Ok(Self {
            columns,
            weights,
            scales,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.weights.len() / self.columns
    }

    /// Rows `start..end` as floats.
    pub(crate) fn floats(&self, start: usize, end: usize) -> Result<Tensor> {
        let weights = &self.weights[start * self.columns..end * self.columns];
        let mut out = vec![0.0; weights.len()];
        let scales = &self.scales[start * self.columns / BLOCK..];
        let blocks = out.chunks_exact_mut(BLOCK).zip(weights.chunks_exact(BLOCK));
        for ((out, weights), scale) in blocks.zip(scales) {
            for (x, weight) in out.iter_mut().zip(weights) {
                *x = f32::from(*weight) * scale;
            }
        }
        Tensor::from_vec(out, (end - start, self.columns), &Device::Cpu)
    }

    /// Each of `vectors` (n × columns) times the transposed matrix: n × rows.
    pub(crate) fn apply(&self, vectors: &Tensor) -> Result<Tensor> {
        let count = vectors.dim(0)?;
        let rows = self.rows();
        let (data, layout) = vectors.storage_and_layout();
        let source = floats(&data, layout)?;
        let mut out = vec![0.0; count * rows];
        for n in 0..count {
            self.times(&source[nth(n, self.columns)], &mut out[nth(n, rows)]);
        }
        Tensor::from_vec(out, (count, rows), vectors.device())
    }

    fn times(&self, vector: &[f32], out: &mut [f32]) {
        let (rounded, scales) = round(vector);
        let blocks = self.columns / BLOCK;
        let share = (WORTH_SHARING / self.columns).max(1) * 4;
        out.par_chunks_mut(share)
            .enumerate()
            .for_each(|(chunk, out)| {
                for (n, y) in out.iter_mut().enumerate() {
                    let row = chunk * share + n;
                    let weights = &self.weights[nth(row, self.columns)];
                    let own_scales = &self.scales[nth(row, blocks)];
                    *y = row_product(weights, own_scales, &rounded, &scales);
                }
            });
    }
}

fn row_product(weights: &[i8], weight_scales: &[f32], vector: &[i16], scales: &[f32]) -> f32 {
    let (weights, vector) = (
        weights.as_chunks::<BLOCK>().0,
        vector.as_chunks::<BLOCK>().0,
    );
    let blocks = weights.iter().zip(vector).zip(weight_scales).zip(scales);
    let mut total = 0.0;
    for (((weights, vector), a), b) in blocks {
        // 16-bit factors and 32-bit sums: one instruction for eight of them on most processors.
        // Nothing can overflow; saying so keeps checks out of the way.
        let mut sum = 0_i32;
        for lane in 0..BLOCK {
            let product = i32::from(weights[lane]).wrapping_mul(i32::from(vector[lane]));
            sum = sum.wrapping_add(product);
        }
        total += sum as f32 * (a * b);
    }
    total
}

/// A vector as whole numbers, with a scale for each block.
fn round(vector: &[f32]) -> (Vec<i16>, Vec<f32>) {
    let mut rounded = Vec::with_capacity(vector.len());
    let mut scales = Vec::with_capacity(vector.len() / BLOCK);
    for block in vector.chunks_exact(BLOCK) {
        let scale = largest(block) / LARGEST;
        let inverse = inverse(scale);
        scales.push(scale);
        rounded.extend(block.iter().map(|x| nearest(x * inverse)));
    }
    (rounded, scales)
}

/// The nearest whole number, for numbers of up to 15 bits: adding 1.5 · 2^23 to a float leaves it in
/// the low bits.
fn nearest(x: f32) -> i16 {
    (x + 12_582_912.0).to_bits() as i16
}

/// Largest magnitude; not a number where there is one that is none, so that it stays visible.
fn largest(block: &[f32]) -> f32 {
    block.iter().fold(0.0, |most: f32, x| {
        if x.is_nan() || x.abs() > most {
            x.abs()
        } else {
            most
        }
    })
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cosine, noise};

    #[test]
    fn products_are_those_of_the_floats() {
        let (rows, columns) = (70, 96);
        let matrix = ByteMatrix::new(&noise(&[rows, columns], 2.0, 1)).unwrap();
        let floats = matrix.floats(0, rows).unwrap();
        let vectors = noise(&[3, columns], 5.0, 2);
        let expected = vectors.matmul(&floats.t().unwrap()).unwrap();
        let flat = |y: &Tensor| -> Vec<f32> { y.flatten_all().unwrap().to_vec1().unwrap() };
        let ours = matrix.apply(&vectors).unwrap();
        assert_eq!(ours.dims(), [3, rows]);
        assert!(cosine(&flat(&ours), &flat(&expected)) > 0.999_999);
    }

    #[test]
    fn rounding_again_changes_nothing() {
        let once = ByteMatrix::new(&noise(&[8, 64], 2.0, 1)).unwrap();
        let floats = once.floats(0, 8).unwrap();
        let twice = ByteMatrix::new(&floats).unwrap();
        assert_eq!(once.weights, twice.weights);
    }

    #[test]
    fn silence_and_noughts_stay_what_they_are() {
        let zeros = Tensor::zeros((2, 64), candle_core::DType::F32, &Device::Cpu).unwrap();
        let matrix = ByteMatrix::new(&noise(&[4, 64], 1.0, 3)).unwrap();
        let silent = matrix.apply(&zeros).unwrap();
        assert_eq!(silent.to_vec2::<f32>().unwrap(), [[0.0; 4]; 2]);
        let broken = Tensor::full(f32::NAN, (1, 64), &Device::Cpu).unwrap();
        let broken: Vec<f32> = matrix
            .apply(&broken)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        assert!(broken.iter().all(|x| x.is_nan()));
    }
}
