//! Questions over everything: not the best passages, but every chunk in which some words stand, counted,
//! grouped by source, each place with a quote that was held against its file.
//!
//! The full-text index names every chunk that has all of the words; where they stand in it is looked up
//! in its text, under the same folding. A place is a sentence or a row of a table.

mod asked;
mod chinese;
mod english;
mod tell;
mod words;

use std::sync::atomic::Ordering;
use std::time::Instant;

use rag_core::everything::{InSource, Lost, Standing};
use rag_core::fold::is_unspaced;
use rag_core::{
    Answer, AnswerMode, Citation, Cited, Code, Error, Everything, Filter, Outcome, Result, Span,
};
use rag_index::{Read, Scope, Store, Wanted};

use crate::align::citable;
use crate::engine::{Engine, interrupted};
use crate::filter;
use crate::verify::Verifier;

pub use asked::{Asked, Counted};

/// A place where the words stand, before it is verified.
struct Found {
    read: Cited,
    /// In the document's text.
    span: Span,
    quote: String,
    heading: Vec<String>,
    mentions: usize,
}

impl Engine {
    /// Answers `question`, understood as `asked`, by every place in the sources that `filter` lets
    /// through. No model is needed. That the words stand nowhere is an answer and no refusal.
    ///
    /// # Errors
    /// `NoKnowledgeBase`, `Interrupted`; `Usage` for a filter that is none, and for words that are in no
    /// index; `Io` where the words were found and none of the files can be read again.
    pub fn ask_everything(&self, question: &str, asked: &Asked, filter: &Filter) -> Result<Answer> {
        let started = Instant::now();
        let store = self.reader()?;
        let known = store.known_sources()?;
        let scope = filter::scope(filter, &known)?;
        let inside = known
            .iter()
            .filter(|state| is_inside(&scope, &state.source.key));
        let (mut searched, mut unread) = (0, 0);
        for state in inside {
            searched += usize::from(matches!(state.outcome, Outcome::Read | Outcome::Partly));
            unread += usize::from(matches!(state.outcome, Outcome::Failed | Outcome::Partly));
        }
        let whole = vec![asked.subject.clone()];
        let (mut standing, mut terms) = (Standing::AsAsked, whole);
        let mut found = self.places(&store, &scope, &terms)?;
        let apart = words_of(&asked.subject);
        if found.is_empty() && !asked.is_quoted && apart.len() > 1 {
            let together = self.places(&store, &scope, &apart)?;
            if !together.is_empty() {
                (standing, terms, found) = (Standing::InOneSentence, apart, together);
            }
        }
        let mut answer = Answer::begun(question, AnswerMode::Everything);
        answer.timings.search_ms = millis(started);
        answer.confidence = 1.0;
        let checking = Instant::now();
        let mut counts = Everything {
            counted: asked.counted,
            subject: asked.subject.clone(),
            standing,
            terms,
            sources: 0,
            places: 0,
            mentions: 0,
            searched,
            unread,
            by_source: Vec::new(),
            lost: Vec::new(),
        };
        self.verify_all(&found, &mut counts, &mut answer)?;
        answer.timings.cite_ms = millis(checking);
        tell::tell(&counts, &mut answer);
        answer.everything = Some(counts);
        answer.timings.total_ms = millis(started);
        Ok(answer)
    }

