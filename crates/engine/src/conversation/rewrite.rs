//! Follow-ups: the readings of a question that leans on what was said, and which of them the documents
//! speak of.
//!
//! No grammar knows what "it" is, but the documents know what was built and who commands whom. So the
//! rules of a language ([`english`](super::english), [`chinese`](super::chinese)) only propose: each
//! thing spoken of in the place of a pronoun, what is named anew in the place of each thing before. The
//! reading that one sentence of the documents holds most of is taken. That needs no language model.

use std::collections::HashSet;

use rag_core::fold::is_unspaced;
use rag_core::{Hit, Result, Rewritten, RewrittenBy, Span};

use super::{Turn, chinese, english};
use crate::align::{Weights, citable, standing, terms};

/// Hits of a reading that are looked at.
pub(super) const LOOKED_AT: usize = 8;
/// Readings that are looked at: each is a search by words.
const MOST: usize = 8;
/// Turns back to which a follow-up may lean.
const REACH: usize = 3;
/// A later reading has to be spoken of so much more than one before it: the order says something too.
const MARGIN: f32 = 0.1;
/// The same of readings that are one question with another thing changed each.
const MARGIN_OF_FRAMES: f32 = 0.04;
/// How much a reading has to be spoken of, where there are others to fall back on.
const SPOKEN_OF: f32 = 0.5;
/// How much less of a question may be spoken of where what was spoken of before is, than anywhere.
const FORGIVEN: f32 = 0.05;
/// A paragraph of so few bytes is the heading of the next.
const HEADING: usize = 60;

/// How a question leans on what was said before.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lean {
    /// It has a subject of its own.
    Not,
    /// It is short and names nothing; the documents decide.
    Perhaps,
    /// Words of it stand for something else.
    StandIns(Vec<StandIn>),
    /// It only names what the question before is to be asked of, or not even that.
    Anew(String),
}

/// A word that stands for something said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandIn {
    pub(super) span: Span,
    pub(super) of: StandsFor,
    /// Whether it says whose something is.
    pub(super) possessive: bool,
}

/// What a pronoun can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StandsFor {
    Anything,
    /// People, and ships.
    Person,
    Place,
}

/// What a question may mean.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Readings {
    /// The likeliest first.
    pub(super) by_rule: Vec<String>,
    /// Where the documents speak of none of these.
    otherwise: Vec<String>,
    /// The question before, where the readings are that one with something else in it.
    frame: Option<String>,
    pub(super) by_model: Option<String>,
    /// Whether it may stand by itself.
    may_stand: bool,
}

impl Readings {
    pub(super) fn is_none(&self) -> bool {
        self.by_rule.is_empty() && self.otherwise.is_empty()
    }
}

/// The readings of `question` after `turns`; none where it leans on nothing.
pub(super) fn readings(question: &str, turns: &[Turn]) -> Readings {
    let Some(last) = turns.last() else {
        return Readings::default();
    };
    let question = question.trim();
    let is_chinese = question.chars().any(is_unspaced);
    let (lean, bare) = if is_chinese {
        chinese::lean(question)
    } else {
        english::lean(question)
    };
    let things = |of| things(turns, of);
    let under = |thing: &String| {
        if is_chinese {
            format!("{thing}：{bare}")
        } else {
            english::under(thing, &bare)
        }
    };
    let joined = format!("{} {question}", last.searched);
    let mut readings = Readings::default();
    match &lean {
        Lean::Not => {}
        Lean::Perhaps => {
            readings.may_stand = true;
            let own = terms(question);
            let things = things(StandsFor::Anything);
            let is_new = |thing: &&String| terms(thing).is_disjoint(&own);
            readings.by_rule = things.iter().filter(is_new).take(3).map(under).collect();
        }
        Lean::StandIns(stand_ins) => {
            let put = |thing: &String| put(question, stand_ins, thing, is_chinese);
            readings.by_rule = things(stand_ins[0].of).iter().map(put).collect();
        }
        Lean::Anew(anew) => {
            let things = things(StandsFor::Anything);
            readings.otherwise = things.iter().take(1).map(under).collect();
            if anew.is_empty() {
                readings.by_rule = vec![joined];
            } else {
                readings.otherwise.push(joined);
                if is_chinese == last.searched.chars().any(is_unspaced) {
                    let swaps = if is_chinese {
                        chinese::swaps
                    } else {
                        english::swaps
                    };
                    readings.by_rule = swaps(&last.searched, anew);
                    readings.frame = Some(last.searched.clone());
                }
            }
        }
    }
    readings.by_rule.truncate(MOST);
    readings
}

