//! The state of the installation: where things lie, whether models are whole, how workers are held, what
//! reads scans, which formats knowledge bases have, what the machine can do.

use std::path::PathBuf;

use rag_core::wire::Failure;
use rag_engine::{Attempt, Guard, Hold, KnowledgeBase, Ocr, Probe};
use rag_model::Device;
use serde::Serialize;

use super::{processor, row};
use crate::config::{CONFIG, Config};
use crate::exit::Exit;
use crate::terminal::{Printer, name};
use crate::verbs::ingest::size;
use crate::verbs::models::problem;
use crate::wiring;

pub(super) fn run(config: &Config, printer: &mut Printer) -> anyhow::Result<Exit> {
    let state = look(config, printer)?;
    if printer.is_json() {
        printer.value(&state)?;
    } else {
        show(&state, printer)?;
    }
    Ok(if state.is_sound() {
        Exit::Done
    } else {
        Exit::Error
    })
}

#[derive(Serialize)]
struct State {
    version: &'static str,
    home: PathBuf,
    /// None where there is no such file, which is nothing bad.
    config: Option<PathBuf>,
    models_folder: PathBuf,
    models: Vec<Model>,
    knowledge_bases: Vec<Kb>,
    workers: Outcome<Probe>,
    machine: Machine,
}

#[derive(Serialize)]
struct Model {
    name: String,
    kind: &'static str,
    bytes: u64,
    /// What differs from the recorded hashes; nothing in a model that is whole.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Kb {
    name: String,
    state: Outcome<Contents>,
}

#[derive(Serialize)]
struct Contents {
    format: u64,
    embedder: String,
    sources: usize,
    chunks: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Machine {
    os: &'static str,
    architecture: &'static str,
    threads: usize,
    processor_features: Vec<&'static str>,
    /// Where models are computed.
    device: String,
}

/// Something that was found out, or why it was not.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<T> {
    Found(T),
    Failed(Failure),
}

impl<T> From<rag_core::Result<T>> for Outcome<T> {
    fn from(result: rag_core::Result<T>) -> Self {
        match result {
            Ok(found) => Self::Found(found),
            Err(error) => Self::Failed(Failure::from(&error)),
        }
    }
}

impl State {
    /// Whether everything that is here works. What is not here, nobody may have wanted.
    fn is_sound(&self) -> bool {
        let workers = match &self.workers {
            Outcome::Found(probe) => contradictions(probe).is_empty(),
            Outcome::Failed(_) => false,
        };
        let opens = |kb: &Kb| matches!(kb.state, Outcome::Found(_));
        workers
            && self.models.iter().all(|model| model.problems.is_empty())
            && self.knowledge_bases.iter().all(opens)
    }
}

/// What a worker could do although it says that it is kept from it.
fn contradictions(probe: &Probe) -> Vec<&str> {
    let says_held = |what: &str| {
        let mut guards = probe.confinement.guards.iter();
        guards.any(|guard| guard.what == what && matches!(guard.hold, Hold::By(_)))
    };
    [("network", &probe.network), ("writing", &probe.writing)]
        .into_iter()
        .filter(|(what, attempt)| **attempt == Attempt::Succeeded && says_held(what))
        .map(|(what, _)| what)
        .collect()
}

fn look(config: &Config, printer: &mut Printer) -> anyhow::Result<State> {
    let shelf = wiring::shelf(config);
    let mut models = Vec::new();
    for model in shelf.installed()? {
        if printer.is_watched() && model.size > 500_000_000 {
            printer.say(&format!("reading {} of {}", size(model.size), model.name));
        }
        let files = shelf.verify(&model.name)?.files;
        models.push(Model {
            kind: crate::verbs::models::kind(model.kind),
            bytes: model.size,
            problems: files.iter().filter_map(problem).collect(),
            name: model.name,
        });
    }
    let names = KnowledgeBase::names(&config.home);
    let knowledge_bases = names.into_iter().map(|kb| Kb {
        state: contents(config, &kb).into(),
        name: kb,
    });
    let file = config.home.join(CONFIG);
    Ok(State {
        version: env!("CARGO_PKG_VERSION"),
        home: config.home.clone(),
        config: file.is_file().then_some(file),
        models_folder: config.models.clone(),
        models,
        knowledge_bases: knowledge_bases.collect(),
        workers: wiring::readers(config)
            .and_then(|readers| readers.probe())
            .into(),
        machine: Machine {
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            processor_features: processor::features(),
            device: Device::best().describe(),
        },
    })
}

