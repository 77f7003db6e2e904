//! What a watch says while it runs: a line for each thing that happens, for people or for programs.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use rag_core::calendar::Moment;
use rag_core::{Row, Status};
use rag_engine::{Footing, Looked, RootStatus, WatchEvent};
use serde_json::{Value, json};

use crate::terminal::{Printer, name};

/// Writes events down as they come.
pub(super) struct Log<'p> {
    printer: &'p mut Printer,
    /// The first look is told even where nothing had changed.
    has_looked: bool,
}

impl<'p> Log<'p> {
    pub(super) fn new(printer: &'p mut Printer) -> Self {
        Self {
            printer,
            has_looked: false,
        }
    }

    /// # Errors
    /// Where stdout can't be written to.
    pub(super) fn tell(&mut self, event: WatchEvent<'_>) -> io::Result<()> {
        let time = utc_now();
        if self.printer.is_json() {
            let mut value = as_json(event);
            value["time"] = time.into();
            return self.printer.value(&value);
        }
        let line = line(event, !self.has_looked);
        self.has_looked |= matches!(event, WatchEvent::Looked(_));
        match line {
            Some(line) => self.printer.line(&format!("{time} {line}")),
            None => Ok(()),
        }
    }
}

fn as_json(event: WatchEvent<'_>) -> Value {
    match event {
        WatchEvent::Root(root) => with("root", json!(root)),
        WatchEvent::Looking { places } => json!({ "event": "looking", "places": places }),
        WatchEvent::File(row) => with("file", json!(row)),
        WatchEvent::Looked(looked) => with("looked", json!(looked)),
        WatchEvent::Waiting(reason) => json!({ "event": "waiting", "reason": reason }),
        WatchEvent::Tidied { took_ms } => json!({ "event": "tidied", "took_ms": took_ms }),
        WatchEvent::Resting => json!({ "event": "resting" }),
    }
}

fn with(event: &str, mut value: Value) -> Value {
    value["event"] = event.into();
    value
}

/// What people are told; not everything is worth a line.
fn line(event: WatchEvent<'_>, is_first: bool) -> Option<String> {
    match event {
        WatchEvent::Root(root) => Some(footing(root)),
        WatchEvent::File(row) => Some(file(row)),
        WatchEvent::Looked(looked) if is_first => Some(format!("caught up: {}", counts(looked))),
        WatchEvent::Looked(looked) if looked.is_change() => Some(counts(looked)),
        WatchEvent::Waiting(reason) => Some(format!("waiting: {reason}")),
        WatchEvent::Looking { .. }
        | WatchEvent::Looked(_)
        | WatchEvent::Tidied { .. }
        | WatchEvent::Resting => None,
    }
}

/// How a root is followed.
pub(super) fn footing(root: &RootStatus) -> String {
    let path = name(&root.path.to_string_lossy());
    let line = match &root.footing {
        Footing::Unknown => format!("not looked at yet: {path}"),
        Footing::Events => format!("following {path}"),
        Footing::Polling { every_s, reason } => {
            format!("looking at {path} every {every_s} s: {reason}")
        }
        Footing::Away { reason } => {
            format!("away: {path}: {reason}; nothing of it is forgotten")
        }
    };
    let away = root.away.iter();
    let away = away.map(|point| format!("; `{}` in it is not mounted", name(point)));
    std::iter::once(line)
        .chain(away)
        .collect::<Vec<_>>()
        .concat()
}

fn file(row: &Row) -> String {
    let status = match row.status {
        Status::Read => "read",
        Status::Partly => "partly read",
        Status::Unchanged => "unchanged",
        Status::Moved => "moved",
        Status::Removed => "removed",
        Status::Carried => "carried over",
        Status::Skipped => "skipped",
        Status::Failed => "failed",
    };
    let chunks = match (row.status, row.chunks) {
        (Status::Read | Status::Partly, 1) => " (1 chunk)".to_owned(),
        (Status::Read | Status::Partly, chunks) => format!(" ({chunks} chunks)"),
        _ => String::new(),
    };
    let reason = row.reason.as_ref().map(|reason| format!(": {reason}"));
    let reason = reason.unwrap_or_default();
    format!("{status} {}{chunks}{reason}", name(&row.source))
}

fn counts(looked: &Looked) -> String {
    let counts = [
        (looked.read, "read"),
        (looked.moved, "moved"),
        (looked.removed, "removed"),
        (looked.failed, "failed"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let counts = if counts.is_empty() {
        "nothing has changed".to_owned()
    } else {
        counts.join(", ")
    };
    format!("{counts}, in {:.1} s", looked.took_ms as f64 / 1000.0)
}

fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment::at(since.map_or(0, |since| since.as_secs())).rfc3339()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: Status, reason: Option<&str>) -> Row {
        Row {
            source: "a\nb.md".into(),
            status,
            reason: reason.map(Into::into),
            chunks: 3,
        }
    }

    #[test]
    fn people_read_what_happened_and_nothing_else() {
        let said = |event| line(event, false);
        let read = row(Status::Read, None);
        assert_eq!(
            said(WatchEvent::File(&read)).unwrap(),
            "read a\\nb.md (3 chunks)"
        );
        let failed = row(Status::Failed, Some("it is damaged"));
        let expected = "failed a\\nb.md: it is damaged";
        assert_eq!(said(WatchEvent::File(&failed)).unwrap(), expected);
        let nothing = Looked::default();
        assert_eq!(said(WatchEvent::Looked(&nothing)), None);
        let first = line(WatchEvent::Looked(&nothing), true).unwrap();
        assert_eq!(first, "caught up: nothing has changed, in 0.0 s");
        let some = Looked {
            read: 2,
            removed: 1,
            took_ms: 1250,
            ..nothing
        };
        let expected = "2 read, 1 removed, in 1.2 s";
        assert_eq!(said(WatchEvent::Looked(&some)).unwrap(), expected);
        assert_eq!(said(WatchEvent::Resting), None);
    }

    #[test]
    fn programs_read_one_object_for_each_event() {
        let read = row(Status::Read, None);
        let value = as_json(WatchEvent::File(&read));
        assert_eq!(value["event"], "file");
        assert_eq!(value["status"], "read");
        let value = as_json(WatchEvent::Looking { places: None });
        assert_eq!(value, json!({ "event": "looking", "places": null }));
    }
}
