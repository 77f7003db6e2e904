//! What is understood of a file: the same reading, the same splitting and the same counting of tokens as
//! in an ingest, and nothing written.

use std::path::Path;
use std::time::Instant;

use rag_core::wire::Failure;
use rag_core::{Chunk, Code, Document, Error, Result, Warning, WarningKind};
use rag_engine::{Confinement, Counts, Engine, Findings, Heading, Recognised, ToldBy, WorkerPool};
use rag_model::EmbedderSizer;
use serde::Serialize;

use super::{in_short, row};
use crate::args::Doctor;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, name};
use crate::verbs::ingest::size;
use crate::verbs::search::{excerpt, place, under};
use crate::wiring;

/// Most headings, links and warnings shown to people; `--json` has more of them.
const MOST_SHOWN: usize = 20;

pub(super) fn run(
    config: &Config,
    options: &Doctor,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let readers = wiring::readers(config)?;
    let engine = wiring::engine_over(config, readers.clone())?;
    if options.text && !printer.is_json() {
        return show_text(&engine, options, printer);
    }
    // Only the chunks need the model; without it everything else can still be said.
    let splitter = match wiring::sizer(config) {
        Err(error) if options.chunks => return Err(error.into()),
        sizer => sizer,
    };
    let splitter = splitter
        .as_ref()
        .map(|(name, sizer)| Splitter { name, sizer });
    let mut rows = Vec::new();
    let mut exit = Exit::Done;
    for path in &options.files {
        let began = Instant::now();
        let seen = look(path, &engine, &readers, &splitter);
        match seen {
            Ok(seen) if printer.is_json() => rows.push(serde_json::to_value(&seen)?),
            Ok(seen) if options.chunks => show_chunks(&seen, printer)?,
            Ok(seen) => show(&seen, printer)?,
            Err(error) => {
                exit = Exit::Error;
                let failed = Failed::new(path, began, &error);
                complain(&failed, printer);
                rows.push(serde_json::to_value(&failed)?);
            }
        }
    }
    if printer.is_json() {
        printer.value(&serde_json::json!({ "files": rows }))?;
    }
    Ok(exit)
}

/// The texts one after another and nothing else, as `cat` does with files.
fn show_text(engine: &Engine, options: &Doctor, printer: &mut Printer) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for path in &options.files {
        let began = Instant::now();
        match plain_file(path).and_then(|_| engine.read(path)) {
            Ok(document) => printer.text(&document.text)?,
            Err(error) => {
                exit = Exit::Error;
                complain(&Failed::new(path, began, &error), printer);
            }
        }
    }
    Ok(exit)
}

fn complain(failed: &Failed, printer: &mut Printer) {
    let Failure { message, hint, .. } = &failed.error;
    printer.say(&format!("{}: {message}", name(&failed.file)));
    if let Some(hint) = hint {
        printer.say(&format!("  hint: {hint}"));
    }
}

/// The embedder whose tokens size the chunks.
struct Splitter<'a> {
    name: &'a str,
    sizer: &'a EmbedderSizer,
}

/// Everything there is to say of a file that could be read.
#[derive(Serialize)]
struct Seen {
    file: String,
    status: &'static str,
    /// In bytes.
    size: u64,
    took_ms: f64,
    recognised: Recognised,
    findings: Findings,
    /// Whose tokens size the chunks; none where its files are not there.
    embedder: Option<String>,
    /// Why there are no chunks, where there are none.
    no_chunks: Option<Failure>,
    chunks: Option<Vec<Chunk>>,
    text: String,
    /// What held the worker that read it.
    sandbox: Confinement,
}

/// A file that could not be read.
#[derive(Serialize)]
struct Failed {
    file: String,
    status: &'static str,
    took_ms: f64,
    error: Failure,
}

impl Failed {
    fn new(path: &Path, began: Instant, error: &Error) -> Self {
        Self {
            file: path.display().to_string(),
            status: match error.code {
                Code::Unsupported => "skipped",
                _ => "failed",
            },
            took_ms: began.elapsed().as_secs_f64() * 1000.0,
            error: Failure::from(error),
        }
    }
}

