//! What the rows of a version are: of which source, and where in it.
//!
//! The chunks of a source lie one behind the other, so a few words say it of all of them. Read once for
//! each fragment, whose rows change by being deleted only.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{UInt32Type, UInt64Type};
use futures::TryStreamExt;
use lance_select::{RowAddrMask, RowAddrTreeMap};
use lancedb::{Error, Result};
use rag_core::SourceKey;

use super::{IN_FRAGMENT, View};
use crate::{Place, Scope, schema};

/// The chunks of one fragment, in runs, by the address of the first row.
pub(super) type Rows = BTreeMap<u64, Run>;

/// Rows one behind the other that hold the chunks of a source in order.
#[derive(Debug)]
pub(super) struct Run {
    key: SourceKey,
    /// Ordinal of the first.
    first: u32,
    len: u32,
}

impl View {
    pub(super) fn known(&self) -> MutexGuard<'_, HashMap<u64, Arc<Rows>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The places of the chunks in these rows; a row that holds none has none.
    pub(crate) async fn places(&self, rows: &[(u64, f32)]) -> Result<Vec<Option<Place>>> {
        let fragments: HashSet<u64> = rows.iter().map(|(row, _)| row >> IN_FRAGMENT).collect();
        self.learn(&fragments).await?;
        let known = self.known();
        let place = |(row, _): &(u64, f32)| {
            let (start, run) = known
                .get(&(row >> IN_FRAGMENT))?
                .range(..=row)
                .next_back()?;
            let at = u32::try_from(row - start).ok().filter(|at| *at < run.len)?;
            Some((run.key.clone(), run.first + at))
        };
        Ok(rows.iter().map(place).collect())
    }

    /// The rows of the sources of `scope`; none where that is all.
    pub(crate) async fn allowed(&self, scope: &Scope) -> Result<Option<RowAddrMask>> {
        let (keys, are_in) = match scope {
            Scope::All => return Ok(None),
            Scope::AllBut(keys) if keys.is_empty() => return Ok(None),
            Scope::Only(keys) => (keys, true),
            Scope::AllBut(keys) => (keys, false),
        };
        let keys: HashSet<&SourceKey> = keys.iter().collect();
        let fragments = self.dataset.fragments().iter().map(|there| there.id);
        self.learn(&fragments.collect()).await?;
        let mut allowed = RowAddrTreeMap::new();
        for rows in self.known().values() {
            for (start, run) in rows.iter() {
                if keys.contains(&run.key) == are_in {
                    allowed.insert_range(*start..*start + u64::from(run.len));
                }
            }
        }
        Ok(Some(RowAddrMask::from_allowed(allowed)))
    }

    /// Reads what is not known of these fragments.
    async fn learn(&self, wanted: &HashSet<u64>) -> Result<()> {
        let unknown = {
            let known = self.known();
            let all = self.dataset.fragments().iter();
            let wanted = all.filter(|there| wanted.contains(&there.id));
            let unknown = wanted.filter(|there| !known.contains_key(&there.id));
            unknown.cloned().collect::<Vec<_>>()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let mut learnt: HashMap<u64, Rows> = unknown
            .iter()
            .map(|there| (there.id, Rows::new()))
            .collect();
        let mut scan = self.dataset.scan();
        scan.with_fragments(unknown);
        scan.with_row_id();
        scan.project(&[schema::SOURCE_KEY, schema::ORDINAL])?;
        let mut batches = scan.try_into_stream().await?;
        while let Some(batch) = batches.try_next().await? {
            note(&batch, &mut learnt)?;
        }
        let learnt = learnt.into_iter().map(|(id, rows)| (id, Arc::new(rows)));
        self.known().extend(learnt);
        Ok(())
    }
}

/// Adds the chunks of `batch` to what is `learnt`, by fragment.
fn note(batch: &RecordBatch, learnt: &mut HashMap<u64, Rows>) -> Result<()> {
    let column = |name| {
        batch.column_by_name(name).ok_or_else(|| Error::Schema {
            message: format!("there is no column `{name}`"),
        })
    };
    let damaged = || Error::Schema {
        message: "a column is of another type than it was made with".to_owned(),
    };
    let keys = column(schema::SOURCE_KEY)?.as_string_opt::<i32>();
    let keys = keys.ok_or_else(damaged)?;
    let ordinals = column(schema::ORDINAL)?.as_primitive_opt::<UInt32Type>();
    let ordinals = ordinals.ok_or_else(damaged)?;
    let rows = column(schema::ROW)?.as_primitive_opt::<UInt64Type>();
    let rows = rows.ok_or_else(damaged)?;
    for at in 0..batch.num_rows() {
        if ordinals.is_null(at) {
            continue; // a head
        }
        let (row, key, ordinal) = (rows.value(at), keys.value(at), ordinals.value(at));
        let known = learnt.entry(row >> IN_FRAGMENT).or_default();
        if let Some((start, run)) = known.range_mut(..row).next_back() {
            let follows = start + u64::from(run.len) == row && run.first + run.len == ordinal;
            if follows && run.key.0 == key {
                run.len += 1;
                continue;
            }
        }
        let run = Run {
            key: SourceKey(key.to_owned()),
            first: ordinal,
            len: 1,
        };
        known.insert(row, run);
    }
    Ok(())
}
