//! Alignment: which sentence of which passage supports a sentence of the answer. Pure.
//!
//! The model's own `[n]` marks are not asked for and would prove nothing: the engine looks for the
//! place itself. A place supports a sentence if it holds most of the sentence's terms by weight (rare
//! terms weigh more), most of what the sentence adds to the question, and every number it adds.

use std::collections::{HashMap, HashSet};

use rag_core::fold::is_unspaced;
use rag_core::{Hit, Span};

/// Share of a sentence's terms, by weight, that its support must hold.
const COVERED: f32 = 0.35;
/// The same for terms that are not in the question: the answer proper.
const NOVEL: f32 = 0.6;
/// The same for what the sentence takes from the question: the passage must speak of it.
const TAKEN: f32 = 0.5;
/// Share of the question's terms that a passage must hold to answer it, unless it is near by vector.
const SPOKEN_OF: f32 = 0.2;
/// A sentence that adds nothing to the question must be held whole, and repeat most of the question:
/// it says yes to it. A fragment of the question is no answer.
const ECHO: f32 = 0.8;

/// Terms by which an answer speaks of itself (“the answer is”, “according to the passage”), stemmed.
const SPEAKS_OF_ITSELF: [&str; 12] = [
    "answer", "question", "passage", "text", "document", "accord", "base", "provid", "mention",
    "state", "回答", "答案",
];

/// A place that supports a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Support {
    /// Which passage, from 0.
    pub(crate) passage: usize,
    /// Byte range in the passage's text.
    pub(crate) span: Span,
    /// Share of the sentence's terms that it holds, by weight (0 to 1).
    pub(crate) covered: f32,
}

/// A passage that may support an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passage<'a> {
    pub(crate) text: &'a str,
    /// Where it stands: file name and heading path. Context, never quoted.
    pub(crate) heading: &'a str,
    /// Whether the embedder finds it near the question.
    pub(crate) is_near: bool,
}

/// The passages of one question, cut into the places that can be cited.
#[derive(Debug)]
pub(crate) struct Evidence {
    places: Vec<Place>,
    /// Terms of each passage with its headings.
    passages: Vec<HashSet<String>>,
    /// Which passages are near the question.
    near: Vec<bool>,
    weights: Weights,
    question: HashSet<String>,
}

#[derive(Debug)]
struct Place {
    passage: usize,
    span: Span,
    terms: HashSet<String>,
    /// Chinese characters of the terms.
    characters: HashSet<char>,
    /// Numbers with each of the words that follow them closely: what they count.
    counts: HashSet<(String, String)>,
    /// Sentences it spans: one or two.
    sentences: usize,
}

impl Evidence {
    pub(crate) fn new(question: &str, passages: &[Passage<'_>]) -> Self {
        let mut places = Vec::new();
        for (passage, Passage { text, .. }) in passages.iter().enumerate() {
            let spans = citable(text);
            let pairs = spans
                .windows(2)
                .map(|pair| (Span::new(pair[0].start, pair[1].end), 2));
            let singles = spans.iter().map(|span| (*span, 1));
            places.extend(singles.chain(pairs).map(|(span, sentences)| {
                let terms = terms(span.slice(text));
                Place {
                    passage,
                    span,
                    characters: terms
                        .iter()
                        .flat_map(|term| term.chars())
                        .filter(|c| is_unspaced(*c))
                        .collect(),
                    terms,
                    counts: counts(span.slice(text), NEARBY),
                    sentences,
                }
            }));
        }
        Self {
            weights: Weights::of(places.iter().map(|place| &place.terms)),
            passages: passages
                .iter()
                .map(|passage| terms(&format!("{}\n{}", passage.heading, passage.text)))
                .collect(),
            near: passages.iter().map(|passage| passage.is_near).collect(),
            places,
            question: terms(question),
        }
    }

    pub(crate) fn support(&self, sentence: &str) -> Option<Support> {
        let mut wanted = terms(sentence);
        wanted.retain(|term| !SPEAKS_OF_ITSELF.contains(&term.as_str()));
        let novel: HashSet<String> = wanted.difference(&self.question).cloned().collect();
        let taken: HashSet<String> = wanted.intersection(&self.question).cloned().collect();
        let counted: HashSet<(String, String)> = counts(sentence, 1)
            .into_iter()
            .filter(|(number, _)| novel.contains(number))
            .collect();
        let mut best: Option<(f32, Support)> = None;
        for place in &self.places {
            if !self.speaks_of_question(place.passage) {
                continue;
            }
            let covered = self.held(&wanted, place);
            let enough = if novel.is_empty() {
                covered >= ECHO && self.share(&self.question, &wanted) >= ECHO
            } else {
                covered >= COVERED
                    && (taken.is_empty()
                        || self.share(&taken, &self.passages[place.passage]) >= TAKEN)
                    && self.held(&novel, place) >= NOVEL
                    && novel
                        .iter()
                        .all(|term| !is_number(term) || place.terms.contains(term))
                    && counted.is_subset(&place.counts)
            };
            if !enough {
                continue;
            }
            // Among places that hold the answer, the one that speaks of the question; one sentence
            // rather than two.
            let score = covered + 0.3 * self.share(&self.question, &place.terms)
                - 0.35 * (place.sentences - 1) as f32;
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                let found = Support {
                    passage: place.passage,
                    span: place.span,
                    covered,
                };
                best = Some((score, found));
            }
        }
        best.map(|(_, support)| support)
    }

