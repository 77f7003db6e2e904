//! What a watch does to a knowledge base while files change, against the real file system, with an
//! embedder that counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rag_core::{Code, Result, Row, Status};

use crate::testing::{HashEmbedder, engine, files, finds, ingest, sections};
use crate::{Bell, Engine, Footing, OnBattery, Pace, RootStatus, WatchEvent, Watching};

/// Longer than anything here takes on a slow and busy machine.
const DEADLINE: Duration = Duration::from_mins(2);
/// Nothing is looked at for so long: all that was heard before is done.
const REST: Duration = Duration::from_millis(700);

/// What a watch has said.
#[derive(Debug)]
enum Told {
    Root(RootStatus),
    File(Row),
    Looked,
    Waiting(String),
    Rested,
}

/// A watch on a thread of its own.
pub(super) struct Running {
    engine: Arc<Engine>,
    pub(super) embedder: Arc<HashEmbedder>,
    bell: Bell,
    told: Receiver<Told>,
    thread: Option<JoinHandle<Result<()>>>,
}

pub(super) fn watching(paths: &[&Path]) -> Watching {
    Watching {
        on_battery: OnBattery::Run,
        pace: Pace {
            quiet: Duration::from_millis(40),
            writing: Duration::from_millis(200),
            longest: Duration::from_millis(300),
            patience: Duration::from_secs(5),
        },
        settle: Duration::from_millis(300),
        rest: REST,
        poll: Duration::from_millis(300),
        ..Watching::of(paths.iter().map(|path| path.to_path_buf()).collect())
    }
}

impl Running {
    pub(super) fn start(home: &Path, watching: Watching) -> Self {
        let (engine, embedder) = engine(home, "");
        let (engine, bell) = (Arc::new(engine), Bell::default());
        let (say, told) = channel();
        let (watched, ear) = (Arc::clone(&engine), bell.clone());
        let thread = std::thread::spawn(move || {
            watched.watch(&watching, &ear, &mut |event| {
                let told = match event {
                    WatchEvent::Root(root) => Told::Root(root.clone()),
                    WatchEvent::File(row) => Told::File(row.clone()),
                    WatchEvent::Looked(_) => Told::Looked,
                    WatchEvent::Waiting(why) => Told::Waiting(why.to_owned()),
                    WatchEvent::Resting => Told::Rested,
                    WatchEvent::Looking { .. } | WatchEvent::Tidied { .. } => return,
                };
                let _ = say.send(told);
            })
        });
        Self {
            engine,
            embedder,
            bell,
            told,
            thread: Some(thread),
        }
    }

