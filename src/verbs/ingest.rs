//! `rag ingest`: progress while it runs, a report at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rag_core::{Embedder, Report, Row, Status};
use rag_engine::IngestEvent;

use crate::args::Ingest;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, name, stop_on_interrupt};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Ingest,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let embedder: Arc<dyn Embedder> =
        wiring::embedder_for_writing(config, options.embedder.as_deref())?;
    let engine = wiring::engine(config)?.with_embedder(embedder);
    stop_on_interrupt(engine.stop_switch())?;
    let mut meter = Meter::new(printer.is_watched());
    let result = engine.ingest(&options.paths, &mut |event| meter.take(event, printer));
    meter.bar.finish_and_clear();
    let report = result?;
    if printer.is_json() {
        printer.value(&report)?;
    } else {
        for line in summary(&report) {
            printer.line(&line)?;
        }
    }
    Ok(if report.totals.failed > 0 {
        Exit::Error
    } else {
        Exit::Done
    })
}

/// A progress bar on a terminal, a line now and then elsewhere.
pub(crate) struct Meter {
    bar: ProgressBar,
    files: usize,
    done: usize,
    tokens: usize,
    started: Instant,
    spoke: Instant,
}

/// How often progress is said where nobody watches a bar.
const EVERY: Duration = Duration::from_secs(10);

impl Meter {
    pub(crate) fn new(watched: bool) -> Self {
        let target = if watched {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bar: ProgressBar::with_draw_target(None, target),
            files: 0,
            done: 0,
            tokens: 0,
            started: Instant::now(),
            spoke: Instant::now(),
        }
    }

    pub(crate) fn take(&mut self, event: IngestEvent<'_>, printer: &mut Printer) {
        match event {
            IngestEvent::Planned { files, bytes } => {
                self.files = files;
                self.bar.set_length(bytes);
                if let Ok(style) = ProgressStyle::with_template(
                    "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left · {msg}",
                ) {
                    self.bar.set_style(style);
                }
            }
            IngestEvent::Embedded { tokens, .. } => self.tokens += tokens,
            IngestEvent::Done { row, bytes } => {
                // Rows of files that were not to be read come before the plan is made.
                self.done += usize::from(self.files > 0 && row.status != Status::Removed);
                self.bar.inc(bytes);
            }
            IngestEvent::Maintaining => self.bar.set_message("bringing the index up to date"),
        }
        if !matches!(event, IngestEvent::Maintaining) {
            self.bar.set_message(self.rate());
        }
        if self.bar.is_hidden() && self.spoke.elapsed() > EVERY {
            self.spoke = Instant::now();
            printer.say(&self.rate());
        }
    }

    fn rate(&self) -> String {
        let per_second = self.tokens as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        format!(
            "{} of {} files, {per_second:.0} tokens/s",
            self.done, self.files
        )
    }
}

/// The report for people: troubles by name, the rest as counts.
fn summary(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report
        .sources
        .iter()
        .filter(|row| {
            matches!(
                row.status,
                Status::Partly | Status::Skipped | Status::Failed
            )
        })
        .map(problem)
        .collect();
    let totals = &report.totals;
    let counts = [
        (totals.read, "read"),
        (totals.partly, "partly read"),
        (totals.unchanged, "unchanged"),
        (totals.moved, "moved"),
        (totals.removed, "removed"),
        (totals.skipped, "skipped"),
        (totals.failed, "failed"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() {
        lines.push("no files found".to_owned());
        return lines;
    }
    if totals.read + totals.partly == 0 {
        lines.push(counts.join(", "));
        return lines;
    }
    let seconds = (report.took_ms as f64 / 1000.0).max(1e-3);
    lines.push(format!(
        "{}: {}, {} chunks, {} of them embedded, in {seconds:.1} s ({}/s, {:.0} tokens/s)",
        counts.join(", "),
        size(totals.bytes),
        totals.chunks,
        totals.embedded,
        size(totals.bytes * 1000 / report.took_ms.max(1)),
        totals.tokens as f64 / seconds,
    ));
    lines
}

/// A file that was not read whole, with the reason.
pub(crate) fn problem(row: &Row) -> String {
    let status = match row.status {
        Status::Partly => "partly read",
        Status::Skipped => "skipped",
        _ => "failed",
    };
    format!(
        "{status}: {}: {}",
        name(&row.source),
        row.reason.as_deref().unwrap_or("no reason given")
    )
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(
            [size(0), size(999), size(1000), size(123_456_789)],
            ["0 B", "999 B", "1.0 kB", "123.5 MB"]
        );
    }
}
