//! The full-text index of a version, asked without a plan.

use std::sync::Arc;

use lance::index::DatasetIndexInternalExt;
use lance::index::prefilter::DatasetPreFilter;
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::scalar::FullTextSearchQuery;
use lance_index::scalar::inverted::{InvertedIndex, compound_search};
use lance_select::RowAddrMask;
use lance_table::format::IndexMetadata;
use lancedb::{Error, Result};

use super::View;
use crate::schema;
use crate::store::WORDS_INDEX;

pub(super) struct Words {
    segments: Vec<IndexMetadata>,
    opened: Vec<Arc<InvertedIndex>>,
    /// Keeps out what is deleted.
    filter: Arc<DatasetPreFilter>,
}

impl View {
    /// The `limit` best rows for `query` of those that are `allowed`, with their BM25; none where the
    /// index does not cover every row.
    pub(crate) async fn words(
        &self,
        query: &FullTextSearchQuery,
        limit: usize,
        allowed: Option<&RowAddrMask>,
    ) -> Result<Option<Vec<(u64, f32)>>> {
        let words = self.words.get_or_try_init(|| self.open_words()).await?;
        let Some(words) = words else {
            return Ok(None);
        };
        let filter = match allowed {
            None => words.filter.clone(),
            allowed => Arc::new(self.living(&words.segments, &words.opened, allowed)),
        };
        let params = query.params().with_limit(Some(limit));
        let metrics = Arc::new(NoOpMetricsCollector);
        let found = compound_search(&words.opened, &query.query, &params, filter, metrics);
        let (rows, scores) = found.await?;
        Ok(Some(rows.into_iter().zip(scores).collect()))
    }

    async fn open_words(&self) -> Result<Option<Words>> {
        let Some(segments) = self.segments(WORDS_INDEX).await? else {
            return Ok(None);
        };
        let mut opened = Vec::with_capacity(segments.len());
        for segment in &segments {
            let index =
                self.dataset
                    .open_scalar_index(schema::WORDS, &segment.uuid, &NoOpMetricsCollector);
            let index = index.await?;
            let index = index.as_any().downcast_ref::<InvertedIndex>();
            let index = index.ok_or_else(|| Error::Runtime {
                message: format!("index `{WORDS_INDEX}` is not one of words"),
            })?;
            opened.push(Arc::new(index.clone()));
        }
        let filter = Arc::new(self.living(&segments, &opened, None));
        Ok(Some(Words {
            segments,
            opened,
            filter,
        }))
    }

    /// As [`View::filter`], and without the fragments that only the index still knows.
    fn living(
        &self,
        segments: &[IndexMetadata],
        opened: &[Arc<InvertedIndex>],
        allowed: Option<&RowAddrMask>,
    ) -> DatasetPreFilter {
        let mut filter = self.filter(segments, allowed);
        let gone = opened.iter().map(|index| index.deleted_fragments().clone());
        let gone = gone.reduce(|one, other| one | other);
        if let Some(gone) = gone.filter(|gone| !gone.is_empty()) {
            filter.set_deleted_fragments(gone);
        }
        filter
    }
}
