//! Ingest: survey, settle what needs no reading, read the rest, forget what is gone.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use rag_core::{
    Chunk, Code, Document, Embedder, Error, Extractor, Report, Result, Row, SourceState, Status,
    TokenCounter,
};
use rag_index::{Batch, SourceRows, Store, Upkeep};
use rag_text::Sizes;

use crate::extent::Extent;
use crate::pipeline::{Pipeline, Rows, ToRead};
use crate::plan::{Action, Again, Seen, Terms};
use crate::record::{is_folder, kept, removed, row_of, row_of_state, unreached};
use crate::selection::Selection;
use crate::survey::survey;
use crate::walk::Unreached;

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
    pub(crate) selection: &'a Selection,
    pub(crate) again: Again,
    /// That of the bounds, without the place of the knowledge bases.
    pub(crate) extent: Extent,
    pub(crate) bounds: &'a Bounds<'a>,
    /// Files read at once; 0 for one each core.
    pub(crate) readers: usize,
    pub(crate) stop: &'a AtomicBool,
}

/// What sets a run apart from one over all of its paths that nobody else waits for.
pub(crate) struct Bounds<'a> {
    /// What is looked at.
    pub(crate) extent: &'a Extent,
    /// Asked when all was looked at and nothing was done: whether what was seen can be relied on.
    pub(crate) proof: &'a dyn Fn() -> Result<()>,
    /// Whether the run ends with upkeep; a long one does some on its way all the same.
    pub(crate) is_tidied: bool,
    /// Files read at once, where that is not for the settings to say.
    pub(crate) readers: Option<usize>,
    /// What another process is told that wants to write, and whether it should rather wait.
    pub(crate) doing: &'a str,
    pub(crate) is_brief: bool,
}

/// Chunks that are moved at once, unless one source has more: they are held in memory.
const MOVED_CHUNKS: u32 = 8192;

/// The part of a run that gathers results.
pub(crate) struct Progress<'e, 'f> {
    report: Report,
    on_event: &'e mut (dyn FnMut(IngestEvent<'_>) + 'f),
}

impl<'e, 'f> Progress<'e, 'f> {
    pub(crate) fn new(on_event: &'e mut (dyn FnMut(IngestEvent<'_>) + 'f)) -> Self {
        Self {
            report: Report::default(),
            on_event,
        }
    }

    /// The run knows what it has to read.
    pub(crate) fn planned(&mut self, reads: &[ToRead]) {
        (self.on_event)(IngestEvent::Planned {
            files: reads.len(),
            bytes: reads.iter().map(|(file, _)| file.stamp.size).sum(),
        });
    }

    /// All files are in.
    pub(crate) fn maintaining(&mut self) {
        (self.on_event)(IngestEvent::Maintaining);
    }

    /// The report of a run that has taken from `started` until now.
    pub(crate) fn finish(self, started: Instant) -> Report {
        let mut report = self.report;
        report.sources.sort_by(|a, b| a.source.cmp(&b.source));
        report.took_ms = started.elapsed().as_millis() as u64;
        report
    }

    /// A file is done.
    pub(crate) fn row(&mut self, row: Row, bytes: u64) {
        (self.on_event)(IngestEvent::Done { row: &row, bytes });
        self.report.push(row);
    }

    /// Files were written.
    pub(crate) fn rows(&mut self, rows: Rows) {
        for (row, bytes) in rows {
            self.report.totals.bytes += bytes;
            if matches!(row.status, Status::Read | Status::Partly | Status::Carried) {
                self.report.totals.chunks += u64::from(row.chunks);
            }
            self.row(row, bytes);
        }
    }

    /// Vectors were computed.
    pub(crate) fn embedded(&mut self, chunks: usize, tokens: usize) {
        self.report.totals.embedded += chunks as u64;
        self.report.totals.tokens += tokens as u64;
        (self.on_event)(IngestEvent::Embedded { chunks, tokens });
    }
}

/// How many files are read at once; 0 asks for one each core.
pub(crate) fn readers(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        wanted => wanted,
    }
}

/// The version of all rules that make chunks of a file.
pub(crate) fn rules(extractor: &dyn Extractor, sizes: Sizes) -> String {
    format!(
        "{} {} {}/{}",
        extractor.rules(),
        rag_text::SPLIT_RULES,
        sizes.target,
        sizes.max
    )
}

