//! Kinds of vector index side by side, over the vectors of the made-up corpus that `scale` uses: how long
//! each takes to make, its size, what it misses, how long a search takes. benches/README.md says how to
//! call it.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

#[path = "../../engine/benches/scale/corpus.rs"]
#[allow(dead_code, reason = "texts are for the other bench")]
mod corpus;
#[path = "../../engine/benches/scale/measure.rs"]
mod measure;

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, AsArray, FixedSizeListArray, Float32Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt64Type};
use futures::TryStreamExt;
use lancedb::index::Index;
use lancedb::index::vector::{
    IvfFlatIndexBuilder, IvfHnswFlatIndexBuilder, IvfHnswSqIndexBuilder, IvfPqIndexBuilder,
    IvfRqIndexBuilder, IvfSqIndexBuilder,
};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{DistanceType, Table};

use corpus::Corpus;
use measure::processor;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "vectors CHUNKS [QUESTIONS [KIND…]]
kinds: none flat sq pq rq1 … rq9 hnsw-flat hnsw-sq; without any, all but the slow ones (pq, hnsw-flat)";
const USUAL: [&str; 8] = ["none", "flat", "sq", "rq1", "rq2", "rq4", "rq5", "hnsw-sq"];

/// Hits asked for: what an engine takes before fusion. Recall is that of the first ten.
const DEPTH: usize = 60;
const TOP: usize = 10;
/// Length of a vector, as Arrow counts.
const LENGTH: i32 = 384;
/// So many vectors are written at once.
const BATCH: usize = 8192;
/// Cells looked into × times `DEPTH` candidates compared again in full; 0: not compared again.
const LOOKS: [(usize, u32); 9] = [
    (1, 4),
    (4, 0),
    (4, 4),
    (8, 4),
    (16, 0),
    (16, 2),
    (16, 4),
    (32, 4),
    (32, 10),
];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let (chunks, questions) = match &given[..] {
        [] => (3000, 10),
        [chunks] => (chunks.parse()?, 100),
        [chunks, questions, ..] if chunks != "--help" => (chunks.parse()?, questions.parse()?),
        _ => {
            println!("{HELP}");
            return Ok(());
        }
    };
    let kinds: Vec<&str> = given.iter().skip(2).map(String::as_str).collect();
    let kinds = if kinds.is_empty() {
        USUAL.to_vec()
    } else {
        kinds
    };
    let dir = tempfile::tempdir()?;
    let (table, asked) = fill(dir.path(), chunks, questions).await?;
    let plain = bytes_below(dir.path());
    println!(
        "{} vectors, {} MB; {questions} questions, {DEPTH} hits of each",
        table.count_rows(None).await?,
        plain >> 20
    );
    println!(
        "{:<10} {:>7} {:>6} {:>6} {:>6} {:>6} {:>9} {:>8} {:>8} {:>8}",
        "kind",
        "build s",
        "CPU s",
        "MB",
        "cells",
        "refine",
        "recall@10",
        "least ms",
        "median",
        "p95"
    );
    let mut truth = Vec::new();
    for vector in &asked {
        let (ids, _) = search(&table, vector, Look::Exact).await?;
        truth.push(ids.into_iter().take(TOP).collect::<HashSet<_>>());
    }
    for kind in kinds {
        measure(dir.path(), &table, kind, &asked, &truth).await?;
    }
    Ok(())
}

/// How a search looks.
#[derive(Clone, Copy)]
enum Look {
    Exact,
    Index { cells: usize, refine: u32 },
}

