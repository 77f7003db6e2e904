//! A `rag watch` that runs, with what it says and what it costs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_mins(30);

pub(crate) struct Followed {
    child: Child,
    events: Receiver<(Instant, Value)>,
    home: PathBuf,
}

/// `rag` with a data home of its own and the models of the user, or of `RAG_MODELS`.
fn command(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rag"));
    let models = std::env::var_os("RAG_MODELS").map_or_else(
        || {
            let user = std::env::var_os("HOME").unwrap_or_default();
            PathBuf::from(user).join(".local/share/rag/models")
        },
        PathBuf::from,
    );
    command
        .args(words)
        .env("RAG_HOME", home)
        .env("RAG_MODELS", models);
    command
}

/// Runs `rag` and gives back what it prints.
pub(crate) fn rag(home: &Path, words: &[&str]) -> Value {
    let said = command(home, words).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{words:?}: {error}: {text}{}",
            String::from_utf8_lossy(&said.stderr)
        )
    })
}

impl Followed {
    pub(crate) fn start(home: &Path, dir: &Path) -> Self {
        let mut child = command(home, &["watch", "--json"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, events) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else {
                    continue; // killed in the middle of a line
                };
                if sender.send((Instant::now(), event)).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            events,
            home: home.to_owned(),
        }
    }

    /// When it said what `fits`.
    pub(crate) fn wait_for(&self, mut fits: impl FnMut(&Value) -> bool) -> Instant {
        let began = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(began.elapsed());
            let (at, event) = self.events.recv_timeout(left).unwrap();
            if fits(&event) {
                return at;
            }
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
    }

    /// The watch and its workers.
    fn processes(&self) -> Vec<u32> {
        let own = self.child.id();
        let listed = fs::read_dir("/proc").unwrap().flatten();
        let ids = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| *id == own || stat(*id).is_some_and(|stat| stat.parent == own))
            .collect()
    }

    /// Memory that is theirs alone or their share of, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let of = |id: u32| {
            let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("Pss:"));
            let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            number.unwrap_or(0) << 10
        };
        self.processes().into_iter().map(of).sum()
    }

    /// Time of processors used so far, in milliseconds (a tick is 10 ms).
    pub(crate) fn processor_ms(&self) -> u64 {
        let of = |id: u32| stat(id).map_or(0, |stat| stat.ticks * 10);
        self.processes().into_iter().map(of).sum()
    }

    pub(crate) fn store_bytes(&self) -> u64 {
        below(&self.home.join("kb/default"))
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// From `/proc/ID/stat` (proc(5)); names may have spaces, and end at the last bracket.
fn stat(id: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks(11)? + ticks(12)?,
    })
}

fn below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
