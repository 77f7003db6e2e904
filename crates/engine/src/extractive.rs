//! Extractive answers: which sentences of the passages answer a question, as they stand.
//!
//! A sentence is scored by the question's terms that it holds, by those that stand around it, by its
//! vector, by the passage it is of, and by whether it holds what the question asks for (a number, a
//! name). The weights are round numbers; ones fitted to half of a question set find no more in the other
//! half (benches/results/answers.md).

use std::collections::HashSet;

use rag_core::fold::is_unspaced;
use rag_core::{Embedder, Hit, Purpose, Result, Span};

use crate::align::{Weights, citable, is_number, standing, terms};
use crate::{retrieve, windows};

/// A sentence that may answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extract {
    /// Which passage, from 0.
    pub(crate) passage: usize,
    /// Byte range in the passage's text.
    pub(crate) span: Span,
    pub(crate) score: f32,
}

/// What is known of a sentence; each from 0 to 1, but for `near`, a cosine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Features {
    /// Share of the question's terms, by weight, that the sentence holds.
    own: f32,
    /// The same of those that only its heading or the sentence before it hold.
    around: f32,
    /// Cosine similarity with the question; 0 where the embedder was not asked.
    near: f32,
    /// The passage's score over the best passage's.
    passage: f32,
    /// 1 if it holds a number or name that the question asks for and does not itself hold.
    wanted: f32,
    /// 1 if it is a question itself.
    asks: f32,
    /// Terms that are not in the question, up to eight, over eight: a heading adds nothing.
    adds: f32,
}

impl Features {
    const WEIGHTS: Self = Self {
        own: 1.0,
        around: 0.4,
        near: 0.8,
        passage: 0.5,
        wanted: 0.2,
        asks: -0.5,
        adds: 0.2,
    };

    fn score(&self, weights: &Self) -> f32 {
        self.own * weights.own
            + self.around * weights.around
            + self.near * weights.near
            + self.passage * weights.passage
            + self.wanted * weights.wanted
            + self.asks * weights.asks
            + self.adds * weights.adds
    }
}

/// Sentences whose vectors are asked: those that score best without.
const READ_BY_VECTOR: usize = 32;

/// The sentences of `hits`, those that answer best first.
///
/// # Errors
/// Whatever the embedder reports.
pub(crate) fn ranked(
    question: &str,
    hits: &[Hit],
    embedder: &dyn Embedder,
) -> Result<Vec<Extract>> {
    let mut extracts = by_words(question, hits);
    by_score(&mut extracts);
    if retrieve::speaks(question, embedder.languages()) {
        let some = extracts.len().min(READ_BY_VECTOR);
        let near = nearness(question, hits, &extracts[..some], embedder)?;
        for (extract, near) in extracts.iter_mut().zip(near) {
            extract.score += Features::WEIGHTS.near * near;
        }
        by_score(&mut extracts[..some]);
    }
    Ok(extracts)
}

/// Best first; equal scores keep the order of the hits and of the text.
fn by_score(extracts: &mut [Extract]) {
    extracts.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// The sentences in their order, scored by all but their vectors.
fn by_words(question: &str, hits: &[Hit]) -> Vec<Extract> {
    let sentences = sentences(hits);
    // That a term is in no sentence says something.
    let weights = Weights::of(sentences.iter().map(|sentence| &sentence.terms));
    let weights = weights.with_unseen_as_rarest();
    let asked = terms(question);
    let wanted = Wanted::of(question);
    let best = hits
        .first()
        .map_or(1.0, |hit| hit.score)
        .max(f32::MIN_POSITIVE);
    let score = |sentence: &Sentence| {
        let hit = &hits[sentence.passage];
        let text = sentence.span.slice(&hit.chunk.text);
        let own = weights.share(&asked, &sentence.terms);
        let both: HashSet<String> = sentence.terms.union(&sentence.context).cloned().collect();
        let features = Features {
            own,
            around: weights.share(&asked, &both) - own,
            near: 0.0,
            passage: hit.score / best,
            wanted: one_if(wanted.is_met(text, &sentence.terms, &asked)),
            asks: one_if(text.trim_end().ends_with(['?', '？'])),
            adds: sentence.terms.difference(&asked).count().min(8) as f32 / 8.0,
        };
        Extract {
            passage: sentence.passage,
            span: sentence.span,
            score: features.score(&Features::WEIGHTS),
        }
    };
    sentences.iter().map(score).collect()
}

fn one_if(is_so: bool) -> f32 {
    f32::from(u8::from(is_so))
}

struct Sentence {
    passage: usize,
    span: Span,
    terms: HashSet<String>,
    /// Terms of the heading path, the file's name and the sentence before.
    context: HashSet<String>,
}

fn sentences(hits: &[Hit]) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for (passage, hit) in hits.iter().enumerate() {
        let text = &hit.chunk.text;
        let place = terms(&standing(hit));
        let mut before: HashSet<String> = HashSet::new();
        for span in citable(text) {
            let terms = terms(span.slice(text));
            sentences.push(Sentence {
                passage,
                span,
                context: place.union(&before).cloned().collect(),
                terms: terms.clone(),
            });
            before = terms;
        }
    }
    sentences
}

