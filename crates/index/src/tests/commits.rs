//! What a commit changes and what it leaves.

use rag_core::{Code, Lines, Outcome, Span};

use super::{best, key, put, source, store, vector};
use crate::{Batch, SourceRows, Store};

fn drop_of(names: &[&str]) -> Batch {
    Batch {
        drop: names.iter().map(|name| key(name)).collect(),
        ..Batch::default()
    }
}

/// A source with every field set to something of its own.
fn rich() -> SourceRows {
    let mut rows = source(
        "rich",
        7,
        &["第一段 “quoted”", "second's part\n\twith tabs"],
    );
    rows.state.source.root = "/home/o'brien/文档".into();
    rows.state.source.path = "a \"b\"/ü;--.pdf".into();
    rows.state.size = u64::MAX;
    rows.state.modified_ns = -5;
    rows.state.title = Some("Title".into());
    rows.state.language = Some("zh-Hans".into());
    rows.state.outcome = Outcome::Partly;
    rows.state.reason = Some("page 3 is damaged".into());
    let first = &mut rows.chunks[0].chunk;
    first.span = Span::new(5, 26);
    first.heading = vec!["Part".into(), "章节".into()];
    first.lines = None;
    first.page = Some(3);
    first.page_end = Some(4);
    let second = &mut rows.chunks[1].chunk;
    second.lines = Some(Lines { first: 9, last: 12 });
    second.tokens = 99;
    rows
}

#[test]
fn every_field_comes_back_as_it_went_in() {
    let (_home, store) = store();
    store
        .commit(put([rich(), source("other", 1, &["x"])]))
        .unwrap();
    assert_eq!(store.rows(&[key("rich")]).unwrap(), [rich()]);
    assert_eq!(store.sources().unwrap()[1], rich().state);

    let found = store.search_vector(&rich().chunks[0].vector, 1).unwrap();
    assert_eq!(found[0].source, rich().state.source);
    assert_eq!(found[0].source_hash, "hash-7");
    assert_eq!(found[0].chunk, rich().chunks[0].chunk);
    let found = store.search_words("tabs", 1).unwrap();
    assert_eq!(found[0].chunk, rich().chunks[1].chunk);

    let hashes = ["text-7-1".to_owned(), "unknown".to_owned()];
    let known = store.vectors(&hashes).unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known["text-7-1"][..], vector(7001));
}

#[test]
fn a_replaced_source_has_its_new_chunks_only_and_others_stay() {
    let (_home, store) = store();
    let old = source("a", 1, &["apple one", "apple two", "apple three"]);
    store
        .commit(put([old, source("b", 2, &["banana"])]))
        .unwrap();
    let new = source("a", 3, &["cherry"]);
    store.commit(put([new.clone()])).unwrap();
    assert_eq!(best(&store, "apple"), None);
    assert_eq!(best(&store, "cherry").unwrap(), "a");
    assert_eq!(best(&store, "banana").unwrap(), "b");
    assert_eq!(store.rows(&[key("a")]).unwrap(), [new]);
    assert_eq!(store.counts().unwrap().chunks, 2);
}

#[test]
fn a_batch_is_one_commit() {
    let (_home, store) = store();
    store
        .commit(put([source("a", 1, &["1", "2"]), source("b", 2, &["3"])]))
        .unwrap();
    let before = store.counts().unwrap().versions;
    let batch = Batch {
        put: vec![source("a", 3, &["4"]), source("c", 4, &["5", "6"])],
        drop: vec![key("b")],
        ..Batch::default()
    };
    store.commit(batch).unwrap();
    assert_eq!(store.counts().unwrap().versions, before + 1);
    let names = store.sources().unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|state| state.source.path.as_str())
        .collect();
    assert_eq!(names, ["a.md", "c.md"]);
}

#[test]
fn a_reader_sees_the_old_or_the_new_and_never_both() {
    let (home, writer) = store();
    writer
        .commit(put([source("a", 0, &["version 0", "version 0"])]))
        .unwrap();
    let reader = Store::open_reader(&home.path().join("kb")).unwrap();
    let seen = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut seen = Vec::new();
            while seen.last().is_none_or(|last| last != "hash-9") {
                let found = reader.search_words("version", 10).unwrap();
                let hashes: Vec<_> = found.iter().map(|found| &found.source_hash).collect();
                assert_eq!(hashes.len(), 2);
                assert_eq!(hashes[0], hashes[1]);
                seen.push(hashes[0].clone());
            }
            seen
        });
        for version in 1..10 {
            let text = format!("version {version}");
            writer
                .commit(put([source("a", version, &[&text, &text])]))
                .unwrap();
        }
        reading.join().unwrap()
    });
    assert!(seen.is_sorted(), "{seen:?}");
}

#[test]
fn the_same_source_committed_many_times_at_once_is_there_once() {
    let (_home, store) = store();
    let same = source("a", 1, &["one", "two", "three"]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| store.commit(put([same.clone()])).unwrap());
        }
    });
    let counts = store.counts().unwrap();
    assert_eq!((counts.sources, counts.chunks), (1, 3));
    assert_eq!(store.rows(&[key("a")]).unwrap(), [same]);
}

#[test]
fn what_is_dropped_is_not_found_and_dropping_nothing_is_no_error() {
    let (_home, store) = store();
    store
        .commit(put([
            source("a", 1, &["apple"]),
            source("b", 2, &["banana"]),
        ]))
        .unwrap();
    store.commit(drop_of(&["a", "never-there"])).unwrap();
    assert_eq!(best(&store, "apple"), None);
    assert_eq!(store.counts().unwrap().sources, 1);
    let before = store.counts().unwrap().versions;
    store.commit(drop_of(&["never-there"])).unwrap();
    store.commit(Batch::default()).unwrap();
    assert_eq!(store.counts().unwrap().versions, before);
}

