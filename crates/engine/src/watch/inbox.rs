//! Where hints arrive. The system's thread puts them in, the watch takes out what is due; what waits is
//! bounded, however long a look takes and however much happens meanwhile.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::watch::debounce::{Debounce, Due, Hint, Pace};

/// Shared by who hears and who looks.
#[derive(Debug)]
pub(crate) struct Inbox {
    began: Instant,
    heard: Mutex<Heard>,
    wakes: Condvar,
}

#[derive(Debug)]
struct Heard {
    debounce: Debounce,
    rang: bool,
    /// Why events do not come any more, until somebody has asked.
    deaf: Option<String>,
}

/// Whether hints end a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hints {
    Minded,
    Left,
}

/// Wakes a watch that waits, so that it looks at its stop switch.
#[derive(Debug, Clone)]
pub struct Bell(Arc<Inbox>);

impl Default for Bell {
    fn default() -> Self {
        Self(Arc::new(Inbox::new(Pace::default())))
    }
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        self.0.ring();
    }

    pub(crate) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.0)
    }
}

impl Inbox {
    fn new(pace: Pace) -> Self {
        Self {
            began: Instant::now(),
            heard: Mutex::new(Heard {
                debounce: Debounce::new(pace),
                rang: false,
                deaf: None,
            }),
            wakes: Condvar::new(),
        }
    }

    /// Time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn hear(&self, hint: Hint) {
        let now = self.now();
        if self.locked().debounce.hear(hint, now) {
            self.wakes.notify_all();
        }
    }

    /// Events do not come any more.
    pub(crate) fn fall_deaf(&self, why: String) {
        self.locked().deaf = Some(why);
        self.wakes.notify_all();
    }

    pub(crate) fn was_deaf(&self) -> Option<String> {
        self.locked().deaf.take()
    }

    fn ring(&self) {
        self.locked().rang = true;
        self.wakes.notify_all();
    }

    pub(crate) fn set_pace(&self, pace: Pace) {
        self.locked().debounce.set_pace(pace);
    }

    pub(crate) fn pending(&self) -> usize {
        self.locked().debounce.pending()
    }

    pub(crate) fn take(&self) -> Option<Due> {
        let now = self.now();
        self.locked().debounce.take(now)
    }

    pub(crate) fn put_back(&self, due: Due, delay: Duration) {
        let now = self.now();
        self.locked().debounce.put_back(due, now, delay);
    }

    /// Waits until `until`, until the bell rings, or, where hints are minded, until something is due.
    pub(crate) fn wait(&self, until: Option<Duration>, minds: Hints) {
        let mut heard = self.locked();
        if !heard.rang && heard.deaf.is_none() {
            // Asked under the lock: what is heard after this wakes who waits.
            let due = match minds {
                Hints::Minded => heard.debounce.due_at(),
                Hints::Left => None,
            };
            let until = until.into_iter().chain(due).min();
            let left = until.map(|until| until.saturating_sub(self.now()));
            heard = if let Some(left) = left {
                let waited = self.wakes.wait_timeout(heard, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.wakes.wait(heard);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
        heard.rang = false;
    }

    fn locked(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
