//! `rag eval`: scores the search with a question set, on a folder or on a knowledge base, and drafts such a
//! set.

mod answers;
mod bounds;
mod generate;

use std::path::{Path, PathBuf};

use anyhow::Context;
use rag_core::wire::HitRow;
use rag_core::{AnswerMode, Code, Error, Mode, Report};
use rag_engine::{Engine, EvalEvent, Evaluation, Metrics, Scores, Selection, Settings};
use serde_json::json;

use crate::args::Eval;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, stop_on_interrupt};
use crate::verbs::ingest::Meter;
use crate::wiring;
pub(crate) use bounds::Bound;

/// Hits that a search is asked for, unless told otherwise.
const HITS: usize = 20;

/// What is evaluated: a folder by a knowledge base of its own, or a knowledge base as it is.
struct Subject {
    config: Config,
    /// Where the questions are kept unless told otherwise.
    queries: PathBuf,
    dir: Option<PathBuf>,
}

impl Subject {
    fn of(config: &Config, options: &Eval) -> rag_core::Result<Self> {
        let (config, queries) = match &options.dir {
            Some(dir) => (config.with_kb(kb_name(dir)?), dir.join("queries.jsonl")),
            None => (
                config.clone(),
                config
                    .home
                    .join("questions")
                    .join(format!("{}.jsonl", config.kb)),
            ),
        };
        Ok(Self {
            queries: options.queries.clone().unwrap_or(queries),
            dir: options.dir.clone(),
            config,
        })
    }

    /// The engine with the models that `modes` need, its folder brought in step.
    fn engine(
        &self,
        options: &Eval,
        modes: &[Mode],
        printer: &mut Printer,
    ) -> anyhow::Result<(Engine, Option<Report>)> {
        let config = &self.config;
        let mut engine = wiring::engine(config)?;
        if self.dir.is_some() {
            let embedder = wiring::embedder_for_writing(config, options.embedder.as_deref())?;
            engine = engine.with_embedder(embedder).with_settings(of_folder());
        } else if modes.iter().any(|mode| *mode != Mode::Words) {
            engine = wiring::searching_engine(config)?;
        }
        let generator = options.model.as_deref();
        if modes.contains(&Mode::Rerank) {
            let reranker = wiring::reranker(config, options.reranker.as_deref(), generator)?;
            engine = engine.with_reranker(reranker);
        }
        let is_generated = options.answers.map(AnswerMode::from) == Some(AnswerMode::Generated);
        if is_generated {
            let passage_tokens = wiring::passage_tokens_for(config, generator)?;
            engine = engine.with_settings(Settings {
                passage_tokens,
                ..of_folder()
            });
        }
        if is_generated || options.generate.is_some() {
            engine = engine.with_generator(wiring::generator(config, generator)?);
        }
        stop_on_interrupt(engine.stop_switch())?;
        let Some(dir) = &self.dir else {
            engine.status()?; // a knowledge base that is not there is told before anything else
            return Ok((engine, None));
        };
        let mut meter = Meter::new(printer.is_watched());
        let report = engine.ingest(std::slice::from_ref(dir), &mut |event| {
            meter.take(event, printer);
        })?;
        Ok((engine, Some(report)))
    }
}

fn of_folder() -> Settings {
    Settings {
        selection: Selection {
            exclude: vec!["/*.jsonl".into()], // the question sets are no documents
            ..Selection::default()
        },
        ..Settings::default()
    }
}

pub(crate) fn run(config: &Config, options: &Eval, printer: &mut Printer) -> anyhow::Result<Exit> {
    let subject = Subject::of(config, options)?;
    match options.generate {
        Some(count) => {
            let (engine, _) = subject.engine(options, &[], printer)?;
            generate::run(&engine, &subject, (options, usize::from(count)), printer)
        }
        None => match options.answers {
            Some(by) => answers::run(&subject, options, by.into(), printer),
            None => score(&subject, options, printer),
        },
    }
}

