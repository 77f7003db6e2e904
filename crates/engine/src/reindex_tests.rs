//! What a change of embedder does to a knowledge base, with embedders that count.

use std::sync::Arc;

use rag_core::{Code, Document, Extractor, Mode, Query, Status};
use rag_text::Reader;
use tempfile::TempDir;

use super::*;
use crate::testing::{HashEmbedder, engine, engine_with, files, finds, ingest, sections, statuses};
use crate::{Engine, KnowledgeBase, Selection, Settings};

/// A home and a folder of documents.
fn places() -> (TempDir, TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

/// Its words have more tokens: what fits another embedder may be too large for it.
fn fine() -> HashEmbedder {
    HashEmbedder {
        letters: 2,
        ..HashEmbedder::named("fine")
    }
}

#[track_caller]
fn reindex(engine: &Engine) -> Report {
    engine.reindex(&mut |_| {}).unwrap().unwrap()
}

/// The files in which a search by vectors finds something, best first.
fn finds_near(engine: &Engine, text: &str) -> Vec<String> {
    let query = Query {
        text: text.into(),
        mode: Mode::Vector,
        limit: 10,
        filter: rag_core::Filter::default(),
    };
    let hits = engine.search(&query).unwrap();
    hits.into_iter().map(|hit| hit.source.path).collect()
}

/// What is known of each source, short of what an embedder has a part in.
fn known(home: &Path) -> Vec<SourceState> {
    let kb = KnowledgeBase::new(home, "test").unwrap();
    let mut states = kb.reader().unwrap().sources().unwrap();
    for state in &mut states {
        state.rules.clear();
        state.chunks = state.chunks.min(1);
        state.modified_ns = 0; // too fresh a time is not relied on at first
    }
    states
}

#[test]
fn every_chunk_is_made_anew_and_the_sources_stay_what_they_are() {
    let (home, docs) = places();
    let long = sections(5, 12);
    files(
        docs.path(),
        &[
            (
                "a.md",
                "---\ntags: [sea]\n---\n# Tern\n\nBuilt in Bergen.\n",
            ),
            ("b/long.md", &long),
            ("empty.txt", ""),
            ("bad.pdf", "%PDF-1.7 and then noise"),
            ("picture.png", "\u{89}PNG\r\n\u{1a}\n\0\0\0\u{d}IHDR"),
            ("left/out.md", "Nobody asked for this.\n"),
        ],
    );
    let (old, _) = engine(home.path(), "");
    let old = old.with_settings(Settings {
        selection: Selection {
            exclude: vec!["/left/".into()],
            ..Selection::default()
        },
        ..Settings::default()
    });
    ingest(&old, docs.path());
    files(docs.path(), &[("new.md", "An ingest takes this up.\n")]);
    let before = known(home.path());

    let (new, embedder) = engine_with(home.path(), fine());
    let report = reindex(&new);
    assert_eq!(known(home.path()), before);
    let read = [("a.md", Status::Read), ("b/long.md", Status::Read)];
    let seen = statuses(&report);
    assert!(read.iter().all(|row| seen.contains(row)), "{seen:?}");
    assert!(seen.contains(&("bad.pdf", Status::Failed)), "{seen:?}");
    assert_eq!(embedder.count() as u64, report.totals.embedded);
    assert_eq!(report.totals.embedded, report.totals.chunks);
    assert_eq!(finds_near(&new, "Bergen")[0], "a.md");
    assert_eq!(finds(&new, "Tern")[0], "a.md");

    // It is the new embedder's from now on, and nothing is left to do.
    let paid = embedder.count();
    assert_eq!(new.reindex(&mut |_| {}).unwrap(), None);
    assert_eq!(new.plan_reindex().unwrap(), None);
    let again = ingest(&new.with_settings(Settings::default()), docs.path());
    assert!(statuses(&again).contains(&("new.md", Status::Read)));
    assert_eq!(again.totals.embedded, 2, "{again:?}");
    assert_eq!(again.totals.unchanged, 3, "{again:?}");
    assert!(embedder.count() > paid);
}

#[test]
fn a_mismatch_is_refused_with_the_command_that_mends_it() {
    let (home, docs) = places();
    files(docs.path(), &[("a.md", "Built in Bergen.\n")]);
    let (old, _) = engine(home.path(), "");
    ingest(&old, docs.path());
    let (new, _) = engine_with(home.path(), fine());
    let query = Query {
        text: "Bergen".into(),
        mode: Mode::Hybrid,
        limit: 1,
        filter: rag_core::Filter::default(),
    };
    let ingested = new.ingest(&[docs.path().to_owned()], &mut |_| {});
    for error in [new.search(&query).unwrap_err(), ingested.unwrap_err()] {
        assert_eq!(error.code, Code::Incompatible);
        let hint = error.hint.unwrap();
        let command = "rag reindex --kb 'test' --embedder fine";
        assert!(hint.contains(command), "{hint}");
    }
}

#[test]
fn the_old_vectors_are_searched_and_nobody_else_writes_while_it_runs() {
    let (home, docs) = places();
    files(
        docs.path(),
        &[("a.md", "Built in Bergen.\n"), ("b.md", &sections(600, 12))],
    );
    let (old, _) = engine(home.path(), "");
    ingest(&old, docs.path());
    let (new, _) = engine_with(home.path(), fine());
    let mut looks = 0;
    let report = new.reindex(&mut |event| {
        if !matches!(
            event,
            IngestEvent::Embedded { .. } | IngestEvent::Maintaining
        ) {
            return;
        }
        looks += 1;
        assert_eq!(finds_near(&old, "Bergen")[0], "a.md");
        let status = old.status().unwrap();
        assert_eq!((&*status.embedder, status.sources), ("hash", 2));
        assert_eq!(status.reindex.unwrap().embedder, "fine");
        let writes = [
            old.ingest(&[docs.path().to_owned()], &mut |_| {})
                .map(|_| ()),
            old.forget(&[docs.path().join("a.md")]).map(|_| ()),
            old.cancel_reindex().map(|_| ()),
            new.reindex(&mut |_| {}).map(|_| ()),
        ];
        for error in writes.map(Result::unwrap_err) {
            assert_eq!(error.code, Code::Locked);
            assert!(error.fact.contains("making vectors of `fine`"), "{error}");
        }
    });
    assert!(looks >= 3, "{looks}");
    assert_eq!(report.unwrap().unwrap().totals.read, 2);
    assert_eq!(finds_near(&new, "Bergen")[0], "a.md");
    assert_eq!(new.status().unwrap().reindex, None);
}

#[test]
fn who_asked_before_the_switch_is_answered_after_it_and_then_the_old_table_goes() {
    let (home, docs) = places();
    files(docs.path(), &[("a.md", "Built in Bergen.\n")]);
    let (old, _) = engine(home.path(), "");
    ingest(&old, docs.path());
    let (held, made_by) = old.holding().unwrap();
    assert_eq!(made_by, "hash");
    let (new, _) = engine_with(home.path(), fine());
    reindex(&new);
    assert_eq!(finds_near(&held, "Bergen"), ["a.md"]);
    assert_eq!(finds_near(&new, "Bergen"), ["a.md"]);
    let table = new.status().unwrap().dir.join("lance");
    assert!(table.exists());
    drop(held);
    ingest(&new, docs.path());
    assert!(!table.exists());
}

// -- cut short --------------------------------------------------------------------------------------

/// An engine that reads one file after the other.
fn one_by_one(home: &Path, embedder: HashEmbedder) -> (Engine, Arc<HashEmbedder>) {
    let (engine, embedder) = engine_with(home, embedder);
    let settings = Settings {
        readers: 1,
        ..Settings::default()
    };
    (engine.with_settings(settings), embedder)
}

/// A knowledge base of several batches, whose reindex fails after so many texts.
fn cut_short(home: &Path, docs: &Path, after: usize) -> (Engine, usize) {
    let (one, other) = (sections(300, 12), sections(600, 12).replace('w', "v"));
    files(
        docs,
        &[("a.md", &one), ("b.md", &other), ("c.md", "Petrel.\n")],
    );
    let (old, _) = engine(home, "");
    ingest(&old, docs);
    let killed = HashEmbedder {
        fails_after: after,
        ..fine()
    };
    let (new, embedder) = one_by_one(home, killed);
    let error = new.reindex(&mut |_| {}).unwrap_err();
    assert_eq!(error.fact, "killed");
    // What was there before goes on.
    assert_eq!(finds(&old, "Petrel"), ["c.md"]);
    assert_eq!(ingest(&old, docs).totals.unchanged, 3);
    (old, embedder.count())
}

#[test]
fn what_was_cut_short_is_gone_on_with_and_only_the_rest_is_paid() {
    let fresh = {
        let (home, docs) = places();
        let (_, _) = cut_short(home.path(), docs.path(), 0);
        let (new, embedder) = engine_with(home.path(), fine());
        reindex(&new);
        embedder.count()
    };
    for after in [1, 257, 600] {
        let (home, docs) = places();
        let (_, paid) = cut_short(home.path(), docs.path(), after);
        let kb = KnowledgeBase::new(home.path(), "test").unwrap();
        let kept = Store::open_successor(&kb.dir()).unwrap();
        let kept = kept.unwrap().counts().unwrap().chunks as usize;
        let (new, embedder) = engine_with(home.path(), fine());
        let report = reindex(&new);
        assert_eq!(embedder.count(), fresh - kept, "{paid} paid, {kept} kept");
        assert_eq!(report.sources.len(), 3);
        assert_eq!(finds_near(&new, "Petrel")[0], "c.md");
    }
}

#[test]
fn what_changed_between_two_parts_of_a_run_is_in_the_result() {
    let (home, docs) = places();
    let (old, _) = cut_short(home.path(), docs.path(), 257);
    assert!(old.status().unwrap().reindex.unwrap().sources > 0);
    // The first file is made already: one of its words changes, a file comes, one goes.
    files(
        docs.path(),
        &[
            ("a.md", &sections(300, 12).replace("w5x7", "edit")),
            ("d.md", "Fulmar.\n"),
        ],
    );
    std::fs::remove_file(docs.path().join("c.md")).unwrap();
    ingest(&old, docs.path());
    let before = known(home.path());
    let (new, _) = engine_with(home.path(), fine());
    reindex(&new);
    assert_eq!(known(home.path()), before);
    assert_eq!(finds(&new, "edit"), ["a.md"]);
    assert_eq!(finds(&new, "Fulmar"), ["d.md"]);
    assert!(finds(&new, "Petrel").is_empty());
}

#[test]
fn what_is_forgotten_between_two_parts_of_a_run_leaves_both_stores() {
    let (home, docs) = places();
    let (old, _) = cut_short(home.path(), docs.path(), 257);
    old.forget(&[docs.path().join("a.md")]).unwrap();
    let kb = KnowledgeBase::new(home.path(), "test").unwrap();
    let next = Store::open_successor(&kb.dir()).unwrap().unwrap();
    let left = next.sources().unwrap();
    assert!(left.iter().all(|state| state.source.path != "a.md"));
    assert!(next.search_words("w5x7", 5).unwrap().is_empty());
}

#[test]
fn one_that_was_begun_for_another_embedder_is_named_or_given_up() {
    let (home, docs) = places();
    let (old, _) = cut_short(home.path(), docs.path(), 257);
    let (third, embedder) = engine_with(home.path(), HashEmbedder::named("third"));
    let error = third.reindex(&mut |_| {}).unwrap_err();
    assert_eq!(error.code, Code::Incompatible);
    let hint = error.hint.unwrap();
    assert!(hint.contains("--embedder fine"), "{hint}");
    assert_eq!(embedder.count(), 0);

    assert!(old.cancel_reindex().unwrap());
    assert!(!old.cancel_reindex().unwrap());
    assert_eq!(old.status().unwrap().reindex, None);
    assert_eq!(reindex(&third).totals.read, 3);
}

#[test]
fn a_dry_run_counts_what_is_missing_and_writes_nothing() {
    let (home, docs) = places();
    let (_, _) = cut_short(home.path(), docs.path(), 257);
    std::fs::remove_file(docs.path().join("c.md")).unwrap();
    let (new, embedder) = engine_with(home.path(), fine());
    let plan = new.plan_reindex().unwrap().unwrap();
    assert_eq!((&*plan.from, &*plan.to), ("hash", "fine"));
    assert_eq!((plan.sources, plan.done), (3, 1), "{plan:?}");
    assert_eq!(plan.carried.len(), 1);
    assert_eq!(plan.carried[0].source, "c.md");
    assert_eq!(embedder.count(), 0);
    reindex(&new);
    // Sections are cut by the fine embedder alike, whether stored or read.
    assert!(plan.chunks >= embedder.count() as u64, "{plan:?}");
    assert!(plan.tokens > plan.chunks);
}

// -- files that are not as they were ----------------------------------------------------------------

#[test]
fn a_file_that_is_gone_or_has_changed_is_made_of_what_is_stored_and_left_to_the_next_ingest() {
    let (home, docs) = places();
    let words: Vec<String> = (0..50).map(|n| format!("word{n}.")).collect();
    files(
        docs.path(),
        &[
            ("changed.md", "The otter swims.\n"),
            ("gone.md", &format!("# Heron\n\n{}\n", words.join(" "))),
            ("here.md", "The seal sleeps.\n"),
        ],
    );
    let (old, _) = engine(home.path(), "");
    ingest(&old, docs.path());
    let before = known(home.path());
    std::fs::remove_file(docs.path().join("gone.md")).unwrap();
    files(
        docs.path(),
        &[("changed.md", "The lynx sleeps in the wood.\n")],
    );

    let (new, _) = engine_with(home.path(), fine());
    let report = reindex(&new);
    let expected = [
        ("changed.md", Status::Carried),
        ("gone.md", Status::Carried),
        ("here.md", Status::Read),
    ];
    assert_eq!(statuses(&report), expected);
    let reasons: Vec<&str> = report.sources[..2]
        .iter()
        .map(|row| row.reason.as_deref().unwrap())
        .collect();
    assert!(
        reasons[0].starts_with("its file has changed; "),
        "{reasons:?}"
    );
    assert!(reasons[1].starts_with("its file is gone; "), "{reasons:?}");
    assert_eq!(known(home.path()), before);
    // Cut to the new embedder's size, which it is held to when it embeds.
    assert!(report.sources[1].chunks > 1);
    assert_eq!(finds(&new, "word49")[0], "gone.md");
    assert_eq!(finds_near(&new, "otter")[0], "changed.md");

    let next = ingest(&new, docs.path());
    let expected = [
        ("changed.md", Status::Read),
        ("gone.md", Status::Removed),
        ("here.md", Status::Unchanged),
    ];
    assert_eq!(statuses(&next), expected);
    assert_eq!(next.totals.embedded, 1);
}

/// A reader that may have lost its key.
struct Locked {
    reader: Reader,
    error: Option<Code>,
}

impl Extractor for Locked {
    fn rules(&self) -> String {
        self.reader.rules()
    }

    fn extract(&self, path: &Path) -> Result<Document> {
        match self.error {
            Some(code) => Err(Error::new(code, "there is no key")),
            None => self.reader.extract(path),
        }
    }
}

#[test]
fn a_file_that_can_not_be_read_any_more_is_carried_over_until_it_can() {
    for code in [
        Code::Encrypted,
        Code::Io,
        Code::LimitExceeded,
        Code::Unsupported,
    ] {
        let (home, docs) = places();
        files(docs.path(), &[("a.md", "Built in Bergen.\n")]);
        let (old, _) = engine(home.path(), "");
        ingest(&old, docs.path());
        let reading = |error, embedder| {
            let reader = Locked {
                reader: Reader::new(),
                error,
            };
            Engine::new(
                KnowledgeBase::new(home.path(), "test").unwrap(),
                Arc::new(reader),
            )
            .with_embedder(Arc::new(embedder))
        };
        let report = reindex(&reading(Some(code), fine()));
        assert_eq!(statuses(&report), [("a.md", Status::Carried)], "{code:?}");
        assert!(
            report.sources[0]
                .reason
                .as_ref()
                .unwrap()
                .contains("there is no key")
        );
        // Once more, with what was carried over, and back to the file when it can be read.
        let report = reindex(&reading(Some(code), HashEmbedder::named("third")));
        assert_eq!(statuses(&report), [("a.md", Status::Carried)]);
        let able = reading(None, HashEmbedder::named("third"));
        assert_eq!(
            statuses(&ingest(&able, docs.path())),
            [("a.md", Status::Read)]
        );
        assert_eq!(finds(&able, "Bergen"), ["a.md"]);
    }
}

#[test]
fn one_that_was_carried_over_is_not_paid_twice_and_still_named() {
    let (home, docs) = places();
    let killed = HashEmbedder {
        fails_after: 300,
        ..fine()
    };
    files(
        docs.path(),
        &[
            ("a.md", &sections(300, 12)),
            ("b.md", &sections(600, 12).replace('w', "v")),
        ],
    );
    let (old, _) = engine(home.path(), "");
    ingest(&old, docs.path());
    std::fs::remove_file(docs.path().join("a.md")).unwrap();
    let (new, _) = one_by_one(home.path(), killed);
    new.reindex(&mut |_| {}).unwrap_err();
    let (new, embedder) = engine_with(home.path(), fine());
    let report = reindex(&new);
    let expected = [("a.md", Status::Carried), ("b.md", Status::Read)];
    assert_eq!(statuses(&report), expected);
    let b = u64::from(report.sources[1].chunks);
    assert_eq!(embedder.count() as u64, b);
}
