//! Upkeep changes how fast things are found, not what is found.

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
            put: vec![],
            drop: vec![key("source-2")],
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
