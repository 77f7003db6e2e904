//! The vector index of a version, asked without a plan.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float32Array, RecordBatch};
use arrow::datatypes::{Float32Type, UInt64Type};
use futures::{TryStreamExt, future};
use lance::index::DatasetIndexInternalExt;
use lance::index::prefilter::DatasetPreFilter;
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::prefilter::{NoFilter, PreFilter};
use lance_index::vector::{ApproxMode, Query, VectorIndex};
use lance_select::RowAddrMask;
use lance_table::format::IndexMetadata;
use lancedb::{Error, Result};

use super::View;
use crate::schema;
use crate::upkeep::VECTOR_INDEX;

pub(super) struct Vectors {
    segments: Vec<IndexMetadata>,
    opened: Vec<Arc<dyn VectorIndex>>,
    /// Keeps out what is deleted. One for all segments, which together cover the table: where nothing
    /// is deleted it is empty, and Lance compares many rows at a time. LanceDB's plan has one for each,
    /// which looks up every row.
    filter: Arc<DatasetPreFilter>,
}

/// How far a search looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) limit: usize,
    /// So many of the nearest by the index are compared again in full.
    pub(crate) compared: usize,
    /// So many cells of each segment are looked into.
    pub(crate) probes: usize,
}

impl View {
    /// The rows nearest to `vector` of those that are `allowed`, with their cosines; none where there
    /// is no index or it does not cover every row.
    pub(crate) async fn nearest(
        &self,
        vector: &[f32],
        look: Look,
        allowed: Option<&RowAddrMask>,
    ) -> Result<Option<Vec<(u64, f32)>>> {
        let vectors = self.vectors.get_or_try_init(|| self.open_vectors()).await?;
        let Some(vectors) = vectors else {
            return Ok(None);
        };
        let length = norm(vector);
        if length <= f32::MIN_POSITIVE {
            return Ok(None); // it points nowhere: LanceDB says what that finds
        }
        let unit: Vec<f32> = vector.iter().map(|x| x / length).collect();
        let mut rows = self.candidates(vectors, &unit, look, allowed).await?;
        rows.sort_unstable(); // in the order of the file, in which they are read quickest
        rows.dedup();
        let mut near = self.compare(&rows, &unit).await?;
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(look.limit);
        Ok(Some(near))
    }

    /// The rows that are nearest by the index.
    async fn candidates(
        &self,
        vectors: &Vectors,
        unit: &[f32],
        look: Look,
        allowed: Option<&RowAddrMask>,
    ) -> Result<Vec<u64>> {
        let Some(allowed) = allowed else {
            vectors.filter.wait_for_ready().await?;
            if vectors.filter.is_empty() {
                return search(&vectors.opened, unit, look, vectors.filter.clone()).await;
            }
            // Looking each row up costs more than comparing it: what is deleted goes out afterwards.
            let living = vectors.filter.mask();
            let compared = look.compared * 2;
            let twice = Look { compared, ..look };
            let mut rows = search(&vectors.opened, unit, twice, Arc::new(NoFilter)).await?;
            rows.retain(|row| living.selected(*row));
            if rows.len() >= look.compared {
                rows.truncate(look.compared);
                return Ok(rows);
            }
            return search(&vectors.opened, unit, look, vectors.filter.clone()).await;
        };
        let filter = self.filter(&vectors.segments, Some(allowed));
        search(&vectors.opened, unit, look, Arc::new(filter)).await
    }