async fn measure(
    dir: &Path,
    table: &Table,
    kind: &str,
    asked: &[Vec<f32>],
    truth: &[HashSet<u64>],
) -> Result<()> {
    let before = (bytes_below(dir), processor(), Instant::now());
    let looks: Vec<Look> = match index(kind) {
        None => vec![Look::Exact],
        Some(index) => {
            table
                .create_index(&["vector"], index?)
                .name("vector".to_owned())
                .execute()
                .await?;
            LOOKS
                .into_iter()
                .map(|(cells, refine)| Look::Index { cells, refine })
                .collect()
        }
    };
    let (took, used) = (
        before.2.elapsed().as_secs_f64(),
        processor().saturating_sub(before.1).as_secs_f64(),
    );
    let size = bytes_below(dir).saturating_sub(before.0) >> 20;
    for look in looks {
        let mut times = Vec::new();
        let mut found = 0;
        for (vector, truth) in asked.iter().zip(truth) {
            let (ids, ms) = search(table, vector, look).await?;
            times.push(ms);
            found += ids.iter().take(TOP).filter(|id| truth.contains(id)).count();
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        let (cells, refine) = match look {
            Look::Exact => ("-".to_owned(), "-".to_owned()),
            Look::Index { cells, refine } => (cells.to_string(), refine.to_string()),
        };
        println!(
            "{kind:<10} {took:>7.1} {used:>6.1} {size:>6} {cells:>6} {refine:>6} {:>9.4} {:>8.1} {:>8.1} {:>8.1}",
            found as f64 / (TOP * asked.len()) as f64,
            at(0),
            at(50),
            at(95)
        );
    }
    Ok(())
}

/// None for a name that means no index.
fn index(kind: &str) -> Option<Result<Index>> {
    let cosine = DistanceType::Cosine;
    Some(Ok(match kind {
        "none" => return None,
        "flat" => Index::IvfFlat(IvfFlatIndexBuilder::default().distance_type(cosine)),
        "sq" => Index::IvfSq(IvfSqIndexBuilder::default().distance_type(cosine)),
        "pq" => Index::IvfPq(IvfPqIndexBuilder::default().distance_type(cosine)),
        "hnsw-sq" => Index::IvfHnswSq(IvfHnswSqIndexBuilder::default().distance_type(cosine)),
        "hnsw-flat" => Index::IvfHnswFlat(IvfHnswFlatIndexBuilder::default().distance_type(cosine)),
        other => {
            let Some(bits) = other.strip_prefix("rq").and_then(|bits| bits.parse().ok()) else {
                return Some(Err(format!("`{other}` is no kind of index\n{HELP}").into()));
            };
            Index::IvfRq(
                IvfRqIndexBuilder::default()
                    .distance_type(cosine)
                    .num_bits(bits),
            )
        }
    }))
}

/// Ids of the nearest, best first, and how many milliseconds that took.
async fn search(table: &Table, vector: &[f32], look: Look) -> Result<(Vec<u64>, f64)> {
    let started = Instant::now();
    let query = table
        .query()
        .nearest_to(vector)?
        .column("vector")
        .distance_type(DistanceType::Cosine);
    let query = match look {
        Look::Exact => query.bypass_vector_index(),
        Look::Index { cells, refine: 0 } => query.nprobes(cells)?,
        Look::Index { cells, refine } => query.nprobes(cells)?.refine_factor(refine),
    };
    let query = query
        .select(Select::columns(&["id", "_distance"]))
        .limit(DEPTH);
    let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
    let ms = started.elapsed().as_secs_f64() * 1e3;
    let mut found = Vec::new();
    for batch in &batches {
        let ids = batch.column(0).as_primitive::<UInt64Type>();
        let far = batch.column(1).as_primitive::<Float32Type>();
        found.extend(
            far.values()
                .iter()
                .copied()
                .zip(ids.values().iter().copied()),
        );
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok((found.into_iter().map(|(_, id)| id).collect(), ms))
}

/// A table of vectors in `dir`, and questions to it.
async fn fill(dir: &Path, wanted: usize, questions: u64) -> Result<(Table, Vec<Vec<f32>>)> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let list = DataType::FixedSizeList(item.clone(), LENGTH);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt64, false),
        Field::new("vector", list, true),
    ]));
    let place = dir.to_str().ok_or("the path is no text")?;
    let connection = lancedb::connect(place).execute().await?;
    let table = connection
        .create_empty_table("vectors", schema.clone())
        .execute()
        .await?;
    let corpus = Corpus::new(4);
    let (mut sources, mut next) = (0, 0_u64);
    let mut numbers = Vec::new();
    while (next as usize) < wanted {
        let first = next;
        while ((next - first) as usize) < BATCH && (next as usize) < wanted {
            for draft in corpus.source(sources) {
                numbers.extend(draft.vector);
                next += 1;
            }
            sources += 1;
        }
        let values = Float32Array::from(std::mem::take(&mut numbers));
        let vectors = FixedSizeListArray::new(item.clone(), LENGTH, Arc::new(values), None);
        let ids = UInt64Array::from_iter_values(first..next);
        let columns: Vec<Arc<dyn Array>> = vec![Arc::new(ids), Arc::new(vectors)];
        table
            .add(RecordBatch::try_new(schema.clone(), columns)?)
            .execute()
            .await?;
    }
    let asked = (0..questions).map(|number| corpus.question(number, sources).vector);
    Ok((table, asked.collect()))
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(file) if file.is_dir() => bytes_below(&entry.path()),
        Ok(file) => file.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