impl Ingest<'_> {
    pub(crate) fn run(
        &self,
        paths: &[PathBuf],
        on_event: &mut dyn FnMut(IngestEvent<'_>),
    ) -> Result<Report> {
        let started = Instant::now();
        let mut progress = Progress::new(on_event);
        let rules = rules(self.extractor, self.sizes);
        let terms = Terms {
            rules: &rules,
            again: self.again,
        };
        let known = self.store.sources()?;
        let paths = (paths, &self.extent);
        let survey = survey(paths, known, self.selection, terms, self.stop)?;
        (self.bounds.proof)()?;
        for row in survey.skipped {
            progress.row(row, 0);
        }
        self.note(survey.unreached, &mut progress)?;
        let (reads, drops) = self.settle(survey.actions, &mut progress)?;
        progress.planned(&reads);
        self.pipeline(rules.clone()).run(&reads, &mut progress)?;
        // Last, so that a file renamed and edited at once finds its old vectors still there.
        self.drop_sources(&drops, &mut progress)?;
        if self.bounds.is_tidied {
            progress.maintaining();
            self.store.maintain(Upkeep::AfterIngest)?;
        }
        Ok(progress.finish(started))
    }

    fn pipeline(&self, rules: String) -> Pipeline<'_> {
        Pipeline {
            store: self.store,
            embedder: self.embedder,
            extractor: self.extractor,
            sizes: self.sizes,
            rules,
            readers: readers(self.readers),
            carry: None,
            stop: self.stop,
        }
    }

    /// Records what could not be looked at, so that it can be asked for later.
    fn note(
        &self,
        places: Vec<(Unreached, Option<SourceState>)>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<()> {
        let heads = places
            .into_iter()
            .map(|(place, known)| unreached(&place, known));
        let heads: Vec<SourceState> = heads.collect();
        let rows: Vec<Row> = heads.iter().map(row_of_state).collect();
        self.commit_heads(heads)?;
        for row in rows {
            progress.row(row, 0);
        }
        Ok(())
    }

    /// Does all that needs no reading, and gives back what does.
    fn settle(
        &self,
        actions: Vec<Action>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<(Vec<ToRead>, Vec<SourceState>)> {
        let mut reads = Vec::new();
        let mut moves = Vec::new();
        let mut heads = Vec::new();
        let mut drops = Vec::new();
        for action in actions {
            match action {
                Action::Read { file, known } => reads.push((file, known)),
                Action::Move { from, to } => moves.push((from, to)),
                Action::Keep(state) => progress.row(kept(&state), 0),
                Action::Settle(state) => {
                    progress.row(kept(&state), 0);
                    heads.push(state);
                }
                Action::Drop(state) => drops.push(state),
            }
        }
        self.commit_heads(heads)?;
        for batch in moves.chunk_by(same_batch(MOVED_CHUNKS)) {
            self.move_sources(batch, progress)?;
        }
        Ok((reads, drops))
    }

    fn commit_heads(&self, heads: Vec<SourceState>) -> Result<()> {
        if heads.is_empty() {
            return Ok(());
        }
        self.store.commit(Batch {
            heads,
            ..Batch::default()
        })
    }

    fn drop_sources(&self, drops: &[SourceState], progress: &mut Progress<'_, '_>) -> Result<()> {
        let keys: Vec<_> = drops.iter().map(|state| state.source.key.clone()).collect();
        if !keys.is_empty() {
            self.store.commit(Batch {
                drop: keys,
                ..Batch::default()
            })?;
        }
        // A folder that can be listed again goes without a word: its files have rows of their own.
        for state in drops.iter().filter(|state| !is_folder(state)) {
            progress.row(removed(state), 0);
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
                source.state.modified_ns = to.stamp.modified_ns;
                put.push(source);
            }
        }
        let kept: Vec<_> = put
            .iter()
            .map(|rows| rows.state.source.key.clone())
            .collect();
        let drop = keys.into_iter().filter(|key| !kept.contains(key)).collect();
        self.store.commit(Batch {
            put,
            drop,
            ..Batch::default()
        })?;
        for (from, to) in moves {
            let reason =
                (from.source.path != to.source.path).then(|| format!("from {}", from.source.path));
            let mut row = row_of(&to.source, Status::Moved, reason);
            row.chunks = from.chunks;
            progress.row(row, 0);
        }
        Ok(())
    }
}

/// The chunks of a document. Splitting meets the same hostile text as reading, and happens in this
/// process.
pub(crate) fn chunks_of(
    document: &Document,
    sizes: Sizes,
    counter: &dyn TokenCounter,
) -> Result<Vec<Chunk>> {
    catch_unwind(AssertUnwindSafe(|| {
        rag_text::split(document, sizes, counter)
    }))
    .map_err(|_| Error::new(Code::Malformed, "its text could not be split"))
}

/// Whether the next source still belongs to the batch of those before, which may have so many chunks.
fn same_batch(most: u32) -> impl FnMut(&(SourceState, Seen), &(SourceState, Seen)) -> bool {
    let mut chunks = 0;
    move |(before, _), (next, _)| {
        chunks += before.chunks;
        let fits = chunks.saturating_add(next.chunks) <= most;
        if !fits {
            chunks = 0;
        }
        fits
    }
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