/// What the system knows of a file that can be read from its start to its end.
fn plain_file(path: &Path) -> Result<std::fs::Metadata> {
    let meta = std::fs::metadata(path).map_err(|cause| Error::io("read", path, cause))?;
    if !meta.is_file() {
        let what = if meta.is_dir() {
            "a folder"
        } else {
            "not a regular file"
        };
        let fact = format!("`{}` is {what}", path.display());
        return Err(Error::new(Code::Usage, fact).hint("name the files to look into"));
    }
    Ok(meta)
}

fn look(
    path: &Path,
    engine: &Engine,
    readers: &WorkerPool,
    splitter: &std::result::Result<Splitter<'_>, &Error>,
) -> Result<Seen> {
    let meta = plain_file(path)?;
    let began = Instant::now();
    let document = engine.read(path)?;
    let took_ms = began.elapsed().as_secs_f64() * 1000.0;
    let recognised = recognised(readers.recognise(path)?, &document);
    let (embedder, chunks, no_chunks) = match splitter {
        Ok(Splitter { name, sizer }) => {
            let chunks = engine.chunks(&document, *sizer, sizer.max_tokens())?;
            (Some((*name).to_owned()), Some(chunks), None)
        }
        Err(error) => (None, None, Some(Failure::from(*error))),
    };
    Ok(Seen {
        file: path.display().to_string(),
        status: if document.is_partial() {
            "partly"
        } else {
            "read"
        },
        size: meta.len(),
        took_ms,
        recognised,
        findings: Findings::of(&document),
        embedder,
        no_chunks,
        chunks,
        text: document.text,
        sandbox: readers.confinement().unwrap_or_default(),
    })
}

/// A text in UTF-16 shows what it is only once it is decoded: the reader knew better then.
fn recognised(recognised: Recognised, document: &Document) -> Recognised {
    if recognised.media_type == document.media_type {
        return recognised;
    }
    Recognised {
        media_type: document.media_type.clone(),
        format: document.media_type.clone(),
        by: ToldBy::Content,
    }
}

fn show(seen: &Seen, printer: &mut Printer) -> anyhow::Result<()> {
    let findings = &seen.findings;
    printer.line(&name(&seen.file))?;
    let mut say = |label: &str, said: &str| printer.line(&row(label, &name(said)));
    let status = if findings.is_partial {
        "read in part: see the warnings"
    } else {
        "read"
    };
    say("status", status)?;
    let by = match seen.recognised.by {
        ToldBy::Content => "told by its content",
        ToldBy::Name => "told by its name",
        ToldBy::Text => "it is text, and nothing says of what kind",
    };
    let Recognised {
        format, media_type, ..
    } = &seen.recognised;
    say("kind", &format!("{format} ({media_type}), {by}"))?;
    let took = format!("{}, read in {:.0} ms", size(seen.size), seen.took_ms);
    say("size", &took)?;
    for (label, value) in [
        ("title", &findings.title),
        ("language", &findings.language),
        ("encoding", &findings.encoding),
        ("date", &findings.date),
    ] {
        if let Some(value) = value {
            say(label, value)?;
        }
    }
    if findings.counts.pages > 0 {
        say("pages", &findings.counts.pages.to_string())?;
    }
    if findings.counts.parts > 0 {
        let names = findings.parts.iter().map(|part| part.name.as_str());
        say("parts", &listed(names, findings.counts.parts))?;
    }
    say("text", &amount(&findings.counts, findings.reading_minutes))?;
    say("structure", &structure(&findings.counts))?;
    match (&seen.chunks, &seen.embedder, &seen.no_chunks) {
        (Some(chunks), Some(embedder), _) => {
            let most = chunks.iter().map(|chunk| chunk.tokens).max().unwrap_or(0);
            let said = format!("{} of up to {most} tokens of {embedder}", chunks.len());
            say("chunks", &said)?;
        }
        (_, _, Some(error)) => say("chunks", &format!("not known: {}", error.message))?,
        _ => {}
    }
    if findings.counts.links > 0 {
        let targets = findings.links.iter().map(String::as_str);
        say("links", &listed(targets, findings.counts.links))?;
    }
    for table in findings.tables.iter().take(MOST_SHOWN) {
        let at = spot(table.page, table.line);
        say(
            "table",
            &format!("{} rows, {} columns{at}", table.rows, table.columns),
        )?;
    }
    outline(&findings.outline, findings.counts.headings, printer)?;
    warnings(&findings.warnings, printer)?;
    printer.line(&row("sandbox", &in_short(&seen.sandbox)))?;
    Ok(())
}