/// The cosine of each sentence with the question.
fn nearness(
    question: &str,
    hits: &[Hit],
    extracts: &[Extract],
    embedder: &dyn Embedder,
) -> Result<Vec<f32>> {
    let (asked, _) = windows::vector(question, embedder)?;
    // A sentence longer than the embedder reads is known by its beginning.
    let texts: Vec<&str> = extracts
        .iter()
        .map(|extract| extract.span.slice(&hits[extract.passage].chunk.text))
        .map(|text| windows::windows(text, embedder)[0])
        .collect();
    let vectors = embedder.embed(&texts, Purpose::Passage)?;
    let cosine = |vector: &Vec<f32>| vector.iter().zip(&asked).map(|(a, b)| a * b).sum();
    Ok(vectors.iter().map(cosine).collect())
}

/// What a question asks for, as far as its words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Number,
    Name,
    Unknown,
}

impl Wanted {
    fn of(question: &str) -> Self {
        const NUMBER: [&str; 24] = [
            "how many",
            "how much",
            "how long",
            "how old",
            "how far",
            "how often",
            "when ",
            "what year",
            "which year",
            "what date",
            "what time",
            "what percent",
            "what number",
            "what day",
            "多少",
            "几",
            "幾",
            "何时",
            "何時",
            "什么时候",
            "什麼時候",
            "哪年",
            "哪一年",
            "年份",
        ];
        const NAME: [&str; 3] = ["who ", "whose ", "whom "];
        let question = question.to_lowercase();
        let holds = |phrases: &[&str]| phrases.iter().any(|phrase| question.contains(phrase));
        if holds(&NUMBER) {
            Self::Number
        } else if holds(&NAME) {
            Self::Name
        } else {
            Self::Unknown
        }
    }

    /// Whether a sentence holds it and the question does not.
    fn is_met(self, text: &str, terms: &HashSet<String>, asked: &HashSet<String>) -> bool {
        match self {
            Self::Unknown => false,
            Self::Number => {
                let is_new = |term: &&String| is_number(term) && !asked.contains(*term);
                terms.iter().any(|term| is_new(&term)) || spells_number(text)
            }
            Self::Name => text.split_whitespace().skip(1).any(|word| {
                word.chars().next().is_some_and(char::is_uppercase)
                    && rag_text::terms(word)
                        .iter()
                        .any(|term| !asked.contains(term))
            }),
        }
    }
}

/// Whether a text holds a number in Chinese characters that counts something (三个, 十二年).
fn spells_number(text: &str) -> bool {
    const DIGITS: &str = "一二三四五六七八九十百千万萬亿億两兩";
    const COUNTED: &str = "个個年月日天人名位次所座家岁歲米里种種倍元";
    let characters: Vec<char> = text.chars().collect();
    characters
        .windows(2)
        .any(|pair| DIGITS.contains(pair[0]) && COUNTED.contains(pair[1]))
}

/// Which extracts an answer shows: a few that are nearly as good as the best and say something else.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    best: f32,
    kept: Vec<(Extract, HashSet<String>)>,
}

impl Shown {
    /// Most sentences of an answer.
    const MOST: usize = 3;
    /// Share of the best one's score that another one needs.
    const NEARLY: f32 = 0.85;
    /// Share of its terms that stand in one before, from which on a sentence repeats it.
    const REPEATS: f32 = 0.8;