/// What was spoken of, likeliest first: in the question before, in its answer, and further back. Who
/// was asked for, or where, is what people and places are next.
fn things(turns: &[Turn], of: StandsFor) -> Vec<String> {
    let named = |text: &str, is_question| {
        if text.chars().any(is_unspaced) {
            chinese::things(text)
        } else {
            english::things(text, is_question)
        }
    };
    let mut all: Vec<String> = Vec::new();
    for turn in turns.iter().rev().take(REACH) {
        let asked = named(&turn.searched, true);
        let answered = named(&turn.supported, false);
        let sought = match of {
            StandsFor::Anything => false,
            StandsFor::Person => asks(&turn.searched, &["who", "whom"], &["谁", "誰", "哪位"]),
            StandsFor::Place => asks(
                &turn.searched,
                &["where"],
                &["哪里", "哪裡", "哪儿", "何处"],
            ),
        };
        let own = terms(&turn.searched);
        let is_new = |thing: &String| !terms(thing).is_subset(&own) && is_short(thing);
        let mut answered: Vec<String> = answered.into_iter().filter(is_new).take(3).collect();
        let mut asked: Vec<String> = asked.into_iter().take(4).collect();
        if sought {
            std::mem::swap(&mut asked, &mut answered);
        }
        all.extend(asked.into_iter().chain(answered));
    }
    let mut seen = HashSet::new();
    all.retain(|thing| seen.insert(thing.to_lowercase()));
    all.truncate(MOST - 1);
    all
}

/// Whether it may be the name of a thing. Between the function words of a Chinese answer stand clauses.
fn is_short(thing: &str) -> bool {
    const LONGEST: usize = 6;
    !thing.chars().any(is_unspaced)
        || (thing.chars().count() <= LONGEST && !thing.contains(|c: char| c.is_ascii_digit()))
}

fn asks(question: &str, words: &[&str], phrases: &[&str]) -> bool {
    let lower = question.to_lowercase();
    let is_one = |word: &str| words.contains(&word);
    lower.split(|c: char| !c.is_alphanumeric()).any(is_one)
        || phrases.iter().any(|phrase| question.contains(phrase))
}

/// `question` with `thing` in each of the places.
fn put(question: &str, stand_ins: &[StandIn], thing: &str, is_chinese: bool) -> String {
    let mut text = question.to_owned();
    for stand_in in stand_ins.iter().rev() {
        let named = match (stand_in.possessive, is_chinese) {
            (false, _) => thing.to_owned(),
            (true, true) => format!("{thing}的"),
            (true, false) => format!("{thing}'s"),
        };
        let begins = stand_in.span.start == 0;
        let named = if begins {
            english::capital(&named)
        } else {
            named
        };
        text.replace_range(stand_in.span.start..stand_in.span.end, &named);
    }
    text
}

/// The reading that the documents speak of most; none where the question stands by itself better.
pub(super) fn choose(
    readings: &Readings,
    question: &str,
    search: &mut dyn FnMut(&str) -> Result<Vec<Hit>>,
) -> Result<Option<Rewritten>> {
    let by_model = readings.by_model.iter();
    let by_model = by_model.map(|text| (text, RewrittenBy::Model));
    let by_rule = readings
        .by_rule
        .iter()
        .map(|text| (text, RewrittenBy::Rule));
    let otherwise = readings
        .otherwise
        .iter()
        .map(|text| (text, RewrittenBy::Rule));
    let likely = by_model.chain(by_rule).collect();
    let frame = readings.frame.as_deref();
    let mut best = best_of(likely, question, frame, search)?;
    if best.as_ref().is_none_or(|(most, _)| most.all() < SPOKEN_OF) {
        let other = best_of(otherwise.collect(), question, None, search)?;
        let is_better = |(spoken, _): &(Spoken, Rewritten)| {
            let most = best.as_ref().map(|(most, _)| most.all());
            most.is_none_or(|most| spoken.all() > most + MARGIN)
        };
        if other.as_ref().is_some_and(is_better) {
            best = other;
        }
    }
    let Some((most, rewritten)) = best else {
        return Ok(None);
    };
    if readings.may_stand {
        let alone = spoken(question, question, None, &search(question)?);
        // What the documents hardly speak of is refused as it was asked.
        let is_spoken = most.put >= SPOKEN_OF && most.own >= SPOKEN_OF;
        if !is_spoken || most.own + FORGIVEN < alone.own {
            return Ok(None);
        }
    }
    Ok(Some(rewritten))
}

