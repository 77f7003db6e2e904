//! Drafting a question set: the generator asks about chunks of the user's own documents, and what it
//! writes is kept only where the answer stands in the file, character for character after the folding of
//! citations.

mod draw;
mod file;
mod pair;

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rag_core::{
    Chunk, Code, Error, Extractor, Generator, Lines, Result, Sampling, Source, SourceState, Span,
    fold,
};
use rag_index::Store;
use serde::Serialize;

use crate::engine::interrupted;
use crate::evaluate::Gold;
use crate::verify::Verifier;
use draw::{Draws, is_running_text};
pub use file::{Origin, QuestionFile};
pub use pair::Discarded;
use pair::Pair;

/// Longest question and answer together, in the generator's tokens.
const LONGEST: usize = 200;

/// How questions are drafted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafting {
    /// Decides which chunks are drawn, and in which order.
    pub seed: u64,
    /// The generator is asked so many times at most.
    pub tries: usize,
}

/// A question with its verified answer, ready to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub gold: Gold,
    /// Name of the part of the file, for formats with parts.
    pub part: Option<String>,
    /// Lines of the evidence, for formats whose lines are the file's own.
    pub lines: Option<Lines>,
    pub heading: Vec<String>,
}

impl Draft {
    /// The same with the question put in other words.
    #[must_use]
    pub fn reworded(mut self, question: &str) -> Self {
        question.trim().clone_into(&mut self.gold.question);
        self.gold.id = id(&self.gold);
        self
    }
}

/// What became of a draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    Drafted(Box<Draft>),
    Discarded {
        /// Path of the source.
        source: String,
        reason: Discarded,
    },
}

/// What was drawn and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Chunks that were drawn.
    pub drawn: usize,
    /// Of these, chunks that have too little running text to ask about.
    pub without_text: usize,
    /// Chunks about which the generator was asked.
    pub tried: usize,
    /// Questions with a verified answer.
    pub drafted: usize,
    /// The others, by reason.
    pub discarded: BTreeMap<Discarded, usize>,
}

/// What drafting needs.
pub(crate) struct Desk<'a> {
    pub(crate) store: Arc<Store>,
    pub(crate) generator: &'a dyn Generator,
    pub(crate) extractor: &'a dyn Extractor,
    pub(crate) stop: &'a AtomicBool,
}

/// Drafts in the making, one at a time.
pub struct Drafts<'a> {
    desk: Desk<'a>,
    sources: Vec<SourceState>,
    draws: Draws,
    tries: usize,
    /// Questions that are not to come again, folded.
    known: HashSet<String>,
    tally: Tally,
}

impl std::fmt::Debug for Drafts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drafts")
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

impl<'a> Drafts<'a> {
    pub(crate) fn new(desk: Desk<'a>, drafting: &Drafting, known: &[Gold]) -> Result<Self> {
        let sources = desk.store.sources()?;
        let known = known.iter().map(|gold| folded(&gold.question));
        Ok(Self {
            draws: Draws::new(&sources, drafting.seed),
            tries: drafting.tries,
            known: known.collect(),
            tally: Tally::default(),
            sources,
            desk,
        })
    }

    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Asks about the next chunk. None when all chunks were drawn or all tries are used up.
    ///
    /// # Errors
    /// `Interrupted`, and whatever the store or the generator reports.
    pub fn attempt(&mut self) -> Result<Option<Drawn>> {
        if self.tally.tried >= self.tries {
            return Ok(None);
        }
        let Some((source, chunk)) = self.draw()? else {
            return Ok(None);
        };
        self.tally.tried += 1;
        let drafted = match self.write(&chunk)? {
            Ok(pair) => self.verify(&source, &chunk, pair),
            Err(reason) => Err(reason),
        };
        let known = drafted.and_then(|draft| {
            let is_new = self.known.insert(folded(&draft.gold.question));
            is_new.then_some(draft).ok_or(Discarded::Known)
        });
        Ok(Some(match known {
            Ok(draft) => {
                self.tally.drafted += 1;
                Drawn::Drafted(Box::new(draft))
            }
            Err(reason) => {
                *self.tally.discarded.entry(reason).or_default() += 1;
                let source = source.path;
                Drawn::Discarded { source, reason }
            }
        }))
    }

