//! Changing a store: batches in one commit each, and the vectors that need not be computed again.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::record_batch::{RecordBatch, RecordBatchIterator};
use lancedb::expr::DfExpr;
use rag_core::SourceKey;

use crate::error::{IndexError, Result};
use crate::lock::WriterLock;
use crate::store::{among, each, is};
use crate::{Batch, Store, decode, encode, schema};

/// What only the one who writes has. Nobody else can change the table, for the lock is ours.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The sources in the table; none where that must be read first. Held through each change, so that
    /// changes come one after another.
    keys: Mutex<Keys>,
    /// The texts whose vectors may be in the table, so that it is not searched for those of new texts;
    /// none until somebody asks. Eight bytes each: a hash of the hash, which may err on the safe side.
    texts: Mutex<Option<HashSet<u64>>>,
    /// Shared with the store that is being made beside this one.
    pub(crate) lock: Arc<WriterLock>,
}

pub(crate) type Keys = Option<HashSet<SourceKey>>;

impl Writer {
    pub(crate) fn new(lock: Arc<WriterLock>) -> Self {
        Self {
            keys: Mutex::default(),
            texts: Mutex::default(),
            lock,
        }
    }

    fn texts(&self) -> MutexGuard<'_, Option<HashSet<u64>>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Makes the change in one LanceDB commit: wholly or, where it fails or the process is killed,
    /// not at all.
    ///
    /// # Errors
    /// `Internal` for a vector of the wrong length, a chunk or source that is twice in the batch, a
    /// source whose number of chunks is not what it says, and a store that was opened for reading.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a batch that was committed is done with"
    )]
    pub fn commit(&self, batch: Batch) -> rag_core::Result<()> {
        Ok(self.change(&batch)?)
    }

    /// The vectors that are known already, by hash of the text that was embedded.
    pub fn vectors(&self, text_hashes: &[String]) -> rag_core::Result<HashMap<String, Arc<[f32]>>> {
        let wanted = match &self.writer {
            Some(writer) => self.likely(writer, text_hashes)?,
            None => text_hashes.iter().map(String::as_str).collect(),
        };
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let filter = among(schema::TEXT_HASH, wanted.into_iter());
        let columns = &[schema::SOURCE_KEY, schema::TEXT_HASH, schema::VECTOR];
        let read = self.read(&self.table, columns, filter)?;
        Ok(each(&read, decode::vectors)?.into_iter().collect())
    }

    /// Tells other processes that want to write what this one does, and, where it will not be long,
    /// that they should wait.
    pub fn note_writer(&self, doing: &str, is_brief: bool) {
        if let Some(writer) = &self.writer {
            writer.lock.note(Some(doing.to_owned()), is_brief);
        }
    }

    /// The right to change the table, for as long as the guard lives.
    pub(crate) fn writing(&self) -> Result<MutexGuard<'_, Keys>> {
        let writer = self.writer()?;
        // Whoever panicked had taken the set of sources out before; it is read anew.
        Ok(writer.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn writer(&self) -> Result<&Writer> {
        self.writer.as_ref().ok_or_else(|| IndexError::ReadOnly {
            dir: self.dir.clone(),
        })
    }

    /// Those of `text_hashes` that may be in the table.
    fn likely<'a>(&self, writer: &Writer, text_hashes: &'a [String]) -> Result<Vec<&'a str>> {
        let mut texts = writer.texts();
        let known = match texts.take() {
            Some(known) => known,
            None => self.all_texts()?,
        };
        let known = texts.insert(known);
        let hashes = text_hashes.iter().map(String::as_str);
        Ok(hashes.filter(|hash| known.contains(&short(hash))).collect())
    }

    fn all_texts(&self) -> Result<HashSet<u64>> {
        let chunks = is(schema::KIND, schema::CHUNK);
        let columns = [schema::SOURCE_KEY, schema::TEXT_HASH];
        let mut texts = HashSet::new();
        for batch in self.read(&self.table, &columns, chunks)? {
            texts.extend(decode::text_hashes(&batch)?.into_iter().map(short));
        }
        Ok(texts)
    }

    fn change(&self, batch: &Batch) -> Result<()> {
        let writer = self.writer()?;
        let mut known = self.writing()?;
        let rows = encode::rows(batch, self.layout())?;
        // Taken out: where the commit fails, nobody knows what is there until it is read again.
        let mut keys = match known.take() {
            Some(keys) => keys,
            None => self.keys()?,
        };
        let put = batch.put.iter().map(|rows| &rows.state.source.key);
        let heads = batch.heads.iter().map(|state| &state.source.key);
        let replaced: HashSet<&SourceKey> = put.clone().chain(&batch.drop).collect();
        let old: Vec<&str> = replaced
            .into_iter()
            .filter(|key| keys.contains(*key))
            .map(|key| key.0.as_str())
            .collect();
        let merges = !old.is_empty() || heads.clone().any(|key| keys.contains(key));
        let old = (!old.is_empty()).then(|| among(schema::SOURCE_KEY, old.into_iter()));
        match (rows.is_empty(), old) {
            (true, None) => {}
            (true, Some(old)) => {
                self.wait("delete from", self.table.delete(&old))?;
            }
            (false, old) if merges => self.merge(rows, old)?,
            (false, _) => self.append(rows)?,
        }
        for key in &batch.drop {
            keys.remove(key);
        }
        keys.extend(put.chain(heads).cloned());
        *known = Some(keys);
        if let Some(texts) = &mut *writer.texts() {
            let chunks = batch.put.iter().flat_map(|rows| &rows.chunks);
            texts.extend(chunks.map(|stored| short(&stored.text_hash)));
        }
        Ok(())
    }

    /// One commit: `rows` are added. The common case, sources that are new, looks at nothing that is
    /// there: that none of them is there is known, and nobody else can write.
    fn append(&self, rows: Vec<RecordBatch>) -> Result<()> {
        self.wait("write to", self.table.add(rows).execute())?;
        Ok(())
    }

    /// One commit: `rows` come in, over those of the same id, and what else `old` covers goes. LanceDB
    /// reads the ids of the whole table for it.
    fn merge(&self, rows: Vec<RecordBatch>, old: Option<DfExpr>) -> Result<()> {
        let mut merge = self.table.merge_insert(&[schema::ID]);
        merge.when_matched_update_all(None);
        merge.when_not_matched_insert_all();
        if let Some(old) = old {
            merge.when_not_matched_by_source_delete_expr(old);
        }
        let schema = schema::schema(self.layout().dimensions);
        let rows = Box::new(RecordBatchIterator::new(rows.into_iter().map(Ok), schema));
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
}

fn short(hash: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash.hash(&mut hasher);
    hasher.finish()
}
