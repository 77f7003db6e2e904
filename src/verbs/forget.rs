//! `rag forget`: removes files from the knowledge base.

use crate::args::Forget;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, name};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Forget,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let engine = wiring::engine(config)?;
    let report = engine.forget(&options.paths)?;
    if printer.is_json() {
        printer.value(&report)?;
    } else {
        for row in &report.sources {
            printer.line(&format!(
                "forgot {} ({} chunks)",
                name(&row.source),
                row.chunks
            ))?;
        }
    }
    if report.sources.is_empty() {
        printer.say("nothing in the knowledge base lies there");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}