    /// The next chunk with enough running text.
    fn draw(&mut self) -> Result<Option<(Source, Chunk)>> {
        while let Some((at, ordinal)) = self.draws.next(&self.sources) {
            if self.desk.stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            self.tally.drawn += 1;
            let source = self.sources[at].source.clone();
            let found = self.desk.store.chunks_of(&source.key, ordinal, ordinal)?;
            match found.into_iter().next() {
                Some(chunk) if is_running_text(&chunk.text) => {
                    return Ok(Some((source, chunk)));
                }
                _ => self.tally.without_text += 1,
            }
        }
        Ok(None)
    }

    /// What the generator asks about a chunk. The outer error ends the drafting.
    fn write(&self, chunk: &Chunk) -> Result<std::result::Result<Pair, Discarded>> {
        let sampling = Sampling::greedy(LONGEST);
        let mut written = String::new();
        let outcome = self
            .desk
            .generator
            .generate(&pair::prompt(chunk), &sampling, &mut |piece| {
                written.push_str(piece);
                if pair::is_complete(&written) || self.desk.stop.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        if self.desk.stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        match outcome {
            Ok(generation) => Ok(pair::read(&generation.text, chunk)),
            Err(error) if error.code == Code::PromptTooLong => Ok(Err(Discarded::TooLong)),
            Err(error) => Err(error),
        }
    }

    /// Holds answer and evidence against the file.
    fn verify(
        &self,
        source: &Source,
        chunk: &Chunk,
        pair: Pair,
    ) -> std::result::Result<Draft, Discarded> {
        let answer = pair.answer.slice(&chunk.text);
        let evidence = pair::around(&chunk.text, pair.answer);
        let mut verifier = Verifier::new(self.desk.extractor);
        let mut find = |span: Span| {
            let in_file = span.shifted(chunk.span.start);
            let place = verifier.find(source, in_file, span.slice(&chunk.text));
            place.ok_or(Discarded::FileChanged)
        };
        find(evidence)?;
        let place = find(pair.answer)?;
        let mut gold = Gold {
            question: pair.question,
            answers: vec![answer.to_owned()],
            doc: Some(source.path.clone()),
            page: place.page,
            evidence: Some(evidence.slice(&chunk.text).to_owned()),
            lang: self.language_of(source),
            ..Gold::default()
        };
        gold.id = id(&gold);
        Ok(Draft {
            gold,
            part: place.part,
            lines: place.lines,
            heading: chunk.heading.clone(),
        })
    }

    fn language_of(&self, source: &Source) -> Option<String> {
        let state = self.sources.iter().find(|state| state.source == *source);
        state.and_then(|state| state.language.clone())
    }
}

/// The same question about the same document has the same id.
fn id(gold: &Gold) -> String {
    let named = format!(
        "{}\n{}",
        gold.doc.as_deref().unwrap_or_default(),
        gold.question
    );
    format!("gen-{}", &blake3::hash(named.as_bytes()).to_hex()[..12])
}

/// Two questions that differ in case and width alone are one.
fn folded(question: &str) -> String {
    fold::fold(&question.to_lowercase())
}

/// The error of drafting without a language model.
pub(crate) fn no_generator() -> Error {
    Error::new(Code::ModelMissing, "no language model is loaded").hint("rag models pull starter")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use crate::testing::{engine, files, ingest};

    const TERN: &str = "# Fleet\n\nThe Tern was built in Bergen in 1978. She carries 60 passengers to \
        the outer skerries and is moored at the old pier, where the water is deep enough at low tide.\n";
    const STORMS: &str = "# Storms\n\nThe keeper of the northern light counted one hundred and one \
        storms in a single winter. He wrote each of them down in a log that was lost when his boat sank.\n";
    const FARES: &str = "Ticket\tPrice\nDay\t12 kr\nWeek\t60 kr\n";

    /// An engine over three files whose model always writes `script`.
    fn desk(script: &'static str) -> (Engine, tempfile::TempDir, tempfile::TempDir) {
        let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let all = [
            ("fleet.md", TERN),
            ("storms.md", STORMS),
            ("fares.tsv", FARES),
        ];
        files(docs.path(), &all);
        let (engine, _) = engine(home.path(), script);
        ingest(&engine, docs.path());
        (engine, home, docs)
    }

    fn drafted(engine: &Engine, tries: usize, known: &[Gold]) -> (Vec<Draft>, Tally) {
        let mut drafts = engine.drafts(&Drafting { seed: 1, tries }, known).unwrap();
        let mut all = Vec::new();
        while let Some(attempt) = drafts.attempt().unwrap() {
            if let Drawn::Drafted(draft) = attempt {
                all.push(*draft);
            }
        }
        (all, drafts.tally().clone())
    }

    const BERGEN: &str = "Question: Where was the Tern built?\nAnswer: Bergen\nQuestion: And then?";

    #[test]
    fn a_question_is_kept_where_its_answer_stands_in_the_file() {
        let (engine, _home, _docs) = desk(BERGEN);
        let (drafts, tally) = drafted(&engine, 100, &[]);
        let [draft] = drafts.as_slice() else {
            panic!("{drafts:?}");
        };
        assert_eq!(draft.gold.question, "Where was the Tern built?");
        assert_eq!(draft.gold.answers, ["Bergen"]);
        assert_eq!(draft.gold.doc.as_deref(), Some("fleet.md"));
        let evidence = "The Tern was built in Bergen in 1978.";
        assert_eq!(draft.gold.evidence.as_deref(), Some(evidence));
        assert_eq!(draft.lines, Some(Lines { first: 3, last: 3 }));
        assert!(draft.gold.answerable);
        // Every chunk is accounted for: the table was not asked about, the storms are another matter.
        assert_eq!((tally.drawn, tally.without_text, tally.tried), (3, 1, 2));
        assert_eq!(
            tally.discarded,
            BTreeMap::from([(Discarded::OtherMatter, 1)])
        );
    }

    #[test]
    fn tries_are_bounded_and_a_known_question_does_not_come_again() {
        let (engine, _home, _docs) = desk(BERGEN);
        assert_eq!(drafted(&engine, 1, &[]).1.tried, 1);
        let known = Gold {
            question: "where was the ＴＥＲＮ built？".to_owned(),
            ..Gold::default()
        };
        let (drafts, tally) = drafted(&engine, 100, &[known]);
        assert_eq!(drafts, []);
        assert_eq!(tally.discarded.get(&Discarded::Known), Some(&1));
    }

    #[test]
    fn what_is_not_in_the_file_any_more_is_not_asked_about() {
        let (engine, _home, docs) = desk(BERGEN);
        files(
            docs.path(),
            &[("fleet.md", "The Tern was built in Oslo.\n")],
        );
        let (drafts, tally) = drafted(&engine, 100, &[]);
        assert_eq!(drafts, []);
        assert_eq!(tally.discarded.get(&Discarded::FileChanged), Some(&1));
    }

    #[test]
    fn a_drafting_that_is_stopped_says_so() {
        let (engine, _home, _docs) = desk(BERGEN);
        let mut drafts = engine.drafts(&Drafting { seed: 1, tries: 9 }, &[]).unwrap();
        engine.stop_switch().store(true, Ordering::Relaxed);
        assert_eq!(drafts.attempt().unwrap_err().code, Code::Interrupted);
    }

    #[test]
    fn a_question_in_other_words_is_another_question() {
        let (engine, _home, _docs) = desk(BERGEN);
        let draft = drafted(&engine, 100, &[]).0.remove(0);
        let reworded = draft
            .clone()
            .reworded(" In which town was the Tern built? ");
        assert_eq!(reworded.gold.question, "In which town was the Tern built?");
        assert_ne!(reworded.gold.id, draft.gold.id);
        assert_eq!(reworded.gold.answers, draft.gold.answers);
    }
}
