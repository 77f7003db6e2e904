//! Chooses the next token from its scores.

use candle_core::{Device, Tensor};
use candle_transformers::generation::{self, LogitsProcessor};
use rag_core::Sampling;

/// A way of choosing, with the state of its random numbers.
pub(crate) enum Sampler {
    /// Always the likeliest; of equals the one with the lowest number.
    Greedy,
    Random {
        processor: Box<LogitsProcessor>,
        /// How far a score may lie below the highest.
        depth: f32,
    },
}

impl Sampler {
    pub(crate) fn new(sampling: &Sampling) -> Self {
        let temperature = sampling.temperature;
        if temperature <= 0.0 {
            return Self::Greedy;
        }
        let p = sampling.top_p;
        let way = if (0.0..1.0).contains(&p) && p > 0.0 {
            generation::Sampling::TopP { p, temperature }
        } else {
            generation::Sampling::All { temperature }
        };
        Self::Random {
            processor: Box::new(LogitsProcessor::from_sampling(sampling.seed, way)),
            // A share of the probability, before the temperature changes it (Nguyen et al.,
            // <https://arxiv.org/abs/2407.01082>).
            depth: -sampling.min_p.clamp(0.0, 1.0).ln() as f32,
        }
    }

    /// The next token; none where the scores are not numbers.
    pub(crate) fn choose(&mut self, mut scores: Vec<f32>) -> Option<u32> {
        if scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        match self {
            Self::Greedy => {
                let mut best = (0, f32::NEG_INFINITY);
                for (token, score) in scores.into_iter().enumerate() {
                    if score > best.1 {
                        best = (token as u32, score);
                    }
                }
                Some(best.0)
            }
            Self::Random { processor, depth } => {
                let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for score in scores.iter_mut().filter(|score| most - **score > *depth) {
                    *score = f32::NEG_INFINITY;
                }
                let scores = Tensor::new(scores, &Device::Cpu).ok()?;
                processor.sample(&scores).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(temperature: f64, top_p: f64, seed: u64) -> Sampler {
        Sampler::new(&Sampling {
            temperature,
            top_p,
            seed,
            ..Sampling::greedy(1)
        })
    }

    #[test]
    fn what_is_much_less_likely_than_the_likeliest_is_never_chosen() {
        let mut sampler = Sampler::new(&Sampling {
            temperature: 3.0,
            min_p: 0.5,
            ..Sampling::greedy(1)
        });
        let chosen: Vec<_> = (0..200)
            .map(|_| sampler.choose(vec![5.0, 4.5, 4.0, 1.0]).unwrap())
            .collect();
        // e^-0.5 is more than half, e^-1 is not.
        assert!(chosen.iter().all(|token| *token < 2));
        assert!(chosen.contains(&0) && chosen.contains(&1));
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        assert_eq!(sampler(0.0, 1.0, 0).choose(vec![1.0, 3.0, 3.0]), Some(1));
    }

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let run = |seed| -> Vec<_> {
            let mut sampler = sampler(1.0, 0.95, seed);
            (0..50)
                .map(|_| sampler.choose(vec![0.1, 0.2, 0.3, 0.2, 0.1]))
                .collect()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn what_lies_outside_the_nucleus_is_never_chosen() {
        let mut sampler = sampler(1.0, 0.5, 3);
        for _ in 0..200 {
            assert_eq!(sampler.choose(vec![5.0, 1.0, 0.0]), Some(0));
        }
    }

    #[test]
    fn scores_that_are_not_numbers_choose_nothing() {
        assert_eq!(sampler(0.0, 1.0, 0).choose(vec![1.0, f32::NAN]), None);
    }
}
