//! Which quantised matrices candle 0.11.1 multiplies fast on x86-64 (its `repack_x86.rs`).

use candle_core::quantized::GgmlDType;

/// Whether a matrix of this type and size has a tiled kernel.
pub(super) fn has_kernel(kind: GgmlDType, rows: usize, columns: usize) -> bool {
    if !rows.is_multiple_of(16) || !columns.is_multiple_of(256) {
        return false;
    }
    match kind {
        GgmlDType::Q4K | GgmlDType::Q6K => is_x86_feature_detected!("avx2"),
        GgmlDType::Q8_0 => {
            is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni")
        }
        _ => false,
    }
}