fn best_of(
    readings: Vec<(&String, RewrittenBy)>,
    question: &str,
    frame: Option<&str>,
    search: &mut dyn FnMut(&str) -> Result<Vec<Hit>>,
) -> Result<Option<(Spoken, Rewritten)>> {
    let margin = frame.map_or(MARGIN, |_| MARGIN_OF_FRAMES);
    let mut best: Option<(Spoken, Rewritten)> = None;
    for (text, by) in readings {
        let spoken = spoken(text, question, frame, &search(text)?);
        let is_better = |(most, _): &(Spoken, Rewritten)| spoken.all() > most.all() + margin;
        if best.as_ref().is_none_or(is_better) {
            let text = text.clone();
            best = Some((spoken, Rewritten { text, by }));
        }
    }
    Ok(best)
}

/// How much the documents speak of a reading, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
struct Spoken {
    /// Of what is left of the question: the share of its terms, by weight, in a sentence and its headings.
    own: f32,
    /// Of what was put into it, which may also stand elsewhere in the paragraph.
    put: f32,
}

impl Spoken {
    fn all(self) -> f32 {
        f32::midpoint(self.own, self.put)
    }
}

/// How much the best sentence of `hits` speaks of `reading`, which `question` became. Of a `frame` all
/// counts, so that it does not pay to leave out what the documents do not speak of.
fn spoken(reading: &str, question: &str, frame: Option<&str>, hits: &[Hit]) -> Spoken {
    let (all, asked) = (telling(reading), telling(question));
    let own: HashSet<String> = all.intersection(&asked).cloned().collect();
    let put: HashSet<String> = all.difference(&asked).cloned().collect();
    let whole: HashSet<String> = match frame {
        Some(frame) => telling(frame).difference(&asked).cloned().collect(),
        None => put.clone(),
    };
    if own.is_empty() && !put.is_empty() {
        return Spoken::default(); // nothing is said of what was put
    }
    let sentences: Vec<Sentence> = hits.iter().flat_map(sentences).collect();
    let weights = Weights::of(sentences.iter().map(|sentence| &sentence.own));
    let weights = weights.with_unseen_as_rarest();
    let held = |terms: &HashSet<String>| {
        let held: HashSet<String> = terms.intersection(&put).cloned().collect();
        weights.share(&whole, &held)
    };
    let of_sentence = |sentence: &Sentence| Spoken {
        own: weights.share(&own, &sentence.own),
        put: 0.3 * held(&sentence.own) + 0.7 * held(&sentence.around),
    };
    let spoken = sentences.iter().map(of_sentence);
    let best = spoken.max_by(|a, b| a.all().total_cmp(&b.all()));
    best.unwrap_or_default()
}

/// Terms of what a question is about: what asks is not told in an answer.
fn telling(question: &str) -> HashSet<String> {
    if question.chars().any(is_unspaced) {
        terms(&chinese::things(question).join(" "))
    } else {
        english::telling(question)
    }
}

/// A sentence of a hit.
struct Sentence {
    /// Its terms and those of its headings.
    own: HashSet<String>,
    /// These and those of its paragraph.
    around: HashSet<String>,
}

fn sentences(hit: &Hit) -> Vec<Sentence> {
    let text = &hit.chunk.text;
    let place = terms(&standing(hit));
    let mut sentences = Vec::new();
    let mut heading = HashSet::new();
    for paragraph in paragraphs(text) {
        let inside = paragraph.slice(text);
        let whole = terms(inside);
        let context: HashSet<String> = place.union(&heading).cloned().collect();
        let around: HashSet<String> = context.union(&whole).cloned().collect();
        for span in citable(inside) {
            sentences.push(Sentence {
                own: terms(span.slice(inside)).union(&context).cloned().collect(),
                around: around.clone(),
            });
        }
        if inside.len() <= HEADING {
            heading = whole;
        }
    }
    sentences
}

/// What stands between blank lines.
fn paragraphs(text: &str) -> Vec<Span> {
    let mut paragraphs = Vec::new();
    let mut at = 0;
    for piece in text.split("\n\n") {
        if !piece.trim().is_empty() {
            paragraphs.push(Span::new(at, at + piece.len()));
        }
        at += piece.len() + 2;
    }
    paragraphs
}

#[cfg(test)]
pub(super) mod tests;