    pub(crate) fn takes(&self, extract: &Extract, quote: &str) -> bool {
        let wanted = terms(quote);
        if wanted.is_empty() {
            return false;
        }
        let repeats = |(kept, held): &(Extract, HashSet<String>)| {
            let overlaps = kept.passage == extract.passage
                && kept.span.start < extract.span.end
                && extract.span.start < kept.span.end;
            let share = wanted.intersection(held).count() as f32 / wanted.len() as f32;
            overlaps || share >= Self::REPEATS
        };
        self.kept.is_empty()
            || (self.kept.len() < Self::MOST
                && extract.score >= Self::NEARLY * self.best
                && !self.kept.iter().any(repeats))
    }

    pub(crate) fn add(&mut self, extract: &Extract, quote: &str) {
        self.best = self.best.max(extract.score);
        self.kept.push((extract.clone(), terms(quote)));
    }
}

/// A quote on one line: what was broken for a page is joined again, and cells are kept apart by bars.
pub(crate) fn on_a_line(quote: &str) -> String {
    let cells: Vec<String> = quote.split('\t').map(joined).collect();
    cells.join(" | ")
}

/// Words with one space between them; none beside a Chinese or Japanese character, where a line break
/// means nothing.
fn joined(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let before = line.chars().next_back();
        let after = word.chars().next();
        if before.is_some_and(|c| !is_unspaced(c)) && after.is_some_and(|c| !is_unspaced(c)) {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HashEmbedder, hit};

    fn best(question: &str, passages: &[&str]) -> String {
        let hits: Vec<Hit> = passages.iter().map(|text| hit("a.md", text)).collect();
        let embedder = HashEmbedder::default();
        let extracts = ranked(question, &hits, &embedder).unwrap();
        let first = &extracts[0];
        first.span.slice(&hits[first.passage].chunk.text).to_owned()
    }

    #[test]
    fn the_sentence_that_speaks_of_the_question_comes_first() {
        let text = "The Tern is painted green. She was built in Bergen. Tea is sold on board.";
        assert_eq!(
            best("Where was she built?", &[text]),
            "She was built in Bergen."
        );
        let text = "渡轮每日开行六班。夜班津贴为每班二十元。码头设有茶室。";
        assert_eq!(best("夜班津贴是多少？", &[text]), "夜班津贴为每班二十元。");
    }

    #[test]
    fn a_sentence_that_asks_the_same_is_no_answer() {
        let text = "Where was the Tern built? The Tern was built in Bergen.";
        let found = best("Where was the Tern built?", &[text]);
        assert_eq!(found, "The Tern was built in Bergen.");
    }

    #[test]
    fn what_asks_for_a_number_finds_one() {
        let text = "The Tern carries passengers and bicycles. The Tern carries 60 passengers.";
        let found = best("How many passengers does the Tern carry?", &[text]);
        assert_eq!(found, "The Tern carries 60 passengers.");
    }

    #[test]
    fn an_answer_shows_what_is_nearly_as_good_and_says_something_else() {
        let extract = |start: usize, score: f32| Extract {
            passage: 0,
            span: Span::new(start, start + 10),
            score,
        };
        let mut shown = Shown::default();
        assert!(shown.takes(&extract(0, 2.0), "Built in Bergen."));
        shown.add(&extract(0, 2.0), "Built in Bergen.");
        assert!(
            !shown.takes(&extract(20, 1.9), "In Bergen she was built."),
            "it repeats"
        );
        assert!(
            !shown.takes(&extract(5, 1.9), "Sixty passengers."),
            "it overlaps"
        );
        assert!(
            !shown.takes(&extract(40, 1.0), "Sixty passengers."),
            "it is far behind"
        );
        assert!(shown.takes(&extract(40, 1.8), "Sixty passengers."));
        assert!(!shown.takes(&extract(60, 1.8), " – "), "it says nothing");
    }

    #[test]
    fn a_quote_is_shown_on_one_line() {
        assert_eq!(on_a_line("built in\n  Bergen"), "built in Bergen");
        assert_eq!(on_a_line("建于\n卑尔根"), "建于卑尔根");
        assert_eq!(on_a_line("Tern\t1978\tBergen"), "Tern | 1978 | Bergen");
    }
}
