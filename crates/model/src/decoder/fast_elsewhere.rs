//! No processor but x86-64 and 64-bit ARM has tiled kernels in candle.

use candle_core::quantized::GgmlDType;

/// Whether a matrix of this type and size has a tiled kernel.
pub(super) fn has_kernel(_kind: GgmlDType, _rows: usize, _columns: usize) -> bool {
    false
}
