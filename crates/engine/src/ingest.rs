//! Ingest: walk, plan, read, split, embed, write. Stages overlap through bounded channels, and memory
//! does not grow with the corpus.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use rag_core::{
    Chunk, Code, Document, Embedder, Error, Extractor, Purpose, Report, Result, Row, SourceState,
    Status,
};
use rag_index::{Batch, SourceRows, Store, StoredChunk, Upkeep};
use rag_text::Sizes;
use rayon::prelude::{IntoParallelRefMutIterator, ParallelIterator};

use crate::engine::interrupted;
use crate::plan::{Action, Seen, needs_hash, plan};
use crate::record::{Prepared, kept, prepared, refused, removed, row_of, row_of_state};
use crate::walk::{Limits, walk};

/// Chunks embedded and written at once: what a crash can cost.
const BATCH_CHUNKS: usize = 256;
/// Files whose chunks wait for the embedder, so that thousands of tiny files share a commit.
const BATCH_FILES: usize = 256;

/// Chunks after which the indexes are brought up to date in a long run: word search reads what no
/// index covers row by row, about 2 s for 20,000 chunks.
const MAINTAIN_AFTER: u64 = 8192;

/// What an ingest says while it runs.
#[derive(Debug, Clone, Copy)]
pub enum IngestEvent<'a> {
    /// The plan is made: so many files and bytes are to be read.
    Planned { files: usize, bytes: u64 },
    /// More was embedded.
    Embedded { chunks: usize, tokens: usize },
    /// A file is done; `bytes` is its size where it was read.
    Done { row: &'a Row, bytes: u64 },
    /// The files are in; indexes are brought up to date.
    Maintaining,
}

/// One run.
pub(crate) struct Ingest<'a> {
    pub(crate) store: &'a Store,
    pub(crate) embedder: &'a dyn Embedder,
    pub(crate) extractor: &'a dyn Extractor,
    pub(crate) sizes: Sizes,
    pub(crate) limits: Limits,
    /// Files read at once; 0 for one each core.
    pub(crate) readers: usize,
    pub(crate) stop: &'a AtomicBool,
}

/// What came of reading one file.
enum Reading {
    Prepared(Prepared),
    /// Not readable now; nothing is recorded, so that the next run tries again.
    Unreadable {
        seen: Seen,
        error: Error,
    },
}

/// The part of a run that gathers results.
struct Progress<'e, 'f> {
    report: Report,
    /// Chunks written since the indexes were last brought up to date.
    unindexed: u64,
    on_event: &'e mut (dyn FnMut(IngestEvent<'_>) + 'f),
}

impl Progress<'_, '_> {
    fn row(&mut self, row: Row, bytes: u64) {
        (self.on_event)(IngestEvent::Done { row: &row, bytes });
        self.report.push(row);
    }
}

