//! `rag doctor`: what is understood of a file, or the state of the installation.

mod file;
mod installation;
mod processor;

use rag_engine::{Confinement, Hold};

use crate::args::Doctor;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;

pub(crate) fn run(
    config: &Config,
    options: &Doctor,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    if options.files.is_empty() {
        installation::run(config, printer)
    } else {
        file::run(config, options, printer)
    }
}

/// A label and what there is to say, in two columns.
fn row(label: &str, said: &str) -> String {
    format!("{label:<12}{said}")
}

/// A worker's confinement on one line: what is held, then what is not.
fn in_short(confinement: &Confinement) -> String {
    let held = confinement.guards.iter();
    let held = held.filter(|guard| matches!(guard.hold, Hold::By(_)));
    let held: Vec<&str> = held.map(|guard| guard.what.as_str()).collect();
    let open: Vec<&str> = confinement.gaps().map(|(what, _)| what).collect();
    let mut line = format!("held: {}", held.join(", "));
    if !open.is_empty() {
        line = format!("{line}; NOT held: {}", open.join(", "));
    }
    line
}
