//! `rag verify`: the citations of an earlier answer, held against the files as they are now.

use rag_core::{Answer, AnswerMode};
use rag_engine::{Checked, Engine, KnowledgeBase, Receipt, Rerun, Stands, UsedModel, Verified};

use crate::args::Verify;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, name, stop_on_interrupt};
use crate::verbs::receipt;
use crate::verbs::search::{excerpt, place};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Verify,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let receipt = receipt::read(&options.receipt)?;
    let config = &of_receipt(config, &receipt, printer);
    let mut verified = wiring::engine(config)?.verify(&receipt)?;
    if options.again {
        verified.again = Some(again(config, &receipt, printer)?);
    }
    if printer.is_json() {
        printer.value(&verified)?;
    } else {
        show(&verified, &receipt, printer)?;
    }
    let is_same = verified.again.as_ref().is_none_or(|again| again.same);
    Ok(if verified.unreadable > 0 {
        Exit::Error
    } else if verified.holds() && is_same {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

/// The configuration with the receipt's knowledge base, where no other one is asked for.
fn of_receipt(config: &Config, receipt: &Receipt, printer: &mut Printer) -> Config {
    if config.kb == receipt.kb {
        return config.clone();
    }
    if config.kb == KnowledgeBase::DEFAULT {
        return config.with_kb(receipt.kb.clone());
    }
    printer.say(&format!(
        "note: the receipt is of the knowledge base `{}`; looked at is `{}`",
        receipt.kb, config.kb
    ));
    config.clone()
}

/// Puts the question of the receipt again.
fn again(config: &Config, receipt: &Receipt, printer: &mut Printer) -> anyhow::Result<Rerun> {
    let (engine, model) = engine(config, receipt)?;
    stop_on_interrupt(engine.stop_switch())?;
    let question = receipt.question();
    let answer: Answer = match &receipt.asked.everything {
        Some(asked) => engine.ask_everything(&question.text, asked, &question.filter)?,
        None => engine.ask(&question, &mut |event| {
            if let rag_engine::AskEvent::Note(text) = event {
                printer.say(&format!("note: {text}"));
            }
        })?,
    };
    Ok(engine.compared(receipt, &answer, model.as_ref()))
}

/// An engine with the models and settings of the receipt.
fn engine(config: &Config, receipt: &Receipt) -> rag_core::Result<(Engine, Option<UsedModel>)> {
    match (receipt.mode, &receipt.model) {
        (AnswerMode::Everything, _) => Ok((wiring::engine(config)?, None)),
        (AnswerMode::Generated, Some(model)) => {
            let used = receipt::model(config, Some(&model.name))?;
            let engine = wiring::answering_engine(config, Some(&model.name))?;
            Ok((engine.with_settings(receipt.settings()), Some(used)))
        }
        _ => {
            let engine = wiring::searching_engine(config)?;
            Ok((engine.with_settings(receipt.settings()), None))
        }
    }
}

fn show(verified: &Verified, receipt: &Receipt, printer: &mut Printer) -> anyhow::Result<()> {
    printer.line(&format!(
        "{} ({})",
        name(&verified.question),
        verified.written
    ))?;
    for checked in &verified.citations {
        printer.line(&row(checked))?;
        if checked.stands != Stands::True {
            printer.line(&format!("    “{}”", excerpt(&checked.quote, 300)))?;
        }
        if let Some(reason) = &checked.reason {
            printer.line(&format!("    ({reason})"))?;
        }
    }
    printer.line(&summary(verified))?;
    if let Some(again) = &verified.again {
        if again.same {
            printer.line("asked again: the same answer")?;
        } else {
            printer.line("asked again: another answer")?;
            for (when, text, refusal) in [
                ("was", &receipt.answer, &receipt.refusal),
                ("now", &again.answer, &again.refusal),
            ] {
                let text = refusal.as_ref().map_or(text, |refusal| &refusal.message);
                printer.line(&format!("  {when}: {}", excerpt(text, 1000)))?;
            }
        }
        for difference in &again.differs {
            printer.line(&format!("  {difference}"))?;
        }
    }
    Ok(())
}

fn row(checked: &Checked) -> String {
    let label = match checked.stands {
        Stands::True => "true",
        Stands::Moved => "moved",
        Stands::Changed => "changed",
        Stands::Gone => "gone",
        Stands::Unreadable => "unreadable",
    };
    let was = place(&checked.source, None, checked.page, checked.lines);
    let now = checked.now.as_ref();
    let now = now.map(|now| format!(" → {}", place(&now.source, None, now.page, now.lines)));
    format!(
        "[{}] {label:<8} {was}{}",
        checked.n,
        now.unwrap_or_default()
    )
}

fn summary(verified: &Verified) -> String {
    if verified.citations.is_empty() {
        return "no citations".to_owned();
    }
    let counts = [
        (verified.still_true, "still true"),
        (verified.moved, "moved"),
        (verified.changed, "changed"),
        (verified.gone, "gone"),
        (verified.unreadable, "unreadable"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!(
        "{} citations: {}",
        verified.citations.len(),
        counts.join(", ")
    )
}
