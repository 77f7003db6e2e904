//! A Mac's GPU.

pub(super) fn find() -> Option<(candle_core::Device, &'static str)> {
    Some((candle_core::Device::new_metal(0).ok()?, "Metal"))
}
