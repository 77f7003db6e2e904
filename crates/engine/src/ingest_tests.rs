//! What an ingest does to a knowledge base, with a reader and an embedder that count.

use std::sync::atomic::Ordering;

use rag_core::{Code, Plan, Status, Step};

use crate::testing::{engine, files, finds, ingest, sections, statuses};
use crate::{Again, IgnoreFiles, Selection, Settings};

#[test]
fn each_change_is_told_and_only_what_is_new_is_embedded() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = docs.path();
    files(
        dir,
        &[
            ("a.md", "# Tern\n\nBuilt in Bergen.\n"),
            ("b.md", "Petrel sails north.\n"),
            ("c.txt", "Fulmar is electric.\n"),
        ],
    );
    let (engine, embedder) = engine(home.path(), "");
    let first = ingest(&engine, dir);
    assert_eq!(first.totals.read, 3);
    assert_eq!(embedder.embedded.load(Ordering::Relaxed), 3);

    let second = ingest(&engine, dir);
    assert_eq!((second.totals.unchanged, second.totals.embedded), (3, 0));

    std::fs::write(dir.join("a.md"), "# Tern\n\nBuilt in Hamburg.\n").unwrap();
    std::fs::rename(dir.join("b.md"), dir.join("moved.md")).unwrap();
    std::fs::remove_file(dir.join("c.txt")).unwrap();
    let third = ingest(&engine, dir);
    let expected = [
        ("a.md", Status::Read),
        ("c.txt", Status::Removed),
        ("moved.md", Status::Moved),
    ];
    assert_eq!(statuses(&third), expected);
    assert_eq!(third.totals.embedded, 1);
    assert_eq!(finds(&engine, "Petrel"), ["moved.md"]);
    assert_eq!(finds(&engine, "Hamburg"), ["a.md"]);
    assert!(finds(&engine, "Bergen").is_empty());
    assert!(finds(&engine, "Fulmar").is_empty());
}

#[test]
fn a_file_that_can_not_be_read_is_one_row_and_is_not_tried_again_before_it_changes() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[
            ("good.md", "Good.\n"),
            ("bad.pdf", "%PDF-1.7 and then noise"),
        ],
    );
    let (engine, _) = engine(home.path(), "");
    let first = ingest(&engine, docs.path());
    assert_eq!(
        statuses(&first),
        [("bad.pdf", Status::Failed), ("good.md", Status::Read)]
    );
    assert!(first.sources[0].reason.is_some());
    let second = ingest(&engine, docs.path());
    assert_eq!(
        statuses(&second),
        [("bad.pdf", Status::Failed), ("good.md", Status::Unchanged)]
    );
    assert_eq!(first.sources[0], second.sources[0]);
}

#[test]
fn a_stopped_run_keeps_what_was_done() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(docs.path(), &[("a.md", "One.\n")]);
    let (engine, _) = engine(home.path(), "");
    ingest(&engine, docs.path());
    files(docs.path(), &[("b.md", "Two.\n")]);
    let stop = engine.stop_switch();
    stop.store(true, Ordering::Relaxed);
    let error = engine
        .ingest(&[docs.path().to_owned()], &mut |_| {})
        .unwrap_err();
    assert_eq!(error.code, rag_core::Code::Interrupted);
    stop.store(false, Ordering::Relaxed);
    assert_eq!(engine.status().unwrap().sources, 1);
    assert_eq!(ingest(&engine, docs.path()).totals.embedded, 1);
}

// -- what is embedded ---------------------------------------------------------------------------------

