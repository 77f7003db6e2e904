//! A store: opening it, and reading back what it holds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use lancedb::Table;
use lancedb::expr::{DfExpr, col, is_in, lit};
use lancedb::index::Index;
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use rag_core::{SourceKey, SourceState};
use tokio::runtime::Runtime;

use crate::commit::Writer;
use crate::error::{IndexError, Result};
use crate::lock::WriterLock;
use crate::place::{absolute, at, bytes_below, connect, make_private, open_table, runtime};
use crate::{Counts, Layout, SourceRows, decode, meta, schema, upkeep, words};

/// Name of the full-text index.
pub(crate) const WORDS_INDEX: &str = "words";

/// Chunks and vectors of one knowledge base in one folder.
///
/// Many may read at once, also while one writes: each search sees the state before a commit or after
/// it. All methods block, and none may be called from inside an asynchronous runtime.
#[derive(Debug)]
pub struct Store {
    pub(crate) dir: PathBuf,
    layout: Layout,
    pub(crate) table: Table,
    /// Up to so many chunks, vectors are compared one by one.
    pub(crate) exact_up_to: usize,
    /// Versions that are older may go.
    pub(crate) kept: Duration,
    runtime: Runtime,
    // Last, so that the lock is given back when everything else has ended.
    pub(crate) writer: Option<Writer>,
}

impl Store {
    /// Opens the store in `dir` for writing, making it if there is none.
    ///
    /// # Errors
    /// `Incompatible` where it was made with another embedder, `Locked` where somebody else writes.
    pub fn open(dir: &Path, layout: &Layout) -> rag_core::Result<Self> {
        Ok(Self::create(dir, layout)?)
    }

    /// Opens the store in `dir` for reading; takes no lock and waits for nobody.
    ///
    /// # Errors
    /// `NoKnowledgeBase` where there is none.
    pub fn open_reader(dir: &Path) -> rag_core::Result<Self> {
        Ok(Self::existing(dir, |_| Ok(None))?)
    }

    /// Opens the store in `dir` for writing, whichever embedder made it.
    ///
    /// # Errors
    /// `NoKnowledgeBase` where there is none, `Locked` where somebody else writes.
    pub fn open_writer(dir: &Path) -> rag_core::Result<Self> {
        Ok(Self::existing(dir, |dir| WriterLock::take(dir).map(Some))?)
    }

    /// The layout it was made with.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every source, sorted by root and path.
    pub fn sources(&self) -> rag_core::Result<Vec<SourceState>> {
        let filter = is(schema::KIND, schema::SOURCE);
        let read = self.read(&self.table, &schema::STATE_COLUMNS, filter)?;
        let mut states = each(&read, decode::states)?;
        states.sort_by(|a, b| {
            let (a, b) = (&a.source, &b.source);
            (&a.root, &a.path).cmp(&(&b.root, &b.path))
        });
        Ok(states)
    }

    /// All rows of these sources with their vectors, in the order asked for; a source that is not
    /// there is left out.
    pub fn rows(&self, keys: &[SourceKey]) -> rag_core::Result<Vec<SourceRows>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = among(schema::SOURCE_KEY, keys.iter().map(|key| key.0.as_str()));
        // Heads and chunks of one moment.
        let table = self.wait("read", self.table.query_snapshot())?;
        let columns = &[
            &schema::FOUND_COLUMNS[..],
            &[schema::TEXT_HASH, schema::VECTOR],
        ]
        .concat();
        let chunks = wanted.clone().and(is(schema::KIND, schema::CHUNK));
        let mut chunks_of: HashMap<SourceKey, Vec<_>> = HashMap::new();
        for (key, stored) in each(&self.read(&table, columns, chunks)?, decode::stored)? {
            chunks_of.entry(key).or_default().push(stored);
        }
        let heads = wanted.and(is(schema::KIND, schema::SOURCE));
        let heads = self.read(&table, &schema::STATE_COLUMNS, heads)?;
        let mut sources = HashMap::new();
        for state in each(&heads, decode::states)? {
            let key = state.source.key.clone();
            let mut chunks = chunks_of.remove(&key).unwrap_or_default();
            chunks.sort_by_key(|stored| stored.chunk.ordinal);
            sources.insert(key, SourceRows { state, chunks });
        }
        Ok(keys.iter().filter_map(|key| sources.remove(key)).collect())
    }

    /// How much there is.
    pub fn counts(&self) -> rag_core::Result<Counts> {
        let table = self.wait("read", self.table.query_snapshot())?;
        let count = |kind: &str| {
            let filter = format!("{} = '{kind}'", schema::KIND);
            self.wait("count", table.count_rows(Some(filter)))
        };
        let stats = self.wait("measure", table.stats())?;
        let words = self.wait("measure", table.index_stats(WORDS_INDEX))?;
        let versions = self.wait("measure", table.list_versions())?;
        Ok(Counts {
            sources: count(schema::SOURCE)? as u64,
            chunks: count(schema::CHUNK)? as u64,
            bytes: bytes_below(&self.dir),
            versions: versions.len() as u64,
            fragments: stats.fragment_stats.num_fragments as u64,
            unindexed_rows: words.map_or(stats.num_rows, |words| words.num_unindexed_rows) as u64,
        })
    }
}

