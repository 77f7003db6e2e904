//! `rag eval`: ingests a folder with a question set and scores the search.

use std::path::Path;

use anyhow::Context;
use rag_core::wire::HitRow;
use rag_core::{Error, Mode};
use rag_engine::{EvalEvent, Evaluation, Selection, Settings};
use serde_json::json;

use crate::args::Eval;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, stop_on_interrupt};
use crate::verbs::ingest::Meter;
use crate::wiring;

pub(crate) fn run(config: &Config, options: &Eval, printer: &mut Printer) -> anyhow::Result<Exit> {
    let queries = options
        .queries
        .clone()
        .unwrap_or_else(|| options.dir.join("queries.jsonl"));
    let text = std::fs::read_to_string(&queries).map_err(|cause| {
        Error::io("read", &queries, cause)
            .hint("a question set is queries.jsonl at the top of the folder, or --queries FILE")
    })?;
    let mode = Mode::from(options.mode);
    let evaluation = Evaluation::parse(&text, mode, usize::from(options.limit))
        .with_context(|| format!("`{}`", queries.display()))?;
    let config = config.with_kb(kb_name(&options.dir)?);
    let embedder = wiring::embedder_for_writing(&config, options.embedder.as_deref())?;
    let settings = Settings {
        selection: Selection {
            exclude: vec!["/*.jsonl".into()], // the question sets are no documents
            ..Selection::default()
        },
        ..Settings::default()
    };
    let engine = wiring::engine(&config)?
        .with_settings(settings)
        .with_embedder(embedder);
    stop_on_interrupt(engine.stop_switch())?;
    let mut meter = Meter::new(printer.is_watched());
    let report = engine.ingest(std::slice::from_ref(&options.dir), &mut |event| {
        meter.take(event, printer);
    })?;
    drop(meter);
    let mut output = Ok(());
    let metrics = engine.evaluate(
        &evaluation,
        &mut |EvalEvent::Asked { id, hits, took_ms }| {
            if options.details && output.is_ok() {
                let row = json!({ "id": id, "hits": HitRow::rows(hits), "took_ms": took_ms });
                output = printer.value(&row);
            }
        },
    )?;
    output?;
    if printer.is_json() || options.details {
        printer.value(&json!({
            "dir": options.dir, "mode": mode, "metrics": metrics,
            "ingest": { "totals": report.totals, "took_ms": report.took_ms },
        }))?;
    } else {
        printer.line(&format!("{} questions", metrics.questions))?;
        printer.line(&format!(
            "recall@1 {:.3}  @5 {:.3}  @10 {:.3}  @20 {:.3}  MRR {:.3}  zero {:.3}",
            metrics.recall_at_1,
            metrics.recall_at_5,
            metrics.recall_at_10,
            metrics.recall_at_20,
            metrics.mrr,
            metrics.zero
        ))?;
        printer.line(&format!(
            "search {:.1} ms median, {:.1} ms p95",
            metrics.p50_ms, metrics.p95_ms
        ))?;
    }
    Ok(if report.totals.failed > 0 {
        Exit::Error
    } else {
        Exit::Done
    })
}

/// Each folder has a knowledge base of its own, which a second run finds filled.
fn kb_name(dir: &Path) -> rag_core::Result<String> {
    let full = dir
        .canonicalize()
        .map_err(|cause| Error::io("read", dir, cause))?;
    let name = full
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a: tells two folders of one name apart
    for byte in full.as_os_str().as_encoded_bytes() {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Ok(format!("eval-{name}-{sum:016x}"))
}