fn amount(counts: &Counts, minutes: f64) -> String {
    let mut parts = Vec::new();
    if counts.words > 0 || counts.ideographs == 0 {
        parts.push(format!("{} words", counts.words));
    }
    if counts.ideographs > 0 {
        parts.push(format!(
            "{} Chinese or Japanese characters",
            counts.ideographs
        ));
    }
    format!(
        "{} ({} characters in all), about {minutes} min to read",
        parts.join(" and "),
        counts.characters
    )
}

fn structure(counts: &Counts) -> String {
    let all = [
        (counts.headings, "headings"),
        (counts.paragraphs, "paragraphs"),
        (counts.list_items, "list items"),
        (counts.tables, "tables"),
        (counts.code_blocks, "code blocks"),
        (counts.links, "links"),
    ];
    let present = all.iter().filter(|(count, _)| *count > 0);
    let present: Vec<String> = present
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if present.is_empty() {
        "none".to_owned()
    } else {
        present.join(", ")
    }
}

/// The first few of `all`, and how many there are beyond.
fn listed<'a>(names: impl Iterator<Item = &'a str>, all: usize) -> String {
    let shown: Vec<String> = names
        .take(MOST_SHOWN)
        .map(|text| excerpt(text, 80))
        .collect();
    let more = match all - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{all}: {}{more}", shown.join(", "))
}

fn spot(page: Option<u32>, line: Option<u32>) -> String {
    match (page, line) {
        (Some(page), _) => format!(" (p. {page})"),
        (None, Some(line)) => format!(" (line {line})"),
        (None, None) => String::new(),
    }
}

fn outline(headings: &[Heading], all: usize, printer: &mut Printer) -> anyhow::Result<()> {
    for heading in headings.iter().take(MOST_SHOWN) {
        let indent = "  ".repeat(usize::from(heading.level.saturating_sub(1)));
        let text = excerpt(&heading.text, 80);
        let at = spot(heading.page, heading.line);
        printer.line(&row("heading", &name(&format!("{indent}{text}{at}"))))?;
    }
    if all > MOST_SHOWN {
        printer.line(&row("", &format!("and {} more headings", all - MOST_SHOWN)))?;
    }
    Ok(())
}

fn warnings(warnings: &[Warning], printer: &mut Printer) -> anyhow::Result<()> {
    for warning in warnings.iter().take(MOST_SHOWN) {
        let label = match warning.kind {
            WarningKind::Lost => "lost",
            WarningKind::Guessed => "guessed",
            WarningKind::Hidden => "hidden",
        };
        let part = warning.part.as_ref().map(|part| format!("{part}: "));
        let page = warning.page.map(|page| format!("p. {page}: "));
        let before = [part, page].into_iter().flatten().collect::<String>();
        printer.line(&row(label, &name(&format!("{before}{}", warning.fact))))?;
    }
    if warnings.len() > MOST_SHOWN {
        let more = warnings.len() - MOST_SHOWN;
        printer.line(&row("", &format!("and {more} more warnings")))?;
    }
    Ok(())
}

fn show_chunks(seen: &Seen, printer: &mut Printer) -> anyhow::Result<()> {
    for chunk in seen.chunks.iter().flatten() {
        let part = chunk.part.as_deref();
        let last = chunk.page_end.filter(|last| Some(*last) != chunk.page);
        let (start, end) = chunk.span.into();
        printer.line(&format!(
            "#{} {}{}{} [{} tokens, bytes {start}..{end}]",
            chunk.ordinal,
            place(&seen.file, part, chunk.page, chunk.lines),
            last.map_or_else(String::new, |last| format!("-{last}")),
            under(&chunk.heading, part),
            chunk.tokens,
        ))?;
        if let Some(header) = &chunk.table_header {
            printer.line(&format!("table header: {header}"))?;
        }
        printer.line(&chunk.text)?;
        printer.line("")?;
    }
    Ok(())
}
