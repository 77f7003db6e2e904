//! Which quantised matrices candle 0.11.1 multiplies faster than we do on 64-bit ARM (its `repack.rs`).

use candle_core::quantized::GgmlDType;

/// Whether candle has a tiled kernel for a matrix of this type and size.
pub(super) fn has_kernel(kind: GgmlDType, rows: usize) -> bool {
    match kind {
        GgmlDType::Q4_0 | GgmlDType::Q8_0 => rows.is_multiple_of(4),
        GgmlDType::Q4K | GgmlDType::Q5K | GgmlDType::Q6K => rows.is_multiple_of(8),
        _ => false,
    }
}
