//! The writer lock: one process writes at a time, readers never wait. And the sign that somebody reads a
//! table, which keeps only its folder from being removed.
//!
//! The operating system holds both on open files and frees them when the holder ends, however it ends.
//! What is written inside is only for the message to whoever comes second.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{IndexError, Result};
use crate::meta::utc_now;

/// How long a holder is waited for that will not be long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long any other is waited for: it may not have come to saying what it does.
const GRACE: Duration = Duration::from_millis(500);
const INTERVAL: Duration = Duration::from_millis(20);

/// Who holds the lock.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Holder {
    pid: u32,
    /// UTC, RFC 3339.
    since: String,
    /// What takes so long, where that is known.
    doing: Option<String>,
    /// It will not take long: who comes second should wait.
    #[serde(default)]
    brief: bool,
}

impl Holder {
    /// How long to wait for it.
    fn patience(holder: Option<&Self>) -> Duration {
        match holder {
            Some(holder) if holder.brief => PATIENCE,
            Some(_) | None => GRACE,
        }
    }

    /// The end of the sentence "another process is writing".
    pub(crate) fn describe(holder: Option<&Self>) -> String {
        holder.map_or_else(
            String::new,
            |Self {
                 pid, since, doing, ..
             }| {
                let doing = doing.as_ref().map(|doing| format!(", {doing}"));
                format!(
                    " (process {pid}, since {since}{})",
                    doing.unwrap_or_default()
                )
            },
        )
    }
}

/// The lock; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Takes the lock of the store in `dir`. It is waited for only where its holder says that it will
    /// not be long.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let began = Instant::now();
        loop {
            match Self::try_take(dir) {
                Err(IndexError::Locked { holder, .. })
                    if began.elapsed() < Holder::patience(holder.as_ref()) =>
                {
                    std::thread::sleep(INTERVAL);
                }
                outcome => return outcome,
            }
        }
    }

    fn try_take(dir: &Path) -> Result<Self> {
        let path = dir.join("lock");
        let io = |verb| {
            let path = path.clone();
            move |source| IndexError::Io { verb, path, source }
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Empty where the holder has not come to writing its name yet; unreadable on Windows.
                let mut text = String::new();
                let holder = match file.read_to_string(&mut text) {
                    Ok(_) => serde_json::from_str(&text).ok(),
                    Err(_) => None,
                };
                return Err(IndexError::Locked {
                    dir: dir.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        let lock = Self { file };
        lock.note(None, false);
        Ok(lock)
    }

    /// Writes down who holds the lock, and what for.
    pub(crate) fn note(&self, doing: Option<String>, brief: bool) {
        let holder = Holder {
            pid: std::process::id(),
            since: utc_now(),
            doing,
            brief,
        };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        let mut file = &self.file;
        // The note is for a message; a full disk must not stop who only wants to forget something.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
    }
}

impl Drop for WriterLock {
    /// Closing is not enough: a child that is being forked holds the file for a moment longer.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Those who read the table in a folder.
#[derive(Debug)]
pub(crate) struct Readers {
    file: File,
}

impl Readers {
    /// Joins them. None where that can't be said, as in a folder that may not be written to; nobody
    /// removes it then either.
    pub(crate) fn join(folder: &Path) -> Option<Self> {
        let file = Self::open(folder)?;
        file.try_lock_shared().ok()?;
        Some(Self { file })
    }

    /// Keeps new ones out, if there are none.
    pub(crate) fn none(folder: &Path) -> Option<Self> {
        let file = Self::open(folder)?;
        file.try_lock().ok()?;
        Some(Self { file })
    }

    fn open(folder: &Path) -> Option<File> {
        let mut options = OpenOptions::new();
        let path = folder.join("readers");
        let made = options.write(true).create(true).truncate(false).open(&path);
        made.or_else(|_| File::open(&path)).ok()
    }
}

impl Drop for Readers {
    /// See the writer lock's.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}
