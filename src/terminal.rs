//! The terminal: the one place that prints. Data goes to stdout, talk to stderr, and what comes from
//! files and models is made harmless before a terminal sees it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rag_core::wire::Failure;
use rag_core::{Code, Error};
use serde::Serialize;

use crate::exit::Exit;
use crate::links;

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

    /// Whether somebody watches stderr and can answer on stdin.
    pub(crate) fn is_talking(&self) -> bool {
        self.stderr_is_terminal && io::stdin().is_terminal()
    }

    /// Prints one JSON value on a line of its own.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_string(value)?;
        if self.stdout_is_terminal {
            line = written_out(&line, |c| format!("\\u{:04x}", u32::from(c)));
        }
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

    /// Prints text of the result that leads to a file where the terminal has links.
    pub(crate) fn linked(&mut self, text: &str, file: Option<&Path>) -> io::Result<()> {
        let has_links =
            self.stdout_is_terminal && links::are_shown(|name| std::env::var(name).ok());
        match file.filter(|_| has_links) {
            Some(file) => {
                let link = links::link(&links::file_url(file), &harmless(text));
                self.out.lock().write_all(link.as_bytes())
            }
            None => self.text(text),
        }
    }

    /// Prints a line of the result.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.text(text)?;
        self.text("\n")
    }

    /// Says something on stderr.
    pub(crate) fn say(&mut self, text: &str) {
        let text = self.for_stderr(text);
        // Where nobody listens any more, nothing is lost by not saying it.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn for_stderr(&self, text: &str) -> String {
        if self.stderr_is_terminal {
            harmless(text)
        } else {
            text.to_owned()
        }
    }

    /// Asks something on stderr; what is typed stands behind it on the same line.
    pub(crate) fn ask(&mut self, text: &str) {
        let text = self.for_stderr(text);
        let mut err = io::stderr().lock();
        let _ = write!(err, "{text}").and_then(|()| err.flush());
    }

    /// Reports an error: the fact and its causes, then what to do. Under `--json` the same on stdout.
    pub(crate) fn error(&mut self, error: &anyhow::Error) -> Exit {
        // Only writing to stdout gives a bare I/O error; a closed socket has one of ours around it.
        let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        if error.downcast_ref::<io::Error>().is_some_and(is_closed) {
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
            let failure = Failure {
                code: known.map_or(Code::Internal, |error| error.code),
                message: causes.join(": "),
                hint: known.and_then(|error| error.hint.clone()),
            };
            let _ = self.value(&serde_json::json!({ "error": failure }));
        }
        Exit::Error
    }
}

/// What is typed, line by line. It is read aside, so that Ctrl-C is heard while nobody types.
#[derive(Debug)]
pub(crate) struct Typed(Receiver<io::Result<String>>);

impl Typed {
    pub(crate) fn from_stdin() -> Self {
        let (lines, typed) = channel();
        std::thread::spawn(move || {
            for line in io::stdin().lines() {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Self(typed)
    }

    #[cfg(test)]
    pub(crate) fn from_channel(lines: Receiver<io::Result<String>>) -> Self {
        Self(lines)
    }

    #[cfg(test)]
    pub(crate) fn from_lines(lines: impl Iterator<Item = io::Result<String>>) -> Self {
        let (all, typed) = channel();
        for line in lines {
            let _ = all.send(line);
        }
        Self(typed)
    }

    /// The next line; none where there will be no more.
    ///
    /// # Errors
    /// `Interrupted` once `stop` is set; `Io` where stdin can't be read.
    pub(crate) fn next(&self, stop: &AtomicBool) -> rag_core::Result<Option<String>> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::new(Code::Interrupted, "interrupted"));
            }
            match self.0.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    let failed = |cause| Error::io("read", "stdin".as_ref(), cause);
                    return line.map(Some).map_err(failed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// `text` with everything that could drive a terminal or deceive its reader written out: control
/// characters but line feed and tab, direction marks and characters that can't be seen.
pub(crate) fn harmless(text: &str) -> String {
    written_out(text, |c| format!("\\u{{{:x}}}", u32::from(c)))
}

/// A name on one line: harmless, and with line feeds and tabs written out too.
pub(crate) fn name(text: &str) -> String {
    text.replace('\n', "\\n").replace('\t', "\\t")
}

fn written_out(text: &str, write: impl Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && !matches!(c, '\n' | '\t')) || is_unseen(c) {
            out.push_str(&write(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// A bar over bytes on stderr; a hidden one where nobody watches.
pub(crate) fn byte_bar(watched: bool) -> ProgressBar {
    if !watched {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left · {msg}",
    ) {
        bar.set_style(style);
    }
    bar
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

/// On Ctrl-C flips `stop` while `busy` is set, so that an answer ends and what asks for the next
/// question goes on. While nothing is being answered the program ends, and so it does where the answer
/// has not ended by the third time.
pub(crate) fn stop_answer_on_interrupt(
    stop: Arc<AtomicBool>,
    busy: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let mut unheard = 0;
    ctrlc::set_handler(move || {
        unheard = if stop.swap(true, Ordering::Relaxed) {
            unheard + 1
        } else {
            0
        };
        if unheard > 1 || !busy.load(Ordering::Relaxed) {
            #[allow(clippy::exit)] // nobody is in the middle of anything, or does not hear
            std::process::exit(Exit::Interrupted as i32);
        }
    })?;
    Ok(())
}

/// How long a verb may take to end after Ctrl-C where somebody waits for it.
const SOON: Duration = Duration::from_millis(800);

/// A switch that is flipped by Ctrl-C or SIGTERM, after which `wake` is called; what has not ended soon
/// after is ended. Only for what may be killed at any moment.
pub(crate) fn stop_soon(wake: impl Fn() + Send + 'static) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flipped = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        flipped.store(true, Ordering::Relaxed);
        wake();
        std::thread::sleep(SOON);
        #[allow(clippy::exit)] // the polite way was tried
        std::process::exit(Exit::Interrupted as i32);
    })?;
    Ok(stop)
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
