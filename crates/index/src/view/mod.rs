//! What searches keep of one version of the table: its indexes opened, and what its rows are.
//!
//! LanceDB plans each search anew: it looks up the segments of an index, opens them, builds a tree of
//! operators and runs it, which over 100,000 chunks takes several times as long as what the tree ends in
//! (`benches/results/scale.md`). A view is made once for a version and calls that directly: the same
//! functions of Lance over the same indexes, with the same results. It answers for rows that an index
//! covers; where some are not covered yet, it says so, and LanceDB plans.

mod readers;
mod rows;
mod vectors;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use arrow::record_batch::RecordBatch;
use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance::index::prefilter::DatasetPreFilter;
use lance_index::prefilter::FilterLoader;
use lance_select::RowAddrMask;
use lance_table::format::IndexMetadata;
use lancedb::Result;
use lancedb::expr::DfExpr;
use rag_core::SourceState;
use tokio::sync::OnceCell;

use crate::schema;

pub(crate) use vectors::Look;

use readers::Readers;
use rows::Rows;
use vectors::Vectors;
use words::Words;

/// Bits of a row's address that say where in its fragment it lies.
pub(crate) const IN_FRAGMENT: u32 = 32;

/// One version of the table. What it holds is opened when it is first asked for.
pub(crate) struct View {
    dataset: Arc<Dataset>,
    /// None where it does not cover every row.
    words: OnceCell<Option<Words>>,
    vectors: OnceCell<Option<Vectors>>,
    /// By fragment, whose rows never change but by being deleted.
    rows: Mutex<HashMap<u64, Arc<Rows>>>,
    chunks: Readers,
    numbers: Readers,
    /// What [`crate::Store::known_sources`] gives.
    pub(crate) sources: OnceLock<Arc<[SourceState]>>,
}

impl View {
    /// A view of `dataset`, with what `earlier` knows of the fragments that are still there.
    pub(crate) fn of(dataset: Arc<Dataset>, earlier: Option<&Self>) -> Self {
        let mut rows = earlier.map(|view| view.known().clone()).unwrap_or_default();
        rows.retain(|id, _| dataset.fragments().iter().any(|there| there.id == *id));
        Self {
            dataset,
            words: OnceCell::new(),
            vectors: OnceCell::new(),
            rows: Mutex::new(rows),
            chunks: Readers::of(&schema::READ_COLUMNS),
            numbers: Readers::of(&[schema::VECTOR]),
            sources: OnceLock::new(),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.dataset.version().version
    }

    /// Whether the table has a row at this address, or had one that was deleted.
    pub(crate) fn may_hold(&self, row: u64) -> bool {
        let fragment = self
            .dataset
            .fragments()
            .iter()
            .find(|there| there.id == row >> IN_FRAGMENT);
        let rows = fragment.and_then(|fragment| fragment.physical_rows);
        rows.is_some_and(|rows| (row & u64::from(u32::MAX)) < rows as u64)
    }

    /// What a search shows of the rows at these addresses, which rise and which [`View::may_hold`];
    /// what was deleted is left out.
    pub(crate) async fn read(&self, rows: &[u64]) -> Result<RecordBatch> {
        self.chunks.read(&self.dataset, rows).await
    }

    /// The same of the rows that `filter` lets through.
    pub(crate) async fn find(&self, filter: DfExpr) -> Result<RecordBatch> {
        let mut scan = self.dataset.scan();
        scan.project(&schema::READ_COLUMNS)?.filter_expr(filter);
        Ok(scan.try_into_batch().await?)
    }

    /// The segments of an index if each row is covered by exactly one of them.
    async fn segments(&self, name: &str) -> Result<Option<Vec<IndexMetadata>>> {
        let segments = self.dataset.load_indices_by_name(name).await?;
        let covering = |fragment: u64| {
            let covers = |segment: &&IndexMetadata| {
                let fragments = segment.fragment_bitmap.as_ref();
                u32::try_from(fragment)
                    .is_ok_and(|id| fragments.is_some_and(|fragments| fragments.contains(id)))
            };
            segments.iter().filter(covers).count()
        };
        let mut fragments = self.dataset.fragments().iter();
        let is_covered = !segments.is_empty() && fragments.all(|there| covering(there.id) == 1);
        Ok(is_covered.then_some(segments))
    }

    /// What keeps rows out that are deleted, and those that `allowed`, if there is one, leaves out.
    fn filter(
        &self,
        segments: &[IndexMetadata],
        allowed: Option<&RowAddrMask>,
    ) -> DatasetPreFilter {
        let allowed = allowed.map(|mask| Box::new(Allowed(mask.clone())) as Box<dyn FilterLoader>);
        DatasetPreFilter::new(self.dataset.clone(), segments, allowed)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version();
        f.debug_struct("View")
            .field("version", &version)
            .finish_non_exhaustive()
    }
}

/// Rows that are known already.
struct Allowed(RowAddrMask);

// As `async_trait` writes it.
impl FilterLoader for Allowed {
    fn load<'a>(
        self: Box<Self>,
    ) -> Pin<Box<dyn Future<Output = lance::Result<RowAddrMask>> + Send + 'a>>
    where
        Self: 'a,
    {
        Box::pin(std::future::ready(Ok(self.0)))
    }
}