    /// Whether the passage speaks of what was asked: a model that copies from another one has not
    /// answered.
    fn speaks_of_question(&self, passage: usize) -> bool {
        self.near[passage] || self.share(&self.question, &self.passages[passage]) >= SPOKEN_OF
    }

    /// Share of `wanted` that the place holds, by weight. A pair of Chinese characters that both stand
    /// there apart counts half: words are put in another order (建造于1978年, 于1978年建造).
    fn held(&self, wanted: &HashSet<String>, place: &Place) -> f32 {
        let apart = |term: &&String| {
            !place.terms.contains(*term)
                && term
                    .chars()
                    .all(|c| is_unspaced(c) && place.characters.contains(&c))
        };
        let scattered: HashSet<String> = wanted.iter().filter(apart).cloned().collect();
        self.share(wanted, &place.terms) + self.share(wanted, &scattered) / 2.0
    }

    fn share(&self, wanted: &HashSet<String>, held: &HashSet<String>) -> f32 {
        self.weights.share(wanted, held)
    }
}

/// How much terms weigh: the rarer, the more.
#[derive(Debug)]
pub(crate) struct Weights {
    by_term: HashMap<String, f32>,
    /// Of a term that is nowhere.
    unseen: f32,
}

impl Weights {
    /// ln(1 + N / texts that hold the term), of texts given by their terms.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a HashSet<String>>) -> Self {
        let mut by_term: HashMap<String, f32> = HashMap::new();
        let mut all = 0.0;
        for terms in texts {
            all += 1.0;
            for term in terms {
                *by_term.entry(term.clone()).or_default() += 1.0;
            }
        }
        for count in by_term.values_mut() {
            *count = (1.0 + all / *count).ln();
        }
        Self {
            by_term,
            unseen: (1.0_f32 + all).ln(),
        }
    }

    /// A term that is nowhere weighs like the rarest that there is.
    pub(crate) fn with_unseen_as_rarest(mut self) -> Self {
        self.unseen = self.by_term.values().copied().fold(1.0, f32::max);
        self
    }

    /// Share of `wanted` that `held` holds, by weight; 0 where nothing is wanted.
    pub(crate) fn share(&self, wanted: &HashSet<String>, held: &HashSet<String>) -> f32 {
        let weight = |term: &String| self.by_term.get(term).copied().unwrap_or(self.unseen);
        let all: f32 = wanted.iter().map(weight).sum();
        let got: f32 = wanted.intersection(held).map(weight).sum();
        if all > 0.0 { got / all } else { 0.0 }
    }
}

/// Where a hit stands: its file and headings. They say what it is about, and are never quoted.
pub(crate) fn standing(hit: &Hit) -> String {
    format!("{}\n{}", hit.source.path, hit.chunk.heading.join("\n"))
}

/// Share of the question's terms that the text holds (0 to 1).
pub(crate) fn overlap(question: &str, text: &str) -> f32 {
    let wanted = terms(question);
    let held = terms(text);
    if wanted.is_empty() {
        return 0.0;
    }
    wanted.intersection(&held).count() as f32 / wanted.len() as f32
}

pub(crate) fn terms(text: &str) -> HashSet<String> {
    rag_text::terms(text).into_iter().collect()
}

pub(crate) fn is_number(term: &str) -> bool {
    term.chars().any(|c| c.is_ascii_digit())
}

/// How many words after a number may say what it counts (“180 foot passengers”).
const NEARBY: usize = 3;

/// Each number with the plural nouns among the next `reach` words: “11 minutes” is not “11 knots”.
fn counts(text: &str, reach: usize) -> HashSet<(String, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut counts = HashSet::new();
    for (at, word) in words.iter().enumerate() {
        // A number before a comma or a full stop counts nothing that follows.
        if !word.ends_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let Some(number) = rag_text::terms(word).pop() else {
            continue;
        };
        for noun in words[at + 1..].iter().take(reach) {
            let plain = noun.trim_end_matches(|c: char| !c.is_alphanumeric());
            let is_plural = plain.len() > 2 && plain.ends_with('s') && !plain.ends_with("ss");
            if let (true, Some(noun)) = (is_plural, rag_text::terms(plain).pop()) {
                counts.insert((number.clone(), noun));
            }
        }
    }
    counts
}

