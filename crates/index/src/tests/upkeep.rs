//! Upkeep changes how fast things are found, not what is found.

use std::path::Path;
use std::time::Duration;

use super::{best, key, put, source, store, vector};
use crate::{Batch, SourceRows, Store, Upkeep};

/// `count` sources of 20 chunks each, about 20 words in turn.
fn many(count: usize) -> Vec<SourceRows> {
    let texts: Vec<String> = (0..20).map(|n| format!("word{n} shared")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let sources = 0..count;
    sources
        .map(|n| source(&format!("source-{n}"), n, &texts))
        .collect()
}

fn commit_in_batches(store: &Store, sources: &[SourceRows], size: usize) {
    for part in sources.chunks(size) {
        store.commit(put(part.to_vec())).unwrap();
    }
}

#[test]
fn two_thousand_rows_in_many_commits_become_few_fragments() {
    let (_home, store) = store();
    let sources = many(100);
    commit_in_batches(&store, &sources, 5);
    let before = store.counts().unwrap();
    assert_eq!((before.sources, before.chunks), (100, 2000));
    assert!(before.fragments >= 20, "{before:?}");

    store.maintain(Upkeep::AfterIngest).unwrap();
    let after = store.counts().unwrap();
    assert_eq!(
        (after.sources, after.chunks, after.unindexed_rows),
        (100, 2000, 0)
    );
    assert!(after.fragments < 3, "{after:?}");
    assert_eq!(store.rows(&[key("source-42")]).unwrap(), sources[42..43]);
    assert_eq!(store.search_words("word7", 200).unwrap().len(), 100);
}

#[test]
fn deleted_rows_are_cleared_away_once_they_pile_up() {
    let (_home, store) = store();
    let mut sources = many(100);
    commit_in_batches(&store, &sources, 100);
    store.maintain(Upkeep::AfterIngest).unwrap();
    // Again and again, so that indexed, unindexed and deleted rows mix.
    for round in 1..=4 {
        for (n, rows) in sources.iter_mut().enumerate().take(30) {
            let text = format!("round{round} of {n}");
            *rows = source(&format!("source-{n}"), n + 100 * round, &[&text]);
        }
        commit_in_batches(&store, &sources[..30], 10);
        store.maintain(Upkeep::AfterIngest).unwrap();
        let counts = store.counts().unwrap();
        assert_eq!((counts.chunks, counts.unindexed_rows), (1430, 0));
        assert!(counts.fragments <= 16, "{counts:?}");
        let round = format!("round{round}");
        assert_eq!(store.search_words(&round, 100).unwrap().len(), 30);
        assert_eq!(store.search_words("word3", 200).unwrap().len(), 70);
    }
    assert_eq!(best(&store, "round3"), None);
    store.maintain(Upkeep::Full).unwrap();
    assert_eq!(store.counts().unwrap().fragments, 1);
    assert_eq!(store.search_words("round4", 100).unwrap().len(), 30);
}

#[test]
fn a_hundred_rounds_of_changes_leave_a_store_that_is_no_larger_for_them() {
    let (_home, mut store) = store();
    store.kept = Duration::ZERO;
    commit_in_batches(&store, &many(40), 40);
    store.maintain(Upkeep::AfterIngest).unwrap();
    let mut early = None;
    for round in 0..100 {
        let texts: Vec<String> = (0..20)
            .map(|n| format!("round{round} word{n} shared"))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let changed = (0..3).map(|n| (7 * round + n) % 40);
        let changed = changed.map(|n| source(&format!("source-{n}"), 1000 * round + n, &texts));
        store.commit(put(changed)).unwrap();
        store.maintain(Upkeep::AfterIngest).unwrap();
        let counts = store.counts().unwrap();
        assert_eq!((counts.sources, counts.chunks), (40, 800), "{round}");
        assert_eq!(counts.unindexed_rows, 0, "{round}");
        assert!(counts.fragments <= 20, "{round}: {counts:?}");
        assert!(counts.versions <= 4, "{round}: {counts:?}");
        if round < 30 {
            early = early.max(Some(counts.bytes));
        }
        assert!(
            Some(counts.bytes) <= early.map(|bytes| bytes * 3 / 2),
            "{round}: {counts:?}"
        );
    }
}

#[test]
fn what_is_forgotten_leaves_the_disk_at_once() {
    let (home, store) = store();
    commit_in_batches(&store, &many(10), 5);
    let secret = source("secret", 777, &["the password is quokkafeather"]);
    store
        .commit(put([secret, source("other", 5, &["plain text"])]))
        .unwrap();
    store.maintain(Upkeep::AfterIngest).unwrap();
    store
        .commit(Batch {
            drop: vec![key("secret")],
            ..Batch::default()
        })
        .unwrap();
    // This is what the test is about: a dropped text is not found, and is still there.
    assert_eq!(best(&store, "quokkafeather"), None);
    assert!(is_on_disk(home.path(), b"quokkafeather"));
    store.maintain(Upkeep::Forget).unwrap();
    assert!(!is_on_disk(home.path(), b"quokkafeather"));
    assert_eq!(store.counts().unwrap().versions, 1);
    assert_eq!(best(&store, "plain").unwrap(), "other");
    assert_eq!(store.search_words("word7", 200).unwrap().len(), 10);
    assert_eq!(store.counts().unwrap().unindexed_rows, 0);
}

/// Whether a file below `dir` holds these bytes.
fn is_on_disk(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_on_disk(&path, bytes);
        }
        let held = std::fs::read(path).unwrap();
        held.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn a_large_store_gets_a_vector_index_that_finds_the_same() {
    let (_home, mut store) = store();
    commit_in_batches(&store, &many(50), 50);
    let nearest = |store: &Store, seed| -> Vec<(String, u32)> {
        let found = store.search_vector(&vector(seed), 10).unwrap();
        let place = |found: &crate::Found| (found.source.key.0.clone(), found.chunk.ordinal);
        found.iter().map(place).collect()
    };
    let exact: Vec<_> = (0..20).map(|n| nearest(&store, 777_000 + n)).collect();
    store.exact_up_to = 500;
    assert!(!store.vector_index_exists().unwrap());
    store.maintain(Upkeep::AfterIngest).unwrap();
    assert!(store.vector_index_exists().unwrap());
    let indexed = (0..20).map(|n| nearest(&store, 777_000 + n));
    let same = indexed
        .zip(&exact)
        .flat_map(|(found, exact)| found.into_iter().filter(|place| exact.contains(place)));
    let same = same.count();
    assert!(same >= 190, "{same} of 200");

    // Rows that come later, replace and vanish are seen through it as well.
    let late = source("late", 5000, &["late"]);
    store
        .commit(put([late, source("source-1", 6000, &["replaced"])]))
        .unwrap();
    store
        .commit(Batch {
            drop: vec![key("source-2")],
            ..Batch::default()
        })
        .unwrap();
    for _ in 0..2 {
        assert_eq!(nearest(&store, 5_000_000)[0].0, "late");
        assert_eq!(nearest(&store, 6_000_000)[0].0, "source-1");
        assert!(
            nearest(&store, 2003)
                .iter()
                .all(|(key, _)| key != "source-2")
        );
        assert_ne!(nearest(&store, 1003)[0], ("source-1".into(), 3));
        store.maintain(Upkeep::Full).unwrap();
    }
}