/// Opening.
impl Store {
    fn create(dir: &Path, layout: &Layout) -> Result<Self> {
        let dir = absolute(dir)?;
        make_private(&dir)?;
        let lock = WriterLock::take(&dir)?;
        let found = meta::read(&dir)?;
        let runtime = runtime(&dir)?;
        let connection = runtime.block_on(connect(&dir)).map_err(at("open", &dir))?;
        let there = runtime.block_on(open_table(&connection));
        let (table, layout) = match (there.map_err(at("open", &dir))?, found) {
            (Some(table), Some(found)) => (table, same(&dir, found, layout)?),
            (Some(_), None) => {
                return Err(IndexError::LostMeta {
                    path: meta::path(&dir),
                });
            }
            // Nothing, or what a process left that was killed before it had made the table.
            (None, _) => {
                meta::write(&dir, layout)?;
                let made =
                    connection.create_empty_table(schema::TABLE, schema::schema(layout.dimensions));
                let table = runtime
                    .block_on(made.execute())
                    .map_err(at("create", &dir))?;
                (table, layout.clone())
            }
        };
        let store = Self::with(dir, layout, table, runtime, Some(lock));
        store.make_word_index()?;
        Ok(store)
    }

    fn existing(
        dir: &Path,
        lock: impl FnOnce(&Path) -> Result<Option<WriterLock>>,
    ) -> Result<Self> {
        let dir = absolute(dir)?;
        let missing = || IndexError::Missing { dir: dir.clone() };
        let layout = meta::read(&dir)?.ok_or_else(missing)?;
        let lock = lock(&dir)?;
        let runtime = runtime(&dir)?;
        let opened = runtime.block_on(async { open_table(&connect(&dir).await?).await });
        let table = opened.map_err(at("open", &dir))?.ok_or_else(missing)?;
        let store = Self::with(dir, layout, table, runtime, lock);
        if store.writer.is_some() {
            store.make_word_index()?;
        }
        Ok(store)
    }

    fn with(
        dir: PathBuf,
        layout: Layout,
        table: Table,
        runtime: Runtime,
        lock: Option<WriterLock>,
    ) -> Self {
        Self {
            dir,
            layout,
            table,
            exact_up_to: upkeep::EXACT_UP_TO,
            kept: upkeep::KEPT,
            runtime,
            writer: lock.map(Writer::new),
        }
    }

    /// The full-text index is made before the first row, for it is what tells LanceDB how to split
    /// text into words also in rows that it does not cover yet.
    fn make_word_index(&self) -> Result<()> {
        let indices = self.wait("open", self.table.list_indices())?;
        if indices.iter().any(|index| index.name == WORDS_INDEX) {
            return Ok(());
        }
        let index = words::index().map_err(at("index", &self.dir))?;
        let making = self.table.create_index(&[schema::WORDS], Index::FTS(index));
        let making = making.name(WORDS_INDEX.to_owned());
        self.wait("index", making.execute())
    }
}

/// What the other parts of a store need.
impl Store {
    /// The rows of `table` that `filter` lets through, in no particular order.
    pub(crate) fn read(
        &self,
        table: &Table,
        columns: &[&str],
        filter: DfExpr,
    ) -> Result<Vec<RecordBatch>> {
        let query = table.query().select(Select::columns(columns));
        self.run(&query.only_if_expr(filter))
    }

    /// What `query` returns.
    pub(crate) fn run(&self, query: &impl ExecutableQuery) -> Result<Vec<RecordBatch>> {
        let once = || {
            self.wait("search", async {
                query.execute().await?.try_collect().await
            })
        };
        match once() {
            // Who forgets removes old versions at once, also from under a search. The next look finds
            // the new one.
            Err(_) if self.writer.is_none() => once(),
            outcome => outcome,
        }
    }

    /// Waits for LanceDB; `doing` is for the message where it fails.
    pub(crate) fn wait<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = lancedb::Result<T>>,
    ) -> Result<T> {
        self.runtime.block_on(work).map_err(at(doing, &self.dir))
    }
}

/// Rows whose `column` is `value`.
pub(crate) fn is(column: &str, value: &str) -> DfExpr {
    col(column).eq(lit(value))
}

/// Rows whose `column` is one of `values`. An expression and not SQL text: nothing to escape.
pub(crate) fn among<'a>(column: &str, values: impl Iterator<Item = &'a str>) -> DfExpr {
    is_in(col(column), values.map(lit).collect())
}

/// `decode` over every batch, in order.
pub(crate) fn each<T>(
    batches: &[RecordBatch],
    decode: impl Fn(&RecordBatch) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let mut out = Vec::new();
    for batch in batches {
        out.append(&mut decode(batch)?);
    }
    Ok(out)
}

fn same(dir: &Path, found: Layout, offered: &Layout) -> Result<Layout> {
    if found.fingerprint == offered.fingerprint && found.dimensions == offered.dimensions {
        return Ok(found);
    }
    Err(IndexError::OtherEmbedder {
        dir: dir.to_owned(),
        made_by: found.embedder,
        offered: offered.embedder.clone(),
    })
}