    /// Every place where all of `terms` stand, in the order of paths and places.
    fn places(&self, store: &Store, scope: &Scope, terms: &[String]) -> Result<Vec<Found>> {
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        let Some(wanted) = Wanted::all(&terms)? else {
            let fact = format!("`{}` holds no word that is in an index", terms.join(" "));
            return Err(Error::new(Code::Usage, fact)
                .hint("ask for words of letters or digits, of at most 64 bytes each"));
        };
        let mut look = wanted.clone();
        let mut found = Vec::new();
        store.each_holding(scope, &wanted, &mut |chunks| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            for read in chunks {
                add(&read, &mut look, &mut found);
            }
            Ok(())
        })?;
        let place = |found: &Found| {
            let source = &found.read.source;
            (source.path.clone(), source.root.clone(), found.span.start)
        };
        found.sort_by_cached_key(place);
        Ok(found)
    }

    /// Holds every place against its file; those that stand there become citations and are counted.
    fn verify_all(
        &self,
        found: &[Found],
        counts: &mut Everything,
        answer: &mut Answer,
    ) -> Result<()> {
        let extractor = self.extractor();
        // Sources come one behind the other: what is read of one is let go before the next.
        for of_source in found.chunk_by(|a, b| a.read.source == b.read.source) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            let mut verifier = Verifier::new(extractor);
            let source = &of_source[0].read.source;
            let mut here = InSource {
                source: source.path.clone(),
                mentions: 0,
                citations: Vec::new(),
            };
            let (mut lost, mut seen) = (0, Vec::new());
            for place in of_source {
                let Some(stands) = verifier.find(source, place.span, &place.quote) else {
                    lost += 1;
                    continue;
                };
                if seen.contains(&stands.span) {
                    continue; // of a file that has changed, two may have become one
                }
                seen.push(stands.span);
                let n = answer.citations.len() as u32 + 1;
                here.mentions += place.mentions;
                here.citations.push(n);
                answer.cited.push(place.read.clone());
                answer.citations.push(Citation {
                    n,
                    source: source.path.clone(),
                    part: stands.part,
                    page: stands.page,
                    lines: stands.lines,
                    heading: place.heading.clone(),
                    quote: place.quote.clone(),
                    span: stands.span,
                    areas: stands.areas,
                    verified: true,
                    note: stands.note,
                });
            }
            if lost > 0 {
                let unreadable = verifier.unreadable().first().cloned();
                counts.lost.push(Lost {
                    source: source.path.clone(),
                    places: lost,
                    reason: unreadable
                        .unwrap_or_else(|| "the file has changed since it was indexed".to_owned()),
                });
            }
            if !here.citations.is_empty() {
                counts.sources += 1;
                counts.places += here.citations.len();
                counts.mentions += here.mentions;
                counts.by_source.push(here);
            }
        }
        Ok(())
    }
}

/// The places in one chunk.
fn add(read: &Read, look: &mut Wanted, found: &mut Vec<Found>) {
    let text = &read.chunk.text;
    let standing = look.standing(text);
    if standing.iter().any(Vec::is_empty) {
        return;
    }
    let sentences = citable(text);
    let mut places: Vec<(Span, usize)> = Vec::new();
    if let [one] = standing.as_slice() {
        for span in one {
            let around = around(&sentences, *span);
            match places.last_mut() {
                Some((last, mentions)) if last.end > around.start => {
                    last.end = last.end.max(around.end);
                    *mentions += 1;
                }
                _ => places.push((around, 1)),
            }
        }
    } else {
        let holds = |sentence: &&Span| {
            let within = |places: &Vec<Span>| places.iter().any(|place| sentence.contains(*place));
            standing.iter().all(within)
        };
        places.extend(
            sentences
                .iter()
                .filter(holds)
                .map(|sentence| (*sentence, 1)),
        );
    }
    let cited = Cited {
        source: read.source.clone(),
        hash: read.source_hash.clone(),
    };
    found.extend(places.into_iter().map(|(span, mentions)| Found {
        read: cited.clone(),
        span: span.shifted(read.chunk.span.start),
        quote: span.slice(text).to_owned(),
        heading: read.chunk.heading.clone(),
        mentions,
    }));
}

/// The sentences that `span` touches, as one; itself where it lies in none.
fn around(sentences: &[Span], span: Span) -> Span {
    let touched = sentences
        .iter()
        .filter(|s| s.start < span.end && span.start < s.end);
    touched.fold(span, |all, sentence| {
        Span::new(all.start.min(sentence.start), all.end.max(sentence.end))
    })
}

fn is_inside(scope: &Scope, key: &rag_core::SourceKey) -> bool {
    match scope {
        Scope::All => true,
        Scope::Only(keys) => keys.contains(key),
        Scope::AllBut(keys) => !keys.contains(key),
    }
}

/// The words of a subject that say something, each by itself; of Chinese, what stands between the
/// characters that join.
fn words_of(subject: &str) -> Vec<String> {
    const JOINS: &str = "的了是在和与與及或跟、";
    let parts = subject.split(|c: char| c.is_whitespace() || JOINS.contains(c));
    let mut words: Vec<String> = Vec::new();
    for part in parts {
        let part = part.trim_matches(|c: char| !c.is_alphanumeric());
        let says = part.chars().any(is_unspaced) || !rag_text::terms(part).is_empty();
        if says && !words.iter().any(|word| word == part) {
            words.push(part.to_owned());
        }
    }
    words
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests;