#[test]
fn a_copy_embeds_nothing_and_an_edit_only_the_chunk_it_touches() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = sections(10, 40);
    files(docs.path(), &[("a.md", &text)]);
    let (engine, embedder) = engine(home.path(), "");
    let first = ingest(&engine, docs.path());
    let all = first.totals.chunks;
    assert!(all >= 10, "{first:?}");
    assert_eq!(embedder.embedded.load(Ordering::Relaxed) as u64, all);

    files(docs.path(), &[("copy.md", &text), ("中文/副本.md", &text)]);
    let copied = ingest(&engine, docs.path());
    assert_eq!(copied.totals.read, 2);
    assert_eq!((copied.totals.chunks, copied.totals.embedded), (2 * all, 0));

    files(docs.path(), &[("a.md", &text.replace("w5x7", "edit"))]);
    let edited = ingest(&engine, docs.path());
    assert_eq!((edited.totals.read, edited.totals.embedded), (1, 1));
    assert_eq!(finds(&engine, "edit"), ["a.md"]);

    files(
        docs.path(),
        &[("a.md", &format!("{text}# New\n\nA last word.\n"))],
    );
    let longer = ingest(&engine, docs.path());
    // The section that was edited is as it was, in the copies; the new one is new.
    assert_eq!(longer.totals.embedded, 1, "{longer:?}");
}

#[test]
fn the_same_text_in_many_new_files_is_embedded_once() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for n in 0..1100 {
        let text = format!("# All\n\nShared by all of them.\n\n# {n}\n\nOf this file alone.\n");
        files(docs.path(), &[(&format!("{n}.md"), &text)]);
    }
    let (engine, _) = engine(home.path(), "");
    let report = ingest(&engine, docs.path());
    assert_eq!(report.totals.chunks, 2200);
    assert_eq!(report.totals.embedded, 1101);
}

#[test]
fn everything_is_read_again_by_force_and_nothing_embedded() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[("a.md", &sections(3, 40)), ("bad.pdf", "%PDF-1.7 no")],
    );
    let (engine, _) = engine(home.path(), "");
    ingest(&engine, docs.path());
    let engine = engine.with_settings(Settings {
        again: Again::Everything,
        ..Settings::default()
    });
    let forced = ingest(&engine, docs.path());
    assert_eq!((forced.totals.read, forced.totals.failed), (1, 1));
    assert_eq!(forced.totals.embedded, 0);
}

// -- filters and plans ------------------------------------------------------------------------------

#[test]
fn a_filter_that_is_used_once_forgets_nothing() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[
            ("a.md", "Heron."),
            ("b.txt", "Otter."),
            ("drafts/c.md", "Seal."),
            ("big.md", &"Whale. ".repeat(100)),
        ],
    );
    let (engine, _) = engine(home.path(), "");
    assert_eq!(ingest(&engine, docs.path()).totals.read, 4);
    let selection = |selection| Settings {
        selection,
        ..Settings::default()
    };
    for narrow in [
        Selection {
            include: vec!["*.txt".into()],
            ..Selection::default()
        },
        Selection {
            exclude: vec!["*.md".into()],
            ..Selection::default()
        },
        Selection {
            max_file_bytes: 100,
            exclude: vec!["drafts".into()],
            ..Selection::default()
        },
    ] {
        let (engine, _) = crate::testing::engine(home.path(), "");
        let engine = engine.with_settings(selection(narrow));
        assert_eq!(ingest(&engine, docs.path()).totals.removed, 0);
        assert_eq!(engine.status().unwrap().sources, 4);
        assert_eq!(finds(&engine, "Seal"), ["drafts/c.md"]);
        assert_eq!(finds(&engine, "Whale")[0], "big.md");
    }
    // What a filter leaves out and is gone is forgotten by the next run that is about it.
    std::fs::remove_file(docs.path().join("drafts/c.md")).unwrap();
    assert_eq!(ingest(&engine, docs.path()).totals.removed, 1);
}

#[test]
fn ignore_files_have_their_say_or_not() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[
            ("a.md", "Heron."),
            ("b.md", "Otter."),
            (".gitignore", "b.md\n"),
        ],
    );
    let (engine, _) = engine(home.path(), "");
    assert_eq!(ingest(&engine, docs.path()).totals.read, 1);
    let engine = engine.with_settings(Settings {
        selection: Selection {
            ignore_files: IgnoreFiles::Disregarded,
            ..Selection::default()
        },
        ..Settings::default()
    });
    assert_eq!(ingest(&engine, docs.path()).totals.read, 1);
    assert_eq!(finds(&engine, "Otter"), ["b.md"]);
}

