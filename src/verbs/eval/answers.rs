//! `rag eval --answers`: how many answers to a question set are right, cited rightly, and refused where the
//! documents hold none.

use rag_core::wire::AskResult;
use rag_core::{AnswerMode, Mode};
use rag_engine::{AnswerMetrics, AnswerScores, Answering};
use serde_json::json;

use super::{Subject, read};
use crate::args::Eval;
use crate::exit::Exit;
use crate::terminal::Printer;

/// Hits that an answer is made from, unless told otherwise.
const PASSAGES: usize = 5;

pub(super) fn run(
    subject: &Subject,
    options: &Eval,
    mode: AnswerMode,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let answering = Answering {
        questions: read(subject, options)?.questions,
        mode,
        limit: options.limit.map_or(PASSAGES, usize::from),
        max_tokens: options.max_tokens as usize,
    };
    let (engine, report) = subject.engine(options, &[Mode::Hybrid], printer)?;
    let mut output = Ok(());
    let scores = engine.evaluate_answers(&answering, &mut |answer, judged| {
        if options.details && output.is_ok() {
            let answer = AskResult::from(answer.clone());
            output = printer.value(&json!({ "judged": judged, "answer": answer }));
        }
    })?;
    output?;
    if printer.is_json() || options.details {
        printer.value(&json!({
            "dir": subject.dir, "kb": subject.config.kb, "queries": subject.queries, "answers": scores,
        }))?;
    } else {
        for line in table(&scores) {
            printer.line(&line)?;
        }
    }
    Ok(match report {
        Some(report) if report.totals.failed > 0 => Exit::Error,
        _ => Exit::Done,
    })
}

fn table(scores: &AnswerScores) -> Vec<String> {
    let row = |name: &str, m: &AnswerMetrics| {
        format!(
            "{name:<24} {:>5}  {:.3}     {:.3}  {:.3}  {:.3}  {:.3}   {:.3}    {:>5}  {:.3}    {:>7.1}",
            m.answerable,
            m.answered,
            m.right,
            m.f1,
            m.citation_precision,
            m.citation_recall,
            m.refused_wrongly,
            m.unanswerable,
            m.refused_rightly,
            m.p50_ms,
        )
    };
    let name = match scores.mode {
        AnswerMode::Generated => "generated",
        AnswerMode::Extractive => "extractive",
        AnswerMode::Everything => "everything",
    };
    let mut lines = vec![
        format!(
            "{:<24} {:>5}  {:<8}  {:<5}  {:<5}  {:<12}  {:<7}  {:>5}  {:<7}  {:>7}",
            "",
            "asked",
            "answered",
            "right",
            "F1",
            "cited: P, R",
            "refused",
            "none",
            "refused",
            "ms"
        ),
        row(name, &scores.metrics),
    ];
    let groups = scores.groups.iter();
    lines.extend(groups.map(|group| row(&format!("  {}", group.name), &group.metrics)));
    lines.push(String::new());
    lines.push("answered against right, by the confidence that is asked for:".to_owned());
    for (least, m) in &scores.curve {
        let mark = if (least - scores.least_confidence).abs() < 0.025 {
            " <"
        } else {
            ""
        };
        lines.push(format!(
            "{least:.2}  answered {:.3}  right {:.3}  refused with evidence {:.3}  refused without {:.3}{mark}",
            m.answered, m.right, m.refused_wrongly, m.refused_rightly
        ));
    }
    lines
}
