//! Evaluation: a question set with known answers against the knowledge base, scored by one rule.
//!
//! A hit is right if it comes from the gold document (and page, where one is given) and holds a gold
//! answer, or at least half of the evidence's character 8-grams, under NFKC, lower case and without
//! white space.

use std::time::Instant;

use rag_core::{Code, Error, Filter, Hit, Mode, Query, Result};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A question set and how to run it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub questions: Vec<Gold>,
    pub mode: Mode,
    /// Hits asked for.
    pub limit: usize,
}

/// A question with its known answer, one line of `queries.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gold {
    pub id: String,
    pub question: String,
    #[serde(default)]
    pub answers: Vec<String>,
    #[serde(default)]
    pub doc: Option<String>,
    #[serde(default)]
    pub page: Option<u32>,
    #[serde(default)]
    pub evidence: Option<String>,
    #[serde(default)]
    pub evidence_all: Vec<Evidence>,
    #[serde(default = "yes")]
    pub answerable: bool,
}

/// One of several places that hold the answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Evidence {
    pub doc: Option<String>,
    pub page: Option<u32>,
    pub text: Option<String>,
}

fn yes() -> bool {
    true
}

/// What an evaluation says while it runs.
#[derive(Debug, Clone, Copy)]
pub enum EvalEvent<'a> {
    /// A question was asked.
    Asked {
        id: &'a str,
        hits: &'a [Hit],
        took_ms: f64,
    },
}

/// Scores over the answerable questions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Metrics {
    pub questions: usize,
    /// Share of questions with a right hit among the first 1, 5, 10 and 20.
    pub recall_at_1: f64,
    pub recall_at_5: f64,
    pub recall_at_10: f64,
    pub recall_at_20: f64,
    /// Mean of 1 / rank of the first right hit.
    pub mrr: f64,
    /// Share of questions without any hit.
    pub zero: f64,
    /// Median and 95th percentile of the search time, in milliseconds.
    pub p50_ms: f64,
    pub p95_ms: f64,
}