    /// The cosines of `rows`, in ascending order of their addresses, with `unit`.
    async fn compare(&self, rows: &[u64], unit: &[f32]) -> Result<Vec<(u64, f32)>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.numbers.read(&self.dataset, rows).await?;
        let damaged = || Error::Runtime {
            message: "the vector index names rows that have no vector".to_owned(),
        };
        let column = read.column_by_name(schema::VECTOR);
        let column = column.and_then(|column| column.as_fixed_size_list_opt());
        let column = column.ok_or_else(damaged)?;
        let numbers = column.values().as_primitive_opt::<Float32Type>();
        let numbers = numbers.ok_or_else(damaged)?.values();
        if column.len() != rows.len() || numbers.len() != rows.len() * unit.len() {
            return Err(damaged());
        }
        let cosines = numbers.chunks_exact(unit.len()).map(|vector| {
            let length = norm(vector);
            if length > 0.0 {
                dot(vector, unit) / length
            } else {
                0.0
            }
        });
        Ok(rows.iter().copied().zip(cosines).collect())
    }

    async fn open_vectors(&self) -> Result<Option<Vectors>> {
        let Some(segments) = self.segments(VECTOR_INDEX).await? else {
            return Ok(None);
        };
        let mut opened = Vec::with_capacity(segments.len());
        for segment in &segments {
            let index = self.dataset.open_vector_index(
                schema::VECTOR,
                &segment.uuid,
                &NoOpMetricsCollector,
            );
            opened.push(index.await?);
        }
        let filter = Arc::new(self.filter(&segments, None));
        Ok(Some(Vectors {
            segments,
            opened,
            filter,
        }))
    }
}

/// The `look.compared` rows nearest by these segments of the index, nearest first.
async fn search(
    segments: &[Arc<dyn VectorIndex>],
    unit: &[f32],
    look: Look,
    filter: Arc<dyn PreFilter>,
) -> Result<Vec<u64>> {
    let searches = segments
        .iter()
        .map(|index| in_segment(index, unit, look, filter.clone()));
    let mut found = future::try_join_all(searches).await?.concat();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found.truncate(look.compared);
    Ok(found.into_iter().map(|(row, _)| row).collect())
}

/// Rows of one segment and distances, whose order alone means something.
async fn in_segment(
    index: &Arc<dyn VectorIndex>,
    unit: &[f32],
    look: Look,
    filter: Arc<dyn PreFilter>,
) -> Result<Vec<(u64, f32)>> {
    let query = Query {
        column: schema::VECTOR.to_owned(),
        key: Arc::new(Float32Array::from(unit.to_vec())),
        k: look.compared,
        lower_bound: None,
        upper_bound: None,
        minimum_nprobes: look.probes,
        maximum_nprobes: Some(look.probes),
        search_effort: 0.5,
        ef: None,
        refine_factor: None,
        metric_type: Some(index.metric_type()),
        use_index: true,
        query_parallelism: 0,
        dist_q_c: 0.0,
        approx_mode: ApproxMode::default(),
    };
    let (cells, distances) = index.find_partitions(&query)?;
    let probes = look.probes.min(cells.len());
    let mut found = Vec::with_capacity(look.compared);
    let batches = index.clone().search_partitions(
        query,
        Arc::new(cells),
        Arc::new(distances),
        0,
        probes,
        filter,
        None,
        Arc::new(NoOpMetricsCollector),
    );
    let mut batches = std::pin::pin!(batches.await?);
    while let Some(batch) = batches.try_next().await? {
        take(&batch, &mut found)?;
    }
    Ok(found)
}

/// Adds rows and distances of `batch` to what was `found`.
fn take(batch: &RecordBatch, found: &mut Vec<(u64, f32)>) -> Result<()> {
    let rows = batch.column_by_name(schema::ROW);
    let rows = rows.and_then(|rows| rows.as_primitive_opt::<UInt64Type>());
    let distances = batch.column_by_name(schema::DISTANCE);
    let distances = distances.and_then(|all| all.as_primitive_opt::<Float32Type>());
    let (Some(rows), Some(distances)) = (rows, distances) else {
        return Err(Error::Runtime {
            message: "the vector index gives no rows".to_owned(),
        });
    };
    let pairs = rows.values().iter().zip(distances.values());
    found.extend(pairs.map(|(row, distance)| (*row, *distance)));
    Ok(())
}

/// Sums side by side, which the compiler puts into one register.
const LANES: usize = 16;

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest = ones.remainder().iter().zip(others.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    let mut sums = [0.0; LANES];
    for (a, b) in ones.zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn norm(vector: &[f32]) -> f32 {
    dot(vector, vector).sqrt()
}
