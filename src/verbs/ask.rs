//! `rag ask`: the answer as it is written and checked, then its sources.

use std::io;

use rag_core::fold::is_unspaced;
use rag_core::wire::{AskResult, HitRow};
use rag_core::{Answer, AnswerMode, Code, Sampling};
use rag_engine::{AskEvent, CitedFile, Conversation, Engine, KnowledgeBase, Question, Reply};

use crate::args::{Answering, Ask, Format};
use crate::config::Config;
use crate::exit::Exit;
use crate::render;
use crate::terminal::{Printer, stop_on_interrupt};
use crate::verbs::search::{excerpt, place, under};
use crate::verbs::{everything, explain, receipt};
use crate::wiring;

/// Nearest passages named with a refusal.
const NEAREST: usize = 3;

pub(crate) fn run(config: &Config, options: &Ask, printer: &mut Printer) -> anyhow::Result<Exit> {
    if let Some(asked) = everything::asked(options, printer)? {
        return everything::run(config, options, &asked, printer);
    }
    let loading = std::time::Instant::now();
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let mut conversation = if options.remembering.continues {
        continued(&kb, printer)?
    } else {
        Conversation::default()
    };
    let engine = engine(config, &options.answering)?;
    let load_ms = loading.elapsed().as_secs_f64() * 1000.0;
    stop_on_interrupt(engine.stop_switch())?;
    note_language(config, &options.answering, &options.question, printer);
    let format = options.format.unwrap_or(Format::Text);
    let streams = !printer.is_json() && format == Format::Text;
    let question = question(&options.question, &options.answering);
    let mut written: io::Result<()> = Ok(());
    let mut reply = engine.converse(&question, &conversation, &mut |event| match event {
        AskEvent::Note(text) => printer.say(&format!("note: {text}")),
        AskEvent::Rewritten(rewritten) if options.remembering.rewritten => {
            printer.say(&format!("searched for: {}", rewritten.text));
        }
        AskEvent::Text(text) if streams && written.is_ok() => {
            written = printer.text(text);
        }
        _ => {}
    })?;
    written?;
    reply.answer.timings.load_ms = load_ms;
    reply.answer.timings.total_ms += load_ms;
    if !options.remembering.no_history {
        conversation.add(&reply);
        keep(&kb, &conversation, printer);
    }
    if let Some(file) = &options.receipt {
        let by_model = question.mode == AnswerMode::Generated;
        let flag = options.answering.model.as_deref();
        let model = by_model.then(|| receipt::model(config, flag)).transpose()?;
        let receipt = engine.receipt(&question, None, &reply.answer, model);
        receipt::write(file, &receipt)?;
    }
    let (answer, cited) = (&reply.answer, &reply.turn().sources);
    let refused = answer.refused.is_some();
    if printer.is_json() {
        let rewritten = reply.rewritten;
        printer.value(&AskResult {
            rewritten,
            ..AskResult::from(reply.answer)
        })?;
    } else {
        match format {
            Format::Markdown => printer.text(&render::markdown(answer))?,
            Format::Html => printer.text(&render::html(answer, cited))?,
            _ if refused => refuse(answer, printer),
            _ => sources(answer, cited, printer)?,
        }
        if options.explain {
            explain::show(answer, printer)?;
        }
    }
    Ok(if refused { Exit::Nothing } else { Exit::Done })
}

/// The conversation to go on with.
pub(crate) fn continued(
    kb: &KnowledgeBase,
    printer: &mut Printer,
) -> rag_core::Result<Conversation> {
    let conversation = kb.conversation()?;
    if conversation.turns.is_empty() {
        printer.say(&format!(
            "note: no conversation of `{}` is kept; this is the first question of one",
            kb.name()
        ));
    }
    Ok(conversation)
}

/// Keeps a reply that leant on no question before it, at the end of the conversation it belongs to.
pub(crate) fn remember(
    config: &Config,
    options: &Ask,
    reply: &Reply,
    printer: &mut Printer,
) -> rag_core::Result<()> {
    if options.remembering.no_history {
        return Ok(());
    }
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let mut conversation = Conversation::default();
    if options.remembering.continues {
        conversation = kb.conversation()?;
    }
    conversation.add(reply);
    keep(&kb, &conversation, printer);
    Ok(())
}

/// Keeps the conversation; one that can't be kept is no reason to fail.
pub(crate) fn keep(kb: &KnowledgeBase, conversation: &Conversation, printer: &mut Printer) {
    if let Err(error) = kb.keep_conversation(conversation) {
        printer.say(&format!(
            "note: the conversation is not kept: {}",
            error.one_line()
        ));
    }
}

/// Says where the language model does not know the question's language.
pub(crate) fn note_language(
    config: &Config,
    answering: &Answering,
    question: &str,
    printer: &mut Printer,
) {
    if !answering.extractive
        && question.chars().any(is_unspaced)
        && !wiring::speaks_chinese(config, answering.model.as_deref())
    {
        printer.say(
            "note: this language model was not trained on Chinese; `rag models list` names some that were",
        );
    }
}

/// A question as the options have it answered.
pub(crate) fn question(text: &str, answering: &Answering) -> Question {
    Question {
        text: text.to_owned(),
        mode: if answering.extractive {
            AnswerMode::Extractive
        } else {
            AnswerMode::Generated
        },
        limit: usize::from(answering.limit),
        filter: answering.within.filter(),
        sampling: Sampling {
            temperature: answering.temperature,
            top_p: answering.top_p,
            min_p: answering.min_p,
            seed: answering.seed,
            max_tokens: answering.max_tokens as usize,
            stop: answering.stop.clone(),
        },
    }
}

/// The engine with what the answer needs. Who has no language model is told what goes without one.
pub(crate) fn engine(config: &Config, answering: &Answering) -> rag_core::Result<Engine> {
    if answering.extractive {
        return wiring::searching_engine(config);
    }
    wiring::answering_engine(config, answering.model.as_deref()).map_err(|mut error| {
        if error.code == Code::ModelMissing && wiring::searching_engine(config).is_ok() {
            let hint = error.hint.take().map_or(String::new(), |hint| hint + "; ");
            error.hint = Some(hint + "rag ask --extractive needs no language model");
        }
        error
    })
}

pub(crate) fn refuse(answer: &Answer, printer: &mut Printer) {
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

/// What stands below an answer.
pub(crate) fn sources(
    answer: &Answer,
    cited: &[CitedFile],
    printer: &mut Printer,
) -> io::Result<()> {
    printer.text("\n\n")?;
    list(cited, printer)?;
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

/// The sources of an answer, each with its quote.
pub(crate) fn list(sources: &[CitedFile], printer: &mut Printer) -> io::Result<()> {
    for CitedFile { citation, file, .. } in sources {
        let part = citation.part.as_deref();
        let place = place(&citation.source, part, citation.page, citation.lines);
        let under = under(&citation.heading, part);
        printer.text(&format!("[{}] ", citation.n))?;
        printer.linked(&place, Some(file))?;
        printer.line(&under)?;
        printer.line(&format!("    “{}”", excerpt(&citation.quote, 300)))?;
        if let Some(note) = &citation.note {
            printer.line(&format!("    ({note})"))?;
        }
    }
    Ok(())
}
