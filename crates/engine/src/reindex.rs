//! Reindex: the knowledge base made anew for another embedder, beside the old vectors. The sources are
//! those that are known; new files are an ingest's business.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use rag_core::{Code, Embedder, Error, Extractor, Report, Result, Row, SourceKey, SourceState};
use rag_index::{Batch, Layout, SourceRows, Store, Upkeep};
use rag_text::Sizes;
use serde::Serialize;

use crate::carry::{Carry, carried_rules, shortfall};
use crate::ingest::{IngestEvent, Progress, readers, rules};
use crate::name::place;
use crate::pipeline::{Pipeline, ToRead};
use crate::plan::{Seen, is_untouched};
use crate::record::{carried, kept};
use crate::space::must_have;
use crate::stamp::Stamp;

/// One run.
pub(crate) struct Reindex<'a> {
    /// What is searched meanwhile; opened for writing, so that nobody changes it.
    pub(crate) old: &'a Store,
    /// What is made; the state of an earlier run is gone on with.
    pub(crate) next: &'a Store,
    pub(crate) embedder: &'a dyn Embedder,
    pub(crate) extractor: &'a dyn Extractor,
    pub(crate) sizes: Sizes,
    /// Files read at once; 0 for one each core.
    pub(crate) readers: usize,
    pub(crate) stop: &'a AtomicBool,
}

/// What a reindex would do; what `rag reindex --dry-run --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReindexPlan {
    /// Name of the embedder that made the vectors that there are.
    pub from: String,
    /// Name of the one that would make the new ones.
    pub to: String,
    /// Sources that are known, those that could not be read included.
    pub sources: usize,
    /// Sources that an unfinished run has done already, or that have nothing to embed.
    pub done: usize,
    /// Different texts to embed, counted in the chunks that there are; the new ones may be cut otherwise.
    pub chunks: u64,
    /// Their size in the new embedder's tokens.
    pub tokens: u64,
    /// Sources whose files are not there, which would be made of what is stored of them.
    pub carried: Vec<Row>,
    pub took_ms: u64,
}

/// Refuses to begin where the disk has no room for a second store as large as `old`, short of what
/// `begun` takes already. It is an estimate: texts are as large again, vectors as the layout says.
pub(crate) fn must_have_room(
    dir: &Path,
    old: &Store,
    begun: Option<&Store>,
    layout: &Layout,
) -> Result<()> {
    let chunks = old.chunk_count()?;
    let vectors = |layout: &Layout| chunks * layout.dimensions as u64 * 4;
    let texts = old.table_bytes().saturating_sub(vectors(old.layout()));
    let begun = begun.map_or(0, Store::table_bytes);
    let needed = (texts + vectors(layout)).saturating_sub(begun);
    must_have(dir, needed)
}

/// What is to be done, source by source.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Made by an earlier run.
    done: Vec<SourceState>,
    /// Without chunks: only what is known of them moves over.
    heads: Vec<SourceState>,
    reads: Vec<SourceState>,
    /// Made by an earlier run, and not known any more.
    drops: Vec<SourceKey>,
}

/// Holds what was made so far against what is known. `rules` are those of the new embedder.
pub(crate) fn course(known: Vec<SourceState>, made: Vec<SourceState>, rules: &str) -> Course {
    let mut made: HashMap<SourceKey, SourceState> = made
        .into_iter()
        .map(|state| (state.source.key.clone(), state))
        .collect();
    let mut course = Course::default();
    for known in known {
        let made = made.remove(&known.source.key);
        match made.filter(|made| is_made_of(made, &known, rules)) {
            Some(made) => course.done.push(made),
            None if known.chunks == 0 => course.heads.push(head(&known, rules)),
            None => course.reads.push(known),
        }
    }
    course.drops = made.into_keys().collect();
    course
}

/// Whether `made` is what a reindex makes of `known` by these rules.
fn is_made_of(made: &SourceState, known: &SourceState, rules: &str) -> bool {
    if known.chunks == 0 {
        return *made == head(known, rules);
    }
    let is_carried = made.hash == known.hash && made.rules == carried_rules(known);
    let is_read = made.rules == rules && shortfall(made, known).is_none();
    made.source == known.source && made.chunks > 0 && (is_carried || is_read)
}

/// What is known of a source without chunks. How large chunks may be has no part in why it has none.
fn head(known: &SourceState, rules: &str) -> SourceState {
    let but_sizes = |rules: &str| rules.rsplit_once(' ').map(|(rules, _)| rules.to_owned());
    let mut head = known.clone();
    if but_sizes(&known.rules) == but_sizes(rules) {
        rules.clone_into(&mut head.rules);
    }
    head
}

