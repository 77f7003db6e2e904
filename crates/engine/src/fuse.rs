//! Fusion: two ranked lists into one, with the provenance of every hit. Pure.
//!
//! A convex combination of scores, each divided by the best of its list (Bruch, Gai and Ingber, "An
//! analysis of fusion functions for hybrid retrieval", TOIS 2023): unlike ranks, scores say when the
//! first hit of a list stands far above its second.

use std::collections::HashMap;

use rag_core::{Reason, Why};
use rag_index::{Place, Ranked};

/// How much each list counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fused {
    pub(crate) words: f32,
    pub(crate) vector: f32,
}

/// A chunk that may become a hit, and is still to be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) ranked: Ranked,
    pub(crate) score: f32,
    pub(crate) why: Why,
}

/// Fuses what the word search and the vector search ranked, each best first. Equal scores keep
/// the order of the word search, then of the vector search.
#[must_use]
pub(crate) fn fuse(words: Vec<Ranked>, vector: Vec<Ranked>, weights: Fused) -> Vec<Candidate> {
    let mut fused: Vec<Candidate> = Vec::with_capacity(words.len() + vector.len());
    let mut places: HashMap<Place, usize> = HashMap::new();
    let mut add = |list: Vec<Ranked>, weight: f32, note: fn(&mut Why, Reason)| {
        let best = list.first().map_or(0.0, |found| found.score);
        for (ranked, rank) in list.into_iter().zip(1u32..) {
            let score = ranked.score;
            let at = *places.entry(ranked.place.clone()).or_insert_with(|| {
                fused.push(Candidate {
                    ranked,
                    score: 0.0,
                    why: Why::default(),
                });
                fused.len() - 1
            });
            // Nothing of what points away (a cosine below 0) is taken from what the other list says.
            let share = if best > 0.0 {
                score.max(0.0) / best
            } else {
                0.0
            };
            let points = weight * share;
            fused[at].score += points;
            let reason = Reason {
                rank,
                score,
                points,
            };
            note(&mut fused[at].why, reason);
        }
    };
    add(words, weights.words, |why, reason| {
        why.words = Some(reason);
    });
    add(vector, weights.vector, |why, reason| {
        why.vector = Some(reason);
    });
    fused.sort_by(|a, b| b.score.total_cmp(&a.score));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rag_core::SourceKey;

    fn found(name: u32, score: f32) -> Ranked {
        Ranked {
            place: (SourceKey(name.to_string()), 0),
            score,
            row: 0,
        }
    }

    fn list(names: &[u32]) -> Vec<Ranked> {
        let places = names.iter().zip(0_u16..);
        places
            .map(|(name, place)| found(*name, 1.0 - 0.01 * f32::from(place)))
            .collect()
    }

    fn order(fused: &[Candidate]) -> Vec<String> {
        let names = fused.iter().map(|candidate| &candidate.ranked.place.0.0);
        names.cloned().collect()
    }

    const EVEN: Fused = Fused {
        words: 1.0,
        vector: 1.0,
    };

    #[test]
    fn what_both_lists_hold_comes_first_and_says_so() {
        let hits = fuse(list(&[1, 2]), list(&[3, 2]), EVEN);
        assert_eq!(order(&hits), ["2", "1", "3"]);
        assert_eq!(hits[0].why.words.unwrap().rank, 2);
        let points = [hits[0].why.words, hits[0].why.vector].map(|why| why.unwrap().points);
        assert!((points.iter().sum::<f32>() - hits[0].score).abs() < 1e-6);
        assert_eq!(hits[0].why.vector.unwrap().rank, 2);
        assert_eq!(hits[1].why.vector, None);
    }

    #[test]
    fn what_stands_far_above_its_list_comes_before_what_both_lists_hold_below() {
        let words = vec![found(1, 12.0), found(2, 3.0)];
        let vector = vec![found(3, 0.8), found(2, 0.2), found(4, -0.1)];
        assert_eq!(order(&fuse(words, vector, EVEN)), ["1", "3", "2", "4"]);
    }

    #[test]
    fn a_list_of_no_weight_adds_its_hits_at_the_end() {
        let weights = Fused {
            words: 1.0,
            vector: 0.0,
        };
        let hits = fuse(list(&[1, 2]), list(&[3, 2]), weights);
        assert_eq!(order(&hits), ["1", "2", "3"]);
    }

    proptest! {
        #[test]
        fn every_hit_comes_once_and_scores_fall(
            a in proptest::collection::hash_set(0..30u32, 0..20),
            b in proptest::collection::hash_set(0..30u32, 0..20),
        ) {
            let (a, b): (Vec<_>, Vec<_>) = (a.into_iter().collect(), b.into_iter().collect());
            let hits = fuse(list(&a), list(&b), EVEN);
            let union: std::collections::HashSet<_> = a.iter().chain(&b).collect();
            prop_assert_eq!(hits.len(), union.len());
            prop_assert!(hits.windows(2).all(|w| w[0].score >= w[1].score));
            prop_assert!(hits.iter().all(|h| h.why.words.is_some() || h.why.vector.is_some()));
        }
    }
}
