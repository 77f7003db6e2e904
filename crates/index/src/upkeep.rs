//! Upkeep: what makes a table that was written in many small steps quick to read again.
//!
//! LanceDB never does it by itself: each commit leaves a version, a fragment and rows that no index
//! covers. Searches are right without upkeep, only slower. All of it happens under the writer lock and
//! between commits, never beside one (lance #7207).

use std::time::Duration;

use lancedb::DistanceType;
use lancedb::index::Index;
use lancedb::index::vector::IvfRqIndexBuilder;
use lancedb::table::OptimizeOptions;
use lancedb::table::TableStatistics;
use lancedb::table::optimize::{CompactionOptions, Duration as TimeDelta, OptimizeAction};

use crate::error::Result;
use crate::store::WORDS_INDEX;
use crate::{Store, schema};

/// Up to so many chunks the vectors are compared one by one, which is exact and takes 50 ms of one core;
/// above, a vector index is made. With it a search takes as long as that over 10,000 vectors one by one.
pub(crate) const EXACT_UP_TO: usize = 20_000;
/// Name of the vector index.
pub(crate) const VECTOR_INDEX: &str = "vector";
/// Bits kept of each number of a vector in that index. The full vectors have the last word.
const BITS: u32 = 5;
/// More small fragments than this are joined.
const FRAGMENTS: usize = 16;
/// A larger share of deleted rows than this is cleared away.
const DELETED_SHARE: f32 = 0.2;
/// A fragment of so many rows is not small and is left alone: moving rows that an index covers means
/// writing that index anew. A long ingest does upkeep about as often as it has written so many.
const FRAGMENT_ROWS: usize = 8192;
/// No fragment is made larger than this: one is held in memory while it is rewritten, and LanceDB's
/// own bound, a million rows, has taken 124 GB (haiku.rag #554).
const FRAGMENT_BYTES: usize = 128 << 20;
/// More small index segments than this are made one.
const SEGMENTS: u32 = 4;
/// A segment of so many rows is not small and is left alone: all of one is held in memory while it is
/// made, about 5 kB a row, and what an ingest takes must not grow with the store. LanceDB's own limits
/// hold only while an index is made for the first time.
const SEGMENT_ROWS: u64 = 16_384;
/// Versions older than this are removed with what only they hold. A search takes far less.
pub(crate) const KEPT: Duration = Duration::from_mins(1);

/// How much upkeep is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// What pays for itself: indexes take in new rows; fragments and deleted rows are cleared away
    /// where they have piled up; versions older than a minute go.
    AfterIngest,
    /// All of it, whether it pays or not.
    Full,
    /// All of it, and whatever was deleted leaves the disk at once: the full-text index is made anew
    /// without its words, and no old version stays.
    Forget,
}

impl Store {
    /// Does upkeep: about 6 s for 20,000 new chunks on two cores, and as much disk space again until
    /// the old versions go. A long ingest does well to call it now and then, so that word searches
    /// meanwhile, and after it was killed, stay quick. Nothing that a search returns changes by it, except that a vector search over
    /// more than 20,000 chunks becomes approximate (about 999 of 1,000 true hits).
    ///
    /// # Errors
    /// `Internal` where the store was opened for reading only.
    pub fn maintain(&self, how: Upkeep) -> rag_core::Result<()> {
        // Held to the end: no commit meanwhile.
        let _writing = self.writing()?;
        if how != Upkeep::AfterIngest {
            // LanceDB joins no fragments that different segments of an index cover.
            self.extend_index(WORDS_INDEX, how)?;
            self.extend_index(VECTOR_INDEX, how)?;
        }
        // Else compaction first: rows that no index covers yet are moved at no cost to an index.
        self.compact(how)?;
        match how {
            Upkeep::AfterIngest | Upkeep::Full => self.extend_index(WORDS_INDEX, how)?,
            Upkeep::Forget => self.renew_index(WORDS_INDEX)?,
        }
        self.index_vectors(how)?;
        match how {
            Upkeep::AfterIngest | Upkeep::Full => self.prune(self.kept)?,
            Upkeep::Forget => self.prune(Duration::ZERO)?,
        }
        Ok(())
    }