impl Reindex<'_> {
    /// Makes what is missing. The new store is complete afterwards.
    pub(crate) fn run(&self, on_event: &mut dyn FnMut(IngestEvent<'_>)) -> Result<Report> {
        let started = Instant::now();
        let mut progress = Progress::new(on_event);
        let rules = rules(self.extractor, self.sizes);
        let course = course(self.old.sources()?, self.next.sources()?, &rules);
        for state in &course.done {
            progress.row(done(state, &rules), 0);
        }
        self.settle(course.heads, course.drops, &mut progress)?;
        let reads: Vec<ToRead> = course.reads.into_iter().map(to_read).collect();
        progress.planned(&reads);
        self.pipeline(rules.clone()).run(&reads, &mut progress)?;
        progress.maintaining();
        self.next.maintain(Upkeep::AfterIngest)?;
        self.must_be_complete(&rules)?;
        Ok(progress.finish(started))
    }

    fn pipeline(&self, rules: String) -> Pipeline<'_> {
        Pipeline {
            store: self.next,
            embedder: self.embedder,
            extractor: self.extractor,
            sizes: self.sizes,
            rules,
            readers: readers(self.readers),
            carry: Some(Carry {
                old: self.old,
                sizes: self.sizes,
                counter: self.embedder,
            }),
            stop: self.stop,
        }
    }

    /// Writes what needs no reading.
    fn settle(
        &self,
        heads: Vec<SourceState>,
        drop: Vec<SourceKey>,
        progress: &mut Progress<'_, '_>,
    ) -> Result<()> {
        let rows: Vec<Row> = heads.iter().map(kept).collect();
        if !heads.is_empty() || !drop.is_empty() {
            let bare = |state| SourceRows {
                state,
                chunks: Vec::new(),
            };
            self.next.commit(Batch {
                put: heads.into_iter().map(bare).collect(),
                drop,
                ..Batch::default()
            })?;
        }
        for row in rows {
            progress.row(row, 0);
        }
        Ok(())
    }

    /// Nothing takes the place of anything before every source is in it.
    fn must_be_complete(&self, rules: &str) -> Result<()> {
        let rest = course(self.old.sources()?, self.next.sources()?, rules);
        let missing: Vec<&SourceState> = rest.heads.iter().chain(&rest.reads).collect();
        match missing.first() {
            None if rest.drops.is_empty() => Ok(()),
            None => Err(Error::new(
                Code::Internal,
                "there are more new sources than old ones",
            )),
            Some(one) => Err(Error::new(
                Code::Internal,
                format!(
                    "{} sources are not made yet, `{}` among them",
                    missing.len(),
                    one.source.path
                ),
            )),
        }
        .map_err(|error| error.hint("run it again: what is done is kept, and the old vectors too"))
    }
}

/// A source that was made by an earlier run.
fn done(made: &SourceState, rules: &str) -> Row {
    if made.chunks > 0 && made.rules != rules {
        return carried(made, "an earlier run could not read it as it was");
    }
    kept(made)
}

/// What is to be read of a source: its file as it was, if size and time say so; else its hash decides.
fn to_read(known: SourceState) -> ToRead {
    let absolute = place(&known.source);
    let stamp = Stamp::look(&absolute).unwrap_or_else(|_| Stamp::unknown());
    let seen = Seen {
        source: known.source.clone(),
        absolute,
        stamp,
        hash: is_untouched(&known, &stamp).then(|| known.hash.clone()),
    };
    (seen, Some(known))
}

/// Sources looked at in one go for [`plan`]: their vectors come with them.
const AT_ONCE: usize = 256;

/// What a run would do with the store `old`, of which `next` may be a part.
pub(crate) fn plan(
    old: &Store,
    next: Option<&Store>,
    embedder: &dyn Embedder,
    rules: &str,
    sizes: Sizes,
) -> Result<ReindexPlan> {
    let started = Instant::now();
    let known = old.sources()?;
    let made = next.map_or_else(|| Ok(Vec::new()), Store::sources)?;
    let sources = known.len();
    let course = course(known, made, rules);
    let mut plan = ReindexPlan {
        from: old.layout().embedder.clone(),
        to: embedder.name().to_owned(),
        sources,
        done: sources - course.reads.len(),
        chunks: 0,
        tokens: 0,
        carried: course.reads.iter().filter_map(absent).collect(),
        took_ms: 0,
    };
    let mut texts = HashSet::new();
    for some in course.reads.chunks(AT_ONCE) {
        let keys: Vec<SourceKey> = some.iter().map(|state| state.source.key.clone()).collect();
        for stored in old.rows(&keys)?.into_iter().flat_map(|rows| rows.chunks) {
            if texts.insert(stored.text_hash) {
                let pieces = rag_text::refit(&stored.chunk, sizes, embedder);
                plan.chunks += pieces.len() as u64;
                plan.tokens += pieces.iter().map(|p| u64::from(p.tokens)).sum::<u64>();
            }
        }
    }
    plan.took_ms = started.elapsed().as_millis() as u64;
    Ok(plan)
}

/// The row of a source whose file can't be looked at.
fn absent(known: &SourceState) -> Option<Row> {
    let cause = Stamp::look(&place(&known.source)).err()?;
    Some(carried(known, &format!("can't be looked at: {cause}")))
}

#[cfg(test)]
#[path = "reindex_tests.rs"]
mod tests;
