//! On other processors our own products are as fast as candle's, and hold a matrix once.

use candle_core::quantized::GgmlDType;

/// Whether candle's kernel is to be used for a matrix of this type and size.
pub(super) fn has_kernel(_kind: GgmlDType, _rows: usize) -> bool {
    false
}