fn steps(plan: &Plan) -> Vec<(&str, Step)> {
    let rows = plan.sources.iter();
    rows.map(|row| (row.source.as_str(), row.step)).collect()
}

#[test]
fn a_plan_says_what_the_run_will_do_and_writes_nothing() {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paths = [docs.path().to_owned()];
    files(
        docs.path(),
        &[
            ("a.md", "Heron."),
            ("b.md", "Otter."),
            ("c.md", "Seal."),
            ("d.md", "Eel."),
        ],
    );
    let (engine, embedder) = engine(home.path(), "");
    let plan = engine.plan(&paths).unwrap();
    assert_eq!((plan.totals.add, plan.totals.bytes), (4, 21));
    assert_eq!(engine.status().unwrap_err().code, Code::NoKnowledgeBase);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);

    ingest(&engine, docs.path());
    std::fs::write(docs.path().join("a.md"), "Heron, again.").unwrap();
    std::fs::rename(docs.path().join("b.md"), docs.path().join("z.md")).unwrap();
    std::fs::remove_file(docs.path().join("c.md")).unwrap();
    files(docs.path(), &[("new.md", "Crab.")]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.md", docs.path().join("link.md")).unwrap();
    let before = (
        engine.status().unwrap(),
        embedder.embedded.load(Ordering::Relaxed),
    );
    let plan = engine.plan(&paths).unwrap();
    let mut expected = vec![
        ("a.md", Step::Replace),
        ("c.md", Step::Drop),
        ("d.md", Step::Keep),
        ("new.md", Step::Add),
        ("z.md", Step::Move),
    ];
    if cfg!(unix) {
        expected.insert(3, ("link.md", Step::Skip));
    }
    assert_eq!(steps(&plan), expected);
    assert_eq!(plan.sources[0].reason.as_deref(), Some("it has changed"));
    let after = (
        engine.status().unwrap(),
        embedder.embedded.load(Ordering::Relaxed),
    );
    assert_eq!(before, after);

    let report = ingest(&engine, docs.path());
    let totals = &report.totals;
    let done = (
        totals.read,
        totals.moved,
        totals.removed,
        totals.unchanged,
        totals.skipped,
    );
    let plan = &plan.totals;
    assert_eq!(
        done,
        (
            plan.add + plan.replace,
            plan.r#move,
            plan.drop,
            plan.keep,
            plan.skip
        )
    );
}

#[cfg(target_os = "linux")]
#[test]
fn files_whose_names_are_no_text_are_read_found_moved_and_forgotten() {
    use std::os::unix::ffi::OsStrExt;
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = |name: &[u8]| docs.path().join(std::ffi::OsStr::from_bytes(name));
    std::fs::create_dir(place(b"caf\xE9")).unwrap();
    std::fs::write(place(b"caf\xE9/a\xFF.md"), "Heron.").unwrap();
    std::fs::write(place(b"caf\xE9/a\xFE.md"), "Otter.").unwrap();
    let (engine, _) = engine(home.path(), "");
    assert_eq!(ingest(&engine, docs.path()).totals.read, 2);
    assert_eq!(finds(&engine, "Heron"), ["caf\\xE9/a\\xFF.md"]);
    assert_eq!(ingest(&engine, docs.path()).totals.unchanged, 2);
    std::fs::rename(place(b"caf\xE9/a\xFF.md"), place(b"b\xFF.md")).unwrap();
    let report = ingest(&engine, docs.path());
    assert_eq!((report.totals.moved, report.totals.unchanged), (1, 1));
    assert_eq!(finds(&engine, "Heron"), ["b\\xFF.md"]);
    let report = engine.forget(&[place(b"b\xFF.md")]).unwrap();
    assert_eq!(statuses(&report), [("b\\xFF.md", Status::Removed)]);
    // A name as it is shown will do as well.
    let report = engine.forget(&["caf\\xE9/a\\xFE.md".into()]).unwrap();
    assert_eq!(report.totals.removed, 1);
}
