//! A store: opening it, changing it, and reading back what it holds.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::record_batch::{RecordBatch, RecordBatchIterator};
use futures::TryStreamExt;
use lancedb::Table;
use lancedb::expr::{DfExpr, col, is_in, lit};
use lancedb::index::Index;
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use rag_core::{SourceKey, SourceState};
use tokio::runtime::Runtime;

use crate::error::{IndexError, Result};
use crate::lock::WriterLock;
use crate::place::{absolute, at, bytes_below, connect, make_private, open_table, runtime};
use crate::{Batch, Counts, Layout, SourceRows, decode, encode, meta, schema, upkeep, words};

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
    runtime: Runtime,
    // Last, so that the lock is given back when everything else has ended.
    writer: Option<Writer>,
}

/// What only the one who writes has.
#[derive(Debug)]
struct Writer {
    /// The sources in the table; none where that must be read first. Nobody else can change it, for
    /// the lock is ours. Held through each change, so that changes come one after another.
    known: Mutex<Known>,
    _lock: WriterLock,
}

type Known = Option<HashSet<SourceKey>>;

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

    /// Makes the change in one LanceDB commit: wholly or, where it fails or the process is killed,
    /// not at all.
    ///
    /// # Errors
    /// `Internal` for a vector of the wrong length, a chunk or source that is twice in the batch, a
    /// source whose number of chunks is not what it says, and a store that was opened for reading.
    pub fn commit(&self, batch: Batch) -> rag_core::Result<()> {
        Ok(self.change(batch)?)
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

    /// The vectors that are known already, by hash of the text that was embedded.
    pub fn vectors(&self, text_hashes: &[String]) -> rag_core::Result<HashMap<String, Vec<f32>>> {
        if text_hashes.is_empty() {
            return Ok(HashMap::new());
        }
        let filter = among(schema::TEXT_HASH, text_hashes.iter().map(String::as_str));
        let columns = &[schema::SOURCE_KEY, schema::TEXT_HASH, schema::VECTOR];
        let read = self.read(&self.table, columns, filter)?;
        Ok(each(&read, decode::vectors)?.into_iter().collect())
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
        let writer = lock.map(|lock| Writer {
            known: Mutex::new(None),
            _lock: lock,
        });
        Self {
            dir,
            layout,
            table,
            exact_up_to: upkeep::EXACT_UP_TO,
            runtime,
            writer,
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

/// Changing, and what the other parts of a store need.
impl Store {
    /// The right to change the table, for as long as the guard lives.
    pub(crate) fn writing(&self) -> Result<MutexGuard<'_, Known>> {
        let writer = self.writer.as_ref().ok_or_else(|| IndexError::ReadOnly {
            dir: self.dir.clone(),
        })?;
        // Whoever panicked had taken the set of sources out before; it is read anew.
        Ok(writer.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, Batch { put, drop }: Batch) -> Result<()> {
        let mut known = self.writing()?;
        let rows = encode::rows(&put, &self.layout)?;
        // Taken out: where the commit fails, nobody knows what is there until it is read again.
        let mut keys = match known.take() {
            Some(keys) => keys,
            None => self.keys()?,
        };
        let put: HashSet<SourceKey> = put.into_iter().map(|rows| rows.state.source.key).collect();
        let touched = put.iter().chain(&drop).collect::<HashSet<_>>();
        let old: Vec<&str> = touched
            .into_iter()
            .filter(|key| keys.contains(*key))
            .map(|key| key.0.as_str())
            .collect();
        let old = (!old.is_empty()).then(|| among(schema::SOURCE_KEY, old.into_iter()));
        if put.is_empty() {
            if let Some(old) = old {
                self.wait("delete from", self.table.delete(&old))?;
            }
        } else {
            self.merge(rows, old)?;
        }
        for key in &drop {
            keys.remove(key);
        }
        keys.extend(put);
        *known = Some(keys);
        Ok(())
    }

    /// One commit: `rows` come in, over those of the same id, and what else `old` covers goes.
    ///
    /// Without `old` LanceDB need not look at the rest of the table beyond its ids, which makes the
    /// common case, sources that are new, cheap.
    fn merge(&self, rows: RecordBatch, old: Option<DfExpr>) -> Result<()> {
        let mut merge = self.table.merge_insert(&[schema::ID]);
        merge.when_matched_update_all(None);
        merge.when_not_matched_insert_all();
        if let Some(old) = old {
            merge.when_not_matched_by_source_delete_expr(old);
        }
        let schema = rows.schema();
        let rows = Box::new(RecordBatchIterator::new([Ok(rows)], schema));
        self.wait("write to", merge.execute(rows))?;
        Ok(())
    }

    fn keys(&self) -> Result<HashSet<SourceKey>> {
        let heads = is(schema::KIND, schema::SOURCE);
        let read = self.read(&self.table, &[schema::SOURCE_KEY], heads)?;
        Ok(each(&read, decode::keys)?
            .into_iter()
            .map(SourceKey)
            .collect())
    }

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
        self.wait("search", async {
            query.execute().await?.try_collect().await
        })
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
fn among<'a>(column: &str, values: impl Iterator<Item = &'a str>) -> DfExpr {
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
