//! A weight matrix, in the form that multiplies fastest here.
//!
//! candle multiplies quantised blocks as they are, but only some types in some shapes have a fast
//! kernel for many rows at once; the others run ten times slower than plain floats (`SmolLM2-135M`
//! in `Q4_1`: 10 tokens a second). Where they all fit [`FLOAT_LIMIT`], such matrices are turned into
//! floats when the model is loaded.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Result, Tensor};

use crate::kernels;

#[cfg_attr(target_arch = "x86_64", path = "fast_x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "fast_aarch64.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    path = "fast_elsewhere.rs"
)]
mod fast;

/// Most memory that matrices of slow types may take as floats, in bytes, for a whole model: enough
/// for half a billion weights. Above it they stay as they are, slow but no larger than their file.
pub(crate) const FLOAT_LIMIT: usize = 2 << 30;

/// A matrix of `rows` × `columns` that maps vectors of length `columns` to length `rows`.
#[derive(Debug)]
pub(crate) enum Matrix {
    Blocks(Arc<QTensor>),
    Floats(Tensor),
}

/// What to do with matrices that have no fast kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlowTypes {
    Keep,
    Convert,
}

impl Matrix {
    pub(crate) fn new(tensor: QTensor, slow: SlowTypes) -> Result<Self> {
        let device = tensor.device();
        let convert = if device.is_cpu() {
            slow == SlowTypes::Convert && is_slow(tensor.dtype(), tensor.shape().dims())
        } else {
            is_float(tensor.dtype())
        };
        Ok(if convert {
            Self::Floats(tensor.dequantize(&device)?)
        } else {
            Self::Blocks(Arc::new(tensor))
        })
    }

    /// `vectors` (n × columns, contiguous) times the transposed matrix: n × rows.
    pub(crate) fn apply(&self, vectors: &Tensor) -> Result<Tensor> {
        match self {
            Self::Blocks(blocks) => vectors.apply_op1_no_bwd(blocks.as_ref()),
            Self::Floats(floats) if vectors.dim(0)? == 1 => kernels::matrix_vector(floats, vectors),
            Self::Floats(floats) => vectors.matmul(&floats.t()?),
        }
    }
}

/// Whether [`Matrix::new`] would convert a matrix on the processor: its type has no fast kernel.
pub(crate) fn is_slow(kind: GgmlDType, dims: &[usize]) -> bool {
    match dims {
        [rows, columns] => !fast::has_kernel(kind, *rows, *columns),
        _ => false,
    }
}

/// Sets what becomes of slow types in a model whose slow matrices hold `weights` weights.
pub(crate) fn policy(device: &Device, weights: usize) -> SlowTypes {
    if device.is_cpu() && weights.saturating_mul(size_of::<f32>()) <= FLOAT_LIMIT {
        SlowTypes::Convert
    } else {
        SlowTypes::Keep
    }
}

fn is_float(kind: GgmlDType) -> bool {
    matches!(kind, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
}
