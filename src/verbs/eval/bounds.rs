//! Bounds that figures have to keep, for scripts that stop where a search has become worse.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use rag_core::{Code, Error, Mode};
use rag_engine::{Metrics, Scores};
use serde::Serialize;

use super::name;
use crate::args;

/// A figure of the table, and what it is held against: `recall@5=0.9`, `hybrid:mrr=0.8`.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// Every mode that is scored where none is named.
    mode: Option<Mode>,
    figure: Figure,
    value: f64,
    side: Side,
}

/// Which side of the value is too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Min,
    Max,
}

/// A figure of a mode.
#[derive(Debug, Clone, Copy)]
struct Figure {
    name: &'static str,
    /// As the head of the table has it, in lower case.
    short: &'static str,
    of: fn(&Metrics) -> f64,
}

const fn figure(name: &'static str, short: &'static str, of: fn(&Metrics) -> f64) -> Figure {
    Figure { name, short, of }
}

const FIGURES: [Figure; 9] = [
    figure("recall@1", "r@1", |m| m.recall_at_1),
    figure("recall@5", "r@5", |m| m.recall_at_5),
    figure("recall@10", "r@10", |m| m.recall_at_10),
    figure("recall@20", "r@20", |m| m.recall_at_20),
    figure("mrr", "mrr", |m| m.mrr),
    figure("ndcg@10", "ndcg", |m| m.ndcg_at_10),
    figure("zero", "zero", |m| m.zero),
    figure("p50", "ms", |m| m.p50_ms),
    figure("p95", "p95", |m| m.p95_ms),
];

/// A bound that a mode did not keep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Missed {
    mode: Mode,
    figure: &'static str,
    is: f64,
    side: Side,
    bound: f64,
}

impl Bound {
    /// Those of `--min` and those of `--max`.
    pub(super) fn of(min: &[Self], max: &[Self]) -> Vec<Self> {
        let max = max.iter().map(|bound| Self {
            side: Side::Max,
            ..bound.clone()
        });
        min.iter().cloned().chain(max).collect()
    }

    /// Refuses a bound for a mode that is not scored.
    pub(super) fn is_about(&self, modes: &[Mode]) -> rag_core::Result<()> {
        match self.mode.filter(|mode| !modes.contains(mode)) {
            None => Ok(()),
            Some(mode) => {
                let mode = name(mode);
                let fact = format!("a bound is about `{mode}`, which is not scored");
                Err(Error::new(Code::Usage, fact).hint(format!("add it: --mode {mode}")))
            }
        }
    }

    /// The modes that do not keep it.
    pub(super) fn missed(&self, scores: &[Scores]) -> Vec<Missed> {
        let meant = scores
            .iter()
            .filter(|s| self.mode.is_none_or(|mode| mode == s.mode));
        let missed = meant.filter_map(|scores| {
            let is = (self.figure.of)(&scores.metrics);
            let kept = match self.side {
                Side::Min => is >= self.value,
                Side::Max => is <= self.value,
            };
            (!kept).then_some(Missed {
                mode: scores.mode,
                figure: self.figure.name,
                is,
                side: self.side,
                bound: self.value,
            })
        });
        missed.collect()
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape =
            || "a bound is FIGURE=N or MODE:FIGURE=N: recall@5=0.9, hybrid:mrr=0.8".to_owned();
        let (named, value) = text.split_once('=').ok_or_else(shape)?;
        let (mode, named) = match named.split_once(':') {
            Some((mode, named)) => (Some(args::Mode::from_str(mode.trim(), true)?.into()), named),
            None => (None, named),
        };
        let named = named.trim().to_lowercase();
        let is_meant = |figure: &&Figure| figure.name == named || figure.short == named;
        let figure = FIGURES.iter().find(is_meant).copied().ok_or_else(|| {
            let all = FIGURES.map(|figure| figure.name).join(", ");
            format!("`{named}` is no figure; there are: {all}")
        })?;
        let value: f64 = value.trim().parse().map_err(|_| shape())?;
        if !value.is_finite() {
            return Err(shape());
        }
        Ok(Self {
            mode,
            figure,
            value,
            side: Side::Min,
        })
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, side) = (
            name(self.mode),
            match self.side {
                Side::Min => "at least",
                Side::Max => "at most",
            },
        );
        write!(
            f,
            "{mode} {} is {:.3}, not {side} {}",
            self.figure, self.is, self.bound
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(mode: Mode, recall_at_5: f64) -> Scores {
        Scores {
            mode,
            metrics: Metrics {
                recall_at_5,
                p95_ms: 40.0,
                ..Metrics::default()
            },
            groups: Vec::new(),
            against_first: None,
        }
    }

    fn missed(min: &[&str], max: &[&str]) -> Vec<String> {
        let parse = |all: &[&str]| {
            all.iter()
                .map(|b| b.parse().unwrap())
                .collect::<Vec<Bound>>()
        };
        let all = [scores(Mode::Words, 0.75), scores(Mode::Hybrid, 0.9)];
        let bounds = Bound::of(&parse(min), &parse(max));
        let missed = bounds.iter().flat_map(|bound| bound.missed(&all));
        missed.map(|missed| missed.to_string()).collect()
    }

    #[test]
    fn a_bound_holds_for_its_mode_or_for_all() {
        assert_eq!(
            missed(&["recall@5=0.75", "hybrid:R@5=0.9"], &["p95=40"]),
            [""; 0]
        );
        assert_eq!(
            missed(&["recall@5=0.8"], &[]),
            ["words recall@5 is 0.750, not at least 0.8"]
        );
        assert_eq!(missed(&["hybrid:recall@5=0.8"], &[]), [""; 0]);
        assert_eq!(
            missed(&[], &["hybrid:p95=25"]),
            ["hybrid p95 is 40.000, not at most 25"]
        );
        assert_eq!(missed(&["mrr=0.1"], &[]).len(), 2);
    }

    #[test]
    fn what_is_no_bound_is_refused_with_what_there_is() {
        for (wrong, said) in [
            ("recall@5", "FIGURE=N"),
            ("recall@7=0.5", "recall@10, recall@20"),
            ("mrr=high", "FIGURE=N"),
            ("mrr=nan", "FIGURE=N"),
            ("fusion:mrr=0.5", "fusion"),
        ] {
            let error = wrong.parse::<Bound>().unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
        let bound: Bound = "rerank:mrr=0.5".parse().unwrap();
        let error = bound.is_about(&[Mode::Words]).unwrap_err();
        assert!(error.hint.unwrap().contains("--mode rerank"));
        bound.is_about(&[Mode::Words, Mode::Rerank]).unwrap();
    }
}
