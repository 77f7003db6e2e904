//! A build without a GPU.

pub(super) fn find() -> Option<(candle_core::Device, &'static str)> {
    None
}
