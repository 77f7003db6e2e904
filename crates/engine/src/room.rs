//! Room for texts that wait: a bound in bytes where a bound in files would not do, since one file may
//! hold as much text as a thousand others.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A number of bytes that those who wait share.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    closed: bool,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until there is room for so many bytes and takes it; what is larger than all of it gets in
    /// when not much else is there. False where nobody waits for the text any more.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let full = |state: &mut State| {
            let fits = state.taken + bytes <= self.bytes || state.taken <= self.bytes / 4;
            !fits && !state.closed
        };
        let state = self.changed.wait_while(self.state(), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.taken += bytes;
        !state.closed
    }

    /// Gives room back.
    pub(crate) fn give(&self, bytes: usize) {
        let mut state = self.state();
        state.taken = state.taken.saturating_sub(bytes);
        self.changed.notify_all();
    }

    /// Closes the room when what it returns is dropped, also by a panic: whoever waits goes with empty
    /// hands.
    pub(crate) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Room::closing`].
#[derive(Debug)]
pub(crate) struct Closing<'a>(&'a Room);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_does_not_fit_waits_until_others_are_done() {
        let room = Room::new(100);
        assert!(room.take(90));
        let (sender, order) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(room.take(50));
                sender.send("taken").unwrap();
            });
            assert!(order.try_recv().is_err());
            room.give(90);
            assert_eq!(order.recv().unwrap(), "taken");
        });
    }

    #[test]
    fn what_is_larger_than_all_the_room_gets_in_when_it_is_nearly_alone() {
        let room = Room::new(100);
        assert!(room.take(25));
        assert!(room.take(1000));
        room.give(1000);
        assert!(room.take(75));
    }

    #[test]
    fn nobody_waits_for_a_room_that_is_closed() {
        let room = Room::new(100);
        assert!(room.take(100));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| room.take(50));
            drop(room.closing());
            assert!(!waiting.join().unwrap());
        });
    }
}
