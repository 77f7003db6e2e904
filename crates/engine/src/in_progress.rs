//! Questions that are being answered: upkeep waits for them.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A question that is being answered, until it is dropped.
pub(crate) struct InProgress<'a>(&'a AtomicUsize);

impl<'a> InProgress<'a> {
    pub(crate) fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
