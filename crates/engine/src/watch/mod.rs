//! Watch: a knowledge base that stays in step with its files while they change.
//!
//! Events are hints, never truth: they say where to look, and each look plans as an ingest does, from
//! what is there. Whatever the system forgets to tell costs time, not content.

mod debounce;
mod ear;
mod follow;
mod inbox;
mod mounts;
mod news;
mod owed;
mod power;
mod roots;
mod status;

use std::path::PathBuf;
use std::time::Duration;

use rag_core::{Result, Row, Status};
use serde::Serialize;

pub use self::debounce::Pace;
use self::follow::Follow;
pub use self::inbox::Bell;
pub use self::power::{OnBattery, give_way};
pub use self::roots::{Footing, RootStatus};
use self::status::Seat;
pub use self::status::{WatchStatus, Watched};
use crate::Engine;

/// What is followed, and how.
#[derive(Debug, Clone)]
pub struct Watching {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    pub on_battery: OnBattery,
    pub pace: Pace,
    /// Nothing has happened for so long: all is looked at once more, in case an event was missed, and
    /// then not again before something happens.
    pub settle: Duration,
    /// Nothing was done for so long: models may be put down.
    pub rest: Duration,
    /// How often a file system is looked at that tells nothing.
    pub poll: Duration,
}

impl Watching {
    /// These paths, as the defaults have it.
    #[must_use]
    pub fn of(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            on_battery: OnBattery::default(),
            pace: Pace::default(),
            settle: Duration::from_mins(1),
            rest: Duration::from_mins(1),
            poll: Duration::from_secs(30),
        }
    }
}

/// What a watch says.
#[derive(Debug, Clone, Copy)]
pub enum WatchEvent<'a> {
    /// From now on a root is followed so.
    Root(&'a RootStatus),
    /// A look begins: at so many places, or at everything.
    Looking { places: Option<usize> },
    /// What became of a file that changed; of a trouble once, until it changes.
    File(&'a Row),
    /// A look has ended.
    Looked(&'a Looked),
    /// Nothing can be done now, for this reason; told once.
    Waiting(&'a str),
    /// The table was tidied up.
    Tidied { took_ms: u64 },
    /// Nothing was done for a while: models may be put down.
    Resting,
}

/// What a look at the files did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Looked {
    pub read: u64,
    pub moved: u64,
    pub removed: u64,
    /// Files that could not be read, those that could not be read before included.
    pub failed: u64,
    pub chunks: u64,
    /// Chunks whose vector had to be computed.
    pub embedded: u64,
    pub took_ms: u64,
    /// Places that wait for the next look.
    pub pending: usize,
}

impl Looked {
    /// Whether anything was written.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.read + self.moved + self.removed > 0
    }
}

impl Engine {
    /// Brings the knowledge base in step with the files under the paths, and keeps it so until the
    /// engine's stop switch is set and `bell` is rung.
    ///
    /// The writer lock is held only while something is written, so that others can write in between.
    ///
    /// # Errors
    /// `Locked` where another watch follows files for this knowledge base; `Incompatible` where it has
    /// changed its embedder; `Usage` for a pattern that is none; `Interrupted` in the end.
    pub fn watch(
        &self,
        watching: &Watching,
        bell: &Bell,
        on_event: &mut dyn FnMut(WatchEvent<'_>),
    ) -> Result<()> {
        self.must_embed()?;
        let seat = Seat::take(&self.kb.dir())?;
        let done = Follow::begin(self, watching, bell, on_event).run();
        drop(seat);
        done
    }

    /// What the watch of this knowledge base does, or did last.
    ///
    /// # Errors
    /// What the store reports. Where there is no knowledge base, nothing is followed for it.
    pub fn watched(&self) -> Result<Watched> {
        let dir = self.kb.dir();
        let troubles = match self.status() {
            Ok(summary) => summary.troubles,
            Err(error) if error.code == rag_core::Code::NoKnowledgeBase => Vec::new(),
            Err(error) => return Err(error),
        };
        let failed = troubles.into_iter();
        Ok(Watched {
            kb: self.kb.name().to_owned(),
            running: Seat::is_taken(&dir),
            last: WatchStatus::read(&dir),
            failed: failed
                .filter(|trouble| trouble.row.status != Status::Skipped)
                .collect(),
        })
    }
}

#[cfg(test)]
mod stress;
#[cfg(test)]
mod tests;
