//! An NVIDIA GPU.

pub(super) fn find() -> Option<(candle_core::Device, &'static str)> {
    Some((candle_core::Device::new_cuda(0).ok()?, "CUDA"))
}
