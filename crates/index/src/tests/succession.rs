//! A store that is made beside another one and takes its place.

use std::fs;
use std::path::Path;

use rag_core::Code;

use super::{best, key, layout, put, source, store};
use crate::{Layout, Store, Upkeep, meta};

/// Another embedder, with vectors of another length.
fn other() -> Layout {
    Layout {
        dimensions: 4,
        fingerprint: "toy-2".into(),
        embedder: "newer-toy".into(),
    }
}

/// A source as the other embedder sees it.
fn seen_anew(name: &str, texts: &[&str]) -> crate::SourceRows {
    let mut rows = source(name, 7, texts);
    for stored in &mut rows.chunks {
        stored.vector = [1.0, 0.0, 0.0, 0.0].into();
    }
    rows
}

/// The folders and files of a store, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_old_vectors_are_searched_until_the_new_ones_are_complete() {
    let (home, present) = store();
    let dir = home.path().join("kb");
    present
        .commit(put([source("a", 1, &["old text"])]))
        .unwrap();
    let next = present.successor(&other()).unwrap();
    next.commit(put([seen_anew("a", &["new text"])])).unwrap();
    next.maintain(Upkeep::AfterIngest).unwrap();
    let before = Store::open_reader(&dir).unwrap();
    assert_eq!(before.layout(), &layout());
    assert_eq!(before.search_words("old", 5).unwrap().len(), 1);

    next.take_over(present).unwrap();
    // Who was reading reads on, to the end.
    let found = before.rows(&[key("a")]).unwrap();
    assert_eq!(found[0].chunks[0].chunk.text, "old text");
    assert_eq!(before.search_words("old", 5).unwrap().len(), 1);
    let after = Store::open_reader(&dir).unwrap();
    assert_eq!(after.layout(), &other());
    assert_eq!(best(&after, "new").unwrap(), "a");
    assert_eq!(best(&after, "old"), None);
    assert_eq!(names(&dir), ["lance", "lance-2", "lock", "meta.json"]);

    drop((before, after));
    Store::open_writer(&dir).unwrap();
    assert_eq!(names(&dir), ["lance-2", "lock", "meta.json"]);
}

#[test]
fn a_table_that_nobody_reads_goes_with_the_switch_and_its_name_is_never_used_again() {
    let (home, mut present) = store();
    let dir = home.path().join("kb");
    for (layout, folder) in [(other(), "lance-2"), (layout(), "lance-3")] {
        let next = present.successor(&layout).unwrap();
        next.take_over(present).unwrap();
        assert_eq!(names(&dir), [folder, "lock", "meta.json"]);
        present = Store::open(&dir, &layout).unwrap();
    }
}

#[test]
fn what_was_begun_is_gone_on_with_wherever_it_was_killed() {
    let (home, present) = store();
    let dir = home.path().join("kb");
    present
        .commit(put([source("a", 1, &["old text"])]))
        .unwrap();
    drop(present);

    // Killed before there was a table.
    let begun = meta::Meta {
        layout: other(),
        folder: "lance-2".into(),
    };
    meta::write(&dir, meta::Role::Next, &begun).unwrap();
    assert!(Store::open_successor(&dir).unwrap().is_none());
    let present = Store::open_writer(&dir).unwrap();
    let next = present.successor(&other()).unwrap();
    next.commit(put([seen_anew("a", &["new text"])])).unwrap();
    drop((next, present));

    // Killed with a part of it done; the old store goes on as if nothing were.
    let present = Store::open(&dir, &layout()).unwrap();
    present.commit(put([source("b", 2, &["more"])])).unwrap();
    let begun = Store::open_successor(&dir).unwrap().unwrap();
    assert_eq!(
        (begun.layout(), begun.counts().unwrap().chunks),
        (&other(), 1)
    );
    drop(begun);
    let next = present.successor(&other()).unwrap();
    assert_eq!(next.sources().unwrap().len(), 1);
    next.commit(put([seen_anew("b", &["more"])])).unwrap();
    drop((next, present));

    // Killed just after the switch: the old table is still there, and the next writer removes it.
    meta::promote(&dir).unwrap();
    assert_eq!(names(&dir), ["lance", "lance-2", "lock", "meta.json"]);
    let now = Store::open_writer(&dir).unwrap();
    assert_eq!((now.layout(), now.sources().unwrap().len()), (&other(), 2));
    assert_eq!(names(&dir), ["lance-2", "lock", "meta.json"]);
    assert!(Store::open_successor(&dir).unwrap().is_none());
}

#[test]
fn what_was_begun_for_one_embedder_is_not_gone_on_with_for_another() {
    let (home, present) = store();
    let dir = home.path().join("kb");
    drop(present.successor(&other()).unwrap());
    let third = Layout {
        fingerprint: "toy-3".into(),
        embedder: "newest-toy".into(),
        ..layout()
    };
    let error = present.successor(&third).unwrap_err();
    assert_eq!(error.code, Code::Incompatible);
    let hint = error.hint.unwrap();
    assert!(hint.contains("rag reindex --embedder newer-toy"), "{hint}");
    assert!(hint.contains("rag reindex --cancel"), "{hint}");

    assert!(present.discard_successor().unwrap());
    assert!(!present.discard_successor().unwrap());
    assert_eq!(names(&dir), ["lance", "lock", "meta.json"]);
    present.successor(&third).unwrap();
}

#[test]
fn who_wants_to_write_meanwhile_is_told_what_is_being_done() {
    let (home, present) = store();
    let dir = home.path().join("kb");
    let next = present.successor(&other()).unwrap();
    for writer in [Store::open(&dir, &layout()), Store::open_writer(&dir)] {
        let error = writer.unwrap_err();
        assert_eq!(error.code, Code::Locked);
        assert!(
            error.fact.contains("making vectors of `newer-toy`"),
            "{error}"
        );
    }
    drop(present);
    assert!(
        Store::open_writer(&dir).is_err(),
        "the new store is still written to"
    );
    drop(next);
    Store::open_writer(&dir).unwrap();
}

#[test]
fn nothing_takes_the_place_of_what_it_was_not_made_for() {
    let (home, present) = store();
    let (_elsewhere, stranger) = store();
    let next = present.successor(&other()).unwrap();
    assert_eq!(next.take_over(stranger).unwrap_err().code, Code::Internal);
    let reader = Store::open_reader(&home.path().join("kb")).unwrap();
    assert!(reader.successor(&other()).is_err());
    assert!(reader.discard_successor().is_err());
    assert_eq!(reader.layout(), &layout());
}

#[test]
fn a_store_of_the_format_before_is_opened_and_searched() {
    let (home, present) = store();
    let dir = home.path().join("kb");
    present
        .commit(put([source("a", 1, &["some text"])]))
        .unwrap();
    drop(present);
    // As format 3 wrote it.
    let meta = r#"{"format": 3, "embedder": "toy", "fingerprint": "toy-1", "dimensions": 8,
        "created": "2026-11-20T00:00:00Z"}"#;
    fs::write(dir.join("meta.json"), meta).unwrap();
    assert_eq!(
        best(&Store::open_reader(&dir).unwrap(), "text").unwrap(),
        "a"
    );
    let writer = Store::open(&dir, &layout()).unwrap();
    writer.commit(put([source("b", 2, &["more"])])).unwrap();
}
