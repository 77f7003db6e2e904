//! `rag chat`: questions one after another, each answered as `rag ask` does, each of which may lean on
//! those before.

mod commands;
mod lines;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rag_core::wire::{AskResult, HitRow};
use rag_core::{Answer, Code, RewrittenBy, Usage};
use rag_engine::{AskEvent, Asked, Conversation, Engine, KnowledgeBase, Reply, Settings};

use self::commands::{HELP, Said};
use self::lines::{Line, Lines};
use crate::args::Chat;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, stop_answer_on_interrupt};
use crate::verbs::search::{explained, place, under};
use crate::verbs::{ask, everything, open};

pub(crate) fn run(config: &Config, options: &Chat, printer: &mut Printer) -> anyhow::Result<Exit> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    if options.erase {
        printer.say(said_of_erasing(kb.erase_conversation()?));
        return Ok(Exit::Done);
    }
    let conversation = if options.remembering.continues {
        ask::continued(&kb, printer)?
    } else {
        Conversation::default()
    };
    let engine = ask::engine(config, &options.answering)?;
    let (stop, busy) = (engine.stop_switch(), Arc::new(AtomicBool::new(false)));
    let lines = if printer.is_talking() {
        let before = if options.remembering.no_history {
            Vec::new()
        } else {
            kb.typed()?
        };
        Lines::edited(&before)?
    } else {
        Lines::piped()
    };
    // After the editor, which takes Ctrl-C for itself when it is made.
    stop_answer_on_interrupt(Arc::clone(&stop), Arc::clone(&busy))?;
    let mut session = Session {
        config,
        options,
        kb,
        engine,
        stop,
        busy,
        lines,
        conversation,
        last: None,
        exit: Exit::Done,
        printer,
    };
    session.greet();
    let ended = session.run();
    session.keep_typed();
    ended?;
    Ok(session.exit)
}

struct Session<'a> {
    config: &'a Config,
    options: &'a Chat,
    kb: KnowledgeBase,
    engine: Engine,
    /// Ends the answer that is being written.
    stop: Arc<AtomicBool>,
    /// Whether one is being written.
    busy: Arc<AtomicBool>,
    lines: Lines,
    conversation: Conversation,
    last: Option<Reply>,
    /// What becomes of the program; of no interest to who sits before it.
    exit: Exit,
    printer: &'a mut Printer,
}

