//! `rag ask`: the answer as it is written and checked, then its sources.

use std::io;

use rag_core::fold::is_unspaced;
use rag_core::wire::{AskResult, HitRow};
use rag_core::{Answer, AnswerMode, Code, Sampling};
use rag_engine::{AskEvent, Engine, Question};

use crate::args::Ask;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, stop_on_interrupt};
use crate::verbs::search::{excerpt, place, under};
use crate::wiring;

/// Nearest passages named with a refusal.
const NEAREST: usize = 3;

pub(crate) fn run(config: &Config, options: &Ask, printer: &mut Printer) -> anyhow::Result<Exit> {
    let loading = std::time::Instant::now();
    let engine = engine(config, options)?;
    let load_ms = loading.elapsed().as_secs_f64() * 1000.0;
    stop_on_interrupt(engine.stop_switch())?;
    let is_generated = !options.extractive;
    if is_generated
        && options.question.chars().any(is_unspaced)
        && !wiring::speaks_chinese(config, options.model.as_deref())
    {
        printer.say(
            "note: this language model was not trained on Chinese; `rag models list` names some that were",
        );
    }
    let question = Question {
        text: options.question.clone(),
        mode: if is_generated {
            AnswerMode::Generated
        } else {
            AnswerMode::Extractive
        },
        limit: usize::from(options.limit),
        filter: options.within.filter(),
        sampling: Sampling {
            temperature: options.temperature,
            top_p: options.top_p,
            min_p: options.min_p,
            seed: options.seed,
            max_tokens: options.max_tokens as usize,
            stop: options.stop.clone(),
        },
    };
    let mut written: io::Result<()> = Ok(());
    let mut answer = engine.ask(&question, &mut |event| match event {
        AskEvent::Note(text) => printer.say(&format!("note: {text}")),
        AskEvent::Text(text) if !printer.is_json() && written.is_ok() => {
            written = printer.text(text);
        }
        _ => {}
    })?;
    written?;
    answer.timings.load_ms = load_ms;
    answer.timings.total_ms += load_ms;
    let refused = answer.refused.is_some();
    if printer.is_json() {
        printer.value(&AskResult::from(answer))?;
    } else if refused {
        refuse(&answer, printer);
    } else {
        sources(&answer, printer)?;
    }
    Ok(if refused { Exit::Nothing } else { Exit::Done })
}

/// The engine with what the answer needs. Who has no language model is told what goes without one.
fn engine(config: &Config, options: &Ask) -> rag_core::Result<Engine> {
    if options.extractive {
        return wiring::searching_engine(config);
    }
    wiring::answering_engine(config, options.model.as_deref()).map_err(|mut error| {
        if error.code == Code::ModelMissing && wiring::searching_engine(config).is_ok() {
            let hint = error.hint.take().map_or(String::new(), |hint| hint + "; ");
            error.hint = Some(hint + "rag ask --extractive needs no language model");
        }
        error
    })
}

fn refuse(answer: &Answer, printer: &mut Printer) {
    if let Some(refusal) = &answer.refused {
        printer.say(&refusal.message);
    }
    let rows = HitRow::rows(&answer.hits);
    if rows.is_empty() {
        return;
    }
    printer.say("\nnearest passages:");
    for hit in rows.iter().take(NEAREST) {
        let place = place(&hit.source, hit.part.as_deref(), hit.page, hit.lines);
        let under = under(&hit.heading, hit.part.as_deref());
        printer.say(&format!("  {place}{under}"));
        printer.say(&format!("    {}", excerpt(&hit.text, 120)));
    }
}

fn sources(answer: &Answer, printer: &mut Printer) -> io::Result<()> {
    printer.text("\n\n")?;
    for citation in &answer.citations {
        let part = citation.part.as_deref();
        let place = place(&citation.source, part, citation.page, citation.lines);
        let under = under(&citation.heading, part);
        printer.line(&format!("[{}] {place}{under}", citation.n))?;
        printer.line(&format!("    “{}”", excerpt(&citation.quote, 300)))?;
        if let Some(note) = &citation.note {
            printer.line(&format!("    ({note})"))?;
        }
    }
    if answer.sentences.iter().any(|s| s.citations.is_empty()) {
        printer.say("[?] no passage supports this sentence");
    }
    if answer.usage.cut {
        printer.say("the answer was cut at its limit; --max-tokens N allows a longer one");
    }
    if answer.usage.dropped_passages > 0 {
        printer.say(&format!(
            "the model was shown {} of {} passages; the others did not fit its budget",
            answer.usage.passages,
            answer.hits.len()
        ));
    }
    Ok(())
}