impl Ingest<'_> {
    pub(crate) fn run(
        &self,
        paths: &[PathBuf],
        on_event: &mut dyn FnMut(IngestEvent<'_>),
    ) -> Result<Report> {
        let started = Instant::now();
        let mut progress = Progress {
            report: Report::default(),
            unindexed: 0,
            on_event,
        };
        let known = self.store.sources()?;
        let actions = self.planned(paths, known, &mut progress)?;
        let (reads, drops) = self.settle(actions, &mut progress)?;
        (progress.on_event)(IngestEvent::Planned {
            files: reads.len(),
            bytes: reads.iter().map(|seen| seen.size).sum(),
        });
        self.read_all(&reads, &mut progress)?;
        // Last, so that a file renamed and edited at once finds its old vectors still there.
        self.drop_sources(drops, &mut progress)?;
        (progress.on_event)(IngestEvent::Maintaining);
        self.store.maintain(Upkeep::AfterIngest)?;
        let mut report = progress.report;
        report.sources.sort_by(|a, b| a.source.cmp(&b.source));
        report.took_ms = started.elapsed().as_millis() as u64;
        Ok(report)
    }

    fn rules(&self) -> String {
        format!(
            "{} {} {}/{}",
            self.extractor.rules(),
            rag_text::SPLIT_RULES,
            self.sizes.target,
            self.sizes.max
        )
    }

    fn planned(
        &self,
        paths: &[PathBuf],
        known: Vec<SourceState>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<Vec<Action>> {
        let mut roots: Vec<String> = known.iter().map(|s| s.source.root.clone()).collect();
        roots.dedup();
        let walked = walk(paths, &roots, &self.limits)?;
        let mut scopes = walked.scopes;
        for row in walked.rows {
            progress.row(row, 0);
        }
        let mut seen = Vec::with_capacity(walked.seen.len());
        for (file, hashed) in hash_all(walked.seen, &known, self.stop) {
            match hashed {
                Ok(()) => seen.push(file),
                Err(cause) => {
                    // The file is there: what is known of it is not proven gone.
                    let spared = file.absolute.clone();
                    for scope in &mut scopes {
                        scope.spared.push(spared.clone());
                    }
                    progress.row(
                        row_of(
                            &file,
                            Status::Failed,
                            Some(format!("can't be read: {cause}")),
                        ),
                        0,
                    );
                }
            }
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        Ok(plan(seen, known, &scopes, &self.rules()).actions)
    }

    /// Does all that needs no reading, and gives back what does.
    fn settle(
        &self,
        actions: Vec<Action>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<(Vec<Seen>, Vec<SourceState>)> {
        let mut reads = Vec::new();
        let mut moves = Vec::new();
        let mut drops = Vec::new();
        for action in actions {
            match action {
                Action::Read(seen) => reads.push(seen),
                Action::Move { from, to } => moves.push((from, to)),
                Action::Keep(state) => progress.row(kept(&state), 0),
                Action::Drop(state) => drops.push(state),
            }
        }
        for batch in moves.chunks(BATCH_FILES) {
            self.move_sources(batch, progress)?;
        }
        Ok((reads, drops))
    }

    fn drop_sources(&self, drops: Vec<SourceState>, progress: &mut Progress<'_, '_>) -> Result<()> {
        let keys: Vec<_> = drops.iter().map(|state| state.source.key.clone()).collect();
        if !keys.is_empty() {
            self.store.commit(Batch {
                put: Vec::new(),
                drop: keys,
            })?;
        }
        for state in drops {
            progress.row(removed(&state), 0);
        }
        Ok(())
    }

    /// Writes what is known of some sources under new names, vectors and all.
    fn move_sources(
        &self,
        moves: &[(SourceState, Seen)],
        progress: &mut Progress<'_, '_>,
    ) -> Result<()> {
        let keys: Vec<_> = moves
            .iter()
            .map(|(from, _)| from.source.key.clone())
            .collect();
        let mut rows: HashMap<_, SourceRows> = self
            .store
            .rows(&keys)?
            .into_iter()
            .map(|rows| (rows.state.source.key.clone(), rows))
            .collect();
        let mut put = Vec::with_capacity(moves.len());
        for (from, to) in moves {
            if let Some(mut source) = rows.remove(&from.source.key) {
                source.state.source = to.source.clone();
                source.state.modified_ns = to.modified_ns;
                put.push(source);
            }
        }
        let kept: Vec<_> = put
            .iter()
            .map(|rows| rows.state.source.key.clone())
            .collect();
        let drop = keys.into_iter().filter(|key| !kept.contains(key)).collect();
        self.store.commit(Batch { put, drop })?;
        for (from, to) in moves {
            let reason =
                (from.source.path != to.source.path).then(|| format!("from {}", from.source.path));
            let mut row = row_of(to, Status::Moved, reason);
            row.chunks = from.chunks;
            progress.row(row, 0);
        }
        Ok(())
    }

    fn read_all(&self, reads: &[Seen], progress: &mut Progress<'_, '_>) -> Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let readers = if self.readers == 0 {
            cores
        } else {
            self.readers
        };
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (sender, readings) = sync_channel(readers * 2);
            for _ in 0..readers.min(reads.len()) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || self.read_some(reads, next, &sender));
            }
            drop(sender);
            self.write_all(&readings, progress)
        })
    }

    /// One reader thread: takes the next file until there is none or nobody listens any more.
    fn read_some(&self, reads: &[Seen], next: &AtomicUsize, sender: &SyncSender<Reading>) {
        let rules = self.rules();
        while let Some(seen) = reads.get(next.fetch_add(1, Ordering::Relaxed)) {
            if self.stop.load(Ordering::Relaxed) || sender.send(self.read(seen, &rules)).is_err() {
                break;
            }
        }
    }

    fn read(&self, seen: &Seen, rules: &str) -> Reading {
        // Splitting meets the same hostile text as reading, and happens in this process.
        let split = |document: Document| {
            let chunks = catch_unwind(AssertUnwindSafe(|| {
                rag_text::split(&document, self.sizes, self.embedder)
            }));
            let crashed = |_| Error::new(Code::Malformed, "its text could not be split");
            Ok((document, chunks.map_err(crashed)?))
        };
        match self.extractor.extract(&seen.absolute).and_then(split) {
            Ok((document, chunks)) => Reading::Prepared(prepared(seen, rules, &document, chunks)),
            Err(error) if matches!(error.code, Code::Io | Code::Internal) => Reading::Unreadable {
                seen: seen.clone(),
                error,
            },
            Err(error) => Reading::Prepared(refused(seen, rules, &error)),
        }
    }

    fn write_all(
        &self,
        readings: &Receiver<Reading>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<()> {
        let mut waiting: Vec<Prepared> = Vec::new();
        let mut chunks = 0;
        for reading in readings {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            match reading {
                Reading::Prepared(prepared) => {
                    chunks += prepared.chunks.len();
                    waiting.push(prepared);
                }
                Reading::Unreadable { seen, error } => {
                    progress.row(row_of(&seen, Status::Failed, Some(error.one_line())), 0);
                }
            }
            if chunks >= BATCH_CHUNKS || waiting.len() >= BATCH_FILES {
                self.write(std::mem::take(&mut waiting), progress)?;
                chunks = 0;
            }
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(interrupted().hint("run it again: what is done is kept"));
        }
        self.write(waiting, progress)
    }

    /// Embeds and commits a batch of sources.
    fn write(&self, batch: Vec<Prepared>, progress: &mut Progress<'_, '_>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let vectors = self.vectors(&batch, progress)?;
        let mut rows = Vec::with_capacity(batch.len());
        let mut put = Vec::with_capacity(batch.len());
        for Prepared { state, chunks } in batch {
            rows.push((row_of_state(&state), state.size));
            let chunks = chunks
                .into_iter()
                .filter_map(|(chunk, text_hash)| {
                    let vector = vectors.get(&text_hash)?.clone();
                    Some(StoredChunk {
                        chunk,
                        text_hash,
                        vector,
                    })
                })
                .collect();
            put.push(SourceRows { state, chunks });
        }
        self.store.commit(Batch {
            put,
            drop: Vec::new(),
        })?;
        for (row, bytes) in rows {
            let totals = &mut progress.report.totals;
            totals.bytes += bytes;
            totals.chunks += u64::from(row.chunks);
            progress.unindexed += u64::from(row.chunks);
            progress.row(row, bytes);
        }
        if progress.unindexed >= MAINTAIN_AFTER {
            progress.unindexed = 0;
            self.store.maintain(Upkeep::AfterIngest)?;
        }
        Ok(())
    }

    /// A vector for every chunk of the batch, by the hash of its text: never computed twice.
    fn vectors(
        &self,
        batch: &[Prepared],
        progress: &mut Progress<'_, '_>,
    ) -> Result<HashMap<String, Vec<f32>>> {
        let mut wanted: HashMap<&str, &Chunk> = HashMap::new();
        for (chunk, hash) in batch.iter().flat_map(|prepared| &prepared.chunks) {
            wanted.insert(hash, chunk);
        }
        let mut vectors = if wanted.is_empty() {
            HashMap::new()
        } else {
            let hashes: Vec<String> = wanted.keys().map(ToString::to_string).collect();
            self.store.vectors(&hashes)?
        };
        let mut missing: Vec<(&str, &Chunk)> = wanted
            .into_iter()
            .filter(|(hash, _)| !vectors.contains_key(*hash))
            .collect();
        missing.sort_by_key(|(hash, chunk)| (chunk.tokens, *hash)); // alike lengths share a batch
        for part in missing.chunks(BATCH_CHUNKS) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(interrupted().hint("run it again: what is done is kept"));
            }
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
            let tokens: usize = part.iter().map(|(_, chunk)| chunk.tokens as usize).sum();
            let totals = &mut progress.report.totals;
            totals.embedded += part.len() as u64;
            totals.tokens += tokens as u64;
            (progress.on_event)(IngestEvent::Embedded {
                chunks: part.len(),
                tokens,
            });
            for ((hash, _), vector) in part.iter().zip(new) {
                vectors.insert((*hash).to_owned(), vector);
            }
        }
        Ok(vectors)
    }
}

