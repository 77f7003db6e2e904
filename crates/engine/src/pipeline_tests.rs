//! Files that do not stand still while they are read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rag_core::{Document, Extractor, Result, Status};
use rag_text::Reader;

use crate::testing::{HashEmbedder, engine, files, finds, ingest, statuses};
use crate::{Engine, KnowledgeBase, Settings};

/// A reader during whose reading something happens to the file.
struct Meddled<F> {
    reader: Reader,
    meddle: F,
}

impl<F: Fn(&Path) + Send + Sync> Extractor for Meddled<F> {
    fn rules(&self) -> String {
        self.reader.rules()
    }

    fn extract(&self, path: &Path) -> Result<Document> {
        let document = self.reader.extract(path);
        (self.meddle)(path);
        document
    }
}

fn meddled(home: &Path, meddle: impl Fn(&Path) + Send + Sync + 'static) -> Engine {
    let reader = Meddled {
        reader: Reader::new(),
        meddle,
    };
    Engine::new(KnowledgeBase::new(home, "test").unwrap(), Arc::new(reader))
        .with_embedder(Arc::new(HashEmbedder::default()))
}

#[test]
fn a_file_that_changes_while_it_is_read_has_a_row_and_is_taken_up_by_the_next_run() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[("log.txt", "Heron at nine."), ("still.txt", "Otter.")],
    );
    let calm = Arc::new(AtomicBool::new(false));
    let is_calm = Arc::clone(&calm);
    let engine = meddled(home.path(), move |path| {
        if path.ends_with("log.txt") && !is_calm.load(Ordering::Relaxed) {
            std::fs::write(path, "Heron at ten.").unwrap();
        }
    });
    let report = ingest(&engine, docs.path());
    let expected = [("log.txt", Status::Failed), ("still.txt", Status::Read)];
    assert_eq!(statuses(&report), expected);
    assert!(
        report.sources[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("changed while")
    );
    assert_eq!(engine.status().unwrap().troubles[0].row, report.sources[0]);
    assert!(finds(&engine, "Heron").is_empty());

    calm.store(true, Ordering::Relaxed);
    let report = ingest(&engine, docs.path());
    let expected = [("log.txt", Status::Read), ("still.txt", Status::Unchanged)];
    assert_eq!(statuses(&report), expected);
    assert_eq!(finds(&engine, "ten"), ["log.txt"]);
    assert!(engine.status().unwrap().troubles.is_empty());
}

#[test]
fn what_is_known_of_a_file_stays_while_it_is_out_of_reach() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(docs.path(), &[("a.txt", "Heron one.")]);
    let meddle = Arc::new(AtomicBool::new(false));
    let meddles = Arc::clone(&meddle);
    let engine = meddled(home.path(), move |path| {
        if meddles.load(Ordering::Relaxed) {
            std::fs::write(path, "Heron three, at last.").unwrap();
        }
    });
    ingest(&engine, docs.path());
    files(docs.path(), &[("a.txt", "Heron number two.")]);
    meddle.store(true, Ordering::Relaxed);
    let report = ingest(&engine, docs.path());
    assert_eq!(statuses(&report), [("a.txt", Status::Failed)]);
    assert!(
        report.sources[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("is kept")
    );
    assert_eq!(report.totals.chunks, 0);
    assert_eq!(finds(&engine, "one"), ["a.txt"]);

    meddle.store(false, Ordering::Relaxed);
    assert_eq!(
        statuses(&ingest(&engine, docs.path())),
        [("a.txt", Status::Read)]
    );
    assert_eq!(finds(&engine, "last"), ["a.txt"]);
    assert!(finds(&engine, "one").is_empty());
}

#[test]
fn a_file_that_is_gone_before_its_turn_is_no_failure() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(docs.path(), &[("a.txt", "Heron."), ("b.txt", "Otter.")]);
    let engine = meddled(home.path(), |path| {
        if path.ends_with("a.txt") {
            let _ = std::fs::remove_file(path.with_file_name("b.txt"));
        }
    })
    .with_settings(Settings {
        readers: 1,
        ..Settings::default()
    });
    let report = ingest(&engine, docs.path());
    assert_eq!(
        statuses(&report),
        [("a.txt", Status::Read), ("b.txt", Status::Skipped)]
    );
}

#[test]
fn a_change_that_size_and_time_do_not_show_is_seen_in_a_file_that_was_fresh() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (engine, _) = engine(home.path(), "");
    files(docs.path(), &[("a.txt", "Heron at 9.")]);
    let path = docs.path().join("a.txt");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    ingest(&engine, docs.path());
    files(docs.path(), &[("a.txt", "Otter at 9.")]);
    std::fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_modified(time))
        .unwrap();
    assert_eq!(
        statuses(&ingest(&engine, docs.path())),
        [("a.txt", Status::Read)]
    );
    assert_eq!(finds(&engine, "Otter"), ["a.txt"]);
}

#[test]
fn a_file_that_was_only_touched_is_compared_once_and_not_for_ever() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (engine, _) = engine(home.path(), "");
    files(docs.path(), &[("a.txt", "Heron."), ("b.txt", "Otter.")]);
    ingest(&engine, docs.path());
    let age = |name: &str, age: u64| {
        let file = std::fs::File::options()
            .write(true)
            .open(docs.path().join(name));
        let time = SystemTime::now() - Duration::from_secs(age);
        file.and_then(|file| file.set_modified(time)).unwrap();
    };
    age("a.txt", 100);
    age("b.txt", 100);
    // Files that were fresh are compared by hash, and their new time is noted.
    assert_eq!(ingest(&engine, docs.path()).totals.unchanged, 2);
    let before = engine.status().unwrap();
    // From here on size and time are enough: a change that they do not show is not looked for, which
    // is what makes it quick.
    let path = docs.path().join("a.txt");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "Egret.").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(time).unwrap();
    assert_eq!(ingest(&engine, docs.path()).totals.unchanged, 2);
    assert_eq!(engine.status().unwrap().chunks, before.chunks);
}
