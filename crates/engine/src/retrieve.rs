//! Retrieval: a query into ranked hits, by words, by vectors, or by both.

use std::collections::HashMap;

use rag_core::fold::is_unspaced;
use rag_core::{Code, Embedder, Error, Filter, Hit, Mode, Query, Reranker, Result};
use rag_index::{Place, Ranked, Read, Scope, Store};

use crate::fuse::{Candidate, Fused, fuse};
use crate::{filter, grow, repeats, rerank, windows};

/// What a search may need besides the store.
#[derive(Clone, Copy)]
pub(crate) struct Models<'a> {
    pub(crate) embedder: Option<&'a dyn Embedder>,
    pub(crate) reranker: Option<&'a dyn Reranker>,
}

/// How far a search looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Breadth {
    /// Hits taken from each search before fusion.
    pub(crate) candidates: usize,
    /// Size up to which a hit takes in its neighbours, in the embedder's tokens.
    pub(crate) hit_tokens: usize,
}

/// The best `query.limit` hits, best first. `on_note` is told what was done otherwise than asked, or in
/// another way than usual.
pub(crate) fn search(
    store: &Store,
    models: Models<'_>,
    query: &Query,
    breadth: Breadth,
    on_note: &mut dyn FnMut(&str),
) -> Result<Vec<Hit>> {
    let depth = breadth.candidates.max(query.limit);
    if query.mode == Mode::Rerank && models.reranker.is_none() {
        return Err(
            Error::new(Code::ModelMissing, "reading hits again needs a reranker")
                .hint("rag models list shows the rerankers"),
        );
    }
    let scope = if query.filter == Filter::default() {
        Scope::All
    } else {
        filter::scope(&query.filter, &store.known_sources()?)?
    };
    let by_words = || store.rank_words(&scope, &query.text, depth);
    let mut by_vector = |embedder: &dyn Embedder| {
        let (vector, parts) = windows::vector(&query.text, embedder)?;
        if parts > 1 {
            on_note(&format!(
                "the question is longer than the {} tokens that `{}` reads at once: it was read in {parts} parts",
                embedder.max_tokens(),
                embedder.name()
            ));
        }
        store.rank_vector(&scope, &vector, depth)
    };
    let mut weights = Fused {
        words: 1.0,
        vector: 1.0,
    };
    let (words, vector) = match (query.mode, models.embedder) {
        (Mode::Words, _) => (by_words()?, Vec::new()),
        (_, None) => {
            return Err(
                Error::new(Code::ModelMissing, "searching by vectors needs an embedder")
                    .hint("rag models pull starter, or search with --mode words"),
            );
        }
        (Mode::Vector, Some(embedder)) => (Vec::new(), by_vector(embedder)?),
        (Mode::Hybrid | Mode::Rerank, Some(embedder)) => {
            weights = weigh(&query.text, embedder.languages());
            if weights.vector > 0.0 {
                at_once(by_words, || by_vector(embedder))?
            } else {
                match by_words()? {
                    none if none.is_empty() => (none, by_vector(embedder)?),
                    words => (words, Vec::new()),
                }
            }
        }
    };
    let candidates = grow::lift(fuse(words, vector, weights));
    let Some(reranker) = models.reranker.filter(|_| query.mode == Mode::Rerank) else {
        return read(store, &candidates, query.limit, breadth.hit_tokens);
    };
    let (hits, chunks) = look_up(store, &candidates)?;
    let hits = rerank::rerank(&query.text, repeats::demote(hits), reranker, on_note)?;
    Ok(grow::grown(hits, &chunks, query.limit, breadth.hit_tokens))
}

/// The best `limit` hits out of `candidates`, which are best first. Only so many are read as may be
/// among them: what repeats or lies within a better hit leaves its place to the next.
fn read(
    store: &Store,
    candidates: &[Candidate],
    limit: usize,
    hit_tokens: usize,
) -> Result<Vec<Hit>> {
    let mut some = limit * 2;
    loop {
        let are_all = some >= candidates.len();
        let (hits, chunks) = look_up(store, &candidates[..some.min(candidates.len())])?;
        let mut hits = repeats::demote(hits);
        if !are_all {
            // Candidates that were not read come before what repeats.
            hits.retain(|hit| hit.why.repeats.is_none());
        }
        let hits = grow::grown(hits, &chunks, limit, hit_tokens);
        if are_all || hits.len() == limit {
            return Ok(hits);
        }
        some *= 4;
    }
}

/// Candidates as hits, in their order, and the chunks at and beside their places. What is gone since
/// it was found is left out.
fn look_up(store: &Store, candidates: &[Candidate]) -> Result<(Vec<Hit>, HashMap<Place, Read>)> {
    let ranked: Vec<&Ranked> = candidates.iter().map(|found| &found.ranked).collect();
    let chunks = store.chunks_at(&ranked, grow::REACH)?;
    let hits = candidates.iter().filter_map(|found| {
        let read = chunks.get(&found.ranked.place)?;
        Some(Hit {
            source: read.source.clone(),
            source_hash: read.source_hash.clone(),
            focus: read.chunk.span,
            chunk: read.chunk.clone(),
            score: found.score,
            why: found.why,
        })
    });
    Ok((hits.collect(), chunks))
}

/// Both searches side by side: one waits for the disk while the other computes.
fn at_once(
    words: impl FnOnce() -> Result<Vec<Ranked>> + Send,
    vector: impl FnOnce() -> Result<Vec<Ranked>>,
) -> Result<(Vec<Ranked>, Vec<Ranked>)> {
    std::thread::scope(|scope| {
        let words = scope.spawn(words);
        let vector = vector();
        let words = words
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((words?, vector?))
    })
}

/// How much each search counts for this query. Vectors of an embedder that never saw the query's
/// language are noise: with all-MiniLM-L6-v2 and plain fusion, recall at 5 over Chinese questions
/// falls from 1.00 (words alone) to 0.71.
fn weigh(query: &str, languages: &[String]) -> Fused {
    Fused {
        words: 1.0,
        vector: if speaks(query, languages) { 1.0 } else { 0.0 },
    }
}

/// Whether an embedder of these languages has seen the language of `text`.
pub(crate) fn speaks(text: &str, languages: &[String]) -> bool {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let unspaced = text
        .chars()
        .filter(|c| c.is_alphanumeric() && is_unspaced(*c))
        .count();
    unspaced * 4 <= letters || speaks_chinese(languages)
}

fn speaks_chinese(languages: &[String]) -> bool {
    languages.is_empty() || languages.iter().any(|tag| tag.starts_with("zh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_an_english_embedder_do_not_count_for_chinese_questions() {
        let english = ["en".to_owned()];
        let both = ["en".to_owned(), "zh-Hans".to_owned()];
        assert!(weigh("年度报告的营业收入", &english).vector < f32::EPSILON);
        assert!(weigh("LanceDB 的混合检索怎么用", &english).vector < f32::EPSILON);
        assert!(weigh("年度报告的营业收入", &both).vector > 0.5);
        assert!(weigh("what does 年 mean in a date field", &english).vector > 0.5);
    }
}