    /// Waits until it says something of this kind.
    #[track_caller]
    fn wait<T>(&self, what: &str, mut fits: impl FnMut(Told) -> Option<T>) -> T {
        let began = Instant::now();
        let mut all = Vec::new();
        loop {
            match self.told.recv_timeout(Duration::from_millis(100)) {
                Ok(told) => {
                    all.push(format!("{told:?}"));
                    if let Some(found) = fits(told) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {what}: {all:#?}"),
            }
            assert!(began.elapsed() < DEADLINE, "never {what}: {all:#?}");
        }
    }

    /// Waits until all that has happened in `dir` so far was looked at. A file is written there, so
    /// that there is something to look at, and gives back what was said meanwhile.
    #[track_caller]
    pub(super) fn rest(&self, dir: &Path) -> Vec<Row> {
        let text = format!("Rest {}.\n", self.bell.inbox().now().as_nanos());
        std::fs::write(dir.join("rest.md"), text).unwrap();
        let (mut rows, mut seen) = (Vec::new(), false);
        self.wait("at rest", |told| {
            match told {
                Told::File(row) if row.source.ends_with("rest.md") => seen = true,
                Told::File(row) => rows.push(row),
                Told::Rested if seen => return Some(()),
                _ => {}
            }
            None
        });
        rows
    }

    #[track_caller]
    fn footing(&self, fits: impl Fn(&Footing) -> bool) -> Footing {
        self.wait("so", |told| match told {
            Told::Root(root) if fits(&root.footing) => Some(root.footing),
            _ => None,
        })
    }

    fn stop(mut self) -> rag_core::Error {
        self.engine.stop_switch().store(true, Ordering::Relaxed);
        self.bell.ring();
        self.thread.take().unwrap().join().unwrap().unwrap_err()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.stop_switch().store(true, Ordering::Relaxed);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) struct World {
    pub(super) home: tempfile::TempDir,
    docs: tempfile::TempDir,
}

impl World {
    pub(super) fn new(texts: &[(&str, &str)]) -> Self {
        let world = Self {
            home: tempfile::tempdir().unwrap(),
            docs: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(world.dir()).unwrap();
        files(&world.dir(), texts);
        world
    }

    /// The folder that is followed; what lies beside it is not.
    pub(super) fn dir(&self) -> PathBuf {
        self.docs.path().join("docs")
    }

    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.docs.path().join(name)
    }

    pub(super) fn start(&self) -> Running {
        Running::start(self.home.path(), watching(&[&self.dir()]))
    }

    fn finds(&self, words: &str) -> Vec<String> {
        finds(&engine(self.home.path(), "").0, words)
    }
}

fn has(rows: &[Row], source: &str, status: Status) -> bool {
    let fits = |row: &Row| row.source == source && row.status == status;
    rows.iter().any(fits)
}

// -- what changes ---------------------------------------------------------------------------------------

#[test]
fn what_changed_while_it_did_not_run_is_caught_up_with() {
    let world = World::new(&[("a.md", "Heron.\n"), ("b.md", "Otter.\n")]);
    ingest(&engine(world.home.path(), "").0, &world.dir());
    std::fs::remove_file(world.dir().join("a.md")).unwrap();
    std::fs::rename(world.dir().join("b.md"), world.dir().join("c.md")).unwrap();
    files(&world.dir(), &[("d.md", "Seal.\n")]);
    let running = world.start();
    running.wait("caught up", |told| {
        matches!(told, Told::Looked).then_some(())
    });
    assert!(world.finds("Heron").is_empty());
    assert_eq!(world.finds("Otter"), ["c.md"]);
    assert_eq!(world.finds("Seal"), ["d.md"]);
    assert_eq!(
        running.embedder.count(),
        1,
        "a moved file keeps its vectors"
    );
}

#[test]
fn every_kind_of_change_is_followed_and_what_moves_embeds_nothing() {
    let text = sections(3, 40);
    let world = World::new(&[("a.md", "Heron.\n"), ("sub/b.md", &text)]);
    let dir = world.dir();
    let running = world.start();
    running.rest(&dir);

    files(&dir, &[("new.md", "Seal.\n"), ("deep/er/e.md", "Eel.\n")]);
    files(&dir, &[("a.md", "Egret.\n")]);
    let rows = running.rest(&dir);
    assert!(has(&rows, "new.md", Status::Read) && has(&rows, "deep/er/e.md", Status::Read));
    assert!(!rows.iter().any(|row| row.source == "sub/b.md"), "{rows:?}");
    assert_eq!(world.finds("Eel"), ["deep/er/e.md"]);
    assert_eq!(world.finds("Egret"), ["a.md"]);
    assert!(world.finds("Heron").is_empty());

    // As editors save: another file is renamed over it.
    files(&dir, &[(".a.md.swp", "swap"), ("a.md.tmp", "Bittern.\n")]);
    std::fs::rename(dir.join("a.md.tmp"), dir.join("a.md")).unwrap();
    running.rest(&dir);
    assert_eq!(world.finds("Bittern"), ["a.md"]);
    assert!(world.finds("Egret").is_empty() && world.finds("swap").is_empty());

    let before = running.embedder.count();
    std::fs::rename(dir.join("new.md"), dir.join("seal.md")).unwrap();
    std::fs::rename(dir.join("sub"), dir.join("deep/sub")).unwrap();
    let rows = running.rest(&dir);
    assert!(has(&rows, "deep/sub/b.md", Status::Moved), "{rows:?}");
    assert!(has(&rows, "seal.md", Status::Moved), "{rows:?}");
    assert_eq!(
        running.embedder.count(),
        before + 1,
        "only the file that says `rest`"
    );
    assert_eq!(world.finds("w1x7"), ["deep/sub/b.md"]);

    // What happens in a folder that came by moving is heard of too.
    files(&dir, &[("deep/sub/c.md", "Crane.\n")]);
    running.rest(&dir);
    assert_eq!(world.finds("Crane"), ["deep/sub/c.md"]);

    std::fs::remove_dir_all(dir.join("deep")).unwrap();
    std::fs::remove_file(dir.join("seal.md")).unwrap();
    running.rest(&dir);
    for gone in ["Eel", "Seal", "Crane", "w1x7"] {
        assert!(world.finds(gone).is_empty(), "{gone}");
    }
    assert_eq!(running.stop().code, Code::Interrupted);
}

#[test]
fn ignore_files_have_their_say_below_and_when_they_change() {
    let world = World::new(&[("sub/a.md", "Heron.\n"), (".gitignore", "*.log\n")]);
    let dir = world.dir();
    let running = world.start();
    running.rest(&dir);
    // Only this place is looked at, and yet the rules on the way to it hold.
    files(&dir, &[("sub/b.log", "Otter.\n"), ("sub/c.md", "Seal.\n")]);
    running.rest(&dir);
    assert!(world.finds("Otter").is_empty());
    assert_eq!(world.finds("Seal"), ["sub/c.md"]);
    files(
        &dir,
        &[("sub/.ragignore", "a.md\n"), (".gitignore", "*.txt\n")],
    );
    running.rest(&dir);
    assert!(world.finds("Heron").is_empty());
    assert_eq!(world.finds("Otter"), ["sub/b.log"]);
}

#[test]
fn a_file_that_fails_is_told_once_and_read_again_when_it_changes() {
    let world = World::new(&[("bad.pdf", "%PDF-1.7 and then noise")]);
    let dir = world.dir();
    let running = world.start();
    let rows = running.rest(&dir);
    assert!(has(&rows, "bad.pdf", Status::Failed));
    let rows = running.rest(&dir);
    assert!(rows.is_empty(), "{rows:?}");
    let watched = running.engine.watched().unwrap();
    assert!(watched.running);
    assert_eq!(watched.failed[0].row.source, "bad.pdf");
    assert!(watched.failed[0].row.reason.is_some());
    files(&dir, &[("bad.pdf", "%PDF-1.7 and other noise")]);
    let rows = running.rest(&dir);
    assert!(has(&rows, "bad.pdf", Status::Failed), "{rows:?}");
}

#[test]
fn the_data_home_may_lie_in_the_folder_that_is_followed() {
    let world = World::new(&[("a.md", "Heron.\n")]);
    let home = world.dir().join("home");
    std::fs::create_dir(&home).unwrap();
    let running = Running::start(&home, watching(&[&world.dir()]));
    running.rest(&world.dir());
    let (engine, _) = engine(&home, "");
    assert_eq!(finds(&engine, "Heron"), ["a.md"]);
    let sources = engine.status().unwrap();
    assert_eq!(sources.sources, 2, "{:?}", sources.troubles);
}

// -- what is away ----------------------------------------------------------------------------------------

#[test]
fn a_root_that_vanishes_is_away_and_is_taken_up_again_when_it_is_back() {
    let world = World::new(&[("a.md", "Heron.\n")]);
    let dir = world.dir();
    let running = world.start();
    running.rest(&dir);
    std::fs::rename(&dir, world.beside("elsewhere")).unwrap();
    let away = running.footing(|footing| matches!(footing, Footing::Away { .. }));
    assert!(format!("{away:?}").contains("not there"), "{away:?}");
    assert_eq!(world.finds("Heron"), ["a.md"], "nothing is forgotten");
    let watched = running.engine.watched().unwrap().last.unwrap();
    assert_eq!(watched.roots[0].footing, away);

    // Changed where nobody could look, and back.
    files(&world.beside("elsewhere"), &[("b.md", "Otter.\n")]);
    std::fs::rename(world.beside("elsewhere"), &dir).unwrap();
    running.footing(|footing| *footing == Footing::Events);
    running.rest(&dir);
    assert_eq!(world.finds("Otter"), ["b.md"]);
    files(&dir, &[("c.md", "Seal.\n")]);
    running.rest(&dir);
    assert_eq!(world.finds("Seal"), ["c.md"]);
}

#[test]
fn an_empty_folder_in_the_place_of_a_full_one_is_no_proof() {
    let world = World::new(&[("a.md", "Heron.\n"), ("b.md", "Otter.\n")]);
    let dir = world.dir();
    ingest(&engine(world.home.path(), "").0, &dir);
    // As a disk that is not mounted looks.
    std::fs::rename(&dir, world.beside("disk")).unwrap();
    std::fs::create_dir(&dir).unwrap();
    let running = world.start();
    let away = running.footing(|footing| matches!(footing, Footing::Away { .. }));
    assert!(format!("{away:?}").contains("2 files"), "{away:?}");
    std::fs::remove_dir(&dir).unwrap();
    std::fs::rename(world.beside("disk"), &dir).unwrap();
    running.footing(|footing| *footing == Footing::Events);
    running.rest(&dir);
    assert_eq!(world.finds("Heron"), ["a.md"]);
    assert_eq!(
        running.embedder.count(),
        1,
        "only the file that says `rest`"
    );
    // Emptied before our eyes, its files are gone.
    for name in ["a.md", "b.md", "rest.md"] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    running.wait("looked", |told| match told {
        Told::File(row) if row.status == Status::Removed => Some(()),
        _ => None,
    });
    running.rest(&dir);
    assert!(world.finds("Heron").is_empty() && world.finds("Otter").is_empty());
}

// -- who else is there -----------------------------------------------------------------------------------

#[test]
fn a_second_watch_is_told_of_the_first_and_a_writer_is_waited_for() {
    let world = World::new(&[("a.md", "Heron.\n")]);
    let dir = world.dir();
    let running = world.start();
    running.rest(&dir);
    let error = Running::start(world.home.path(), watching(&[&dir])).stop();
    assert_eq!(error.code, Code::Locked);
    assert!(
        error.fact.contains(&std::process::id().to_string()),
        "{error}"
    );

    let other = running.engine.kb.writer().unwrap();
    other.note_writer("a test", false);
    files(&dir, &[("b.md", "Otter.\n")]);
    let why = running.wait("waiting", |told| match told {
        Told::Waiting(why) => Some(why),
        _ => None,
    });
    assert!(why.contains("a test"), "{why}");
    assert!(world.finds("Otter").is_empty());
    drop(other);
    running.rest(&dir);
    assert_eq!(world.finds("Otter"), ["b.md"]);
    // And the other way round: between its looks anybody may write.
    assert_eq!(
        ingest(&engine(world.home.path(), "").0, &dir)
            .totals
            .embedded,
        0
    );
}
