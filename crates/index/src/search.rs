//! Finding chunks: by vector, by word, and those beside a chunk that was found.

use lancedb::expr::{DfExpr, col, lit};
use lancedb::query::{QueryBase, Select, VectorQuery};
use lancedb::{DistanceType, Table};
use rag_core::{Chunk, SourceKey};

use crate::error::{IndexError, Result};
use crate::store::{among, each, is};
use crate::{Found, Scope, Store, decode, schema, words};

/// With a vector index: so many times `limit` candidates are compared again with their full vectors.
/// Measured on 20,000 vectors of 384 numbers, one bit kept of each: without it only 39 % of the true ten best were found,
/// with it 99.9 %.
const REFINE: u32 = 10;
/// With a vector index: how many of its cells are looked into.
const PROBES: usize = 32;

impl Store {
    /// The chunks whose vectors are nearest, best first; scores are cosine similarities (-1 to 1).
    ///
    /// Exact as long as there is no vector index, which [`Store::maintain`] makes for large stores.
    ///
    /// # Errors
    /// `Internal` for a vector of the wrong length.
    pub fn search_vector(&self, vector: &[f32], limit: usize) -> rag_core::Result<Vec<Found>> {
        self.search_vector_in(&Scope::All, vector, limit)
    }

    /// The same among the chunks of some sources.
    ///
    /// # Errors
    /// As [`Store::search_vector`].
    pub fn search_vector_in(
        &self,
        scope: &Scope,
        vector: &[f32],
        limit: usize,
    ) -> rag_core::Result<Vec<Found>> {
        let expected = self.layout().dimensions;
        if vector.len() != expected {
            let found = vector.len();
            return Err(IndexError::WrongQuery { found, expected }.into());
        }
        if limit == 0 || scope.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.nearest(scope, vector, limit)?)
    }

    /// The chunks that hold most of the words of `query`, best first; scores are BM25, a Chinese term
    /// that stands as a whole counting once more.
    ///
    /// `query` is plain text: nothing in it is an operator. Without a letter or digit it finds nothing.
    /// Rows that no index covers yet are read one by one: 2 s for 20,000 of them on two cores, where
    /// [`Store::maintain`] would make it 10 ms.
    pub fn search_words(&self, query: &str, limit: usize) -> rag_core::Result<Vec<Found>> {
        self.search_words_in(&Scope::All, query, limit)
    }

    /// The same among the chunks of some sources. How rare a word is, is still counted over all.
    ///
    /// # Errors
    /// As [`Store::search_words`].
    pub fn search_words_in(
        &self,
        scope: &Scope,
        query: &str,
        limit: usize,
    ) -> rag_core::Result<Vec<Found>> {
        let Some(words) = words::query(query).filter(|_| limit > 0 && !scope.is_empty()) else {
            return Ok(Vec::new());
        };
        let columns = [&schema::FOUND_COLUMNS[..], &[schema::SCORE]].concat();
        let mut query = self.table.query().full_text_search(words);
        if let Some(sources) = within(scope) {
            query = query.only_if_expr(sources);
        }
        let query = query.select(Select::columns(&columns)).limit(limit);
        let batches = self.run(&query)?;
        let found = each(&batches, |rows| {
            decode::found(rows, schema::SCORE, |bm25| bm25)
        })?;
        Ok(best_first(found))
    }

    /// The chunks of one source from ordinal `from` to `to`, both included, in order.
    pub fn chunks_of(&self, key: &SourceKey, from: u32, to: u32) -> rag_core::Result<Vec<Chunk>> {
        let ordinal = || col(schema::ORDINAL);
        let filter = is(schema::SOURCE_KEY, &key.0)
            .and(is(schema::KIND, schema::CHUNK))
            .and(ordinal().gt_eq(lit(from)))
            .and(ordinal().lt_eq(lit(to)));
        let read = self.read(&self.table, &schema::FOUND_COLUMNS, filter)?;
        let mut chunks = each(&read, decode::chunks)?;
        chunks.sort_by_key(|chunk| chunk.ordinal);
        Ok(chunks)
    }

    /// Chunks by source and ordinal, in no particular order; one that is not there is left out.
    pub fn chunks_at(
        &self,
        places: &[(SourceKey, u32)],
    ) -> rag_core::Result<Vec<(SourceKey, Chunk)>> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = places
            .iter()
            .map(|(key, ordinal)| format!("{key}:{ordinal}"))
            .collect();
        let wanted = among(schema::ID, ids.iter().map(String::as_str));
        let read = self.read(&self.table, &schema::FOUND_COLUMNS, wanted)?;
        Ok(each(&read, decode::placed)?)
    }

    fn nearest(&self, scope: &Scope, vector: &[f32], limit: usize) -> Result<Vec<Found>> {
        let columns = [&schema::FOUND_COLUMNS[..], &[schema::DISTANCE]].concat();
        let query = self
            .wait("search", async { near(&self.table, vector) })?
            // Before the search, not after it: heads must not take places from chunks.
            .only_if_expr(match within(scope) {
                Some(sources) => is(schema::KIND, schema::CHUNK).and(sources),
                None => is(schema::KIND, schema::CHUNK),
            })
            .select(Select::columns(&columns))
            .limit(limit);
        let batches = self.run(&query)?;
        // Cosine distance is 0 to 2; nothing is clamped, so opposites score -1.
        let similarity = |distance: f32| 1.0 - distance;
        let found = each(&batches, |rows| {
            decode::found(rows, schema::DISTANCE, similarity)
        })?;
        Ok(best_first(found))
    }
}

/// The rows of the sources of `scope`; none where that is all.
fn within(scope: &Scope) -> Option<DfExpr> {
    let of = |keys: &[SourceKey]| among(schema::SOURCE_KEY, keys.iter().map(|key| key.0.as_str()));
    match scope {
        Scope::All => None,
        Scope::Only(keys) => Some(of(keys)),
        Scope::AllBut(keys) if keys.is_empty() => None,
        Scope::AllBut(keys) => Some(!of(keys)),
    }
}

fn near(table: &Table, vector: &[f32]) -> lancedb::Result<VectorQuery> {
    let query = table.query().nearest_to(vector)?;
    let query = query.column(schema::VECTOR).refine_factor(REFINE);
    query.distance_type(DistanceType::Cosine).nprobes(PROBES)
}

/// Ties are put in the order of the files, so that the same search gives the same list.
fn best_first(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| {
        let place = |found: &Found| (found.source.key.clone(), found.chunk.ordinal);
        b.score
            .total_cmp(&a.score)
            .then_with(|| place(a).cmp(&place(b)))
    });
    found
}
