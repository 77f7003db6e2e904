//! `rag status`: what the knowledge base holds, and what could not be read.

use rag_core::Status as Outcome;
use rag_engine::{Summary, Trouble, Unfinished};
use serde_json::json;

use crate::args::Status;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;
use crate::verbs::ingest::{problem, size};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Status,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let summary = wiring::engine(config)?.status()?;
    if options.failed {
        failed(&summary, printer)?;
    } else if printer.is_json() {
        printer.value(&summary)?;
    } else {
        holds(&summary, printer)?;
    }
    Ok(Exit::Done)
}

/// The sources that failed or were read in part, each with its reason.
fn failed(summary: &Summary, printer: &mut Printer) -> std::io::Result<()> {
    let failed = |trouble: &&Trouble| trouble.row.status != Outcome::Skipped;
    let troubles: Vec<&Trouble> = summary.troubles.iter().filter(failed).collect();
    if printer.is_json() {
        return printer.value(&json!({ "kb": summary.kb, "sources": troubles }));
    }
    let mut root = None;
    for trouble in &troubles {
        if summary.roots.len() > 1 && root != Some(&trouble.root) {
            root = Some(&trouble.root);
            printer.line(&format!("{}:", trouble.root))?;
        }
        printer.line(&problem(&trouble.row))?;
    }
    if troubles.is_empty() {
        printer.say("every file was read whole");
    }
    Ok(())
}

fn holds(summary: &Summary, printer: &mut Printer) -> std::io::Result<()> {
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
    if let Some(begun) = &summary.reindex {
        let Unfinished { embedder, sources } = begun;
        printer.line(&format!(
            "changing to     {embedder}: {sources} of {} files done (rag reindex --embedder {embedder} goes \
             on, unless it runs now; --cancel gives it up)",
            summary.sources
        ))?;
    }
    for (root, count) in &summary.roots {
        printer.line(&format!("from            {root} ({count} files)"))?;
    }
    let troubles: Vec<String> = [
        (Outcome::Failed, "failed"),
        (Outcome::Partly, "read in part"),
        (Outcome::Skipped, "skipped"),
    ]
    .into_iter()
    .map(|(outcome, words)| (summary.count(outcome), words))
    .filter(|(count, _)| *count > 0)
    .map(|(count, words)| format!("{count} {words}"))
    .collect();
    if !troubles.is_empty() {
        printer.line(&format!(
            "of these        {} (rag status --failed says why)",
            troubles.join(", ")
        ))?;
    }
    Ok(())
}
