//! `rag status`: what the knowledge base holds, and what could not be read.

use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;
use crate::verbs::ingest::{problem, size};
use crate::wiring;

pub(crate) fn run(config: &Config, printer: &mut Printer) -> anyhow::Result<Exit> {
    let summary = wiring::engine(config)?.status()?;
    if printer.is_json() {
        printer.value(&summary)?;
        return Ok(Exit::Done);
    }
    printer.line(&format!(
        "knowledge base  {} ({})",
        summary.kb,
        summary.dir.display()
    ))?;
    printer.line(&format!(
        "embedder        {} ({} dimensions)",
        summary.embedder, summary.dimensions
    ))?;
    printer.line(&format!(
        "holds           {} files, {} chunks, {} on disk",
        summary.sources,
        summary.chunks,
        size(summary.bytes_on_disk)
    ))?;
    for (root, count) in &summary.roots {
        printer.line(&format!("from            {root} ({count} files)"))?;
    }
    for row in &summary.troubles {
        printer.line(&problem(row))?;
    }
    Ok(Exit::Done)
}
