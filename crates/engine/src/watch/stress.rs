//! Thousands of changes in random order, from a seed, while questions are asked: in the end the index is
//! what a fresh ingest makes of the folder, and no search has seen half of one state and half of another.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rag_core::{Filter, Mode, Query, SourceState};
use rag_index::SourceRows;

use crate::Watching;
use crate::testing::{engine, ingest};
use crate::watch::tests::{Running, World, watching};

const OPERATIONS: u32 = 2000;

/// Numbers that only look random (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[self.below(all.len())])
    }
}

/// Somebody who works in a folder.
struct Worker<'a> {
    dir: &'a Path,
    trash: &'a Path,
    random: Random,
    version: u32,
    thrown: Vec<PathBuf>,
}

impl Worker<'_> {
    /// A text that names its version in each of its sections.
    fn text(&mut self) -> String {
        self.version += 1;
        let version = self.version;
        let section = |n| {
            format!(
                "# Part {n}\n\nharbour version{version}x part{n} {}\n\n",
                "rope ".repeat(20)
            )
        };
        (0..=self.random.below(5)).map(section).collect()
    }

    /// The files or folders below the folder, sorted.
    fn there(&self, folders: bool) -> Vec<PathBuf> {
        let (mut found, mut open) = (Vec::new(), vec![self.dir.to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path.clone());
                }
                if path.is_dir() == folders {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// A folder that is there, the top included.
    fn folder(&mut self) -> PathBuf {
        let mut folders = self.there(true);
        folders.push(self.dir.to_owned());
        self.random.one_of(&folders).unwrap().clone()
    }

    fn new_name(&mut self, kind: &str) -> PathBuf {
        let name = format!("{kind}{}", self.random.below(60));
        self.folder().join(name)
    }

    fn work(&mut self) {
        let files = self.there(false);
        let file = self.random.one_of(&files).cloned();
        let folders = self.there(true);
        let folder = self.random.one_of(&folders).cloned();
        match (self.random.below(20), file, folder) {
            (0..6, _, _) if files.len() < 80 => {
                let (path, text) = (self.new_name("f").with_extension("md"), self.text());
                std::fs::write(path, text).unwrap();
            }
            (6..8, _, _) if folders.len() < 12 => {
                let folder = self.new_name("d");
                std::fs::create_dir_all(&folder).unwrap();
                let text = self.text();
                std::fs::write(folder.join("first.md"), text).unwrap();
            }
            (8..11, Some(file), _) => {
                let text = self.text();
                std::fs::write(file, text).unwrap();
            }
            (11..13, Some(file), _) => {
                let (draft, text) = (file.with_extension("md~"), self.text());
                std::fs::write(&draft, text).unwrap();
                std::fs::rename(draft, file).unwrap();
            }
            (13..15, Some(file), _) => {
                let to = self.new_name("f").with_extension("md");
                std::fs::rename(file, to).unwrap();
            }
            (15, _, Some(folder)) => {
                let to = self.new_name("d");
                if !to.exists() && !to.starts_with(&folder) {
                    std::fs::rename(folder, to).unwrap();
                }
            }
            (16..18, Some(file), _) => std::fs::remove_file(file).unwrap(),
            (18, _, Some(folder)) => {
                let to = self.trash.join(self.version.to_string());
                self.version += 1;
                std::fs::rename(folder, &to).unwrap();
                self.thrown.push(to);
            }
            (19, _, _) => {
                if let Some(thrown) = self.thrown.pop() {
                    let to = self.new_name("d");
                    if !to.exists() {
                        std::fs::rename(thrown, to).unwrap();
                    }
                }
            }
            _ => {}
        }
    }
}

/// The versions that a hit's text names.
fn versions(text: &str) -> Vec<u32> {
    let words = text.split_whitespace();
    let number = |word: &str| {
        word.strip_prefix("version")?
            .strip_suffix('x')?
            .parse()
            .ok()
    };
    words.filter_map(number).collect()
}

/// Asks until `done`, and fails where a source is seen in two states at once. Gives back how many
/// searches found something.
fn ask(home: &Path, done: &AtomicBool) -> usize {
    let (engine, _) = engine(home, "");
    let mut found = 0;
    while !done.load(Ordering::Relaxed) {
        for mode in [Mode::Words, Mode::Vector, Mode::Hybrid] {
            let query = Query {
                text: "harbour part0 rope".into(),
                mode,
                limit: 40,
                filter: Filter::default(),
            };
            let hits = engine.search(&query).unwrap();
            let mut seen: HashMap<String, u32> = HashMap::new();
            for hit in &hits {
                for version in versions(&hit.chunk.text) {
                    let first = *seen.entry(hit.source.path.clone()).or_insert(version);
                    assert_eq!(first, version, "`{}` in two states", hit.source.path);
                }
            }
            found += usize::from(!hits.is_empty());
        }
    }
    found
}

/// All that a knowledge base knows, but for what depends on when it looked.
fn knowledge(home: &Path) -> BTreeMap<String, SourceRows> {
    let (engine, _) = engine(home, "");
    let store = engine.kb.reader().unwrap();
    let states = store.sources().unwrap();
    let keys: Vec<_> = states
        .iter()
        .map(|state| state.source.key.clone())
        .collect();
    let rows = store.rows(&keys).unwrap().into_iter();
    rows.map(|rows| {
        let state = SourceState {
            modified_ns: 0,
            ..rows.state
        };
        (state.source.path.clone(), SourceRows { state, ..rows })
    })
    .collect()
}

#[test]
fn after_any_changes_the_index_is_what_a_fresh_ingest_makes_and_no_search_was_mixed() {
    let world = World::new(&[("a.md", "# Part 0\n\nharbour version0x part0\n")]);
    let (dir, trash) = (world.dir(), world.beside("trash"));
    std::fs::create_dir(&trash).unwrap();
    // Nothing but hints: what an event does not lead to is never looked at.
    let watching = Watching {
        settle: Duration::from_hours(1),
        ..watching(&[&dir])
    };
    let running = Running::start(world.home.path(), watching);
    running.rest(&dir);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(world.home.path(), &done));
        let mut worker = Worker {
            dir: &dir,
            trash: &trash,
            random: Random(7),
            version: 0,
            thrown: Vec::new(),
        };
        for n in 0..OPERATIONS {
            worker.work();
            // Some changes come in a rush, others one by one.
            if n % 100 > 50 {
                std::thread::sleep(Duration::from_millis(worker.random.below(30) as u64));
            }
        }
        running.rest(&dir);
        done.store(true, Ordering::Relaxed);
        let found = asking.join().unwrap();
        assert!(found > 10, "only {found} searches found something");
    });
    let fresh = tempfile::tempdir().unwrap();
    ingest(&engine(fresh.path(), "").0, &dir);
    let (followed, expected) = (knowledge(world.home.path()), knowledge(fresh.path()));
    let names = |all: &BTreeMap<String, SourceRows>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&followed), names(&expected));
    assert!(expected.len() > 10, "{}", expected.len());
    assert_eq!(followed, expected);
}
