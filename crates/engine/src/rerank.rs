//! Reranking: the best hits are read again, question and passage together, by a model that scores
//! pairs. Pure but for the model.

use rag_core::{Code, Hit, Reason, Reranker, Result};

/// So many of the best hits are read again; what stands below keeps its place below them.
pub(crate) const DEPTH: usize = 20;

/// How much the order before counts against the reranker, by place: a hit that both searches put first
/// (an exact term, a number) must not be buried by a model that never saw it. Never measured on a
/// reranker of full size.
const TRUST: [(usize, f32); 3] = [(3, 0.75), (10, 0.6), (usize::MAX, 0.4)];

/// Orders the best of `hits`, which are best first, anew. Scores of a reranker are logits; what they
/// add is their logistic function. A question that is too long for the reranker leaves the order as it
/// is, which `on_note` is told: reading it piece by piece would cost minutes.
///
/// # Errors
/// Where the model can't be run.
pub(crate) fn rerank(
    question: &str,
    mut hits: Vec<Hit>,
    reranker: &dyn Reranker,
    on_note: &mut dyn FnMut(&str),
) -> Result<Vec<Hit>> {
    // Repeats have been set back already: reading them again would lift them up.
    let read = hits
        .iter()
        .take(DEPTH.min(reranker.most_passages()))
        .take_while(|hit| hit.why.repeats.is_none())
        .count();
    let passages: Vec<String> = hits[..read]
        .iter()
        .map(|hit| hit.chunk.embedded_text())
        .collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let logits = match reranker.score(question, &passages) {
        Ok(logits) => logits,
        Err(error) if error.code == Code::LimitExceeded => {
            on_note(&format!(
                "the hits were not read again: {}",
                error.one_line()
            ));
            return Ok(hits);
        }
        Err(error) => return Err(error),
    };
    let mut ranks: Vec<usize> = (0..logits.len()).collect();
    ranks.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let best = hits.first().map_or(0.0, |hit| hit.score);
    for (rank, at) in (1..).zip(ranks) {
        let trust = trust(at);
        let points = (1.0 - trust) / (1.0 + (-logits[at]).exp());
        let hit = &mut hits[at];
        let share = if best > 0.0 { hit.score / best } else { 0.0 };
        hit.score = trust * share + points;
        hit.why.rerank = Some(Reason {
            rank,
            score: logits[at],
            points,
        });
    }
    hits[..read].sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(hits)
}

fn trust(place: usize) -> f32 {
    let step = TRUST.iter().find(|(below, _)| place < *below);
    step.map_or(0.0, |(_, trust)| *trust)
}

#[cfg(test)]
mod tests {
    use rag_core::Error;

    use super::*;
    use crate::testing::hit;

    /// Scores a passage by the number in it.
    struct Numbers;

    impl Reranker for Numbers {
        fn score(&self, _: &str, passages: &[&str]) -> Result<Vec<f32>> {
            Ok(passages.iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    fn order(texts: &[&str]) -> Vec<String> {
        let hit = |(place, text): (u16, &&str)| Hit {
            score: 1.0 - 0.02 * f32::from(place),
            ..hit(&place.to_string(), text)
        };
        let hits = (0..).zip(texts).map(hit).collect();
        let hits = rerank("how many?", hits, &Numbers, &mut |_| {}).unwrap();
        hits.into_iter().map(|hit| hit.chunk.text).collect()
    }

    #[test]
    fn what_the_reranker_finds_best_comes_first() {
        assert_eq!(order(&["-6", "-6", "-6", "7", "-6"])[0], "7");
        assert_eq!(order(&["0", "4", "-4"]), ["4", "0", "-4"]);
    }

    #[test]
    fn what_both_searches_put_first_is_not_buried() {
        let mut texts = vec!["-3"];
        texts.extend(["1"; 19]);
        let place = order(&texts).iter().position(|text| text == "-3").unwrap();
        assert!(place < 10, "{place}");
    }

    #[test]
    fn a_question_too_long_for_the_reranker_leaves_the_order_and_is_told() {
        struct Short;
        impl Reranker for Short {
            fn score(&self, _: &str, _: &[&str]) -> Result<Vec<f32>> {
                let fact = "the question has 900 tokens; `short` takes 511 with a passage";
                Err(Error::new(Code::LimitExceeded, fact))
            }
        }
        let before = vec![hit("a", "1"), hit("b", "2")];
        let mut notes = Vec::new();
        let mut note = |text: &str| notes.push(text.to_owned());
        let after = rerank("long?", before.clone(), &Short, &mut note).unwrap();
        assert_eq!(after, before);
        let [note] = notes.as_slice() else {
            panic!("{notes:?}");
        };
        assert!(
            note.contains("not read again") && note.contains("900"),
            "{note}"
        );
    }

    #[test]
    fn what_stands_below_the_depth_stays_below() {
        let mut texts = vec!["-9"; DEPTH];
        texts.push("9");
        assert_eq!(order(&texts).last().unwrap(), "9");
        assert_eq!(order(&[]), [""; 0]);
    }
}