fn contents(config: &Config, kb: &str) -> rag_core::Result<Contents> {
    let summary = wiring::engine(&config.with_kb(kb.to_owned()))?.status()?;
    Ok(Contents {
        format: summary.format,
        embedder: summary.embedder,
        sources: summary.sources,
        chunks: summary.chunks,
        bytes: summary.bytes_on_disk,
    })
}

fn show(state: &State, printer: &mut Printer) -> anyhow::Result<()> {
    let mut say = |label: &str, said: &str| printer.line(&row(label, &name(said)));
    let machine = &state.machine;
    let built = format!(
        "{} on {} {}",
        state.version, machine.os, machine.architecture
    );
    say("rag", &built)?;
    say("home", &state.home.display().to_string())?;
    let config = state.config.as_ref();
    say(
        "config",
        &config.map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
    )?;
    say("models", &state.models_folder.display().to_string())?;
    if state.models.is_empty() {
        say("", "none yet; rag models pull starter")?;
    }
    for model in &state.models {
        let whole = if model.problems.is_empty() {
            "whole".to_owned()
        } else {
            let problems = model.problems.join("; ");
            format!(
                "{problems}; to fetch it again: rag models pull {}",
                model.name
            )
        };
        let said = format!(
            "{} ({}, {}): {whole}",
            model.name,
            model.kind,
            size(model.bytes)
        );
        say("", &said)?;
    }
    for kb in &state.knowledge_bases {
        let said = match &kb.state {
            Outcome::Found(kb) => format!(
                "format {}, {}, {} files, {} chunks, {}",
                kb.format,
                kb.embedder,
                kb.sources,
                kb.chunks,
                size(kb.bytes)
            ),
            Outcome::Failed(failure) => in_one_line(failure),
        };
        say("kb", &format!("{}: {said}", kb.name))?;
    }
    let features = machine.processor_features.join(", ");
    say(
        "processor",
        &format!("{} threads; {features}", machine.threads),
    )?;
    say("models on", &machine.device)?;
    match &state.workers {
        Outcome::Found(probe) => show_workers(probe, printer)?,
        Outcome::Failed(failure) => printer.line(&row("workers", &in_one_line(failure)))?,
    }
    Ok(())
}

fn show_workers(probe: &Probe, printer: &mut Printer) -> anyhow::Result<()> {
    printer.line(&row("scans", &scans(probe.ocr.as_ref())))?;
    printer.line(&row("workers", "read files one by one, each held by"))?;
    for Guard { what, hold } in &probe.confinement.guards {
        let held = match hold {
            Hold::By(means) => means.clone(),
            Hold::Open(why) => format!("NOTHING: {why}"),
        };
        printer.line(&row("", &format!("{what}: {held}")))?;
    }
    for (what, attempt) in [("a socket", &probe.network), ("a file", &probe.writing)] {
        let came = match attempt {
            Attempt::Refused(said) => format!("refused ({said})"),
            Attempt::Succeeded => "SUCCEEDED".to_owned(),
        };
        printer.line(&row("", &format!("tried to open {what}: {came}")))?;
    }
    for what in contradictions(probe) {
        printer.say(&format!(
            "error: a worker says that its {what} is held, and it is not"
        ));
    }
    Ok(())
}

fn scans(ocr: Option<&Ocr>) -> String {
    match ocr {
        Some(ocr) => format!("read by {}: {}", ocr.version, ocr.languages.join(", ")),
        None => "named in reports and not read: there is no `tesseract`".to_owned(),
    }
}

fn in_one_line(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{}; hint: {hint}", failure.message),
        None => failure.message.clone(),
    }
}
