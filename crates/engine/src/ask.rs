//! Ask: retrieve, prompt, generate, and check every sentence against the sources before it is shown.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rag_core::fold::is_unspaced;
use rag_core::{
    Answer, AnswerMode, Citation, Cited, Embedder, Extractor, Filter, Finish, Generation,
    Generator, Hit, Mode, Query, RefusalReason, Result, Rewritten, Sampling, Sentence, Span, Usage,
};
use rag_index::Store;

use crate::align::{Evidence, Passage, standing};
use crate::cite::Citing;
use crate::conversation::Earlier;
use crate::drafts::no_generator;
use crate::engine::interrupted;
use crate::extractive;
use crate::ledger::{hidden, unused, weighed};
use crate::prompt::{Room, compose};
use crate::refuse::{Signs, gate, refusal, unsupported};
use crate::retrieve::{self, Breadth, Models};
use crate::settings::Settings;
use crate::timed::Timed;

/// A question and how to answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub text: String,
    pub mode: AnswerMode,
    /// Most hits to retrieve; those that fit the prompt are shown to the model.
    pub limit: usize,
    /// Which sources may answer.
    pub filter: Filter,
    pub sampling: Sampling,
}

/// What an ask says while it runs.
#[derive(Debug, Clone, Copy)]
pub enum AskEvent<'a> {
    /// The search did something otherwise than usual; one line.
    Note(&'a str),
    /// The question was made to stand by itself.
    Rewritten(&'a Rewritten),
    /// The search is done.
    Found(&'a [Hit]),
    /// More of the answer, checked: a sentence with its marks.
    Text(&'a str),
    /// A citation that was not shown before.
    Cited(&'a Citation),
}

/// Set after a sentence that no passage supports.
const UNSUPPORTED_MARK: &str = "[?]";

/// Cosine similarity above which a passage counts as near whatever its words.
const NEAR: f32 = 0.45;

/// One run.
pub(crate) struct Ask<'a> {
    pub(crate) store: &'a Store,
    pub(crate) embedder: &'a dyn Embedder,
    /// Not needed for an extractive answer.
    pub(crate) generator: Option<&'a dyn Generator>,
    pub(crate) extractor: &'a dyn Extractor,
    pub(crate) settings: &'a Settings,
    /// What the prompt takes from a conversation.
    pub(crate) earlier: Earlier<'a>,
    pub(crate) stop: &'a AtomicBool,
}

impl Ask<'_> {
    pub(crate) fn run(
        &self,
        question: &Question,
        on_event: &mut dyn FnMut(AskEvent<'_>),
    ) -> Result<Answer> {
        let started = Instant::now();
        let query = Query {
            text: question.text.clone(),
            mode: Mode::Hybrid,
            limit: question.limit,
            filter: question.filter.clone(),
        };
        let breadth = Breadth {
            candidates: self.settings.candidates,
            hit_tokens: match question.mode {
                // A model that is shown little is shown several places rather than one at length.
                AnswerMode::Generated => self.settings.passage_tokens / question.limit.max(1),
                _ => self.settings.hit_tokens,
            },
        };
        let embedder = Timed::new(self.embedder);
        let models = Models {
            embedder: Some(&embedder),
            reranker: None,
        };
        let mut answer = Answer::begun(&question.text, question.mode);
        let notes = &mut answer.notes;
        let mut note = |text: &str| {
            on_event(AskEvent::Note(text));
            notes.push(text.to_owned());
        };
        answer.hits = retrieve::search(self.store, models, &query, breadth, &mut note)?;
        answer.timings.search_ms = millis(started);
        answer.timings.embed_ms = embedder.millis();
        on_event(AskEvent::Found(&answer.hits));
        let signs = Signs::of(&question.text, &answer.hits);
        answer.confidence = signs.confidence();
        let least = self.settings.least_confidence;
        answer.refused = gate(&question.text, &answer.hits, answer.confidence, least);
        if answer.refused.is_some() {
            answer.ledger = unused(&answer.hits, least);
        } else {
            match question.mode {
                AnswerMode::Generated => self.write(question, &mut answer, on_event)?,
                _ => self.extract(&mut answer, on_event)?,
            }
        }
        answer.timings.total_ms = millis(started);
        Ok(answer)
    }

    /// Lets the model write and puts what it writes, checked, into the answer.
    fn write(
        &self,
        question: &Question,
        answer: &mut Answer,
        on_event: &mut dyn FnMut(AskEvent<'_>),
    ) -> Result<()> {
        let room = Room {
            passages: self.settings.passage_tokens,
            answer: question.sampling.max_tokens,
        };
        let generator = self.generator.ok_or_else(no_generator)?;
        let composing = Instant::now();
        let prompt = compose(&question.text, &answer.hits, generator, room, self.earlier)?;
        answer.timings.prompt_ms = millis(composing);
        if let Some(note) = hidden(&answer.hits, &prompt.ledger) {
            on_event(AskEvent::Note(&note));
            answer.notes.push(note);
        }
        answer.ledger = prompt.ledger;
        let mut draft = Draft::new(
            &question.text,
            &answer.hits[..prompt.shown],
            self.extractor,
            on_event,
        );
        let generation =
            generator.generate(&prompt.messages, &question.sampling, &mut |piece| {
                if self.stop.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                draft.add(piece)
            })?;
        if self.stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        let written = draft.finish()?;
        answer.usage = usage(&generation, prompt.shown, answer.hits.len());
        answer.timings.prefill_ms = generation.prefill_ms;
        answer.timings.cite_ms = written.cite_ms;
        answer.timings.decode_ms = (generation.decode_ms - written.cite_ms).max(0.0);
        if written.citations.is_empty() {
            answer.refused = Some(unsupported(&question.text, &generation.text));
        } else {
            answer.text = written.text;
            answer.sentences = written.sentences;
            answer.citations = written.citations;
            answer.cited = written.cited;
        }
        Ok(())
    }

    /// Puts the sentences that answer best into the answer, as they stand in the sources.
    fn extract(&self, answer: &mut Answer, on_event: &mut dyn FnMut(AskEvent<'_>)) -> Result<()> {
        let started = Instant::now();
        let extracts = extractive::ranked(&answer.question, &answer.hits, self.embedder)?;
        let mut citing = Citing::new(&answer.hits, self.extractor);
        let mut shown = extractive::Shown::default();
        for extract in &extracts {
            let quote = extract.span.slice(&answer.hits[extract.passage].chunk.text);
            if !shown.takes(extract, quote) {
                continue;
            }
            let tell = &mut |citation: &Citation| on_event(AskEvent::Cited(citation));
            let Some(n) = citing.cite(extract.passage, extract.span, tell) else {
                continue;
            };
            let sentence = extractive::on_a_line(quote);
            let gap = if answer.text.is_empty() { "" } else { "\n" };
            let spaced = if ends_unspaced(&sentence) { "" } else { " " };
            let text = format!("{gap}{sentence}{spaced}[{n}]");
            on_event(AskEvent::Text(&text));
            answer.text.push_str(&text);
            answer.sentences.push(Sentence {
                text: sentence,
                citations: vec![n],
            });
            shown.add(extract, quote);
        }
        (answer.citations, answer.cited) = citing.finish()?;
        answer.ledger = weighed(&answer.hits);
        answer.usage.passages = answer.hits.len();
        answer.timings.cite_ms = millis(started);
        if answer.citations.is_empty() {
            answer.refused = Some(refusal(&answer.question, RefusalReason::WeakHits));
        }
        Ok(())
    }
}

/// Whether a mark follows the text without a space.
fn ends_unspaced(text: &str) -> bool {
    text.chars().next_back().is_some_and(is_unspaced)
}

fn usage(generation: &Generation, shown: usize, found: usize) -> Usage {
    Usage {
        prompt_tokens: generation.prompt_tokens,
        reused_tokens: generation.reused_tokens,
        generated_tokens: generation.generated_tokens,
        passages: shown,
        dropped_passages: found - shown,
        cut: generation.finish == Finish::Length,
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// An answer in the making: text comes in pieces, sentences go out checked.
struct Draft<'a, 'e> {
    evidence: Evidence,
    citing: Citing<'a>,
    on_event: &'e mut dyn FnMut(AskEvent<'_>),
    /// What the model wrote, and how much of it is checked.
    raw: String,
    checked: usize,
    /// Whether the model has begun to repeat itself; what follows is not taken.
    stopped: bool,
    /// Kept back until the first sentence that is supported: a draft without any is not shown.
    held: String,
    written: Written,
}

#[derive(Default)]
struct Written {
    text: String,
    sentences: Vec<Sentence>,
    citations: Vec<Citation>,
    cited: Vec<Cited>,
    cite_ms: f64,
}

impl<'a, 'e> Draft<'a, 'e> {
    fn new(
        question: &str,
        hits: &'a [Hit],
        extractor: &'a dyn Extractor,
        on_event: &'e mut dyn FnMut(AskEvent<'_>),
    ) -> Self {
        let headings: Vec<String> = hits.iter().map(standing).collect();
        let passages: Vec<Passage<'_>> = hits
            .iter()
            .zip(&headings)
            .map(|(hit, heading)| Passage {
                text: &hit.chunk.text,
                heading,
                is_near: hit.why.vector.is_some_and(|reason| reason.score >= NEAR),
            })
            .collect();
        Self {
            evidence: Evidence::new(question, &passages),
            citing: Citing::new(hits, extractor),
            on_event,
            raw: String::new(),
            checked: 0,
            stopped: false,
            held: String::new(),
            written: Written::default(),
        }
    }

    /// Takes the next piece of text. Breaks where the model has begun to repeat itself.
    fn add(&mut self, piece: &str) -> ControlFlow<()> {
        self.raw.push_str(piece);
        // A sentence is complete once another one has begun.
        let mut spans = rag_text::sentences(&self.raw[self.checked..]);
        spans.pop();
        self.check(&spans)
    }

    fn finish(mut self) -> Result<Written> {
        if !self.stopped {
            let spans = rag_text::sentences(&self.raw[self.checked..]);
            let _ = self.check(&spans);
        }
        (self.written.citations, self.written.cited) = self.citing.finish()?;
        Ok(self.written)
    }

    /// Checks sentences given as spans of what is not checked yet.
    fn check(&mut self, spans: &[Span]) -> ControlFlow<()> {
        let started = Instant::now();
        let base = self.checked;
        for span in spans {
            let span = span.shifted(base);
            let gap = self.raw[self.checked..span.start].to_owned();
            let text = span.slice(&self.raw).to_owned();
            self.checked = span.end;
            if self
                .written
                .sentences
                .iter()
                .any(|before| before.text == text)
            {
                self.stopped = true;
                break;
            }
            self.take(&gap, text);
        }
        self.written.cite_ms += millis(started);
        if self.stopped {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Adds one sentence with its marks, and shows it once anything is supported.
    fn take(&mut self, gap: &str, text: String) {
        let numbers: Vec<u32> = self.cite(&text).into_iter().collect();
        let spaced = if ends_unspaced(&text) { "" } else { " " };
        let mut shown = format!("{gap}{text}{spaced}");
        for n in &numbers {
            let _ = write!(shown, "[{n}]");
        }
        if numbers.is_empty() {
            shown.push_str(UNSUPPORTED_MARK);
        }
        self.written.sentences.push(Sentence {
            text,
            citations: numbers,
        });
        self.held.push_str(&shown);
        if !self.citing.is_empty() {
            let shown = std::mem::take(&mut self.held);
            let shown = if self.written.text.is_empty() {
                shown.trim_start()
            } else {
                &shown
            };
            self.written.text.push_str(shown);
            (self.on_event)(AskEvent::Text(shown));
        }
    }

    /// The number of the citation that supports `sentence`, if its quote stands in the source.
    fn cite(&mut self, sentence: &str) -> Option<u32> {
        let support = self.evidence.support(sentence)?;
        let on_event = &mut self.on_event;
        let tell = &mut |citation: &Citation| on_event(AskEvent::Cited(citation));
        self.citing.cite(support.passage, support.span, tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{engine, files};

    const FLEET: &str =
        "# Fleet\n\nThe Tern was built in Bergen in 1978. She carries 60 passengers.\n";

    fn ask(script: &'static str, question: &str) -> (Answer, String) {
        let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        files(
            docs.path(),
            &[
                ("fleet.md", FLEET),
                ("shop.md", "The shop sells tea and cake.\n"),
            ],
        );
        let (engine, _) = engine(home.path(), script);
        engine
            .ingest(&[docs.path().to_owned()], &mut |_| {})
            .unwrap();
        let question = Question {
            text: question.into(),
            mode: AnswerMode::Generated,
            limit: 5,
            filter: Filter::default(),
            sampling: Sampling::greedy(100),
        };
        let mut streamed = String::new();
        let answer = engine
            .ask(&question, &mut |event| {
                if let AskEvent::Text(text) = event {
                    streamed.push_str(text);
                }
            })
            .unwrap();
        (answer, streamed)
    }

    #[test]
    fn every_sentence_gets_the_number_of_the_place_that_supports_it() {
        let script =
            "The Tern was built in Bergen. She carries 60 passengers. She is painted green.";
        let (answer, streamed) = ask(script, "Where was the Tern built?");
        let marked = "The Tern was built in Bergen. [1] She carries 60 passengers. [2] She is painted green. [?]";
        assert_eq!(answer.text, marked);
        assert_eq!(streamed, marked);
        let quotes: Vec<_> = answer
            .citations
            .iter()
            .map(|c| (c.n, c.quote.as_str()))
            .collect();
        let expected = [
            (1, "The Tern was built in Bergen in 1978."),
            (2, "She carries 60 passengers."),
        ];
        assert_eq!(quotes, expected);
        assert!(
            answer
                .citations
                .iter()
                .all(|c| c.verified && c.source == "fleet.md")
        );
        assert_eq!(
            answer.citations[0].lines.map(|l| (l.first, l.last)),
            Some((3, 3))
        );
    }

    #[test]
    fn the_same_place_keeps_its_number() {
        let script = "The Tern was built in Bergen. Built in 1978, the Tern is from Bergen.";
        let (answer, _) = ask(script, "When was the Tern built?");
        assert_eq!(answer.citations.len(), 1);
        assert_eq!(answer.sentences[1].citations, [1]);
    }

    #[test]
    fn a_draft_without_support_is_refused_and_not_shown() {
        let (answer, streamed) = ask(
            "The Tern was built in Oslo in 1902.",
            "Where was the Tern built?",
        );
        assert_eq!(answer.refused.unwrap().reason, RefusalReason::Unsupported);
        assert_eq!((answer.text.as_str(), streamed.as_str()), ("", ""));
    }

    #[test]
    fn a_model_that_declines_is_a_refusal() {
        let (answer, _) = ask("I don't know.", "Where was the Tern built?");
        assert_eq!(answer.refused.unwrap().reason, RefusalReason::ModelDeclined);
    }

    #[test]
    fn a_question_that_the_documents_do_not_speak_of_is_refused_without_asking_the_model() {
        let (answer, _) = ask("Never asked.", "Which enzyme unwinds the double helix?");
        let reason = answer.refused.unwrap().reason;
        assert!(
            matches!(reason, RefusalReason::WeakHits | RefusalReason::NoHits),
            "{reason:?}"
        );
        assert_eq!(answer.usage.prompt_tokens, 0);
    }

    #[test]
    fn a_model_that_repeats_itself_is_stopped() {
        let script = "She carries 60 passengers. She carries 60 passengers. She carries 60 passengers. And on.";
        let (answer, _) = ask(script, "How many passengers does the Tern carry?");
        assert_eq!(answer.text, "She carries 60 passengers. [1]");
    }
}
