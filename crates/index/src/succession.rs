//! Succession: a store made beside the one that is searched, for another embedder, takes its place when
//! it is complete. Readers see the old one to the end, or the new one.
//!
//! `next.json` names what is being made and the folder of its table; renaming it to `meta.json` is the
//! switch. A process that is killed before leaves the old store and what was made of the new one; one
//! that is killed after leaves the new store, and the old table for the next writer to remove.

use std::path::Path;

use crate::error::{IndexError, Result};
use crate::meta::{self, Role};
use crate::place::{OF_WRITING, absolute, sweep, sync_below};
use crate::{Layout, Store};

impl Store {
    /// The store that is being made beside this one to take its place, begun if there is none. Nobody
    /// else can write to either while one of them lives.
    ///
    /// # Errors
    /// `Incompatible` where the one that was begun is for another embedder; `Internal` for a store that
    /// was opened for reading.
    pub fn successor(&self, layout: &Layout) -> rag_core::Result<Self> {
        Ok(self.begin(layout)?)
    }

    /// Opens what was begun beside the store in `dir` for reading; none where nothing was.
    pub fn open_successor(dir: &Path) -> rag_core::Result<Option<Self>> {
        Ok(Self::opened(&absolute(dir)?, Role::Next, OF_WRITING)?)
    }

    /// Takes the place of `present`, whose table is removed as soon as nobody reads it any more: now, or
    /// when the next writer comes.
    ///
    /// # Errors
    /// `Internal` for two stores that are not each other's. Where the disk fails, the old one stays.
    pub fn take_over(self, present: Self) -> rag_core::Result<()> {
        Ok(self.switch(present)?)
    }

    /// Gives up what was begun beside this store; false where nothing was.
    ///
    /// # Errors
    /// `Internal` for a store that was opened for reading.
    pub fn discard_successor(&self) -> rag_core::Result<bool> {
        self.writer()?;
        let was_there = meta::remove_next(&self.dir)?;
        sweep(&self.dir);
        Ok(was_there)
    }

    fn begin(&self, layout: &Layout) -> Result<Self> {
        let lock = &self.writer()?.lock;
        let next = Self::made(self.dir.clone(), Role::Next, layout, lock.clone())?;
        lock.note(
            Some(format!("making vectors of `{}`", layout.embedder)),
            false,
        );
        Ok(next)
    }

    fn switch(self, present: Self) -> Result<()> {
        let lock = self.writer()?.lock.clone();
        let is_next = (self.role, present.role) == (Role::Next, Role::Present);
        if !is_next || present.writer.is_none() || self.dir != present.dir {
            return Err(IndexError::NoSuccession {
                dir: present.dir.clone(),
            });
        }
        let dir = self.dir.clone();
        // The old one is removed in a moment: what stands in for it must not be only in memory.
        sync_below(&self.folder())?;
        drop((self, present));
        meta::promote(&dir)?;
        sweep(&dir);
        drop(lock);
        Ok(())
    }
}