#[test]
fn thousands_of_sources_are_dropped_in_one_commit() {
    let (_home, store) = store();
    let names: Vec<String> = (0..3000).map(|n| format!("source-{n}")).collect();
    let empty = names.iter().map(|name| source(name, 1, &[]));
    store.commit(put(empty)).unwrap();
    let before = store.counts().unwrap().versions;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batch = Batch {
        put: vec![source("kept", 1, &["kept"])],
        ..drop_of(&names[..2500])
    };
    store.commit(batch).unwrap();
    let counts = store.counts().unwrap();
    assert_eq!((counts.sources, counts.versions), (501, before + 1));
}

#[test]
fn a_source_moves_with_its_vectors() {
    let (_home, store) = store();
    store
        .commit(put([source("old", 1, &["apple", "pear"])]))
        .unwrap();
    let mut rows = store.rows(&[key("old")]).unwrap().remove(0);
    rows.state.source.key = key("new");
    rows.state.source.path = "new place.md".into();
    let batch = Batch {
        put: vec![rows],
        drop: vec![key("old")],
        ..Batch::default()
    };
    store.commit(batch).unwrap();
    let found = store.search_vector(&vector(1001), 5).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].chunk.text, "pear");
    assert!(
        found
            .iter()
            .all(|found| found.source.path == "new place.md")
    );
}

#[test]
fn a_head_alone_changes_what_is_known_of_a_source_and_none_of_its_chunks() {
    let (_home, store) = store();
    let rows = source("a", 1, &["apple", "pear"]);
    store
        .commit(put([rows.clone(), source("b", 2, &["banana"])]))
        .unwrap();
    let before = store.counts().unwrap().versions;
    let mut changed = rows.clone();
    changed.state.modified_ns = 99;
    changed.state.outcome = Outcome::Failed;
    changed.state.reason = Some("can't be read: no permission".into());
    let mut fresh = source("never seen", 3, &[]).state;
    fresh.outcome = Outcome::Failed;
    store
        .commit(Batch {
            heads: vec![changed.state.clone(), fresh.clone()],
            ..Batch::default()
        })
        .unwrap();
    assert_eq!(store.counts().unwrap().versions, before + 1);
    assert_eq!(store.rows(&[key("a")]).unwrap(), [changed]);
    assert_eq!(best(&store, "pear").unwrap(), "a");
    assert_eq!(store.sources().unwrap()[2], fresh);
    // A source that began as a head alone is a source like any other.
    store
        .commit(put([source("never seen", 4, &["cherry"])]))
        .unwrap();
    let counts = store.counts().unwrap();
    assert_eq!((counts.sources, counts.chunks), (3, 4));
}

#[test]
fn a_source_too_large_for_one_piece_of_rows_is_still_one_commit() {
    let (_home, store) = store();
    let before = store.counts().unwrap().versions;
    let long = "many words ".repeat(1 << 20); // 11 MiB, in pieces of 16
    store
        .commit(put([source("large", 1, &[&long, &long, &long])]))
        .unwrap();
    let counts = store.counts().unwrap();
    assert_eq!((counts.chunks, counts.versions), (3, before + 1));
    let chunks = store.chunks_of(&key("large"), 0, 9).unwrap();
    assert!(chunks.iter().all(|chunk| chunk.text == long));
}

#[test]
fn vectors_are_known_from_the_commit_that_brings_them_to_the_one_that_takes_the_last_away() {
    let (home, store) = store();
    let hash = ["text-1-0".to_owned()];
    assert!(store.vectors(&hash).unwrap().is_empty());
    store.commit(put([source("a", 1, &["apple"])])).unwrap();
    assert_eq!(store.vectors(&hash).unwrap()["text-1-0"][..], vector(1000));
    let mut copy = source("copy", 1, &["apple"]);
    copy.chunks[0].chunk.tokens = 4;
    store.commit(put([copy])).unwrap();
    store.commit(drop_of(&["a"])).unwrap();
    assert_eq!(store.vectors(&hash).unwrap().len(), 1);
    drop(store);
    let store = Store::open_writer(&home.path().join("kb")).unwrap();
    assert_eq!(store.vectors(&hash).unwrap().len(), 1);
    store.commit(drop_of(&["copy"])).unwrap();
    assert!(store.vectors(&hash).unwrap().is_empty());
}

#[test]
fn a_source_without_chunks_is_listed() {
    let (_home, store) = store();
    let empty = source("empty", 1, &[]);
    store.commit(put([empty.clone()])).unwrap();
    assert_eq!(store.sources().unwrap(), [empty.state]);
    assert_eq!(store.search_vector(&vector(1), 5).unwrap(), []);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let (_home, store) = store();
    let mut short = source("a", 1, &["text"]);
    short.chunks[0].vector = vector(1)[1..].into();
    let mut miscounted = source("a", 1, &["text"]);
    miscounted.state.chunks = 2;
    let mut repeated = source("a", 1, &["text", "text"]);
    repeated.chunks[1].chunk.ordinal = 0;
    let mut endless = source("a", 1, &["text"]);
    endless.chunks[0].chunk.text = "a".repeat(17 << 20);
    let headed = Batch {
        heads: vec![source("a", 1, &[]).state],
        ..put([source("a", 1, &["text"])])
    };
    let twice = [source("a", 1, &["text"]), source("a", 2, &["text"])];
    let bad = [
        put([short]),
        put([miscounted]),
        put([repeated]),
        put([endless]),
        headed,
        put(twice),
    ];
    for batch in bad {
        let error = store.commit(batch).unwrap_err();
        assert_eq!(error.code, Code::Internal);
    }
    assert_eq!(store.sources().unwrap(), []);
}
