//! Scores: ranks of right hits to recall, rank measures with their confidence, and pairs of them.

use serde::Serialize;

/// What one question gave in one mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    /// Place of the first right hit, from 0.
    pub(super) rank: Option<usize>,
    pub(super) is_empty: bool,
    pub(super) took_ms: f64,
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
    /// Mean of 1 / log2(1 + rank) of the first right hit among ten: the discounted gain where one hit is
    /// right.
    pub ndcg_at_10: f64,
    /// Half the width of the 95 % interval of `recall_at_5` and of `mrr`.
    pub recall_at_5_error: f64,
    pub mrr_error: f64,
    /// Share of questions without any hit.
    pub zero: f64,
    /// Median and 95th percentile of the search time, in milliseconds.
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// Two modes over the same questions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Difference {
    /// Questions with a right hit among the first five in the first mode alone, and in the second alone.
    pub only_first: usize,
    pub only_second: usize,
    /// Probability of a split at least this uneven if the modes were equal: the exact
    /// test of `McNemar` (1947), two-sided.
    pub p: f64,
    /// Mean of the second's reciprocal rank less the first's, and half its 95 % interval.
    pub mrr: f64,
    pub mrr_error: f64,
}

/// Normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.96;

pub(super) fn metrics(judged: &[Judged]) -> Metrics {
    let all = judged.len().max(1) as f64;
    let ranks = || judged.iter().filter_map(|judged| judged.rank);
    let within = |k: usize| ranks().filter(|rank| *rank < k).count() as f64 / all;
    let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let times = || judged.iter().map(|judged| judged.took_ms);
    let reciprocals: Vec<f64> = judged.iter().map(|judged| reciprocal(*judged)).collect();
    let (mrr, mrr_error) = mean(&reciprocals);
    Metrics {
        questions: judged.len(),
        recall_at_1: within(1),
        recall_at_5: within(5),
        recall_at_10: within(10),
        recall_at_20: within(20),
        mrr,
        ndcg_at_10: ranks().filter(|rank| *rank < 10).map(gain).sum::<f64>() / all,
        recall_at_5_error: wilson(within(5), all),
        mrr_error,
        zero: judged.iter().filter(|judged| judged.is_empty).count() as f64 / all,
        p50_ms: percentile(times(), 50),
        p95_ms: percentile(times(), 95),
    }
}

/// The value below which so many hundredths of `values` lie; 0 of none.
pub(super) fn percentile(values: impl Iterator<Item = f64>, hundredth: usize) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = (values.len() * hundredth / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(0.0)
}

/// `first` and `second` are the same questions in the same order.
pub(super) fn difference(first: &[Judged], second: &[Judged]) -> Difference {
    let found = |judged: &Judged| judged.rank.is_some_and(|rank| rank < 5);
    let pairs = || first.iter().zip(second);
    let only_first = pairs().filter(|(a, b)| found(a) && !found(b)).count();
    let only_second = pairs().filter(|(a, b)| found(b) && !found(a)).count();
    let gains: Vec<f64> = pairs()
        .map(|(a, b)| reciprocal(*b) - reciprocal(*a))
        .collect();
    let (mrr, mrr_error) = mean(&gains);
    Difference {
        only_first,
        only_second,
        p: mcnemar(only_first, only_second),
        mrr,
        mrr_error,
    }
}

fn reciprocal(judged: Judged) -> f64 {
    judged.rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
}

/// The mean, and half its 95 % interval.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if n < 2.0 {
        return (values.iter().sum(), 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let spread = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0);
    (mean, Z * (spread / n).sqrt())
}

/// Half the width of Wilson's 95 % interval of a share among `n`.
fn wilson(share: f64, n: f64) -> f64 {
    let z2 = Z * Z;
    Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt()
}

/// Two-sided, exact: how likely `a` and `b` or more uneven numbers are among throws of a fair coin.
fn mcnemar(a: usize, b: usize) -> f64 {
    let (n, least) = (a + b, a.min(b));
    // Terms of the binomial, in logarithms: 2^n leaves the range of a float.
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=least {
        tail += term.exp();
        term += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ranks: &[Option<usize>]) -> Vec<Judged> {
        let judged = ranks.iter().zip([3.0, 1.0, 2.0].into_iter().cycle());
        judged
            .map(|(rank, took_ms)| Judged {
                rank: *rank,
                is_empty: rank.is_none(),
                took_ms,
            })
            .collect()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    #[test]
    fn ranks_become_recall_and_rank_measures() {
        let metrics = metrics(&judged(&[Some(0), Some(1), Some(7), None]));
        assert!(near(metrics.recall_at_1, 0.25));
        assert!(near(metrics.recall_at_5, 0.5));
        assert!(near(metrics.recall_at_10, 0.75));
        assert!(near(metrics.mrr, (1.0 + 0.5 + 0.125) / 4.0));
        assert!(near(metrics.ndcg_at_10, (1.0 + 0.6309 + 0.3155) / 4.0));
        assert!(near(metrics.zero, 0.25));
        assert!(near(metrics.p50_ms, 3.0));
    }

    #[test]
    fn intervals_are_those_of_the_textbook() {
        // Wilson, 20 of 40: 0.352 to 0.648.
        assert!(near(wilson(0.5, 40.0), 0.148));
        // Mean of 0 and 1, ten of each: standard error 0.1147.
        let values: Vec<f64> = (0..20).map(|n| f64::from(n % 2)).collect();
        assert!(near(mean(&values).1, 1.96 * 0.1147));
    }

    #[test]
    fn a_difference_counts_the_questions_that_only_one_mode_answers() {
        let first = judged(&[Some(0), Some(9), None, Some(2)]);
        let second = judged(&[Some(1), Some(0), Some(0), Some(2)]);
        let difference = difference(&first, &second);
        assert_eq!((difference.only_first, difference.only_second), (0, 2));
        assert!(near(difference.p, 0.5));
        assert!(near(difference.mrr, (-0.5 + 0.9 + 1.0) / 4.0));
        // 1 against 9: (1 + 10) / 1024, twice.
        assert!(near(mcnemar(1, 9), 0.0215));
        assert!(near(mcnemar(0, 0), 1.0));
        assert!(mcnemar(900, 1200) < 1e-6);
    }
}
