//! `rag watch --status`: what is followed, what waits, what failed.

use rag_engine::Watched;

use super::{log, process};
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;
use crate::verbs::ingest::problem;
use crate::wiring;

/// Exit code 1 where nothing is followed now.
pub(super) fn run(config: &Config, printer: &mut Printer) -> anyhow::Result<Exit> {
    let watched = wiring::engine(config)?.watched()?;
    if printer.is_json() {
        printer.value(&watched)?;
    } else {
        shown(&watched, printer)?;
    }
    Ok(if watched.running {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

fn shown(watched: &Watched, printer: &mut Printer) -> std::io::Result<()> {
    let last = watched.last.as_ref();
    let kb = &watched.kb;
    match (watched.running, last) {
        (true, last) => printer.line(&format!("watch        runs for `{kb}`{}", process(last)))?,
        (false, Some(last)) => printer.line(&format!(
            "watch        does not run for `{kb}`; the last one began at {}",
            last.since
        ))?,
        (false, None) => printer.line(&format!("watch        has never run for `{kb}`"))?,
    }
    if let Some(last) = last {
        for root in &last.roots {
            let line = if watched.running {
                log::footing(root)
            } else {
                format!("followed {}", root.path.display())
            };
            printer.line(&format!("             {line}"))?;
        }
        let never = "never";
        let change = last.last_change.as_deref().unwrap_or(never);
        let look = last.last_look.as_deref().unwrap_or(never);
        printer.line(&format!("last change  {change}"))?;
        printer.line(&format!("last look    {look}"))?;
        if watched.running {
            printer.line(&format!("pending      {}", last.pending))?;
        }
        if let Some(reason) = &last.waiting {
            printer.line(&format!("waiting      {reason}"))?;
        }
    }
    for trouble in &watched.failed {
        printer.line(&problem(&trouble.row))?;
    }
    if !watched.running {
        printer.say("hint: rag watch PATH follows files, rag watch install PATH does so for good");
    }
    Ok(())
}
