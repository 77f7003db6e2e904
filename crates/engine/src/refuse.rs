//! Refusal: how far the hits speak of a question, and what is said where they, or the draft, do not. Pure.

use rag_core::fold::is_unspaced;
use rag_core::{Hit, Refusal, RefusalReason, Span};
use serde::Serialize;

use crate::align::{overlap, standing};

/// What the hits say of a question, each from 0 to 1 but for `near`, a cosine.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Signs {
    /// Largest share of the question's terms that one hit holds with its headings.
    pub spoken: f32,
    /// The same of the first hit.
    pub first: f32,
    /// Largest cosine similarity of a hit with the question; none where the vectors were not asked.
    pub near: Option<f32>,
    /// Best BM25 score over so many terms of the question, halved at 4.
    pub words: f32,
    /// 1 where both searches have the first hit among their first three.
    pub agreed: f32,
}

impl Signs {
    /// What `hits`, best first, say of `question`.
    #[must_use]
    pub fn of(question: &str, hits: &[Hit]) -> Self {
        let spoken: Vec<f32> = hits
            .iter()
            .map(|hit| {
                // What was found, without the neighbours: how long a hit grew says nothing.
                let start = hit.chunk.span.start;
                let found = Span::new(hit.focus.start - start, hit.focus.end - start);
                overlap(
                    question,
                    &format!("{}\n{}", standing(hit), found.slice(&hit.chunk.text)),
                )
            })
            .collect();
        let terms = rag_text::terms(question).len().max(1) as f32;
        let best = hits.iter().filter_map(|hit| hit.why.words);
        let best = best.map(|reason| reason.score).fold(0.0, f32::max) / terms;
        let near = hits.iter().filter_map(|hit| hit.why.vector);
        let is_early = |rank: Option<rag_core::Reason>| rank.is_some_and(|reason| reason.rank <= 3);
        let agreed = hits
            .first()
            .is_some_and(|hit| is_early(hit.why.words) && is_early(hit.why.vector));
        Self {
            spoken: spoken.iter().copied().fold(0.0, f32::max),
            first: spoken.first().copied().unwrap_or(0.0),
            near: near.map(|reason| reason.score).reduce(f32::max),
            words: best / (best + 4.0),
            agreed: f32::from(u8::from(agreed)),
        }
    }

    /// How far the hits speak of the question, 0 to 1: its signs together, over twice the sum below which
    /// lie 5 % of the questions that have their answer among the hits. One hit with most of the question's
    /// terms is enough by itself: where there are few documents no word is rare, and BM25 says little.
    /// benches/results/answers.md has the questions, and what other thresholds than 0.5 would do.
    #[must_use]
    pub fn confidence(&self) -> f32 {
        const WITH_VECTORS: f32 = 0.9;
        const BY_WORDS: f32 = 0.52;
        const SPOKEN_OF: f32 = 0.6;
        let by_words = self.words + self.spoken / 2.0;
        let sum = match self.near {
            Some(near) => (near + by_words) / WITH_VECTORS,
            None => by_words / BY_WORDS,
        };
        (sum.max(self.spoken / SPOKEN_OF) / 2.0).clamp(0.0, 1.0)
    }
}

/// Refuses before the model is asked where the hits do not speak of the question.
pub(crate) fn gate(question: &str, hits: &[Hit], confidence: f32, least: f32) -> Option<Refusal> {
    if hits.is_empty() {
        return Some(refusal(question, RefusalReason::NoHits));
    }
    (confidence < least).then(|| refusal(question, RefusalReason::WeakHits))
}

/// The refusal of a draft that no passage supports.
pub(crate) fn unsupported(question: &str, draft: &str) -> Refusal {
    const DECLINES: [&str; 9] = [
        "don't know",
        "do not know",
        "don’t know",
        "not mentioned",
        "not provide",
        "no information",
        "不知道",
        "没有提到",
        "没有答案",
    ];
    let draft = draft.to_lowercase();
    let declined = draft.trim().is_empty() || DECLINES.iter().any(|phrase| draft.contains(phrase));
    let reason = if declined {
        RefusalReason::ModelDeclined
    } else {
        RefusalReason::Unsupported
    };
    refusal(question, reason)
}

pub(crate) fn refusal(question: &str, reason: RefusalReason) -> Refusal {
    let chinese = question.chars().any(is_unspaced);
    let message = match (reason, chinese) {
        (RefusalReason::NoHits, false) => "Nothing in the documents matches the question.",
        (RefusalReason::NoHits, true) => "文档中没有与问题相关的内容。",
        (RefusalReason::WeakHits, false) => "The documents do not seem to speak of this.",
        (RefusalReason::WeakHits, true) => "文档似乎没有谈到这个问题。",
        (RefusalReason::ModelDeclined, false) => {
            "The model found no answer in the passages that were found."
        }
        (RefusalReason::ModelDeclined, true) => "模型在找到的段落中没有发现答案。",
        (RefusalReason::Unsupported, false) => {
            "The model's answer is not supported by the documents, so it is not shown."
        }
        (RefusalReason::Unsupported, true) => "模型的回答在文档中没有依据，因此不予显示。",
    };
    Refusal {
        reason,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_adds_to_the_confidence() {
        let none = Signs::default();
        let spoken = Signs {
            spoken: 0.5,
            ..none
        };
        let found = Signs {
            words: 0.5,
            ..spoken
        };
        assert!(none.confidence() < f32::EPSILON);
        assert!(spoken.confidence() < 0.5 && 0.5 < found.confidence());
        let (far, near) = (Some(0.1), Some(0.6));
        assert!(
            Signs {
                near: far,
                ..spoken
            }
            .confidence()
                < 0.5
        );
        assert!(Signs { near, ..found }.confidence() > 0.5);
    }

    #[test]
    fn a_hit_with_most_of_the_terms_is_enough_among_few_documents() {
        let signs = Signs {
            spoken: 0.75,
            ..Signs::default()
        };
        assert!(signs.confidence() > 0.5);
    }

    #[test]
    fn nothing_found_is_told_from_too_little_found() {
        let reason = |hits: &[Hit], confidence| {
            gate("where?", hits, confidence, 0.5).map(|refusal| refusal.reason)
        };
        let hits = [crate::testing::hit("a.md", "Here.")];
        assert_eq!(reason(&[], 1.0), Some(RefusalReason::NoHits));
        assert_eq!(reason(&hits, 0.4), Some(RefusalReason::WeakHits));
        assert_eq!(reason(&hits, 0.6), None);
    }
}