/// Sentences, and the rows of tables one by one.
pub(crate) fn citable(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for sentence in rag_text::sentences(text) {
        let inside = sentence.slice(text);
        if !inside.trim_start().starts_with('|') {
            spans.push(sentence);
            continue;
        }
        let mut at = sentence.start;
        for line in inside.split_inclusive('\n') {
            let row = line.trim();
            if !row.is_empty() {
                let start = at + (line.len() - line.trim_start().len());
                spans.push(Span::new(start, start + row.len()));
            }
            at += line.len();
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    const FERRY: &str = "The Tern was built in Bergen in 1978. She carries 60 passengers. \
                         Her sister, the Petrel, was built in 1987 and carries 85.";

    fn support(question: &str, passages: &[&str], sentence: &str) -> Option<Support> {
        let passages: Vec<Passage<'_>> = passages
            .iter()
            .map(|text| Passage {
                text,
                heading: "",
                is_near: false,
            })
            .collect();
        Evidence::new(question, &passages).support(sentence)
    }

    fn quote<'a>(question: &str, passages: &[&'a str], sentence: &str) -> Option<&'a str> {
        let found = support(question, passages, sentence)?;
        Some(found.span.slice(passages[found.passage]))
    }

    #[test]
    fn a_sentence_is_supported_by_the_sentence_that_says_it() {
        let found = quote(
            "When was the Tern built?",
            &[FERRY],
            "The Tern was built in 1978.",
        );
        assert_eq!(found, Some("The Tern was built in Bergen in 1978."));
    }

    #[test]
    fn a_bare_number_is_supported_where_the_question_is_spoken_of() {
        let other = "In 1978 the school got a new roof.";
        let found = quote("When was the Tern built?", &[other, FERRY], "1978.");
        assert_eq!(found, Some("The Tern was built in Bergen in 1978."));
    }

    #[test]
    fn a_wrong_number_and_a_wrong_name_are_not_supported() {
        let question = "Where was the Tern built, and when?";
        for wrong in [
            "The Tern was built in 1979.",
            "The Tern was built in Hamburg by Blohm.",
        ] {
            assert_eq!(quote(question, &[FERRY], wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_number_must_count_the_same_thing() {
        let passage = "The Tern sails at 11 knots. The crossing to Fenn takes 48 minutes.";
        let question = "How long does the crossing to Fenn take?";
        let right = quote(question, &[passage], "The crossing takes 48 minutes.");
        assert_eq!(right, Some("The crossing to Fenn takes 48 minutes."));
        assert_eq!(
            quote(question, &[passage], "The crossing takes 11 minutes."),
            None
        );
    }

    #[test]
    fn what_a_sentence_takes_from_the_question_must_be_spoken_of_in_the_passage() {
        let shore = "The board approved 185,000 crowns for shore power, the second cheapest offer.";
        let question = "How much did the board approve for the new gearbox of the Tern?";
        let wrong = "The board approved 185,000 crowns for the new gearbox of the Tern.";
        let gearbox = "The board approved 310,000 crowns for a new gearbox of the Tern.";
        assert_eq!(quote(question, &[shore, gearbox], wrong), None);
    }

    #[test]
    fn chinese_sentences_are_aligned_too() {
        let passage = "渡轮燕鸥号于1978年在卑尔根建造。全船可载六十名乘客。海燕号建于1987年。";
        let found = quote("燕鸥号是哪一年建造的？", &[passage], "燕鸥号建造于1978年。");
        assert_eq!(found, Some("渡轮燕鸥号于1978年在卑尔根建造。"));
        assert_eq!(
            quote("燕鸥号是哪一年建造的？", &[passage], "燕鸥号建造于1990年。"),
            None
        );
    }

    #[test]
    fn the_row_of_a_table_is_a_place_of_its_own() {
        let table = "| Route | Fare |\n|---|---|\n| Skerry | 12.50 |\n| Holm | 9.00 |";
        let found = quote(
            "What is the fare to Holm?",
            &[table],
            "The fare to Holm is 9.00.",
        );
        assert_eq!(found, Some("| Holm | 9.00 |"));
    }

    #[test]
    fn a_passage_that_speaks_of_something_else_supports_nothing() {
        let drill = "每条船每季度举行一次消防演习，演习记录保存三年。";
        let question = "每个夜班的夜班津贴是多少？";
        assert_eq!(
            quote(question, &[drill], "每条船每季度举行一次消防演习。"),
            None
        );
    }

    #[test]
    fn a_fragment_of_the_question_is_no_answer() {
        let passage = "Captain Anton Reyes commands the Petrel.";
        let salary = "What is the salary of Captain Anton Reyes?";
        assert_eq!(quote(salary, &[passage], "Captain Anton Reyes."), None);
        let commands = "Does Captain Anton Reyes command the Petrel?";
        let yes = quote(
            commands,
            &[passage],
            "Captain Anton Reyes commands the Petrel.",
        );
        assert_eq!(yes, Some(passage));
    }

    #[test]
    fn nothing_supports_a_sentence_without_content() {
        assert_eq!(quote("When?", &[FERRY], "It is so."), None);
        assert_eq!(quote("When?", &[], "The Tern was built in 1978."), None);
    }
}
