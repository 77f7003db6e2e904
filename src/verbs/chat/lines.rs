//! Where the lines of a chat come from: a terminal, edited, or stdin, one after another.

use std::sync::atomic::AtomicBool;

use rag_core::{Code, Error, Result};
use rustyline::error::ReadlineError;
use rustyline::history::{History, MemHistory};
use rustyline::{Behavior, Config, Editor};

use crate::terminal::Typed;

const PROMPT: &str = "> ";
/// Lines that can be gone back to.
const MOST: usize = 500;

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// Ctrl-C: the line is given up.
    GivenUp,
    /// Ctrl-D, or the end of stdin.
    End,
}

/// A source of lines.
pub(super) enum Lines {
    /// Arrow keys, Ctrl-R and characters of two columns; what is typed is remembered.
    Edited(Box<Editor<(), MemHistory>>),
    Piped(Typed),
}

impl Lines {
    /// Lines that are typed, with those of earlier chats to go back to.
    pub(super) fn edited(before: &[String]) -> Result<Self> {
        // The terminal itself, so that stdout may be a file.
        let config = Config::builder()
            .behavior(Behavior::PreferTerm)
            .max_history_size(MOST)
            .map_err(failed)?
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).map_err(failed)?;
        for line in before {
            editor.add_history_entry(line.as_str()).map_err(failed)?;
        }
        Ok(Self::Edited(Box::new(editor)))
    }

    pub(super) fn piped() -> Self {
        Self::Piped(Typed::from_stdin())
    }

    /// The next line. `stop` ends waiting for one that is not typed at a terminal.
    pub(super) fn next(&mut self, stop: &AtomicBool) -> Result<Line> {
        match self {
            Self::Piped(typed) => Ok(typed.next(stop)?.map_or(Line::End, Line::Text)),
            Self::Edited(editor) => match editor.readline(PROMPT) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        editor.add_history_entry(line.as_str()).map_err(failed)?;
                    }
                    Ok(Line::Text(line))
                }
                Err(ReadlineError::Interrupted) => Ok(Line::GivenUp),
                Err(ReadlineError::Eof) => Ok(Line::End),
                Err(error) => Err(failed(error)),
            },
        }
    }

    pub(super) fn is_edited(&self) -> bool {
        matches!(self, Self::Edited(_))
    }

    /// The lines that were typed, the oldest first; none where they came from a pipe.
    pub(super) fn typed(&self) -> Vec<String> {
        match self {
            Self::Edited(editor) => editor.history().into_iter().cloned().collect(),
            Self::Piped(_) => Vec::new(),
        }
    }

    /// Forgets what was typed.
    pub(super) fn clear(&mut self) -> Result<()> {
        match self {
            Self::Edited(editor) => editor.history_mut().clear().map_err(failed),
            Self::Piped(_) => Ok(()),
        }
    }
}

fn failed(cause: ReadlineError) -> Error {
    Error::new(Code::Io, "can't read from the terminal")
        .because(cause)
        .hint("give the questions on stdin, one a line: rag chat < questions.txt")
}