/// Hashes the files that may have changed, on all cores.
fn hash_all(
    mut seen: Vec<Seen>,
    known: &[SourceState],
    stop: &AtomicBool,
) -> Vec<(Seen, std::io::Result<()>)> {
    let known: HashMap<_, _> = known
        .iter()
        .map(|state| (&state.source.key, state))
        .collect();
    let results: Vec<std::io::Result<()>> = seen
        .par_iter_mut()
        .map(|file| {
            let state = known.get(&file.source.key).copied();
            if needs_hash(file, state) && !stop.load(Ordering::Relaxed) {
                let mut hasher = blake3::Hasher::new();
                hasher.update_reader(std::fs::File::open(&file.absolute)?)?;
                file.hash = Some(hasher.finalize().to_hex().to_string());
            }
            Ok(())
        })
        .collect();
    seen.into_iter().zip(results).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::Ordering;

    use rag_core::{Mode, Query, Report, Status};

    use crate::Engine;
    use crate::testing::{engine, files};

    fn ingest(engine: &Engine, dir: &Path) -> Report {
        engine.ingest(&[dir.to_owned()], &mut |_| {}).unwrap()
    }

    fn statuses(report: &Report) -> Vec<(&str, Status)> {
        report
            .sources
            .iter()
            .map(|row| (row.source.as_str(), row.status))
            .collect()
    }

    fn finds(engine: &Engine, words: &str) -> Vec<String> {
        let query = Query {
            text: words.into(),
            mode: Mode::Words,
            limit: 10,
        };
        let hits = engine.search(&query).unwrap();
        hits.into_iter().map(|hit| hit.source.path).collect()
    }

    #[test]
    fn each_change_is_told_and_only_what_is_new_is_embedded() {
        let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = docs.path();
        files(
            dir,
            &[
                ("a.md", "# Tern\n\nBuilt in Bergen.\n"),
                ("b.md", "Petrel sails north.\n"),
                ("c.txt", "Fulmar is electric.\n"),
            ],
        );
        let (engine, embedder) = engine(home.path(), "");
        let first = ingest(&engine, dir);
        assert_eq!(first.totals.read, 3);
        assert_eq!(embedder.embedded.load(Ordering::Relaxed), 3);

        let second = ingest(&engine, dir);
        assert_eq!((second.totals.unchanged, second.totals.embedded), (3, 0));

        std::fs::write(dir.join("a.md"), "# Tern\n\nBuilt in Hamburg.\n").unwrap();
        std::fs::rename(dir.join("b.md"), dir.join("moved.md")).unwrap();
        std::fs::remove_file(dir.join("c.txt")).unwrap();
        let third = ingest(&engine, dir);
        let expected = [
            ("a.md", Status::Read),
            ("c.txt", Status::Removed),
            ("moved.md", Status::Moved),
        ];
        assert_eq!(statuses(&third), expected);
        assert_eq!(third.totals.embedded, 1);
        assert_eq!(finds(&engine, "Petrel"), ["moved.md"]);
        assert_eq!(finds(&engine, "Hamburg"), ["a.md"]);
        assert!(finds(&engine, "Bergen").is_empty());
        assert!(finds(&engine, "Fulmar").is_empty());
    }

    #[test]
    fn a_file_that_can_not_be_read_is_one_row_and_is_not_tried_again_before_it_changes() {
        let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        files(
            docs.path(),
            &[
                ("good.md", "Good.\n"),
                ("bad.pdf", "%PDF-1.7 and then noise"),
            ],
        );
        let (engine, _) = engine(home.path(), "");
        let first = ingest(&engine, docs.path());
        assert_eq!(
            statuses(&first),
            [("bad.pdf", Status::Failed), ("good.md", Status::Read)]
        );
        assert!(first.sources[0].reason.is_some());
        let second = ingest(&engine, docs.path());
        assert_eq!(
            statuses(&second),
            [("bad.pdf", Status::Failed), ("good.md", Status::Unchanged)]
        );
        assert_eq!(first.sources[0], second.sources[0]);
    }

    #[test]
    fn a_stopped_run_keeps_what_was_done() {
        let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        files(docs.path(), &[("a.md", "One.\n")]);
        let (engine, _) = engine(home.path(), "");
        ingest(&engine, docs.path());
        files(docs.path(), &[("b.md", "Two.\n")]);
        let stop = engine.stop_switch();
        stop.store(true, Ordering::Relaxed);
        let error = engine
            .ingest(&[docs.path().to_owned()], &mut |_| {})
            .unwrap_err();
        assert_eq!(error.code, rag_core::Code::Interrupted);
        stop.store(false, Ordering::Relaxed);
        assert_eq!(engine.status().unwrap().sources, 1);
        assert_eq!(ingest(&engine, docs.path()).totals.embedded, 1);
    }
}