impl Evaluation {
    /// Parses a question set, one JSON object a line.
    ///
    /// # Errors
    /// `Malformed`, naming the line.
    pub fn parse(text: &str, mode: Mode, limit: usize) -> Result<Self> {
        let questions = text
            .lines()
            .zip(1..)
            .filter(|(line, _)| !line.trim().is_empty())
            .map(|(line, n): (&str, usize)| {
                serde_json::from_str(line).map_err(|cause| {
                    Error::new(Code::Malformed, format!("line {n} is not a question"))
                        .because(cause)
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            questions,
            mode,
            limit,
        })
    }
}

pub(crate) fn run(
    evaluation: &Evaluation,
    on_event: &mut dyn FnMut(EvalEvent<'_>),
    search: &mut dyn FnMut(&Query) -> Result<Vec<Hit>>,
) -> Result<Metrics> {
    let mut ranks: Vec<Option<usize>> = Vec::new();
    let mut times = Vec::new();
    let mut empty = 0usize;
    for gold in &evaluation.questions {
        let started = Instant::now();
        let hits = search(&Query {
            text: gold.question.clone(),
            mode: evaluation.mode,
            limit: evaluation.limit,
            filter: Filter::default(),
        })?;
        let took_ms = started.elapsed().as_secs_f64() * 1000.0;
        on_event(EvalEvent::Asked {
            id: &gold.id,
            hits: &hits,
            took_ms,
        });
        times.push(took_ms);
        if gold.answerable {
            ranks.push(hits.iter().position(|hit| is_right(hit, gold)));
            empty += usize::from(hits.is_empty());
        }
    }
    Ok(score(&ranks, empty, times))
}

fn score(ranks: &[Option<usize>], empty: usize, mut times: Vec<f64>) -> Metrics {
    let all = ranks.len().max(1) as f64;
    let within = |k: usize| ranks.iter().flatten().filter(|rank| **rank < k).count() as f64 / all;
    times.sort_by(f64::total_cmp);
    let percentile = |hundredth: usize| {
        let at = times.len() * hundredth / 100;
        times
            .get(at.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    Metrics {
        questions: ranks.len(),
        recall_at_1: within(1),
        recall_at_5: within(5),
        recall_at_10: within(10),
        recall_at_20: within(20),
        mrr: ranks
            .iter()
            .flatten()
            .map(|rank| 1.0 / (rank + 1) as f64)
            .sum::<f64>()
            / all,
        zero: empty as f64 / all,
        p50_ms: percentile(50),
        p95_ms: percentile(95),
    }
}

fn is_right(hit: &Hit, gold: &Gold) -> bool {
    let single = Evidence {
        doc: gold.doc.clone(),
        page: gold.page,
        text: gold.evidence.clone(),
    };
    let places = if gold.evidence_all.is_empty() {
        std::slice::from_ref(&single)
    } else {
        &gold.evidence_all
    };
    let text = fold(&hit.chunk.text);
    places.iter().any(|place| {
        let Some(doc) = place.doc.as_deref() else {
            return false;
        };
        same_document(&hit.source.path, doc)
            && on_page(hit, place.page)
            && holds(&text, place, gold)
    })
}

fn same_document(source: &str, doc: &str) -> bool {
    source == doc || ends_with_path(source, doc) || ends_with_path(doc, source)
}

fn ends_with_path(long: &str, short: &str) -> bool {
    long.strip_suffix(short)
        .is_some_and(|rest| rest.ends_with('/'))
}

fn on_page(hit: &Hit, page: Option<u32>) -> bool {
    page.is_none_or(|page| {
        let first = hit.chunk.page.unwrap_or(0);
        (first..=hit.chunk.page_end.unwrap_or(first)).contains(&page)
    })
}

fn holds(text: &str, place: &Evidence, gold: &Gold) -> bool {
    let answered = gold
        .answers
        .iter()
        .map(|answer| fold(answer))
        .any(|answer| answer.chars().count() > 2 && text.contains(&answer));
    answered
        || match &place.text {
            Some(evidence) => half_of(evidence, text),
            None => gold.answers.is_empty(),
        }
}

/// Whether at least half of the evidence's character 8-grams stand in the folded text.
fn half_of(evidence: &str, text: &str) -> bool {
    const N: usize = 8;
    let evidence: Vec<char> = fold(evidence).chars().collect();
    let grams: Vec<String> = evidence
        .windows(N.min(evidence.len().max(1)))
        .map(|gram| gram.iter().collect())
        .collect();
    let found = grams
        .iter()
        .filter(|gram| text.contains(gram.as_str()))
        .count();
    found * 2 >= grams.len()
}

fn fold(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_become_recall_and_mean_reciprocal_rank() {
        let metrics = score(&[Some(0), Some(1), Some(7), None], 1, vec![3.0, 1.0, 2.0]);
        let scores = [
            metrics.recall_at_1,
            metrics.recall_at_5,
            metrics.recall_at_10,
            metrics.zero,
        ];
        let expected = [0.25, 0.5, 0.75, 0.25];
        assert!(
            scores
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-9),
            "{scores:?}"
        );
        assert!((metrics.mrr - (1.0 + 0.5 + 0.125) / 4.0).abs() < 1e-9);
        assert!((metrics.p50_ms - 2.0).abs() < 1e-9);
    }

    #[test]
    fn half_of_the_evidence_is_enough_however_it_is_wrapped() {
        let evidence = "营业收入同比增长12.5%，主要来自轮渡业务。";
        assert!(half_of(
            evidence,
            &fold("前文。营业收入同比\n增长１２.5%，主要来自轮渡")
        ));
        assert!(!half_of(evidence, &fold("主要来自轮渡业务")));
    }

    #[test]
    fn a_line_that_is_not_a_question_is_named() {
        let error = Evaluation::parse("{\"id\":\"a\",\"question\":\"q\"}\n\n{", Mode::Hybrid, 5);
        assert!(error.unwrap_err().fact.contains("line 3"));
    }
}
