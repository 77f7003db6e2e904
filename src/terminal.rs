//! The terminal: the one place that prints. Data goes to stdout, talk to stderr, and what comes from
//! files and models is made harmless before a terminal sees it.

#![allow(clippy::print_stderr)]

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rag_core::wire::Failure;
use rag_core::{Code, Error};
use serde::Serialize;

use crate::exit::Exit;

/// Writes results and talk.
#[derive(Debug)]
pub(crate) struct Printer {
    out: io::Stdout,
    json: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            out: io::stdout(),
            json,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Whether the result is to be one JSON object.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody watches stderr.
    pub(crate) fn is_watched(&self) -> bool {
        self.stderr_is_terminal
    }

    /// Prints one JSON value on a line of its own.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value)?;
        let mut out = self.out.lock();
        writeln!(out, "{line}")?;
        out.flush()
    }

    /// Prints text as a part of the result.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        if self.stdout_is_terminal {
            out.write_all(harmless(text).as_bytes())?;
        } else {
            out.write_all(text.as_bytes())?;
        }
        out.flush()
    }

    /// Prints a line of the result.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.text(text)?;
        self.text("\n")
    }

    /// Says something on stderr.
    pub(crate) fn say(&mut self, text: &str) {
        if self.stderr_is_terminal {
            eprintln!("{}", harmless(text));
        } else {
            eprintln!("{text}");
        }
    }

    /// Reports an error: the fact and its causes, then what to do. Under `--json` the same on stdout.
    pub(crate) fn error(&mut self, error: &anyhow::Error) -> Exit {
        let is_closed = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(is_closed) {
            return Exit::Done; // whoever read the output has seen enough
        }
        let known = error.downcast_ref::<Error>();
        if known.is_some_and(|error| error.code == Code::Interrupted) {
            let hint = known.and_then(|error| error.hint.as_deref());
            self.say(&hint.map_or_else(|| "interrupted".into(), |h| format!("interrupted: {h}")));
            return Exit::Interrupted;
        }
        let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        causes.dedup();
        self.say(&format!("error: {}", causes.join(": ")));
        if let Some(hint) = known.and_then(|error| error.hint.as_deref()) {
            self.say(&format!("\nhint: {hint}"));
        }
        if self.json {
            let failure = known.map_or_else(
                || Failure {
                    code: Code::Internal,
                    message: causes.join(": "),
                    hint: None,
                },
                Failure::from,
            );
            let _ = self.value(&serde_json::json!({ "error": failure }));
        }
        Exit::Error
    }
}

/// `text` with everything that could drive a terminal or deceive its reader written out: control
/// characters but line feed and tab, direction marks and zero-width characters.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = matches!(c,
            '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
        if hidden || (c.is_control() && !matches!(c, '\n' | '\t')) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Flips `stop` on Ctrl-C; a second Ctrl-C ends the program at once.
pub(crate) fn stop_on_interrupt(stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            #[allow(clippy::exit)] // the polite way was tried by the first Ctrl-C
            std::process::exit(Exit::Interrupted as i32);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_a_terminal_is_written_out() {
        assert_eq!(harmless("a\u{1b}[31mb\tc\n中文"), "a\\u{1b}[31mb\tc\n中文");
        assert_eq!(
            harmless("\u{202e}txt.exe\u{200b}"),
            "\\u{202e}txt.exe\\u{200b}"
        );
    }
}
