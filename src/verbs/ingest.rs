//! `rag ingest`: progress while it runs, a report at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rag_core::{Embedder, Plan, PlanRow, Report, Row, Status, Step};
use rag_engine::{Again, IgnoreFiles, IngestEvent, Selection, Settings};

use crate::args::{Ingest, Selecting};
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, byte_bar, name, stop_on_interrupt};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Ingest,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let embedder: Arc<dyn Embedder> =
        wiring::embedder_for_writing(config, options.embedder.as_deref())?;
    let engine = wiring::engine(config)?
        .with_settings(settings(options))
        .with_embedder(embedder);
    stop_on_interrupt(engine.stop_switch())?;
    if options.dry_run {
        return shown(&engine.plan(&options.paths)?, printer);
    }
    let mut meter = Meter::new(printer.is_watched());
    let result = engine.ingest(&options.paths, &mut |event| meter.take(event, printer));
    meter.finish();
    let report = result?;
    if printer.is_json() {
        printer.value(&report)?;
    } else {
        for line in summary(&report) {
            printer.line(&line)?;
        }
        if report.totals.partly + report.totals.failed > 0 {
            printer
                .say("hint: `rag doctor FILE` shows what was understood of a file, and what to do");
        }
    }
    Ok(if report.totals.failed > 0 {
        Exit::Error
    } else {
        Exit::Done
    })
}

fn settings(options: &Ingest) -> Settings {
    Settings {
        selection: selection(&options.selecting),
        again: if options.force {
            Again::Everything
        } else if options.reading.passwords.is_empty() {
            Again::Nothing
        } else {
            Again::Failed
        },
        readers: options.jobs.map_or(0, usize::from),
        ..Settings::default()
    }
}

/// What is taken in of the paths that are given.
pub(crate) fn selection(selecting: &Selecting) -> Selection {
    let defaults = Selection::default();
    Selection {
        include: selecting.include.clone(),
        exclude: selecting.exclude.clone(),
        max_file_bytes: selecting.max_file_size.unwrap_or(defaults.max_file_bytes),
        ignore_files: if selecting.no_ignore {
            IgnoreFiles::Disregarded
        } else {
            IgnoreFiles::Followed
        },
    }
}

/// Prints a plan: what would change file by file, the rest as counts.
fn shown(plan: &Plan, printer: &mut Printer) -> anyhow::Result<Exit> {
    if printer.is_json() {
        printer.value(plan)?;
    } else {
        for row in &plan.sources {
            printer.line(&step(row))?;
        }
        let totals = &plan.totals;
        let counts = [
            (totals.add, "to add"),
            (totals.replace, "to replace"),
            (totals.r#move, "to move"),
            (totals.drop, "to forget"),
            (totals.keep, "to keep"),
            (totals.skip, "to skip"),
            (totals.fail, "out of reach"),
        ];
        let counts = counted(&counts);
        printer.line(&if counts.is_empty() {
            "no files found".to_owned()
        } else {
            format!("{counts}; {} to read", size(totals.bytes))
        })?;
    }
    Ok(if plan.totals.fail > 0 {
        Exit::Error
    } else {
        Exit::Done
    })
}

/// A file and what would become of it.
fn step(row: &PlanRow) -> String {
    let step = match row.step {
        Step::Add => "add",
        Step::Replace => "replace",
        Step::Move => "move",
        Step::Keep => "keep",
        Step::Drop => "forget",
        Step::Skip => "skip",
        Step::Fail => "out of reach",
    };
    let size = match row.step {
        Step::Add | Step::Replace => format!(" ({})", size(row.bytes)),
        _ => String::new(),
    };
    let reason = row.reason.as_ref().map(|reason| format!(": {reason}"));
    let reason = reason.unwrap_or_default();
    format!("{step}: {}{size}{reason}", name(&row.source))
}

fn counted(counts: &[(u64, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    words.join(", ")
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
        Self {
            bar: byte_bar(watched),
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

    /// Clears the line for the report.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
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
pub(crate) fn summary(report: &Report) -> Vec<String> {
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
        (totals.carried, "carried over"),
        (totals.skipped, "skipped"),
        (totals.failed, "failed"),
    ];
    let counts = counted(&counts);
    if counts.is_empty() {
        lines.push("no files found".to_owned());
        return lines;
    }
    if totals.read + totals.partly + totals.carried == 0 {
        lines.push(counts);
        return lines;
    }
    let seconds = (report.took_ms as f64 / 1000.0).max(1e-3);
    lines.push(format!(
        "{counts}: {}, {} chunks, {} of them embedded, in {seconds:.1} s ({}/s, {:.0} tokens/s)",
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
