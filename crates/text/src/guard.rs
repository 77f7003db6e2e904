//! The one place where a panic of somebody else's parser is caught and made into a fact.
//!
//! Stack overflow, an allocation that fails and an endless loop can't be caught here: who reads files
//! that may be hostile runs the reader in a process that can be killed.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` returns, or the message it panicked with, on one line.
///
/// `work` must not leave anything half-done behind that is used afterwards: callers hand it either
/// owned values or shared references to data that the parser does not keep.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "it panicked without a message".to_owned());
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        let outcome: Result<(), String> = guarded(|| panic!("bad\nlength {}", 3));
        assert_eq!(outcome, Err("bad length 3".to_owned()));
        assert_eq!(guarded(|| 7), Ok(7));
    }
}
