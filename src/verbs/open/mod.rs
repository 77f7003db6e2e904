//! `rag open`: a source of the last answer at its page or line, in an editor or a viewer.

mod command;
mod programs;

use std::path::Path;
use std::process::{Command, Stdio};

use rag_core::{Code, Error, Result};
use rag_engine::{CitedFile, Conversation, KnowledgeBase};

use self::command::{Around, Opening, opening};
use crate::args::Open;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;

/// What is done with a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct How {
    /// A command in which `{file}`, `{line}` and `{page}` are filled in.
    with: Option<String>,
    /// The command is printed in place of being run.
    print: bool,
}

impl How {
    /// As the user has it set.
    pub(crate) fn from_environment() -> Self {
        Self {
            with: variable("RAG_OPEN"),
            print: false,
        }
    }
}

pub(crate) fn run(config: &Config, options: &Open, printer: &mut Printer) -> anyhow::Result<Exit> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let how = How {
        with: options
            .with
            .clone()
            .filter(|command| !command.trim().is_empty()),
        print: options.print,
    };
    open(&kb.conversation()?, options.n, &how, printer)?;
    Ok(Exit::Done)
}

/// Opens source `n` of the latest answer.
///
/// # Errors
/// `Usage` where there is no such source; `Io` where its file is gone or the program can't be started.
pub(crate) fn open(
    conversation: &Conversation,
    n: u32,
    how: &How,
    printer: &mut Printer,
) -> Result<()> {
    let cited = source(conversation, n)?;
    if !cited.file.exists() {
        let fact = format!("`{}` is not there any more", cited.file.display());
        return Err(Error::new(Code::Io, fact).hint(
            "bring the file back, or bring the knowledge base in step: rag ingest its folder",
        ));
    }
    let around = Around {
        variable: &variable,
        pdf_viewer: &pdf_viewer,
        platform: std::env::consts::OS,
    };
    let opening = opening(cited, how.with.as_deref(), &around)?;
    if printer.is_json() {
        let value = serde_json::json!({ "file": cited.file, "command": opening.words() });
        let done = printer.value(&value);
        done.map_err(|cause| Error::io("write", Path::new("stdout"), cause))?;
    } else if how.print {
        let done = printer.line(&opening.shell());
        done.map_err(|cause| Error::io("write", Path::new("stdout"), cause))?;
    }
    if how.print {
        return Ok(());
    }
    if let Some(note) = &opening.note {
        printer.say(&format!("note: {note}"));
    }
    start(&opening)?;
    if !opening.waits {
        printer.say(&format!("opened with {}", opening.program));
    }
    Ok(())
}

fn source(conversation: &Conversation, n: u32) -> Result<&CitedFile> {
    let Some(turn) = conversation.latest_answered() else {
        return Err(Error::new(Code::Usage, "no answer with sources is kept")
            .hint("ask something first: rag ask \"…\""));
    };
    let found = turn.sources.iter().find(|cited| cited.citation.n == n);
    found.ok_or_else(|| {
        let count = turn.sources.len();
        let fact = format!("the last answer has no source {n}");
        let sources = if count == 1 {
            "source, 1"
        } else {
            "sources, from 1"
        };
        Error::new(Code::Usage, fact).hint(format!("it has {count} {sources}: {}", turn.asked))
    })
}

/// Runs the command: an editor to its end, a viewer on its own.
fn start(opening: &Opening) -> Result<()> {
    let failed = |cause| {
        let fact = format!("can't start `{}`", opening.program);
        Error::new(Code::Io, fact).because(cause).hint(
            "set EDITOR or RAG_OPEN, or choose a program: rag open N --with 'PROGRAM {file}'; \
             --print only prints the command",
        )
    };
    let mut command = Command::new(&opening.program);
    command.args(&opening.args);
    if !opening.waits {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        return command.spawn().map(drop).map_err(failed);
    }
    let status = command.status().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(
        Code::Io,
        format!("`{}` ended with {status}", opening.program),
    ))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// The desktop's viewer of PDF files, by the name of its entry (freedesktop.org's `xdg-mime`).
fn pdf_viewer() -> Option<String> {
    let asked = Command::new("xdg-mime")
        .args(["query", "default", "application/pdf"])
        .stderr(Stdio::null())
        .output();
    let answer = String::from_utf8(asked.ok()?.stdout).ok()?;
    Some(answer.trim().to_owned()).filter(|name| !name.is_empty())
}
