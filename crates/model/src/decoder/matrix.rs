//! A weight matrix, in the form that multiplies fastest here.
//!
//! candle multiplies quantised blocks as they are. On a processor only some types in some shapes
//! have a fast kernel for many rows at once (`fast`); the others are four to ten times slower than
//! plain floats, so for them strips of the matrix are turned into floats on the way. Types that lack
//! a fast kernel even for one row become 8-bit weights of our own when they are loaded.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Result, Tensor};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::kernels::{self, ByteMatrix};

#[cfg_attr(target_arch = "x86_64", path = "fast_x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "fast_aarch64.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    path = "fast_elsewhere.rs"
)]
mod fast;

/// From so many rows on, turning blocks into floats costs less than multiplying blocks.
const WORTH_FLOATS: usize = 16;

/// Rows of a matrix that are floats at the same time, for each thread.
const STRIP: usize = 128;

/// A matrix of `rows` × `columns` that maps vectors of length `columns` to length `rows`.
#[derive(Debug)]
pub(crate) enum Matrix {
    Floats(Tensor),
    /// Multiplied as they are.
    Blocks(Arc<QTensor>),
    /// Multiplied as they are with few rows, as floats with many.
    Strips(Arc<QTensor>),
    /// The same, with 8-bit weights of our own.
    Bytes(ByteMatrix),
}

impl Matrix {
    pub(crate) fn new(tensor: Arc<QTensor>) -> Result<Self> {
        let (kind, device) = (tensor.dtype(), tensor.device());
        if matches!(kind, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16) {
            return Ok(Self::Floats(tensor.dequantize(&device)?));
        }
        let (rows, columns) = tensor.shape().dims2()?;
        Ok(
            if !device.is_cpu() || fast::has_kernel(kind, rows, columns) {
                Self::Blocks(tensor)
            } else if suits_bytes(kind) {
                Self::Bytes(ByteMatrix::new(&tensor.dequantize(&device)?)?)
            } else {
                Self::Strips(tensor)
            },
        )
    }

    /// `vectors` (n × columns, contiguous) times the transposed matrix: n × rows.
    pub(crate) fn apply(&self, vectors: &Tensor) -> Result<Tensor> {
        let count = vectors.dim(0)?;
        match self {
            Self::Floats(floats) if count == 1 => kernels::matrix_vector(floats, vectors),
            Self::Floats(floats) => vectors.matmul(&floats.t()?),
            Self::Strips(blocks) if count >= WORTH_FLOATS => {
                let device = vectors.device();
                in_strips(blocks.shape().dim(0)?, vectors, |start, end| {
                    blocks.embedding(&Tensor::arange(start as u32, end as u32, device)?)
                })
            }
            Self::Bytes(bytes) if count >= WORTH_FLOATS => {
                in_strips(bytes.rows(), vectors, |start, end| bytes.floats(start, end))
            }
            Self::Bytes(bytes) => bytes.apply(vectors),
            Self::Blocks(blocks) | Self::Strips(blocks) => {
                vectors.apply_op1_no_bwd(blocks.as_ref())
            }
        }
    }
}

/// Types that become 8-bit weights: those of 8 bits, and those whose products candle 0.11.1 computes
/// number by number on every processor.
fn suits_bytes(kind: GgmlDType) -> bool {
    use GgmlDType::{Q4_1, Q5_0, Q5_1, Q8_0, Q8_1};
    matches!(kind, Q4_1 | Q5_0 | Q5_1 | Q8_0 | Q8_1)
}

/// Multiplies with a matrix of `rows` rows strip by strip; `floats` gives the rows of a strip.
fn in_strips(
    rows: usize,
    vectors: &Tensor,
    floats: impl Fn(usize, usize) -> Result<Tensor> + Sync,
) -> Result<Tensor> {
    let starts: Vec<usize> = (0..rows).step_by(STRIP).collect();
    let parts = starts
        .into_par_iter()
        .map(|start| vectors.matmul(&floats(start, rows.min(start + STRIP))?.t()?))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&parts, 1)
}
