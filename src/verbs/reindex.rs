//! `rag reindex`: the knowledge base made anew for another embedder, while the old vectors are searched.

use rag_core::{Report, Status};
use rag_engine::{ReindexPlan, Settings};
use serde_json::json;

use crate::args::Reindex;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, name, stop_on_interrupt};
use crate::verbs::ingest::{Meter, summary};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Reindex,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let engine = wiring::engine(config)?;
    let Some(embedder) = &options.embedder else {
        return cancelled(engine.cancel_reindex()?, printer);
    };
    // The store first: where there is none, no model need be loaded.
    let from = engine.status()?.embedder;
    let settings = Settings {
        readers: options.jobs.map_or(0, usize::from),
        ..Settings::default()
    };
    let engine = engine
        .with_settings(settings)
        .with_embedder(wiring::embedder(config, embedder)?);
    stop_on_interrupt(engine.stop_switch())?;
    if options.dry_run {
        return match engine.plan_reindex()? {
            Some(plan) => shown(&plan, printer),
            None => nothing_to_do(&from, options, printer),
        };
    }
    let mut meter = Meter::new(printer.is_watched());
    let result = engine.reindex(&mut |event| meter.take(event, printer));
    meter.finish();
    let Some(report) = result? else {
        return nothing_to_do(&from, options, printer);
    };
    if printer.is_json() {
        printer.value(&report)?;
    } else {
        for line in carried(&report).into_iter().chain(summary(&report)) {
            printer.line(&line)?;
        }
        printer.say(&format!("`{from}` has given way to `{embedder}`"));
    }
    Ok(if report.totals.failed > 0 {
        Exit::Error
    } else {
        Exit::Done
    })
}

fn nothing_to_do(from: &str, options: &Reindex, printer: &mut Printer) -> anyhow::Result<Exit> {
    printer.say(&format!(
        "the vectors are those of `{from}` already: nothing to do"
    ));
    if printer.is_json() && options.dry_run {
        printer.value(
            &json!({ "from": from, "to": from, "sources": 0, "done": 0, "chunks": 0,
            "tokens": 0, "carried": [], "took_ms": 0 }),
        )?;
    } else if printer.is_json() {
        printer.value(&Report::default())?;
    }
    Ok(Exit::Done)
}

fn cancelled(was_there: bool, printer: &mut Printer) -> anyhow::Result<Exit> {
    if printer.is_json() {
        printer.value(&json!({ "cancelled": was_there }))?;
    }
    printer.say(if was_there {
        "given up: what was made of the new vectors is removed"
    } else {
        "there is no unfinished reindex"
    });
    Ok(if was_there { Exit::Done } else { Exit::Nothing })
}

fn shown(plan: &ReindexPlan, printer: &mut Printer) -> anyhow::Result<Exit> {
    if printer.is_json() {
        printer.value(plan)?;
        return Ok(Exit::Done);
    }
    for row in &plan.carried {
        let reason = row.reason.as_deref().unwrap_or_default();
        printer.line(&format!("carry over: {}: {reason}", name(&row.source)))?;
    }
    printer.line(&format!(
        "{} to {}: {} of {} files to do, about {} chunks of {} tokens in all to embed",
        plan.from,
        plan.to,
        plan.sources - plan.done,
        plan.sources,
        plan.chunks,
        plan.tokens
    ))?;
    Ok(Exit::Done)
}

/// The files that were made of what is stored of them, each with its reason.
fn carried(report: &Report) -> Vec<String> {
    let rows = report.sources.iter();
    rows.filter(|row| row.status == Status::Carried)
        .map(|row| {
            let reason = row.reason.as_deref().unwrap_or_default();
            format!("carried over: {}: {reason}", name(&row.source))
        })
        .collect()
}
