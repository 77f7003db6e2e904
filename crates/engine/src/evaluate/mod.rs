//! Evaluation: a question set with known answers against the knowledge base, scored by one rule.

mod answers;
mod group;
mod judge;
mod score;

use std::time::Instant;

use rag_core::{Code, Error, Filter, Hit, Mode, Query, Result};
use serde::{Deserialize, Serialize};

pub(crate) use answers::run as answer;
pub use answers::{AnswerGroup, AnswerMetrics, AnswerScores, Answered, Answering};
use group::{LANG, SUBSET, grouped};
use judge::is_right;
pub use score::{Difference, Metrics};
use score::{Judged, difference, metrics};

/// A question set and how to run it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub questions: Vec<Gold>,
    /// The questions are asked in each.
    pub modes: Vec<Mode>,
    /// Hits asked for.
    pub limit: usize,
}

/// A question with its known answer, one line of `queries.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Gold {
    pub id: String,
    pub question: String,
    #[serde(default)]
    pub answers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence_all: Vec<Evidence>,
    #[serde(default = "yes")]
    pub answerable: bool,
    /// Language of the question (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// A part of the set that is to be reported apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// What sort of question it is: why a set has no answer to it, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl Default for Gold {
    fn default() -> Self {
        Self {
            id: String::new(),
            question: String::new(),
            answers: Vec::new(),
            doc: None,
            page: None,
            evidence: None,
            evidence_all: Vec::new(),
            answerable: true,
            lang: None,
            subset: None,
            kind: None,
        }
    }
}

/// One of several places that hold the answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
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
        mode: Mode,
        hits: &'a [Hit],
        took_ms: f64,
    },
}

/// The scores of one mode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    pub mode: Mode,
    pub metrics: Metrics,
    /// The same by language and by subset, where a set has several.
    pub groups: Vec<GroupScores>,
    /// Against the first mode, for all but the first.
    pub against_first: Option<Difference>,
}

/// The scores of some questions of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupScores {
    /// `lang zh-Hans`, `subset low_overlap`.
    pub name: String,
    pub metrics: Metrics,
}

impl Evaluation {
    /// Parses a question set, one JSON object a line.
    ///
    /// # Errors
    /// `Malformed`, naming the line.
    pub fn parse(text: &str, modes: Vec<Mode>, limit: usize) -> Result<Self> {
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
            modes,
            limit,
        })
    }
}

pub(crate) fn run(
    evaluation: &Evaluation,
    on_event: &mut dyn FnMut(EvalEvent<'_>),
    search: &mut dyn FnMut(&Query) -> Result<Vec<Hit>>,
) -> Result<Vec<Scores>> {
    let mut first: Option<Vec<Judged>> = None;
    let mut scores = Vec::with_capacity(evaluation.modes.len());
    for &mode in &evaluation.modes {
        let judged = evaluation.judged(mode, on_event, search)?;
        scores.push(Scores {
            mode,
            metrics: metrics(&judged),
            groups: evaluation.grouped(&judged),
            against_first: first.as_ref().map(|first| difference(first, &judged)),
        });
        first.get_or_insert(judged);
    }
    Ok(scores)
}

impl Evaluation {
    /// What the answerable questions give in one mode, in order.
    fn judged(
        &self,
        mode: Mode,
        on_event: &mut dyn FnMut(EvalEvent<'_>),
        search: &mut dyn FnMut(&Query) -> Result<Vec<Hit>>,
    ) -> Result<Vec<Judged>> {
        let mut judged = Vec::new();
        for gold in &self.questions {
            let started = Instant::now();
            let hits = search(&Query {
                text: gold.question.clone(),
                mode,
                limit: self.limit,
                filter: Filter::default(),
            })?;
            let took_ms = started.elapsed().as_secs_f64() * 1000.0;
            on_event(EvalEvent::Asked {
                id: &gold.id,
                mode,
                hits: &hits,
                took_ms,
            });
            if gold.answerable {
                judged.push(Judged {
                    rank: hits.iter().position(|hit| is_right(hit, gold)),
                    is_empty: hits.is_empty(),
                    took_ms,
                });
            }
        }
        Ok(judged)
    }

    /// Scores by language and subset.
    fn grouped(&self, judged: &[Judged]) -> Vec<GroupScores> {
        let asked = self.questions.iter().filter(|gold| gold.answerable);
        let pairs: Vec<(&Gold, Judged)> = asked.zip(judged.iter().copied()).collect();
        let groups = grouped(&pairs, &[LANG, SUBSET]).into_iter();
        let scores = groups.map(|(name, judged)| GroupScores {
            name,
            metrics: metrics(&judged),
        });
        scores.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hit;

    #[test]
    fn a_line_that_is_not_a_question_is_named() {
        let error = Evaluation::parse("{\"id\":\"a\",\"question\":\"q\"}\n\n{", vec![], 5);
        assert!(error.unwrap_err().fact.contains("line 3"));
    }

    const SET: &str = r#"
{"id":"1","question":"one","doc":"a.md","answers":["first"],"lang":"en"}
{"id":"2","question":"two","doc":"a.md","answers":["second"],"lang":"zh"}
{"id":"3","question":"three","answerable":false,"lang":"fr"}
"#;

    #[test]
    fn every_mode_is_scored_by_group_and_against_the_first() {
        let modes = vec![Mode::Words, Mode::Vector];
        let evaluation = Evaluation::parse(SET, modes, 5).unwrap();
        let mut asked = 0;
        let scores = run(&evaluation, &mut |_| asked += 1, &mut |query| {
            // The search by vectors finds the answer to both questions, that by words to the first.
            let finds = query.mode == Mode::Vector || query.text == "one";
            Ok(vec![hit(
                "a.md",
                if finds {
                    "The first and second keeper."
                } else {
                    "Fog."
                },
            )])
        })
        .unwrap();
        assert_eq!(asked, 6);
        let recall = |metrics: &Metrics| format!("{:.2}", metrics.recall_at_1);
        let shown: Vec<_> = scores
            .iter()
            .map(|s| (s.mode, recall(&s.metrics)))
            .collect();
        assert_eq!(
            shown,
            [
                (Mode::Words, "0.50".to_owned()),
                (Mode::Vector, "1.00".to_owned())
            ]
        );
        let groups = scores[0].groups.iter();
        let groups: Vec<_> = groups
            .map(|g| (g.name.as_str(), recall(&g.metrics)))
            .collect();
        assert_eq!(
            groups,
            [
                ("lang en", "1.00".to_owned()),
                ("lang zh", "0.00".to_owned())
            ]
        );
        assert_eq!(scores[0].against_first, None);
        let difference = scores[1].against_first.unwrap();
        assert_eq!((difference.only_first, difference.only_second), (0, 1));
    }
}
