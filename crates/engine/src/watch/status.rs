//! What a watch says of itself, in a file beside the knowledge base that anybody may read, and the seat
//! that only one watch can have.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rag_core::calendar::Moment;
use rag_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::kb::Trouble;
use crate::watch::roots::RootStatus;

/// What a watch knew when it wrote this down last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    pub pid: u32,
    /// UTC, RFC 3339, like all times here.
    pub since: String,
    pub roots: Vec<RootStatus>,
    /// When something was last found to have changed.
    pub last_change: Option<String>,
    /// When it last looked.
    pub last_look: Option<String>,
    /// Places of which something was heard and that were not looked at yet.
    pub pending: usize,
    /// Why nothing is done at the moment.
    pub waiting: Option<String>,
}

/// What `rag watch --status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watched {
    pub kb: String,
    /// Whether a watch is running now; else `last` is of the one before.
    pub running: bool,
    #[serde(flatten)]
    pub last: Option<WatchStatus>,
    /// Files that failed or were read in part; each is tried again when it changes.
    pub failed: Vec<Trouble>,
}

/// The name of the file.
const STATUS: &str = "watch.json";
/// The name of the file whose lock is the seat.
const SEAT: &str = "watch.lock";

impl WatchStatus {
    pub(crate) fn new(roots: Vec<RootStatus>) -> Self {
        Self {
            pid: std::process::id(),
            since: utc_now(),
            roots,
            last_change: None,
            last_look: None,
            pending: 0,
            waiting: None,
        }
    }

    /// What the last watch of the knowledge base in `dir` has left; none where there was none, or where
    /// it can't be understood.
    pub(crate) fn read(dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(dir.join(STATUS)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes it down, in one step.
    pub(crate) fn write(&self, dir: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string(self)?;
        let draft = dir.join(format!("{STATUS}.draft"));
        std::fs::write(&draft, text)?;
        std::fs::rename(&draft, dir.join(STATUS))
    }
}

/// The right to follow files for a knowledge base; given back when it is dropped, however the process
/// ends.
#[derive(Debug)]
pub(crate) struct Seat {
    file: File,
}

impl Seat {
    /// # Errors
    /// `Locked` where another watch has it.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        make_private(dir)?;
        let path = dir.join(SEAT);
        let file = opened(&path).map_err(|cause| Error::io("open", &path, cause))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => {
                let whose = WatchStatus::read(dir);
                let whose = whose.map_or_else(String::new, |status| {
                    format!(" (process {}, since {})", status.pid, status.since)
                });
                let fact = format!(
                    "another `rag watch` follows files for `{}`{whose}",
                    dir.display()
                );
                Err(Error::new(Code::Locked, fact).hint(
                    "end it, or give all paths to one; rag watch --status shows what it does",
                ))
            }
            Err(TryLockError::Error(cause)) => Err(Error::io("lock", &path, cause)),
        }
    }

    /// Whether somebody has it.
    pub(crate) fn is_taken(dir: &Path) -> bool {
        // Not created by who only asks.
        let Ok(file) = File::open(dir.join(SEAT)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for Seat {
    /// Closing is not enough: a child that is being forked holds the file for a moment longer.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn opened(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// The folder of a knowledge base that may not exist yet, for its owner's eyes only.
fn make_private(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(dir)
        .map_err(|cause| Error::io("create", dir, cause))
}

/// The time of day, as RFC 3339 has it.
pub(crate) fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment::at(since.map_or(0, |since| since.as_secs())).rfc3339()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_back_and_nonsense_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(WatchStatus::read(dir.path()), None);
        let mut status = WatchStatus::new(Vec::new());
        status.waiting = Some("for a reason".into());
        status.write(dir.path()).unwrap();
        assert_eq!(WatchStatus::read(dir.path()), Some(status));
        std::fs::write(dir.path().join(STATUS), "{").unwrap();
        assert_eq!(WatchStatus::read(dir.path()), None);
    }

    #[test]
    fn there_is_one_seat_and_it_is_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Seat::is_taken(dir.path()));
        let seat = Seat::take(dir.path()).unwrap();
        assert!(Seat::is_taken(dir.path()));
        let error = Seat::take(dir.path()).unwrap_err();
        assert_eq!(error.code, Code::Locked);
        assert!(error.hint.is_some());
        drop(seat);
        assert!(!Seat::is_taken(dir.path()));
        Seat::take(dir.path()).unwrap();
    }
}
