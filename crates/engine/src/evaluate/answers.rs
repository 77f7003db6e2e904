//! Answers to a question set: how many are given, right and cited rightly, and how many are refused.

use std::collections::HashMap;

use rag_core::{Answer, AnswerMode, Citation, Filter, Result, Sampling};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::Gold;
use super::group::{KIND, LANG, SUBSET, grouped};
use super::judge::{self, is_right};
use super::score::percentile;
use crate::ask::Question;
use crate::refuse::Signs;

/// A question set that is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answering {
    pub questions: Vec<Gold>,
    pub mode: AnswerMode,
    /// Hits asked for.
    pub limit: usize,
    /// Longest answer of a model, in its tokens.
    pub max_tokens: usize,
}

impl Answering {
    /// What is asked for `gold`, always answered in the likeliest words.
    pub(crate) fn question(&self, gold: &Gold) -> Question {
        Question {
            text: gold.question.clone(),
            mode: self.mode,
            limit: self.limit,
            filter: Filter::default(),
            sampling: Sampling::greedy(self.max_tokens),
        }
    }
}

/// What became of one question, asked without a threshold of confidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table, each column independent"
)]
pub struct Answered {
    pub id: String,
    pub answerable: bool,
    pub signs: Signs,
    pub confidence: f32,
    /// Whether the answer was withheld for what the model wrote.
    pub declined: bool,
    /// Whether a hit holds the gold answer or its evidence.
    pub found: bool,
    /// Whether the answer holds a gold answer (NFKC, lower case, without white space).
    pub right: bool,
    /// Largest F1 of its tokens (words, Chinese characters) and those of a gold answer.
    pub f1: f64,
    pub citations: usize,
    /// Citations of passages that hold the gold answer or its evidence.
    pub right_citations: usize,
    pub took_ms: f64,
    pub cite_ms: f64,
}

/// What a run gave at the engine's threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerScores {
    pub mode: AnswerMode,
    /// A question whose hits give less confidence is refused.
    pub least_confidence: f32,
    pub metrics: AnswerMetrics,
    /// The same by language, subset and kind, where a set has several.
    pub groups: Vec<AnswerGroup>,
    /// The same at other thresholds.
    pub curve: Vec<(f32, AnswerMetrics)>,
}

/// The scores of some questions of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerGroup {
    /// `lang zh-Hans`, `kind off_corpus`.
    pub name: String,
    pub metrics: AnswerMetrics,
}

/// Shares are from 0 to 1, and 0 of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct AnswerMetrics {
    /// Questions that the documents answer.
    pub answerable: usize,
    /// Share of them that was answered, and answered rightly.
    pub answered: f64,
    pub right: f64,
    /// Mean F1 of the given answers.
    pub f1: f64,
    /// Share of the citations that are of the right passage.
    pub citation_precision: f64,
    /// Share of the answerable questions with a citation of the right passage.
    pub citation_recall: f64,
    /// Share refused of those whose evidence is among the hits.
    pub refused_wrongly: f64,
    /// Questions that the documents do not answer, and the share of them that was refused.
    pub unanswerable: usize,
    pub refused_rightly: f64,
    /// Median time of a question, and of its citations, in milliseconds.
    pub p50_ms: f64,
    pub cite_p50_ms: f64,
}

/// Asks all questions. `ask` answers without a threshold of confidence.
pub(crate) fn run(
    answering: &Answering,
    least_confidence: f32,
    on_answer: &mut dyn FnMut(&Answer, &Answered),
    ask: &mut dyn FnMut(&Gold) -> Result<Answer>,
) -> Result<AnswerScores> {
    let mut all = Vec::with_capacity(answering.questions.len());
    for gold in &answering.questions {
        let answer = ask(gold)?;
        let answered = judged(gold, &answer);
        on_answer(&answer, &answered);
        all.push(answered);
    }
    let everything: Vec<&Answered> = all.iter().collect();
    let curve = (0..20u8).map(|step| f32::from(step) / 20.0);
    Ok(AnswerScores {
        mode: answering.mode,
        least_confidence,
        metrics: metrics(&everything, least_confidence),
        groups: groups(&answering.questions, &all, least_confidence),
        curve: curve
            .map(|least| (least, metrics(&everything, least)))
            .collect(),
    })
}

fn judged(gold: &Gold, answer: &Answer) -> Answered {
    let of = |citation: &Citation| {
        answer.hits.iter().find(|hit| {
            hit.source.path == citation.source && hit.chunk.text.contains(&citation.quote)
        })
    };
    let right_citations = answer
        .citations
        .iter()
        .filter_map(of)
        .filter(|hit| is_right(hit, gold))
        .count();
    let sentences: Vec<&str> = answer.sentences.iter().map(|s| s.text.as_str()).collect();
    let text = sentences.join(" ");
    let folded = judge::fold(&text);
    let holds = |gold: &String| {
        let gold = judge::fold(gold);
        !gold.is_empty() && folded.contains(&gold)
    };
    Answered {
        id: gold.id.clone(),
        answerable: gold.answerable,
        signs: Signs::of(&answer.question, &answer.hits),
        confidence: answer.confidence,
        declined: answer.refused.is_some(),
        found: answer.hits.iter().any(|hit| is_right(hit, gold)),
        right: gold.answers.iter().any(holds),
        f1: gold
            .answers
            .iter()
            .map(|gold| f1(&text, gold))
            .fold(0.0, f64::max),
        citations: answer.citations.len(),
        right_citations,
        took_ms: answer.timings.total_ms,
        cite_ms: answer.timings.cite_ms,
    }
}