impl Session<'_> {
    fn greet(&mut self) {
        if self.lines.is_edited() {
            let answering = &self.options.answering;
            let by = if answering.extractive {
                "quotes, no language model"
            } else {
                self.config.model(answering.model.as_deref())
            };
            let kb = self.kb.name();
            self.printer.say(&format!(
                "{kb} · {by} · /help lists commands, Ctrl-D leaves"
            ));
        }
    }

    fn run(&mut self) -> anyhow::Result<()> {
        loop {
            let line = match self.lines.next(&self.stop)? {
                Line::Text(line) => line,
                Line::GivenUp => {
                    self.printer.say("Ctrl-D leaves");
                    continue;
                }
                Line::End => return Ok(()),
            };
            match commands::read(&line) {
                Said::Nothing => {}
                Said::Question(text) => self.ask(&text)?,
                Said::Sources => self.sources()?,
                Said::Open(n) => self.open(n),
                Said::Why => self.why()?,
                Said::New => self.begin_anew(),
                Said::Erase => {
                    self.begin_anew();
                    self.lines.clear()?;
                    let erased = self.kb.erase_conversation()?;
                    self.printer.say(said_of_erasing(erased));
                }
                Said::Help => self.tell(HELP)?,
                Said::Quit => return Ok(()),
                Said::Wrong(why) => self.fail(&why),
            }
        }
    }

    fn ask(&mut self, text: &str) -> anyhow::Result<()> {
        let answering = &self.options.answering;
        if self.conversation.turns.is_empty() {
            ask::note_language(self.config, answering, text, self.printer);
        }
        let question = ask::question(text, answering);
        if let Some(asked) = Asked::of(text) {
            self.printer
                .say("note: read as a question over everything: each place is counted");
            let reply = self.engine.count_in_turn(&question, &asked);
            return self.take(reply);
        }
        let printer = &mut *self.printer;
        let mut written: io::Result<()> = Ok(());
        self.busy.store(true, Ordering::Relaxed);
        let reply = self
            .engine
            .converse(&question, &self.conversation, &mut |event| match event {
                AskEvent::Note(text) => printer.say(&format!("note: {text}")),
                AskEvent::Rewritten(rewritten) if self.options.remembering.rewritten => {
                    printer.say(&format!("searched for: {}", rewritten.text));
                }
                AskEvent::Text(text) if !printer.is_json() && written.is_ok() => {
                    written = printer.text(text);
                }
                _ => {}
            });
        self.busy.store(false, Ordering::Relaxed);
        self.stop.store(false, Ordering::Relaxed);
        written?;
        self.take(reply)
    }

    /// Shows what a question got.
    fn take(&mut self, reply: rag_core::Result<Reply>) -> anyhow::Result<()> {
        match reply {
            Ok(reply) => self.show(reply),
            Err(error) if error.code == Code::Interrupted && self.lines.is_edited() => {
                self.printer
                    .say("\nstopped; this question is not remembered\n");
                Ok(())
            }
            Err(error) if error.code == Code::Interrupted => Err(error.into()),
            Err(error) => {
                self.exit = self.printer.error(&error.into());
                Ok(())
            }
        }
    }

    fn show(&mut self, reply: Reply) -> anyhow::Result<()> {
        let refused = reply.answer.refused.is_some();
        if self.printer.is_json() {
            self.printer.value(&AskResult {
                rewritten: reply.rewritten.clone(),
                ..AskResult::from(reply.answer.clone())
            })?;
        } else if refused {
            ask::refuse(&reply.answer, self.printer);
            self.printer.say("");
        } else if reply.answer.everything.is_some() {
            everything::show(&reply.answer, self.printer)?;
            self.printer.line("")?;
        } else {
            ask::sources(&reply.answer, &reply.turn().sources, self.printer)?;
            self.printer.line("")?;
        }
        if refused && !self.lines.is_edited() && self.exit == Exit::Done {
            self.exit = Exit::Nothing;
        }
        self.conversation.add(&reply);
        if !self.options.remembering.no_history {
            ask::keep(&self.kb, &self.conversation, self.printer);
        }
        self.last = Some(reply);
        Ok(())
    }

    fn sources(&mut self) -> anyhow::Result<()> {
        match self.conversation.latest_answered() {
            Some(turn) if !self.printer.is_json() => Ok(ask::list(&turn.sources, self.printer)?),
            Some(turn) => {
                let citations = turn.sources.iter().map(|cited| &cited.citation);
                let citations: Vec<_> = citations.collect();
                Ok(self
                    .printer
                    .value(&serde_json::json!({ "citations": citations }))?)
            }
            None => {
                self.fail("nothing was answered yet");
                Ok(())
            }
        }
    }

    fn open(&mut self, n: u32) {
        let how = open::How::from_environment();
        if let Err(error) = open::open(&self.conversation, n, &how, self.printer) {
            self.exit = self.printer.error(&error.into());
        }
    }

    fn begin_anew(&mut self) {
        self.conversation = Conversation::default();
        self.last = None;
    }

    fn why(&mut self) -> anyhow::Result<()> {
        let Some(reply) = &self.last else {
            self.fail("nothing was asked yet");
            return Ok(());
        };
        let text = why(reply);
        self.tell(&text)
    }

    /// Prints what a command tells: on stdout, unless that is for JSON.
    fn tell(&mut self, text: &str) -> anyhow::Result<()> {
        if self.printer.is_json() {
            self.printer.say(text);
            Ok(())
        } else {
            Ok(self.printer.line(text)?)
        }
    }

    fn fail(&mut self, why: &str) {
        self.printer.say(why);
        if !self.lines.is_edited() {
            self.exit = Exit::Error;
        }
    }

    fn keep_typed(&mut self) {
        let typed = self.lines.typed();
        if self.options.remembering.no_history || typed.is_empty() {
            return;
        }
        if let Err(error) = self.kb.keep_typed(&typed) {
            self.printer.say(&format!(
                "note: the lines typed are not kept: {}",
                error.one_line()
            ));
        }
    }
}

fn said_of_erasing(erased: bool) -> &'static str {
    if erased {
        "the conversation is erased"
    } else {
        "no conversation was kept"
    }
}

/// What was searched for and found, what the model was shown, and how long it took.
fn why(reply: &Reply) -> String {
    let answer = &reply.answer;
    let mut lines = vec![format!("asked: {}", answer.question)];
    if let Some(rewritten) = &reply.rewritten {
        let by = match rewritten.by {
            RewrittenBy::Rule => "by what was said before and what the documents speak of",
            RewrittenBy::Model => "by the language model",
        };
        lines.push(format!("searched for: {} ({by})", rewritten.text));
    }
    let least = Settings::default().least_confidence;
    lines.push(format!(
        "confidence: {:.2}; refused below {least:.2}",
        answer.confidence
    ));
    for hit in HitRow::rows(&answer.hits) {
        let part = hit.part.as_deref();
        let place = place(&hit.source, part, hit.page, hit.lines);
        let is_shown = hit.rank as usize <= answer.usage.passages;
        let shown = if is_shown {
            ""
        } else {
            " (not shown to the model)"
        };
        lines.push(format!(
            "{:>2}. {place}{}{shown}",
            hit.rank,
            under(&hit.heading, part)
        ));
        lines.push(format!("    {}", explained(&hit)));
    }
    lines.extend(costs(answer));
    lines.join("\n")
}

fn costs(answer: &Answer) -> Vec<String> {
    let Usage {
        prompt_tokens,
        reused_tokens,
        generated_tokens,
        ..
    } = answer.usage;
    let timings = &answer.timings;
    let mut lines = Vec::new();
    if prompt_tokens > 0 {
        lines.push(format!(
            "tokens: {prompt_tokens} in the prompt, {reused_tokens} of them held from the one before; \
             {generated_tokens} written"
        ));
    }
    lines.push(format!(
        "time: search {:.0} ms, prompt {:.0} ms, answer {:.0} ms, citations {:.0} ms",
        timings.search_ms, timings.prefill_ms, timings.decode_ms, timings.cite_ms
    ));
    lines
}
