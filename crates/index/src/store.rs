//! A store: opening it, and reading back what it holds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::lock::{Readers, WriterLock};
use crate::meta::{FIRST_FOLDER, Meta, Role};
use crate::place::{
    Memory, OF_SEARCHES, OF_WRITING, absolute, another_folder, at, bytes_below, connect, folders,
    make_private, open_table, runtime, sweep,
};
use crate::view::View;
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
    meta: Meta,
    pub(crate) role: Role,
    pub(crate) table: Table,
    /// Up to so many chunks, vectors are compared one by one.
    pub(crate) exact_up_to: usize,
    /// Versions that are older may go.
    pub(crate) kept: Duration,
    /// The latest version that was searched. Before the runtime, whose threads it may still use.
    view: Mutex<Option<Arc<View>>>,
    runtime: Runtime,
    /// Chunks that did not lie where they were expected.
    #[cfg(test)]
    pub(crate) searched_for: std::sync::atomic::AtomicUsize,
    /// Keeps the table's folder where it is while it is read.
    _reading: Option<Readers>,
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

    /// Opens the store in `dir` for reading; waits for nobody.
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
        &self.meta.layout
    }

    /// Whether this is still what is searched in its folder: no other store has taken its place.
    #[must_use]
    pub fn is_present(&self) -> bool {
        let present = meta::read(&self.dir, Role::Present);
        present.is_ok_and(|present| present.as_ref() == Some(&self.meta))
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

    /// As [`Store::sources`], read once for as long as nothing changes: for searches, each of which may
    /// have a filter.
    pub fn known_sources(&self) -> rag_core::Result<Arc<[SourceState]>> {
        let view = self.view()?;
        if let Some(known) = view.sources.get() {
            return Ok(known.clone());
        }
        // Not older than the view; what is newer is looked at again with the next one.
        let known: Arc<[SourceState]> = self.sources()?.into();
        Ok(view.sources.get_or_init(|| known).clone())
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

    /// Size of its table on disk, in bytes, old versions that are not yet pruned included.
    #[must_use]
    pub fn table_bytes(&self) -> u64 {
        bytes_below(&self.folder())
    }

    /// How many chunks there are: of [`Store::counts`] what needs no look at the files.
    pub fn chunk_count(&self) -> rag_core::Result<u64> {
        Ok(self.count(&self.table, schema::CHUNK)?)
    }

    /// How much there is.
    pub fn counts(&self) -> rag_core::Result<Counts> {
        let table = self.wait("read", self.table.query_snapshot())?;
        let stats = self.wait("measure", table.stats())?;
        let words = self.wait("measure", table.index_stats(WORDS_INDEX))?;
        let versions = self.wait("measure", table.list_versions())?;
        Ok(Counts {
            sources: self.count(&table, schema::SOURCE)?,
            chunks: self.count(&table, schema::CHUNK)?,
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
        let lock = Arc::new(WriterLock::take(&dir)?);
        sweep(&dir);
        Self::made(dir, Role::Present, layout, lock)
    }

    /// Opens the store of this part in `dir` for writing, making it if there is none.
    pub(crate) fn made(
        dir: PathBuf,
        role: Role,
        layout: &Layout,
        lock: Arc<WriterLock>,
    ) -> Result<Self> {
        let found = meta::read(&dir, role)?;
        let folder = match (&found, role) {
            (Some(meta), _) => meta.folder.clone(),
            // None; else that of a store whose record is lost.
            (None, Role::Present) => folders(&dir)
                .pop()
                .unwrap_or_else(|| FIRST_FOLDER.to_owned()),
            (None, Role::Next) => another_folder(&dir),
        };
        let runtime = runtime(&dir)?;
        let connection = runtime.block_on(connect(&dir.join(&folder), OF_WRITING));
        let connection = connection.map_err(at("open", &dir))?;
        let open = || runtime.block_on(open_table(&connection, OF_WRITING));
        let (table, meta) = match (open().map_err(at("open", &dir))?, found) {
            (Some(table), Some(found)) => (table, same(&dir, role, found, layout)?),
            (Some(_), None) => {
                return Err(IndexError::LostMeta {
                    path: meta::path(&dir, role),
                });
            }
            // Nothing, or what a process left that was killed before it had made the table.
            (None, _) => {
                let meta = Meta {
                    layout: layout.clone(),
                    folder,
                };
                meta::write(&dir, role, &meta)?;
                let made =
                    connection.create_empty_table(schema::TABLE, schema::schema(layout.dimensions));
                runtime
                    .block_on(made.execute())
                    .map_err(at("create", &dir))?;
                // Opened, because a table as it was made knows no bounds of memory.
                let table = open().map_err(at("open", &dir))?;
                let missing = || IndexError::Missing { dir: dir.clone() };
                (table.ok_or_else(missing)?, meta)
            }
        };
        let mut store = Self::with(dir, (role, meta, None), table, runtime);
        store.writer = Some(Writer::new(lock));
        store.make_word_index()?;
        Ok(store)
    }

    fn existing(
        dir: &Path,
        lock: impl FnOnce(&Path) -> Result<Option<WriterLock>>,
    ) -> Result<Self> {
        let dir = absolute(dir)?;
        let missing = || IndexError::Missing { dir: dir.clone() };
        if meta::read(&dir, Role::Present)?.is_none() {
            return Err(missing()); // before a file is made there for the lock
        }
        let lock = lock(&dir)?;
        let memory = if lock.is_some() {
            sweep(&dir);
            OF_WRITING
        } else {
            OF_SEARCHES
        };
        let mut store = Self::opened(&dir, Role::Present, memory)?.ok_or_else(missing)?;
        if let Some(lock) = lock {
            store.writer = Some(Writer::new(Arc::new(lock)));
            store.make_word_index()?;
        }
        Ok(store)
    }

    /// Opens the store of this part in `dir` for reading.
    pub(crate) fn opened(dir: &Path, role: Role, memory: Memory) -> Result<Option<Self>> {
        let Some((meta, reading)) = found(dir, role)? else {
            return Ok(None);
        };
        let runtime = runtime(dir)?;
        let folder = dir.join(&meta.folder);
        let opened =
            runtime.block_on(async { open_table(&connect(&folder, memory).await?, memory).await });
        let Some(table) = opened.map_err(at("open", dir))? else {
            return Ok(None);
        };
        let part = (role, meta, reading);
        Ok(Some(Self::with(dir.to_owned(), part, table, runtime)))
    }

    fn with(
        dir: PathBuf,
        (role, meta, reading): (Role, Meta, Option<Readers>),
        table: Table,
        runtime: Runtime,
    ) -> Self {
        Self {
            dir,
            meta,
            role,
            table,
            exact_up_to: upkeep::EXACT_UP_TO,
            kept: upkeep::KEPT,
            view: Mutex::default(),
            runtime,
            #[cfg(test)]
            searched_for: std::sync::atomic::AtomicUsize::default(),
            _reading: reading,
            writer: None,
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
    /// How many rows of `table` are of this kind.
    pub(crate) fn count(&self, table: &Table, kind: &str) -> Result<u64> {
        let filter = format!("{} = '{kind}'", schema::KIND);
        Ok(self.wait("count", table.count_rows(Some(filter)))? as u64)
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

    /// The folder of its table.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.join(&self.meta.folder)
    }

    /// What `query` returns.
    pub(crate) fn run(&self, query: &impl ExecutableQuery) -> Result<Vec<RecordBatch>> {
        self.looked(|| {
            self.wait("search", async {
                query.execute().await?.try_collect().await
            })
        })
    }

    /// What `look` gives, of a reader the second time where it fails: who forgets removes old versions
    /// at once, also from under a search. The next look finds the new one.
    pub(crate) fn looked<T>(&self, look: impl Fn() -> Result<T>) -> Result<T> {
        match look() {
            Err(_) if self.writer.is_none() => look(),
            outcome => outcome,
        }
    }

    /// What `look` makes of the present version of the table.
    pub(crate) fn viewed<T, L>(&self, look: impl Fn(Arc<View>) -> L) -> Result<T>
    where
        L: Future<Output = lancedb::Result<T>>,
    {
        self.looked(|| self.wait("search", look(self.view()?)))
    }

    /// The present version of the table; others wait while it is opened, for they want the same.
    pub(crate) fn view(&self) -> Result<Arc<View>> {
        let mut kept = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(table) = self.table.dataset() else {
            let message = "the table is not in a folder".to_owned();
            let source = lancedb::Error::NotSupported { message };
            return Err(at("search", &self.dir)(source));
        };
        let dataset = self.wait("search", table.get())?;
        if let Some(view) = &*kept
            && view.version() == dataset.version().version
        {
            return Ok(view.clone());
        }
        let view = Arc::new(View::of(dataset, kept.as_deref()));
        *kept = Some(view.clone());
        Ok(view)
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

/// What is on record of a store, with the sign that its folder is read: joined first and looked again
/// after that, since a folder that nobody reads may be removed when another store takes its place.
fn found(dir: &Path, role: Role) -> Result<Option<(Meta, Option<Readers>)>> {
    loop {
        let Some(meta) = meta::read(dir, role)? else {
            return Ok(None);
        };
        let reading = Readers::join(&dir.join(&meta.folder));
        if meta::read(dir, role)?.as_ref() == Some(&meta) {
            return Ok(Some((meta, reading)));
        }
    }
}

fn same(dir: &Path, role: Role, found: Meta, offered: &Layout) -> Result<Meta> {
    if found.layout.is_comparable(offered) {
        return Ok(found);
    }
    let (made_by, offered) = (found.layout.embedder, offered.embedder.clone());
    Err(match role {
        Role::Present => IndexError::OtherEmbedder {
            dir: dir.to_owned(),
            made_by,
            offered,
        },
        Role::Next => IndexError::OtherSuccessor { made_by, offered },
    })
}
