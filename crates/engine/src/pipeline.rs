//! The pipeline: files are read and split on some threads, their chunks embedded on another and written
//! on a third, so that the slowest of them sets the pace. Bounded channels join them, and memory does
//! not grow with the corpus.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use rag_core::{
    Chunk, Code, Embedder, Error, Extractor, Purpose, Result, Row, SourceState, Status,
};
use rag_index::{Batch, SourceRows, Store, StoredChunk, Upkeep};
use rag_text::Sizes;

use crate::carry::Carry;
use crate::engine::interrupted;
use crate::ingest::{Progress, chunks_of};
use crate::plan::Seen;
use crate::record::{Prepared, out_of_reach, prepared, refused, row_of, row_of_state};
use crate::room::Room;
use crate::stamp::{Stamp, hash_of};

/// Chunks embedded and written at once: what a crash can cost.
const BATCH_CHUNKS: usize = 256;
/// Files whose chunks wait for the embedder, so that thousands of tiny files share a commit.
const BATCH_FILES: usize = 256;
/// Text that waits between the threads, in bytes; vectors and rows take about six times as much. A
/// quarter of it makes a batch.
const ROOM: usize = 32 << 20;
/// Batches that may not be written yet when another is made: one in the channel, one being written.
const IN_FLIGHT: usize = 2;
/// Chunks after which the indexes are brought up to date in a long run: a quarter of those that there
/// are, within these bounds. Word search reads what no index covers row by row, about 2 s for 20,000
/// chunks, and counts there how rare a word is over all chunks, elsewhere only over those that the index
/// covers: where these are few, scores of the ones and the others are worlds apart.
const MAINTAIN_AFTER: RangeInclusive<u64> = 512..=8192;

/// A file to be read, and what is known of it.
pub(crate) type ToRead = (Seen, Option<SourceState>);

/// Rows of sources that were written, with the bytes of the file where it was read.
pub(crate) type Rows = Vec<(Row, u64)>;

/// Vectors by the hash of the text that was embedded.
type Vectors = HashMap<String, Arc<[f32]>>;

/// What the threads share.
pub(crate) struct Pipeline<'a> {
    pub(crate) store: &'a Store,
    pub(crate) embedder: &'a dyn Embedder,
    pub(crate) extractor: &'a dyn Extractor,
    pub(crate) sizes: Sizes,
    /// Version of the reading and splitting rules.
    pub(crate) rules: String,
    /// Files read at once.
    pub(crate) readers: usize,
    /// What stands in for a file that is not as it is known; without it a file is what it is now.
    pub(crate) carry: Option<Carry<'a>>,
    pub(crate) stop: &'a AtomicBool,
}

/// What came of reading one file.
pub(crate) enum Reading {
    Prepared(Prepared),
    /// Not readable now; the next run tries again.
    OutOfReach(SourceState),
    /// Not there any more.
    Gone(Row),
    /// The run can't go on.
    Broken(Error),
}

/// Sources on their way to the store.
#[derive(Default)]
struct Embedded {
    batch: Batch,
    rows: Rows,
    chunks: u64,
    /// Room that they take.
    text_bytes: usize,
}

/// Files that wait for the embedder.
#[derive(Default)]
struct Waiting {
    prepared: Vec<Prepared>,
    out_of_reach: Vec<SourceState>,
    chunks: usize,
    text_bytes: usize,
}

impl Waiting {
    fn take(&mut self, reading: Reading, progress: &mut Progress<'_, '_>) -> Result<()> {
        match reading {
            Reading::Prepared(prepared) => {
                self.chunks += prepared.chunks.len();
                self.text_bytes += prepared.text_bytes();
                self.prepared.push(prepared);
            }
            Reading::OutOfReach(state) => self.out_of_reach.push(state),
            Reading::Gone(row) => progress.row(row, 0),
            Reading::Broken(error) => return Err(error),
        }
        Ok(())
    }

    fn is_batch(&self) -> bool {
        self.chunks >= BATCH_CHUNKS
            || self.prepared.len() + self.out_of_reach.len() >= BATCH_FILES
            || self.text_bytes >= ROOM / 4
    }

    fn is_empty(&self) -> bool {
        self.prepared.is_empty() && self.out_of_reach.is_empty()
    }
}