    fn compact(&self, how: Upkeep) -> Result<()> {
        let stats = self.wait("measure", self.table.stats())?;
        let rows = stats.num_rows + stats.num_deleted_rows.unwrap_or(0);
        let row_bytes = (stats.total_bytes / rows.max(1)).max(1);
        let target = (FRAGMENT_BYTES / row_bytes).clamp(1, FRAGMENT_ROWS);
        if how == Upkeep::AfterIngest && !self.is_scattered(&stats, target)? {
            return Ok(());
        }
        let options = CompactionOptions {
            target_rows_per_fragment: target,
            // What is joined has less than twice the target. A file that is cut just below it would be
            // small again, and be joined again, for ever.
            max_bytes_per_file: Some(FRAGMENT_BYTES * 4),
            materialize_deletions_threshold: match how {
                Upkeep::AfterIngest => DELETED_SHARE,
                Upkeep::Full | Upkeep::Forget => 0.0,
            },
            num_threads: Some(1),
            batch_size: Some(1024),
            ..CompactionOptions::default()
        };
        let compact = OptimizeAction::Compact {
            options,
            remap_options: None,
        };
        self.wait("compact", self.table.optimize(compact))?;
        Ok(())
    }

    fn is_scattered(&self, stats: &TableStatistics, target: usize) -> Result<bool> {
        let deleted = stats.num_deleted_rows.unwrap_or(0) as f32;
        let rows = stats.num_rows as f32 + deleted;
        // LanceDB's own count takes a fragment for small that compaction would never touch.
        let small = match self.table.as_native() {
            Some(table) => self.wait("measure", table.num_small_files(target))?,
            None => stats.fragment_stats.num_small_fragments,
        };
        Ok(small > FRAGMENTS || deleted > rows * DELETED_SHARE)
    }

    /// Lets an index take in the rows it does not cover.
    fn extend_index(&self, name: &str, how: Upkeep) -> Result<()> {
        let Some(stats) = self.wait("measure", self.table.index_stats(name))? else {
            return Ok(());
        };
        let segments = stats.num_indices.unwrap_or(1);
        let large = (stats.num_indexed_rows as u64 / SEGMENT_ROWS) as u32;
        let small = segments.saturating_sub(large);
        let merge = small > SEGMENTS || (how != Upkeep::AfterIngest && small > 1);
        let is_due = merge && how != Upkeep::AfterIngest;
        if stats.num_unindexed_rows == 0 && !is_due {
            return Ok(()); // a run without changes has nothing to pay for
        }
        let options = if merge {
            // The latest are the small ones.
            OptimizeOptions::merge(small as usize).max_rows_per_segment(Some(SEGMENT_ROWS))
        } else {
            OptimizeOptions::append()
        };
        let extend = OptimizeAction::Index(options.index_names(vec![name.to_owned()]));
        self.wait("index", self.table.optimize(extend))?;
        Ok(())
    }

    /// Makes an index anew from the rows that there are.
    fn renew_index(&self, name: &str) -> Result<()> {
        let renew = OptimizeOptions::retrain().index_names(vec![name.to_owned()]);
        self.wait("index", self.table.optimize(OptimizeAction::Index(renew)))?;
        Ok(())
    }

    /// Makes the vector index where the store has become large enough, or lets it take in new rows.
    fn index_vectors(&self, how: Upkeep) -> Result<()> {
        if self.vector_index_exists()? {
            return self.extend_index(VECTOR_INDEX, how);
        }
        let chunks = self.count(&self.table, schema::CHUNK)? as usize;
        // The index packs eight numbers into a byte; other lengths stay exact at any size.
        if chunks <= self.exact_up_to || !self.layout().dimensions.is_multiple_of(8) {
            return Ok(());
        }
        let index = IvfRqIndexBuilder::default()
            .distance_type(DistanceType::Cosine)
            .num_bits(BITS);
        let making = self
            .table
            .create_index(&[schema::VECTOR], Index::IvfRq(index));
        let making = making.name(VECTOR_INDEX.to_owned());
        self.wait("index", making.execute())
    }

    pub(crate) fn vector_index_exists(&self) -> Result<bool> {
        let indices = self.wait("measure", self.table.list_indices())?;
        Ok(indices.iter().any(|index| index.name == VECTOR_INDEX))
    }

    fn prune(&self, older_than: Duration) -> Result<()> {
        let prune = OptimizeAction::Prune {
            older_than: TimeDelta::from_std(older_than).ok(),
            // Files that no version names were left by a process that was killed: nobody else writes.
            delete_unverified: Some(true),
            error_if_tagged_old_versions: None,
        };
        self.wait("prune", self.table.optimize(prune))?;
        Ok(())
    }
}
