//! A weight matrix, in the form that multiplies fastest here.
//!
//! On a processor quantised weights are packed for our own products when they are read, a piece at a
//! time, and nothing else is kept of them. candle's own kernels, which hold a matrix twice, multiply on
//! other devices and where they are faster (`fast`).

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Result, Tensor};

use crate::fault::{self, OfModel};
use crate::gguf::Gguf;
use crate::kernels::{self, PackedMatrix};

#[cfg_attr(target_arch = "aarch64", path = "fast_aarch64.rs")]
#[cfg_attr(not(target_arch = "aarch64"), path = "fast_elsewhere.rs")]
mod fast;

/// A matrix of `rows` × `columns` that maps vectors of length `columns` to length `rows`.
#[derive(Debug)]
pub(crate) enum Matrix {
    Floats(Tensor),
    Packed(PackedMatrix),
    /// Multiplied as they are, by candle.
    Blocks(Box<QTensor>),
}

impl Matrix {
    /// Reads the tensor `name` of two dimensions, or matrix number `n` of one of three; none where the
    /// file has no such tensor.
    pub(crate) fn read(
        gguf: &mut Gguf,
        name: &str,
        n: usize,
        device: &Device,
    ) -> fault::Result<Option<Self>> {
        let Some((kind, [.., rows, columns])) = gguf.kind(name).zip(gguf.dims(name)) else {
            return Ok(None);
        };
        let (rows, columns) = (*rows, *columns);
        if is_packed(kind, rows, device) {
            let bytes = rows * (columns / kind.block_size()) * kind.type_size();
            let mut at = (n * bytes) as u64;
            let packed = PackedMatrix::read(kind, (rows, columns), &mut |piece| {
                let from = at;
                at += piece.len() as u64;
                gguf.read_bytes(name, from, piece)
            })?;
            return Ok(packed.map(Self::Packed));
        }
        let label = gguf.label();
        let tensor = gguf.matrix(name, n, device)?;
        tensor
            .map(|tensor| Self::new(tensor).of(&label))
            .transpose()
    }

    /// A matrix of candle's blocks.
    pub(crate) fn new(tensor: QTensor) -> Result<Self> {
        let (kind, device) = (tensor.dtype(), tensor.device());
        if matches!(kind, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16) {
            return Ok(Self::Floats(tensor.dequantize(&device)?));
        }
        let (rows, columns) = tensor.shape().dims2()?;
        if is_packed(kind, rows, &device) {
            let bytes = tensor.data()?;
            let mut rest = &*bytes;
            let packed = PackedMatrix::read(kind, (rows, columns), &mut |piece| {
                let Some((now, later)) = rest.split_at_checked(piece.len()) else {
                    candle_core::bail!("a matrix is cut short");
                };
                piece.copy_from_slice(now);
                rest = later;
                Ok(())
            })?;
            if let Some(packed) = packed {
                return Ok(Self::Packed(packed));
            }
        }
        Ok(Self::Blocks(Box::new(tensor)))
    }

    /// `vectors` (n × columns, contiguous) times the transposed matrix: n × rows.
    pub(crate) fn apply(&self, vectors: &Tensor) -> Result<Tensor> {
        match self {
            Self::Floats(floats) if vectors.dim(0)? == 1 => kernels::matrix_vector(floats, vectors),
            Self::Floats(floats) => vectors.matmul(&floats.t()?),
            Self::Packed(packed) => kernels::products([packed], vectors).map(|[y]| y),
            Self::Blocks(blocks) => vectors.apply_op1_no_bwd(blocks.as_ref()),
        }
    }

    /// The same for several matrices at once: threads meet once for all of them.
    pub(crate) fn apply_each<const M: usize>(
        matrices: [&Self; M],
        vectors: &Tensor,
    ) -> Result<[Tensor; M]> {
        let packed = matrices.map(|matrix| match matrix {
            Self::Packed(packed) => Some(packed),
            Self::Floats(_) | Self::Blocks(_) => None,
        });
        if let Some(packed) = all(packed) {
            return kernels::products(packed, vectors);
        }
        let each: Vec<Tensor> = matrices
            .iter()
            .map(|matrix| matrix.apply(vectors))
            .collect::<Result<_>>()?;
        each.try_into()
            .map_err(|_| candle_core::Error::Msg("a product is missing".to_owned()))
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Floats(floats) => floats.elem_count() * size_of::<f32>(),
            Self::Packed(packed) => packed.bytes(),
            Self::Blocks(blocks) => blocks.storage_size_in_bytes(),
        }
    }

    /// Rows `numbers`: their count × columns.
    pub(crate) fn rows(&self, numbers: &[u32], device: &Device) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => packed.rows(numbers),
            Self::Floats(floats) => floats.index_select(&Tensor::new(numbers, device)?, 0),
            Self::Blocks(blocks) => blocks.embedding(&Tensor::new(numbers, device)?),
        }
    }
}

/// Whether weights become ours.
fn is_packed(kind: GgmlDType, rows: usize, device: &Device) -> bool {
    device.is_cpu() && PackedMatrix::knows(kind) && !fast::has_kernel(kind, rows)
}

/// All of them, if none is missing.
fn all<T, const M: usize>(some: [Option<T>; M]) -> Option<[T; M]> {
    let all: Vec<T> = some.into_iter().collect::<Option<_>>()?;
    all.try_into().ok()
}