impl Pipeline<'_> {
    /// Reads `files` and writes what comes of them.
    ///
    /// # Errors
    /// `Interrupted`, and what the embedder or the store report. What was written stays.
    pub(crate) fn run(&self, files: &[ToRead], progress: &mut Progress<'_, '_>) -> Result<()> {
        if files.is_empty() && !self.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (next, room) = (AtomicUsize::new(0), Room::new(ROOM));
        std::thread::scope(|scope| {
            let (sender, readings) = sync_channel(self.readers * 2);
            for _ in 0..self.readers.min(files.len()) {
                let (sender, next, room) = (sender.clone(), &next, &room);
                scope.spawn(move || self.read_some(files, next, room, &sender));
            }
            drop(sender);
            let (to_write, embedded) = sync_channel(IN_FLIGHT - 1);
            let (written, done) = channel();
            let room = &room;
            let writer = scope.spawn(move || self.write_all(&embedded, &written, room));
            // Readers would wait for ever for room that a failed embedder does not give back.
            let _closing = room.closing();
            let outlet = Outlet { to_write, done };
            let result = self.embed_all(readings, &outlet, progress);
            outlet.finish(progress);
            // Where the writer fails, all the embedder knows is that nobody listens any more.
            match writer.join() {
                Ok(outcome) => outcome.and(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// One reader thread: takes the next file until there is none or nobody listens any more.
    fn read_some(
        &self,
        files: &[ToRead],
        next: &AtomicUsize,
        room: &Room,
        sender: &SyncSender<Reading>,
    ) {
        while let Some((file, known)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let mut reading = self.read(file.clone(), known.as_ref());
            if let (Some(carry), Some(known)) = (&self.carry, known) {
                reading = carry.settle(reading, known);
            }
            let bytes = match &reading {
                Reading::Prepared(prepared) => prepared.text_bytes(),
                _ => 0,
            };
            if !room.take(bytes) || sender.send(reading).is_err() {
                break;
            }
        }
    }

    fn read(&self, file: Seen, known: Option<&SourceState>) -> Reading {
        let lost = |file: &Seen, reason| {
            Reading::OutOfReach(out_of_reach(&file.source, known.cloned(), reason))
        };
        let file = match look_again(&file) {
            Ok(Some((stamp, hash))) => Seen {
                stamp,
                hash: Some(hash),
                ..file
            },
            Ok(None) => {
                let reason = "it was gone before its turn to be read".to_owned();
                return Reading::Gone(row_of(&file.source, Status::Skipped, Some(reason)));
            }
            Err(cause) => return lost(&file, format!("can't be read: {cause}")),
        };
        let result = self.extractor.extract(&file.absolute).and_then(|document| {
            let chunks = chunks_of(&document, self.sizes, self.embedder)?;
            Ok((document, chunks))
        });
        if !is_still(&file) {
            let reason = "it changed while it was being read; the next ingest tries again";
            return lost(&file, reason.to_owned());
        }
        match result {
            Ok((document, chunks)) => {
                Reading::Prepared(prepared(&file, &self.rules, &document, chunks))
            }
            Err(error) if matches!(error.code, Code::Io | Code::Internal) => {
                lost(&file, error.one_line())
            }
            Err(error) => Reading::Prepared(refused(&file, &self.rules, &error)),
        }
    }

    fn embed_all(
        &self,
        readings: Receiver<Reading>,
        outlet: &Outlet,
        progress: &mut Progress<'_, '_>,
    ) -> Result<()> {
        let mut waiting = Waiting::default();
        let mut recent: VecDeque<Vectors> = VecDeque::new();
        for reading in readings {
            waiting.take(reading, progress)?;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            if waiting.is_batch() {
                let batch = self.embed(std::mem::take(&mut waiting), &mut recent, progress)?;
                outlet.send(batch, progress)?;
            }
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        if !waiting.is_empty() {
            let batch = self.embed(waiting, &mut recent, progress)?;
            outlet.send(batch, progress)?;
        }
        Ok(())
    }

    /// Makes a batch with a vector for every chunk; `recent` are those that may not be written yet.
    fn embed(
        &self,
        waiting: Waiting,
        recent: &mut VecDeque<Vectors>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<Embedded> {
        let vectors = self.vectors(&waiting.prepared, recent, progress)?;
        let mut embedded = Embedded {
            text_bytes: waiting.text_bytes,
            ..Embedded::default()
        };
        for prepared in waiting.prepared {
            embedded.chunks += prepared.chunks.len() as u64;
            embedded.rows.push(prepared.row());
            let Prepared { state, chunks, .. } = prepared;
            let stored = |(chunk, text_hash): (Chunk, String)| {
                let vector = Arc::clone(vectors.get(&text_hash)?);
                Some(StoredChunk {
                    chunk,
                    text_hash,
                    vector,
                })
            };
            let chunks = chunks.into_iter().filter_map(stored).collect();
            embedded.batch.put.push(SourceRows { state, chunks });
        }
        for state in waiting.out_of_reach {
            embedded.rows.push((row_of_state(&state), 0));
            embedded.batch.heads.push(state);
        }
        recent.truncate(IN_FLIGHT - 1);
        recent.push_front(vectors);
        Ok(embedded)
    }

    /// A vector for every chunk of the batch, by the hash of its text: never computed twice.
    fn vectors(
        &self,
        batch: &[Prepared],
        recent: &VecDeque<Vectors>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<Vectors> {
        let mut vectors = Vectors::new();
        let mut missing: HashMap<&str, &Chunk> = HashMap::new();
        for (chunk, hash) in batch.iter().flat_map(|prepared| &prepared.chunks) {
            match recent.iter().find_map(|recent| recent.get(hash)) {
                Some(vector) => {
                    vectors.insert(hash.clone(), Arc::clone(vector));
                }
                None => {
                    missing.insert(hash, chunk);
                }
            }
        }
        let hashes: Vec<String> = missing.keys().map(ToString::to_string).collect();
        let known = self.store.vectors(&hashes)?;
        missing.retain(|hash, _| !known.contains_key(*hash));
        vectors.extend(known);
        let mut missing: Vec<(&str, &Chunk)> = missing.into_iter().collect();
        missing.sort_by_key(|(hash, chunk)| (chunk.tokens, *hash)); // alike lengths share a batch
        for part in missing.chunks(BATCH_CHUNKS) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            let new = self.computed(part, progress)?;
            let hashes = part.iter().map(|(hash, _)| (*hash).to_owned());
            vectors.extend(hashes.zip(new));
        }
        Ok(vectors)
    }

    fn computed(
        &self,
        part: &[(&str, &Chunk)],
        progress: &mut Progress<'_, '_>,
    ) -> Result<Vec<Arc<[f32]>>> {
        let texts: Vec<String> = part
            .iter()
            .map(|(_, chunk)| chunk.embedded_text())
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let new = self.embedder.embed(&texts, Purpose::Passage)?;
        if new.len() != part.len() {
            let fact = format!("{} vectors came back for {} texts", new.len(), part.len());
            return Err(Error::new(Code::Internal, fact));
        }
        let tokens = part.iter().map(|(_, chunk)| chunk.tokens as usize).sum();
        progress.embedded(part.len(), tokens);
        Ok(new.into_iter().map(Arc::from).collect())
    }

    /// The writer thread: one commit a batch, and upkeep now and then.
    fn write_all(
        &self,
        embedded: &Receiver<Embedded>,
        written: &Sender<Rows>,
        room: &Room,
    ) -> Result<()> {
        let _closing = room.closing();
        let mut unindexed = 0;
        let mut indexed = self.store.chunk_count()?;
        for embedded in embedded {
            self.store.commit(embedded.batch)?;
            room.give(embedded.text_bytes);
            // Nobody listens any more where the run has failed: what was written stays all the same.
            let _ = written.send(embedded.rows);
            unindexed += embedded.chunks;
            if unindexed >= due(indexed) {
                self.store.maintain(Upkeep::AfterIngest)?;
                indexed += std::mem::take(&mut unindexed);
            }
        }
        Ok(())
    }
}

/// How many chunks may be without index beside so many that have one.
fn due(indexed: u64) -> u64 {
    (indexed / 4).clamp(*MAINTAIN_AFTER.start(), *MAINTAIN_AFTER.end())
}

/// The way to the writer and back.
struct Outlet {
    to_write: SyncSender<Embedded>,
    done: Receiver<Rows>,
}

impl Outlet {
    /// Hands a batch to the writer, and reports what it has written meanwhile.
    fn send(&self, batch: Embedded, progress: &mut Progress<'_, '_>) -> Result<()> {
        let lost = |_| Error::new(Code::Internal, "the thread that writes is gone");
        self.to_write.send(batch).map_err(lost)?;
        for rows in self.done.try_iter() {
            progress.rows(rows);
        }
        Ok(())
    }

    /// Reports the rest. The writer ends when there is nothing more to write.
    fn finish(self, progress: &mut Progress<'_, '_>) {
        drop(self.to_write);
        for rows in self.done {
            progress.rows(rows);
        }
    }
}

/// The file as it is at its turn, which may be hours after the walk: what it is known by and its hash.
/// None where there is no such file any more.
fn look_again(file: &Seen) -> std::io::Result<Option<(Stamp, String)>> {
    let meta = match std::fs::symlink_metadata(&file.absolute) {
        Ok(meta) if meta.is_file() => meta,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let stamp = Stamp::of(&meta);
    let hash = match &file.hash {
        Some(hash) if stamp.proves_same(&file.stamp) => hash.clone(),
        _ => hash_of(&file.absolute)?,
    };
    Ok(Some((stamp, hash)))
}

/// Whether the file has the bytes it had before it was read: by its stamp where that proves it, else by
/// its hash.
fn is_still(file: &Seen) -> bool {
    let look = Stamp::look(&file.absolute);
    look.is_ok_and(|look| look.proves_same(&file.stamp))
        || hash_of(&file.absolute).is_ok_and(|hash| Some(hash) == file.hash)
}

fn stopped() -> Error {
    interrupted().hint("run it again: what is done is kept")
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