fn score(subject: &Subject, options: &Eval, printer: &mut Printer) -> anyhow::Result<Exit> {
    let evaluation = read(subject, options)?;
    let bounds = Bound::of(&options.min, &options.max);
    for bound in &bounds {
        bound.is_about(&evaluation.modes)?;
    }
    let (engine, report) = subject.engine(options, &evaluation.modes, printer)?;
    let mut output = Ok(());
    let scores = engine.evaluate(&evaluation, &mut |event| {
        let EvalEvent::Asked {
            id,
            mode,
            hits,
            took_ms,
        } = event;
        if options.details && output.is_ok() {
            let hits = HitRow::rows(hits);
            output =
                printer.value(&json!({ "id": id, "mode": mode, "hits": hits, "took_ms": took_ms }));
        }
    })?;
    output?;
    let missed: Vec<_> = bounds
        .iter()
        .flat_map(|bound| bound.missed(&scores))
        .collect();
    if printer.is_json() || options.details {
        let ingest = report.as_ref();
        let ingest = ingest.map(|r| json!({ "totals": r.totals, "took_ms": r.took_ms }));
        printer.value(&json!({
            "dir": subject.dir, "kb": subject.config.kb, "queries": subject.queries,
            "scores": scores, "ingest": ingest, "missed": missed,
        }))?;
    } else {
        for line in table(&scores) {
            printer.line(&line)?;
        }
    }
    for missed in &missed {
        printer.say(&format!("missed: {missed}"));
    }
    Ok(match report {
        Some(report) if report.totals.failed > 0 => Exit::Error,
        _ if !missed.is_empty() => Exit::Nothing,
        _ => Exit::Done,
    })
}

/// The question set.
fn read(subject: &Subject, options: &Eval) -> anyhow::Result<Evaluation> {
    let queries = &subject.queries;
    let text = std::fs::read_to_string(queries).map_err(|cause| {
        let hint = match &subject.dir {
            Some(_) => {
                "a question set is queries.jsonl at the top of the folder, or --queries FILE; \
                        --generate 20 drafts one"
            }
            None => "give a question set with --queries FILE, or let --generate 20 draft one",
        };
        Error::io("read", queries, cause).hint(hint)
    })?;
    let modes = options.mode.iter().copied().map(Mode::from).collect();
    let evaluation = Evaluation::parse(&text, modes, options.limit.map_or(HITS, usize::from))
        .with_context(|| format!("`{}`", queries.display()))?;
    if evaluation.questions.iter().all(|gold| !gold.answerable) {
        let fact = format!("`{}` has no question with an answer", queries.display());
        return Err(Error::new(Code::Malformed, fact).into());
    }
    Ok(evaluation)
}

/// The scores as a table, and what the modes differ in.
fn table(scores: &[Scores]) -> Vec<String> {
    let row = |name: &str, m: &Metrics| {
        format!(
            "{name:<24} {:>5}  {:.3}  {:.3} ±{:.3}  {:.3}  {:.3}  {:.3} ±{:.3}  {:.3}  {:>6.1} {:>6.1}",
            m.questions,
            m.recall_at_1,
            m.recall_at_5,
            m.recall_at_5_error,
            m.recall_at_10,
            m.recall_at_20,
            m.mrr,
            m.mrr_error,
            m.ndcg_at_10,
            m.p50_ms,
            m.p95_ms,
        )
    };
    let mut lines = vec![format!(
        "{:<24} {:>5}  {:<5}  {:<12}  {:<5}  {:<5}  {:<12}  {:<5}  {:>6} {:>6}",
        "", "asked", "R@1", "R@5", "R@10", "R@20", "MRR", "nDCG", "ms", "p95"
    )];
    for of_mode in scores {
        let mode = name(of_mode.mode);
        lines.push(row(mode, &of_mode.metrics));
        let groups = of_mode.groups.iter();
        lines.extend(groups.map(|group| row(&format!("  {}", group.name), &group.metrics)));
        if of_mode.metrics.zero > 0.0 {
            let none = of_mode.metrics.zero * 100.0;
            lines.push(format!("  nothing found for {none:.1} % of the questions"));
        }
    }
    for of_mode in scores {
        if let (Some(first), Some(d)) = (scores.first(), of_mode.against_first) {
            lines.push(format!(
                "{} against {}: among the first five {} more, {} fewer (p {:.3}); MRR {:+.3} ±{:.3}",
                name(of_mode.mode),
                name(first.mode),
                d.only_second,
                d.only_first,
                d.p,
                d.mrr,
                d.mrr_error,
            ));
        }
    }
    lines
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Hybrid => "hybrid",
        Mode::Words => "words",
        Mode::Vector => "vector",
        Mode::Rerank => "rerank",
    }
}

/// Each folder has a knowledge base of its own, which a second run finds filled.
fn kb_name(dir: &Path) -> rag_core::Result<String> {
    let full = dir
        .canonicalize()
        .map_err(|cause| Error::io("read", dir, cause))?;
    let name = full
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a: tells two folders of one name apart
    for byte in full.as_os_str().as_encoded_bytes() {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Ok(format!("eval-{name}-{sum:016x}"))
}
