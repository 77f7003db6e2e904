//! What a store promises, on real folders.

mod commits;
mod finding;
mod opening;
mod succession;
mod upkeep;

use rag_core::{Chunk, Lines, Outcome, Source, SourceKey, SourceState, Span};
use tempfile::TempDir;

use crate::{Batch, Layout, SourceRows, Store, StoredChunk};

/// Length of the vectors here.
const DIMENSIONS: usize = 8;

fn layout() -> Layout {
    Layout {
        dimensions: DIMENSIONS,
        fingerprint: "toy-1".into(),
        embedder: "toy".into(),
    }
}

/// A folder of its own with an empty store in it.
fn store() -> (TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("kb"), &layout()).unwrap();
    (home, store)
}

fn key(name: &str) -> SourceKey {
    SourceKey(name.into())
}

/// A unit vector that is the same for the same `seed` and far from others.
fn vector(seed: usize) -> Vec<f32> {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let raw: Vec<f32> = std::iter::repeat_with(&mut next)
        .skip(3)
        .take(DIMENSIONS)
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / length).collect()
}

/// A source whose chunks have these texts; vectors and hashes follow from `seed` and the place.
fn source(name: &str, seed: usize, texts: &[&str]) -> SourceRows {
    let state = SourceState {
        source: Source {
            key: key(name),
            root: "/files".into(),
            path: format!("{name}.md"),
        },
        hash: format!("hash-{seed}"),
        rules: "rules-1".into(),
        size: 10,
        modified_ns: 1,
        title: None,
        language: None,
        media_type: "text/plain".into(),
        date: None,
        tags: Vec::new(),
        outcome: Outcome::Read,
        reason: None,
        chunks: u32::try_from(texts.len()).unwrap(),
    };
    let chunk = |(place, text): (usize, &&str)| StoredChunk {
        chunk: Chunk {
            ordinal: u32::try_from(place).unwrap(),
            span: Span::new(0, text.len()),
            text: (*text).into(),
            lines: Some(Lines { first: 1, last: 1 }),
            tokens: 3,
            ..Chunk::default()
        },
        text_hash: format!("text-{seed}-{place}"),
        vector: vector(seed * 1000 + place).into(),
    };
    let chunks = texts.iter().enumerate().map(chunk).collect();
    SourceRows { state, chunks }
}

fn put(rows: impl IntoIterator<Item = SourceRows>) -> Batch {
    Batch {
        put: rows.into_iter().collect(),
        ..Batch::default()
    }
}

/// Key of the best hit for `query`.
fn best(store: &Store, query: &str) -> Option<String> {
    let found = store.search_words(query, 10).unwrap();
    found.first().map(|found| found.source.key.0.clone())
}
