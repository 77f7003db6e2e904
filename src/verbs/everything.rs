//! `rag ask` over everything: every place where some words stand, counted and grouped by source.

use rag_core::wire::AskResult;
use rag_core::{Answer, AnswerMode, Code, Error};
use rag_engine::{Asked, Question};

use crate::args::{Ask, Format};
use crate::config::Config;
use crate::exit::Exit;
use crate::render;
use crate::terminal::{Printer, stop_on_interrupt};
use crate::verbs::search::{excerpt, place, under};
use crate::verbs::{ask, receipt};
use crate::wiring;

/// What is asked for over everything; none for an ordinary question. Which reading was taken is said, and
/// how to ask for the other one, wherever both are possible.
pub(crate) fn asked(options: &Ask, printer: &mut Printer) -> anyhow::Result<Option<Asked>> {
    if options.reach.no_everything {
        return Ok(None);
    }
    if options.reach.everything {
        let asked = Asked::told(&options.question).ok_or_else(|| {
            Error::new(Code::Usage, "there is no word in the question to look for")
                .hint("rag ask --everything \"some words\"")
        })?;
        return Ok(Some(asked));
    }
    let asked = Asked::of(&options.question);
    if asked.is_some() {
        printer.say(
            "note: read as a question over everything: each place is counted; for an answer from the best passages: --no-everything",
        );
    } else if Asked::is_near(&options.question) {
        printer.say(
            "note: read as a question whose answer stands in some place; to count the places of words: --everything \"WORDS\"",
        );
    }
    Ok(asked)
}

pub(crate) fn run(
    config: &Config,
    options: &Ask,
    asked: &Asked,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let engine = wiring::engine(config)?;
    stop_on_interrupt(engine.stop_switch())?;
    let question = Question {
        mode: AnswerMode::Everything,
        ..ask::question(&options.question, &options.answering)
    };
    let reply = engine.count_in_turn(&question, asked)?;
    let answer = &reply.answer;
    if let Some(file) = &options.receipt {
        let receipt = engine.receipt(&question, Some(asked), answer, None);
        receipt::write(file, &receipt)?;
    }
    ask::remember(config, options, &reply, printer)?;
    for note in &answer.notes {
        printer.say(&format!("note: {note}"));
    }
    match options.format.unwrap_or(Format::Text) {
        _ if printer.is_json() => printer.value(&AskResult::from(answer.clone()))?,
        Format::Markdown => printer.text(&render::markdown(answer))?,
        Format::Html => printer.text(&render::html(answer, &reply.turn().sources))?,
        _ => {
            show(answer, printer)?;
            if options.explain {
                super::explain::show(answer, printer)?;
            }
        }
    }
    Ok(if answer.citations.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

pub(super) fn show(answer: &Answer, printer: &mut Printer) -> anyhow::Result<()> {
    printer.line(answer.text.lines().next().unwrap_or_default())?;
    let Some(counts) = &answer.everything else {
        return Ok(());
    };
    for here in &counts.by_source {
        printer.line("")?;
        for n in &here.citations {
            let Some(citation) = answer.citations.get(*n as usize - 1) else {
                continue;
            };
            let part = citation.part.as_deref();
            let place = place(&citation.source, part, citation.page, citation.lines);
            printer.line(&format!("[{n}] {place}{}", under(&citation.heading, part)))?;
            printer.line(&format!("    “{}”", excerpt(&citation.quote, 300)))?;
            if let Some(note) = &citation.note {
                printer.line(&format!("    ({note})"))?;
            }
        }
    }
    Ok(())
}
