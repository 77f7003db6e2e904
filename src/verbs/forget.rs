//! `rag forget`: removes files from the knowledge base.

use rag_core::Report;

use crate::args::Forget;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Forget,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let engine = wiring::engine(config)?;
    let mut report = Report::default();
    for path in &options.paths {
        let part = engine.forget(path)?;
        report.took_ms += part.took_ms;
        part.sources.into_iter().for_each(|row| report.push(row));
    }
    if printer.is_json() {
        printer.value(&report)?;
    } else {
        for row in &report.sources {
            printer.line(&format!("forgot {} ({} chunks)", row.source, row.chunks))?;
        }
    }
    if report.sources.is_empty() {
        printer.say("nothing in the knowledge base lies there");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}
