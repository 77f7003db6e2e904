//! `rag eval`: ingests a folder with a question set and scores the search.

use std::path::Path;

use anyhow::Context;
use rag_core::wire::HitRow;
use rag_core::{Error, Mode};
use rag_engine::{EvalEvent, Evaluation, Metrics, Scores, Selection, Settings};
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
    let modes = options.mode.iter().copied().map(Mode::from).collect();
    let evaluation = Evaluation::parse(&text, modes, usize::from(options.limit))
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
    let mut engine = wiring::engine(&config)?
        .with_settings(settings)
        .with_embedder(embedder);
    if evaluation.modes.contains(&Mode::Rerank) {
        engine = engine.with_reranker(wiring::reranker(
            &config,
            options.reranker.as_deref(),
            None,
        )?);
    }
    stop_on_interrupt(engine.stop_switch())?;
    let mut meter = Meter::new(printer.is_watched());
    let report = engine.ingest(std::slice::from_ref(&options.dir), &mut |event| {
        meter.take(event, printer);
    })?;
    drop(meter);
    let mut output = Ok(());
    let scores = engine.evaluate(&evaluation, &mut |event| {
        let EvalEvent::Asked {
            id,
            mode,
            hits,
            took_ms,
        } = event;
        if options.details && output.is_ok() {
            let hits = HitRow::rows(hits);
            output =
                printer.value(&json!({ "id": id, "mode": mode, "hits": hits, "took_ms": took_ms }));
        }
    })?;
    output?;
    if printer.is_json() || options.details {
        printer.value(&json!({
            "dir": options.dir, "scores": scores,
            "ingest": { "totals": report.totals, "took_ms": report.took_ms },
        }))?;
    } else {
        for line in table(&scores) {
            printer.line(&line)?;
        }
    }
    Ok(if report.totals.failed > 0 {
        Exit::Error
    } else {
        Exit::Done
    })
}

/// The scores as a table, and what the modes differ in.
fn table(scores: &[Scores]) -> Vec<String> {
    let row = |name: &str, m: &Metrics| {
        format!(
            "{name:<24} {:>5}  {:.3}  {:.3} ±{:.3}  {:.3}  {:.3}  {:.3} ±{:.3}  {:.3}  {:>6.1} {:>6.1}",
            m.questions,
            m.recall_at_1,
            m.recall_at_5,
            m.recall_at_5_error,
            m.recall_at_10,
            m.recall_at_20,
            m.mrr,
            m.mrr_error,
            m.ndcg_at_10,
            m.p50_ms,
            m.p95_ms,
        )
    };
    let mut lines = vec![format!(
        "{:<24} {:>5}  {:<5}  {:<12}  {:<5}  {:<5}  {:<12}  {:<5}  {:>6} {:>6}",
        "", "asked", "R@1", "R@5", "R@10", "R@20", "MRR", "nDCG", "ms", "p95"
    )];
    for of_mode in scores {
        let mode = name(of_mode.mode);
        lines.push(row(mode, &of_mode.metrics));
        let groups = of_mode.groups.iter();
        lines.extend(groups.map(|group| row(&format!("  {}", group.name), &group.metrics)));
        if of_mode.metrics.zero > 0.0 {
            let none = of_mode.metrics.zero * 100.0;
            lines.push(format!("  nothing found for {none:.1} % of the questions"));
        }
    }
    for of_mode in scores {
        if let (Some(first), Some(d)) = (scores.first(), of_mode.against_first) {
            lines.push(format!(
                "{} against {}: among the first five {} more, {} fewer (p {:.3}); MRR {:+.3} ±{:.3}",
                name(of_mode.mode),
                name(first.mode),
                d.only_second,
                d.only_first,
                d.p,
                d.mrr,
                d.mrr_error,
            ));
        }
    }
    lines
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Hybrid => "hybrid",
        Mode::Words => "words",
        Mode::Vector => "vector",
        Mode::Rerank => "rerank",
    }
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