fn metrics(all: &[&Answered], least_confidence: f32) -> AnswerMetrics {
    let is_given = |a: &&&Answered| !a.declined && a.confidence >= least_confidence;
    let answerable: Vec<&&Answered> = all.iter().filter(|a| a.answerable).collect();
    let unanswerable: Vec<&&Answered> = all.iter().filter(|a| !a.answerable).collect();
    let given: Vec<&&Answered> = answerable.iter().copied().filter(is_given).collect();
    let found: Vec<&&Answered> = answerable.iter().copied().filter(|a| a.found).collect();
    let refused = |some: &[&&Answered]| some.len() - some.iter().copied().filter(is_given).count();
    let of = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let count = |is: &dyn Fn(&Answered) -> bool| given.iter().filter(|a| is(a)).count();
    let sum = |of: &dyn Fn(&Answered) -> usize| given.iter().map(|a| of(a)).sum::<usize>();
    AnswerMetrics {
        answerable: answerable.len(),
        answered: of(given.len(), answerable.len()),
        right: of(count(&|a| a.right), answerable.len()),
        f1: given.iter().map(|a| a.f1).fold(0.0, |sum, f1| sum + f1) / given.len().max(1) as f64,
        citation_precision: of(sum(&|a| a.right_citations), sum(&|a| a.citations)),
        citation_recall: of(count(&|a| a.right_citations > 0), answerable.len()),
        refused_wrongly: of(refused(&found), found.len()),
        unanswerable: unanswerable.len(),
        refused_rightly: of(refused(&unanswerable), unanswerable.len()),
        p50_ms: percentile(all.iter().map(|a| a.took_ms), 50),
        cite_p50_ms: percentile(all.iter().map(|a| a.cite_ms), 50),
    }
}

fn groups(questions: &[Gold], all: &[Answered], least_confidence: f32) -> Vec<AnswerGroup> {
    let pairs: Vec<(&Gold, &Answered)> = questions.iter().zip(all).collect();
    let groups = grouped(&pairs, &[LANG, SUBSET, KIND]).into_iter();
    let scores = groups.map(|(name, some)| AnswerGroup {
        name,
        metrics: metrics(&some, least_confidence),
    });
    scores.collect()
}

/// Harmonic mean of the shares of tokens that two texts have in common, each as often as it stands there
/// (Rajpurkar et al., 2016); articles and punctuation aside.
fn f1(answer: &str, gold: &str) -> f64 {
    let (answer, gold) = (tokens(answer), tokens(gold));
    let mut left: HashMap<&str, usize> = HashMap::new();
    for token in &gold {
        *left.entry(token).or_default() += 1;
    }
    let mut common = 0;
    for token in &answer {
        if let Some(count) = left.get_mut(token.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    2.0 * f64::from(common) / (answer.len() + gold.len()).max(1) as f64
}

/// Words in lower case, and Chinese characters one by one.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    for c in text.nfkc().flat_map(char::to_lowercase).chain([' ']) {
        let is_alone = rag_core::fold::is_unspaced(c);
        if c.is_alphanumeric() && !is_alone {
            word.push(c);
            continue;
        }
        if !word.is_empty() && !["a", "an", "the"].contains(&word.as_str()) {
            tokens.push(std::mem::take(&mut word));
        }
        word.clear();
        if is_alone && c.is_alphanumeric() {
            tokens.push(c.to_string());
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answerable: bool, confidence: f32, right: bool) -> Answered {
        Answered {
            id: String::new(),
            answerable,
            signs: Signs::default(),
            confidence,
            declined: false,
            found: answerable,
            right,
            f1: if right { 1.0 } else { 0.0 },
            citations: 2,
            right_citations: usize::from(right),
            took_ms: 1.0,
            cite_ms: 1.0,
        }
    }

    #[test]
    fn tokens_in_common_count_as_often_as_both_texts_have_them() {
        assert!((f1("The Tern, built in 1978.", "1978") - 0.4).abs() < 1e-9);
        assert!((f1("建于1978年", "1978年") - 2.0 / 3.0).abs() < 1e-9);
        assert!(f1("tern", "") < f64::EPSILON);
        assert!((f1("the tern the tern", "a tern") - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_higher_threshold_refuses_more_of_both_kinds() {
        let all = [
            answered(true, 0.9, true),
            answered(true, 0.6, false),
            answered(true, 0.3, true),
            answered(false, 0.5, false),
        ];
        let all: Vec<&Answered> = all.iter().collect();
        let open = metrics(&all, 0.0);
        assert_eq!((open.answerable, open.unanswerable), (3, 1));
        assert!((open.answered - 1.0).abs() < 1e-9 && open.refused_rightly.abs() < 1e-9);
        assert!((open.right - 2.0 / 3.0).abs() < 1e-9);
        assert!((open.citation_precision - 2.0 / 6.0).abs() < 1e-9);
        let shut = metrics(&all, 0.55);
        assert!((shut.answered - 2.0 / 3.0).abs() < 1e-9);
        assert!((shut.right - 1.0 / 3.0).abs() < 1e-9);
        assert!((shut.refused_wrongly - 1.0 / 3.0).abs() < 1e-9);
        assert!((shut.refused_rightly - 1.0).abs() < 1e-9);
        assert!((shut.f1 - 0.5).abs() < 1e-9);
    }
}
