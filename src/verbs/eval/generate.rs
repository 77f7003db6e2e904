//! `rag eval --generate`: drafts questions, shows each for approval where somebody is there, and keeps them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rag_core::{Code, Error};
use rag_engine::{Draft, Drafting, Drafts, Drawn, Engine, Origin, QuestionFile, Tally};
use serde_json::json;

use super::Subject;
use crate::args::Eval;
use crate::exit::Exit;
use crate::terminal::{Printer, Typed};
use crate::verbs::search::{excerpt, place, under};

/// The generator is asked so many times for each question that is wanted.
const TRIES: usize = 10;

/// What became of the drafts.
#[derive(Debug, Default)]
struct Kept {
    written: usize,
    /// By the person who was asked.
    refused: usize,
}

pub(super) fn run(
    engine: &Engine,
    subject: &Subject,
    (options, wanted): (&Eval, usize),
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let started = std::time::Instant::now();
    let mut file = QuestionFile::open(&subject.queries)?;
    // Another run draws other chunks, and the same file the same.
    let seed = options.seed.unwrap_or(file.questions().len() as u64);
    let tries = wanted.saturating_mul(TRIES);
    let mut drafts = engine.drafts(&Drafting { seed, tries }, file.questions())?;
    let model = subject.config.model(options.model.as_deref());
    let typed = (!options.yes && printer.is_talking()).then(Typed::from_stdin);
    let clerk = Clerk {
        wanted,
        typed: typed.as_ref(),
        origin: Origin {
            model,
            approved: typed.is_some(),
        },
        stop: engine.stop_switch(),
    };
    let mut kept = Kept::default();
    let outcome = clerk.keep(&mut drafts, &mut file, &mut kept, printer);
    let queries = subject.queries.display().to_string();
    outcome.map_err(|error| match error.downcast::<Error>() {
        Ok(error) if error.code == Code::Interrupted && kept.written > 0 => error
            .hint(format!("{} questions are in `{queries}`", kept.written))
            .into(),
        Ok(error) => error.into(),
        Err(error) => error,
    })?;
    let tally = drafts.tally();
    if printer.is_json() {
        printer.value(&json!({
            "queries": subject.queries, "asked_for": wanted, "written": kept.written,
            "refused": kept.refused, "tally": tally, "model": model, "seed": seed,
            "took_ms": started.elapsed().as_secs_f64() * 1000.0,
        }))?;
    }
    for line in summary(&kept, tally, wanted, &queries) {
        printer.say(&line);
    }
    if kept.written > 0 && !printer.is_json() {
        let dir = subject
            .dir
            .as_ref()
            .map(|dir| format!(" {}", dir.display()));
        let kb = dir.unwrap_or_else(|| format!(" --kb {}", subject.config.kb));
        printer.say(&format!(
            "to score the search with them: rag eval{kb} --queries {queries}"
        ));
    }
    Ok(if kept.written == 0 {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

/// What came of it, so that nothing is short without a word.
fn summary(kept: &Kept, tally: &Tally, wanted: usize, queries: &str) -> Vec<String> {
    let mut lines = vec![format!(
        "{} of {wanted} questions written to {queries}",
        kept.written
    )];
    lines.push(format!(
        "{} chunks drawn, {} of them without enough running text; {} tries gave {} verified questions",
        tally.drawn, tally.without_text, tally.tried, tally.drafted
    ));
    if kept.refused > 0 {
        lines.push(format!("refused by you: {}", kept.refused));
    }
    let mut reasons: Vec<_> = tally.discarded.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons = reasons
        .iter()
        .map(|(why, count)| format!("{count} {}", why.as_str()));
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    if !reasons.is_empty() {
        lines.push(format!("discarded: {reasons}"));
    }
    lines
}

/// Takes drafts until there are enough.
struct Clerk<'a> {
    wanted: usize,
    /// Where somebody is there to approve.
    typed: Option<&'a Typed>,
    origin: Origin<'a>,
    stop: Arc<AtomicBool>,
}

/// What a person says to a draft.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep(Box<Draft>),
    Refuse,
    Quit,
}

impl Clerk<'_> {
    fn keep(
        &self,
        drafts: &mut Drafts<'_>,
        file: &mut QuestionFile,
        kept: &mut Kept,
        printer: &mut Printer,
    ) -> anyhow::Result<()> {
        while kept.written < self.wanted {
            let Some(attempt) = drafts.attempt()? else {
                break;
            };
            let draft = match attempt {
                Drawn::Drafted(draft) => draft,
                Drawn::Discarded { source, reason } => {
                    if printer.is_watched() {
                        let source = crate::terminal::name(&source);
                        printer.say(&format!("discarded: {source}: {}", reason.as_str()));
                    }
                    continue;
                }
            };
            let verdict = match self.typed {
                None => Verdict::Keep(draft),
                Some(typed) => {
                    printer.say(&format!("\n{} of {}", kept.written + 1, self.wanted));
                    self.decide(draft, typed, printer)?
                }
            };
            match verdict {
                Verdict::Quit => break,
                Verdict::Refuse => kept.refused += 1,
                Verdict::Keep(draft) => {
                    file.add(&draft.gold, self.origin)?;
                    kept.written += 1;
                    if self.typed.is_none() && !printer.is_json() {
                        for line in shown(&draft) {
                            printer.line(&line)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows a draft and asks until the answer is one.
    fn decide(
        &self,
        mut draft: Box<Draft>,
        typed: &Typed,
        printer: &mut Printer,
    ) -> anyhow::Result<Verdict> {
        loop {
            for line in shown(&draft) {
                printer.say(&line);
            }
            printer.ask("keep it? [y]es, [n]o, [e]dit the question, [q]uit: ");
            let Some(line) = typed.next(&self.stop)? else {
                return Ok(Verdict::Quit);
            };
            match line.trim().to_lowercase().as_str() {
                "y" | "yes" => return Ok(Verdict::Keep(draft)),
                "n" | "no" => return Ok(Verdict::Refuse),
                "q" | "quit" => return Ok(Verdict::Quit),
                "e" | "edit" => {
                    printer.ask("question: ");
                    match typed.next(&self.stop)? {
                        Some(question) if !question.trim().is_empty() => {
                            *draft = draft.reworded(&question);
                        }
                        Some(_) => printer.say("the question stays as it is"),
                        None => return Ok(Verdict::Quit),
                    }
                }
                _ => printer.say("type y, n, e or q"),
            }
        }
    }
}

/// A draft as people read it: where it stands, the sentence, the question and the answer.
fn shown(draft: &Draft) -> Vec<String> {
    let gold = &draft.gold;
    let part = draft.part.as_deref();
    let source = gold.doc.as_deref().unwrap_or_default();
    let place = place(source, part, gold.page, draft.lines);
    let under = under(&draft.heading, part);
    let evidence = excerpt(gold.evidence.as_deref().unwrap_or_default(), 400);
    vec![
        format!("{place}{under}"),
        format!("    “{evidence}”"),
        format!("    Q: {}", gold.question),
        format!("    A: {}", excerpt(&gold.answers.join("; "), 400)),
    ]
}

#[cfg(test)]
mod tests {
    use rag_engine::Gold;

    use super::*;

    fn draft() -> Box<Draft> {
        Box::new(Draft {
            gold: Gold {
                question: "Where was the Tern built?".into(),
                answers: vec!["Bergen".into()],
                doc: Some("fleet.md".into()),
                evidence: Some("The Tern was built\nin Bergen in 1978.".into()),
                ..Gold::default()
            },
            part: None,
            lines: None,
            heading: vec!["Fleet".into()],
        })
    }

    fn verdict(typed: &[&str]) -> Verdict {
        let clerk = Clerk {
            wanted: 1,
            typed: None,
            origin: Origin {
                model: "tiny",
                approved: true,
            },
            stop: Arc::default(),
        };
        let typed = Typed::from_lines(typed.iter().map(|line| Ok((*line).to_owned())));
        clerk
            .decide(draft(), &typed, &mut Printer::new(false))
            .unwrap()
    }

    #[test]
    fn a_draft_is_kept_refused_or_put_in_other_words() {
        assert_eq!(verdict(&["y"]), Verdict::Keep(draft()));
        assert_eq!(verdict(&["what?", "", " NO "]), Verdict::Refuse);
        assert_eq!(verdict(&["q"]), Verdict::Quit);
        assert_eq!(verdict(&[]), Verdict::Quit, "nobody types any more");
        let other = "In which town was she built?";
        assert_eq!(
            verdict(&["e", other, "y"]),
            Verdict::Keep(Box::new(draft().reworded(other)))
        );
        assert_eq!(verdict(&["e", "  ", "y"]), Verdict::Keep(draft()));
    }

    #[test]
    fn an_interruption_is_heard_while_nobody_types() {
        let (_open, lines) = std::sync::mpsc::channel();
        let typed = Typed::from_channel(lines);
        let error = typed.next(&AtomicBool::new(true)).unwrap_err();
        assert_eq!(error.code, Code::Interrupted);
    }

    #[test]
    fn a_draft_is_shown_with_its_place_and_its_sentence() {
        let expected = [
            "fleet.md › Fleet",
            "    “The Tern was built in Bergen in 1978.”",
            "    Q: Where was the Tern built?",
            "    A: Bergen",
        ];
        assert_eq!(shown(&draft()), expected);
    }
}
