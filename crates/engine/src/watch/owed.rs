//! The upkeep that is owed: each look leaves a version, a fragment and rows without index behind. It is
//! paid when things are quiet, or when too much has piled up. Pure.

use std::time::Duration;

/// Looks that changed something, after which upkeep does not wait for quiet any more.
const MOST_LOOKS: u32 = 32;
/// Chunks after which it does not either: word search reads what no index covers row by row.
const MOST_CHUNKS: u64 = 1024;
/// How long nothing must have changed.
const QUIET: Duration = Duration::from_secs(10);

/// What was written since the last upkeep.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    looks: u32,
    chunks: u64,
    last: Duration,
}

impl Owed {
    /// A look has written so many chunks, or removed or moved sources.
    pub(crate) fn add(&mut self, chunks: u64, now: Duration) {
        self.looks += 1;
        self.chunks += chunks;
        self.last = now;
    }

    /// When it is to be paid.
    pub(crate) fn due_at(&self) -> Option<Duration> {
        if self.looks == 0 {
            return None;
        }
        let is_much = self.looks >= MOST_LOOKS || self.chunks >= MOST_CHUNKS;
        Some(if is_much {
            self.last
        } else {
            self.last + QUIET
        })
    }

    /// Not now.
    pub(crate) fn put_off(&mut self, until: Duration) {
        self.looks = self.looks.min(MOST_LOOKS - 1);
        self.chunks = self.chunks.min(MOST_CHUNKS - 1);
        self.last = until.saturating_sub(QUIET);
    }

    /// It was paid.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_paid_when_things_are_quiet() {
        let mut owed = Owed::default();
        assert_eq!(owed.due_at(), None);
        owed.add(3, SECOND);
        owed.add(3, SECOND * 5);
        assert_eq!(owed.due_at(), Some(SECOND * 15));
        owed.clear();
        assert_eq!(owed.due_at(), None);
    }

    #[test]
    fn it_is_paid_at_once_where_much_has_piled_up() {
        let mut owed = Owed::default();
        owed.add(MOST_CHUNKS, SECOND);
        assert_eq!(owed.due_at(), Some(SECOND));
        owed.put_off(SECOND * 30);
        assert_eq!(owed.due_at(), Some(SECOND * 30));
        let mut owed = Owed::default();
        for _ in 0..MOST_LOOKS {
            owed.add(1, SECOND * 2);
        }
        assert_eq!(owed.due_at(), Some(SECOND * 2));
    }
}
