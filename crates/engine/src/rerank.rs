//! Reranking: the best hits are read again, question and passage together, by a model that scores
//! pairs. Pure but for the model.

use rag_core::{Hit, Reason, Reranker, Result};

/// So many of the best hits are read again; what stands below keeps its place below them.
pub(crate) const DEPTH: usize = 20;

/// How much the order before counts against the reranker, by place: a hit that both searches put first
/// (an exact term, a number) must not be buried by a model that never saw it. Never measured on a
/// reranker of full size.
const TRUST: [(usize, f32); 3] = [(3, 0.75), (10, 0.6), (usize::MAX, 0.4)];

/// Orders the best of `hits`, which are best first, anew. Scores of a reranker are logits; what they
/// add is their logistic function.
///
/// # Errors
/// Where the model can't be run.
pub(crate) fn rerank(
    question: &str,
    mut hits: Vec<Hit>,
    reranker: &dyn Reranker,
) -> Result<Vec<Hit>> {
    // Repeats have been set back already: reading them again would lift them up.
    let read = hits
        .iter()
        .take(DEPTH)
        .take_while(|hit| hit.why.repeats.is_none())
        .count();
    let passages: Vec<String> = hits[..read]
        .iter()
        .map(|hit| hit.chunk.embedded_text())
        .collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let logits = reranker.score(question, &passages)?;
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
        let hits = rerank("how many?", hits, &Numbers).unwrap();
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
    fn what_stands_below_the_depth_stays_below() {
        let mut texts = vec!["-9"; DEPTH];
        texts.push("9");
        assert_eq!(order(&texts).last().unwrap(), "9");
        assert_eq!(order(&[]), [""; 0]);
    }
}
