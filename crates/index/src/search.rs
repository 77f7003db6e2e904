//! Finding chunks: by vector, by word, and those beside a chunk that was found.

use lancedb::expr::{DfExpr, col, lit};
use lancedb::index::scalar::FullTextSearchQuery;
use lancedb::query::{QueryBase, Select, VectorQuery};
use lancedb::{DistanceType, Table};
use rag_core::{Chunk, SourceKey};

use crate::error::{IndexError, Result};
use crate::store::{among, each, is};
use crate::view::{Look, View};
use crate::{Found, Ranked, Scope, Store, decode, schema, words};

/// With a vector index: so many times `limit` candidates are compared again with their full vectors,
/// each of which is read from another place. With 5 bits a number the first sixty of the index hold
/// nearly all of the ten best already (`benches/results/scale.md`): twice as many are enough.
const REFINE: u32 = 2;
/// With a vector index: how many of its cells, of about 4,000 chunks each, are looked into. All of them
/// up to 262,000 chunks; what is missed above was not measured.
const PROBES: usize = 64;

impl Store {
    /// The chunks whose vectors are nearest, best first; scores are cosine similarities (-1 to 1).
    ///
    /// Exact as long as there is no vector index, which [`Store::maintain`] makes for large stores.
    ///
    /// # Errors
    /// `Internal` for a vector of the wrong length.
    pub fn search_vector(&self, vector: &[f32], limit: usize) -> rag_core::Result<Vec<Found>> {
        self.found(self.rank_vector(&Scope::All, vector, limit)?)
    }

    /// Where those are that [`Store::search_vector`] would find among the chunks of some sources.
    ///
    /// # Errors
    /// As [`Store::search_vector`].
    pub fn rank_vector(
        &self,
        scope: &Scope,
        vector: &[f32],
        limit: usize,
    ) -> rag_core::Result<Vec<Ranked>> {
        let expected = self.layout().dimensions;
        if vector.len() != expected {
            let found = vector.len();
            return Err(IndexError::WrongQuery { found, expected }.into());
        }
        if limit == 0 || scope.is_empty() {
            return Ok(Vec::new());
        }
        let ranked = match self.nearest_in_view(scope, vector, limit)? {
            Some(ranked) => ranked,
            None => self.nearest_by_plan(scope, vector, limit)?,
        };
        Ok(best_first(ranked))
    }

    /// The chunks that hold most of the words of `query`, best first; scores are BM25, a Chinese term
    /// that stands as a whole counting once more.
    ///
    /// `query` is plain text: nothing in it is an operator. Without a letter or digit it finds nothing.
    /// Rows that no index covers yet are read one by one: 2 s for 20,000 of them on two cores, where
    /// [`Store::maintain`] would make it 10 ms.
    pub fn search_words(&self, query: &str, limit: usize) -> rag_core::Result<Vec<Found>> {
        self.found(self.rank_words(&Scope::All, query, limit)?)
    }

    /// Where those are that [`Store::search_words`] would find among the chunks of some sources. How
    /// rare a word is, is still counted over all.
    ///
    /// # Errors
    /// As [`Store::search_words`].
    pub fn rank_words(
        &self,
        scope: &Scope,
        query: &str,
        limit: usize,
    ) -> rag_core::Result<Vec<Ranked>> {
        let Some(words) = words::query(query).filter(|_| limit > 0 && !scope.is_empty()) else {
            return Ok(Vec::new());
        };
        let ranked = match self.words_in_view(scope, &words, limit)? {
            Some(ranked) => ranked,
            None => self.words_by_plan(scope, words, limit)?,
        };
        Ok(best_first(ranked))
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

    fn found(&self, ranked: Vec<Ranked>) -> rag_core::Result<Vec<Found>> {
        let mut read = self.chunks_at(&ranked.iter().collect::<Vec<_>>(), 0)?;
        let found = ranked.into_iter().filter_map(|ranked| {
            let stored = read.remove(&ranked.place)?;
            Some(Found {
                source: stored.source,
                source_hash: stored.source_hash,
                chunk: stored.chunk,
                score: ranked.score,
            })
        });
        Ok(found.collect())
    }
}

/// Both ways of either search: the quick one for rows that an index covers, and LanceDB's own for all.
impl Store {
    pub(crate) fn words_in_view(
        &self,
        scope: &Scope,
        words: &FullTextSearchQuery,
        limit: usize,
    ) -> Result<Option<Vec<Ranked>>> {
        self.viewed(|view| async move {
            let allowed = view.allowed(scope).await?;
            let found = view.words(words, limit, allowed.as_ref()).await?;
            placed(&view, found).await
        })
    }

    pub(crate) fn words_by_plan(
        &self,
        scope: &Scope,
        words: FullTextSearchQuery,
        limit: usize,
    ) -> Result<Vec<Ranked>> {
        let mut query = self.table.query().full_text_search(words);
        if let Some(sources) = within(scope) {
            query = query.only_if_expr(sources);
        }
        let columns = Select::columns(&[schema::ID, schema::SCORE]);
        let query = query.select(columns).with_row_id().limit(limit);
        each(&self.run(&query)?, |rows| {
            decode::ranked(rows, schema::SCORE, |bm25| bm25)
        })
    }

    pub(crate) fn nearest_in_view(
        &self,
        scope: &Scope,
        vector: &[f32],
        limit: usize,
    ) -> Result<Option<Vec<Ranked>>> {
        let look = Look {
            limit,
            compared: limit.saturating_mul(REFINE as usize),
            probes: PROBES,
        };
        self.viewed(|view| async move {
            let allowed = view.allowed(scope).await?;
            let found = view.nearest(vector, look, allowed.as_ref()).await?;
            placed(&view, found).await
        })
    }

    pub(crate) fn nearest_by_plan(
        &self,
        scope: &Scope,
        vector: &[f32],
        limit: usize,
    ) -> Result<Vec<Ranked>> {
        // Heads have no vector, and what has none is not found.
        let mut query = self.wait("search", async { near(&self.table, vector) })?;
        if let Some(sources) = within(scope) {
            query = query.only_if_expr(sources);
        }
        let columns = Select::columns(&[schema::ID, schema::DISTANCE]);
        let query = query.select(columns).with_row_id().limit(limit);
        // Cosine distance is 0 to 2; nothing is clamped, so opposites score -1.
        each(&self.run(&query)?, |rows| {
            decode::ranked(rows, schema::DISTANCE, |distance| 1.0 - distance)
        })
    }
}

/// What a view found, with its places; a row without one is no chunk.
async fn placed(
    view: &View,
    found: Option<Vec<(u64, f32)>>,
) -> lancedb::Result<Option<Vec<Ranked>>> {
    let Some(found) = found else {
        return Ok(None);
    };
    let places = view.places(&found).await?;
    let found = found.into_iter().zip(places);
    let ranked = found.filter_map(|((row, score), place)| {
        let place = place?;
        Some(Ranked { place, score, row })
    });
    Ok(Some(ranked.collect()))
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
fn best_first(mut ranked: Vec<Ranked>) -> Vec<Ranked> {
    ranked.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.place.cmp(&b.place))
    });
    ranked
}
