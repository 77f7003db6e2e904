//! Rows by their addresses, from files that are opened once for a version.
//!
//! Lance opens the files of a fragment anew for each read, which takes longer than the read: it copies
//! the schema, finds the columns in it and starts what waits for the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use futures::future;
use lance::Dataset;
use lance::dataset::fragment::{FileFragment, FragReadConfig, FragmentReader};
use lancedb::{Error, Result};
use tokio::sync::OnceCell;

use super::IN_FRAGMENT;

/// Fragments whose files stay open. Each has one or two of the 256 that macOS lets a process open.
const KEPT_OPEN: usize = 48;

/// Reads the same columns of any row.
pub(super) struct Readers {
    columns: Vec<&'static str>,
    /// By fragment.
    opened: Mutex<HashMap<u64, Arc<OnceCell<FragmentReader>>>>,
}

impl Readers {
    pub(super) fn of(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            opened: Mutex::default(),
        }
    }

    /// The rows at these addresses, which rise; what was deleted is left out.
    pub(super) async fn read(&self, dataset: &Arc<Dataset>, rows: &[u64]) -> Result<RecordBatch> {
        let by_fragment = rows.chunk_by(|a, b| a >> IN_FRAGMENT == b >> IN_FRAGMENT);
        let read = by_fragment.map(|rows| self.of_fragment(dataset, rows));
        let read = future::try_join_all(read).await?;
        match &read[..] {
            [] => {
                let schema = dataset.schema().project(&self.columns)?;
                Ok(RecordBatch::new_empty(Arc::new((&schema).into())))
            }
            [first, ..] => Ok(concat_batches(&first.schema(), &read)?),
        }
    }

    /// Rows of one fragment, at least one.
    async fn of_fragment(&self, dataset: &Arc<Dataset>, rows: &[u64]) -> Result<RecordBatch> {
        let id = rows[0] >> IN_FRAGMENT;
        let offsets: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let kept = self.kept(id);
        let reader = kept.get_or_try_init(|| self.open(dataset, id)).await?;
        let follow = offsets.windows(2).all(|two| two[0] + 1 == two[1]);
        Ok(if follow {
            let first = offsets[0] as usize;
            let range = first..first + offsets.len();
            reader.read_range_as_batch(range).await?
        } else {
            reader.take_as_batch(&offsets, None).await?
        })
    }

    /// Where the reader of a fragment is kept, or is used once where enough are kept.
    fn kept(&self, id: u64) -> Arc<OnceCell<FragmentReader>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match opened.get(&id) {
            Some(kept) => kept.clone(),
            None if opened.len() >= KEPT_OPEN => Arc::default(),
            None => opened.entry(id).or_default().clone(),
        }
    }

    async fn open(&self, dataset: &Arc<Dataset>, id: u64) -> Result<FragmentReader> {
        let fragment = dataset.fragments().iter().find(|there| there.id == id);
        let fragment = fragment.cloned().ok_or_else(|| Error::Runtime {
            message: format!("an index names a row of fragment {id}, which is not there"),
        })?;
        let columns = dataset.schema().project(&self.columns)?;
        let fragment = FileFragment::new(dataset.clone(), fragment);
        Ok(fragment.open(&columns, FragReadConfig::default()).await?)
    }
}
