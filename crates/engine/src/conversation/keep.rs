//! The last conversation of a knowledge base at rest: one file in its folder that only its owner reads.
//!
//! `conversation.json` holds `format` and the turns; `typed.txt` the lines typed in chats, the oldest
//! first. Both are replaced by a rename, never written in place. A file of a later format counts as
//! none: it is nothing that can't be lost.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rag_core::{Error, Result, SourceKey};
use serde::{Deserialize, Serialize};

use super::{Conversation, Turn};
use crate::kb::KnowledgeBase;

const FORMAT: u64 = 1;
/// Turns that are kept: what a follow-up may mean is long among them.
const MOST_TURNS: usize = 50;
/// Typed lines that are kept.
const MOST_LINES: usize = 500;

#[derive(Debug, Serialize, Deserialize)]
struct AtRest {
    format: u64,
    turns: Vec<Turn>,
}

impl KnowledgeBase {
    fn conversation_file(&self) -> PathBuf {
        self.dir().join("conversation.json")
    }

    fn typed_file(&self) -> PathBuf {
        self.dir().join("typed.txt")
    }

    /// The last conversation; an empty one where none is kept.
    ///
    /// # Errors
    /// `Io` where the file is there and can't be read.
    pub fn conversation(&self) -> Result<Conversation> {
        let path = self.conversation_file();
        let Some(text) = read(&path)? else {
            return Ok(Conversation::default());
        };
        let known = serde_json::from_str::<AtRest>(&text).ok();
        let turns = known.filter(|at_rest| at_rest.format == FORMAT);
        Ok(Conversation {
            turns: turns.map_or_else(Vec::new, |at_rest| at_rest.turns),
        })
    }

    /// Keeps the last turns of `conversation` in place of what was kept before.
    ///
    /// # Errors
    /// `Io`.
    pub fn keep_conversation(&self, conversation: &Conversation) -> Result<()> {
        let from = conversation.turns.len().saturating_sub(MOST_TURNS);
        let at_rest = AtRest {
            format: FORMAT,
            turns: conversation.turns[from..].to_vec(),
        };
        let text = serde_json::to_string(&at_rest).map_err(|cause| {
            Error::io("write", &self.conversation_file(), io::Error::other(cause))
        })?;
        write_privately(&self.conversation_file(), &text)
    }

    /// Lines typed in chats, the oldest first.
    ///
    /// # Errors
    /// `Io` where the file is there and can't be read.
    pub fn typed(&self) -> Result<Vec<String>> {
        let text = read(&self.typed_file())?.unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Keeps the last of `lines` in place of what was kept before.
    ///
    /// # Errors
    /// `Io`.
    pub fn keep_typed(&self, lines: &[String]) -> Result<()> {
        let last = &lines[lines.len().saturating_sub(MOST_LINES)..];
        write_privately(&self.typed_file(), &(last.join("\n") + "\n"))
    }

    /// Removes the last conversation and the typed lines; false where nothing was kept.
    ///
    /// # Errors
    /// `Io`.
    pub fn erase_conversation(&self) -> Result<bool> {
        let conversation = remove(&self.conversation_file())?;
        let typed = remove(&self.typed_file())?;
        Ok(conversation || typed)
    }

    /// Removes the last conversation where an answer of it cites one of `sources`: what is forgotten is
    /// not kept there either.
    pub(crate) fn forget_in_conversation<'a>(
        &self,
        mut sources: impl Iterator<Item = &'a SourceKey>,
    ) -> Result<()> {
        let kept = self.conversation()?;
        let all: Vec<&SourceKey> = kept
            .turns
            .iter()
            .flat_map(|turn| &turn.sources)
            .map(|cited| &cited.key)
            .collect();
        if sources.any(|key| all.contains(&key)) {
            remove(&self.conversation_file())?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path, error)),
    }
}

/// Replaces the file by one that nobody else may read, from its first byte on.
fn write_privately(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let written = private()
        .open(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|cause| {
        let _ = fs::remove_file(&draft); // it may not be there
        Error::io("write", path, cause)
    })
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}
