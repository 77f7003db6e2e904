//! Reading what a search found, with what stands beside it.
//!
//! The chunks of a source are written one behind the other and stay so: what stands beside a chunk in
//! its document lies beside it in the table. So one look at a few places is enough where a search by id
//! would read the ids of the whole table. Nothing is taken on trust: a row is what its own columns say,
//! and what does not lie where it was expected is searched for.

use std::collections::{BTreeSet, HashMap};

use crate::error::Result;
use crate::store::among;
use crate::view::IN_FRAGMENT;
use crate::{Place, Ranked, Read, Store, decode, schema};

impl Store {
    /// The chunks at these places and those up to `reach` beside them in their sources, by place; what
    /// is gone meanwhile is left out.
    pub fn chunks_at(
        &self,
        ranked: &[&Ranked],
        reach: u32,
    ) -> rag_core::Result<HashMap<Place, Read>> {
        if ranked.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(self.looked(|| self.look_at(ranked, reach))?)
    }

    fn look_at(&self, ranked: &[&Ranked], reach: u32) -> Result<HashMap<Place, Read>> {
        let rows = ranked.iter().flat_map(|ranked| beside(ranked.row, reach));
        let rows: BTreeSet<u64> = rows.collect();
        // All of one version: a source that is replaced meanwhile is never seen half and half.
        let view = self.view()?;
        let rows: Vec<u64> = rows.into_iter().filter(|row| view.may_hold(*row)).collect();
        let looked = self.wait("read", view.read(&rows))?;
        let mut read = by_place(decode::read(&looked)?);
        let missing: Vec<String> = missing(ranked, reach, &read)
            .iter()
            .map(|(key, ordinal)| format!("{key}:{ordinal}"))
            .collect();
        if !missing.is_empty() {
            #[cfg(test)]
            self.searched_for
                .fetch_add(missing.len(), std::sync::atomic::Ordering::Relaxed);
            let wanted = among(schema::ID, missing.iter().map(String::as_str));
            let found = self.wait("read", view.find(wanted))?;
            read.extend(by_place(decode::read(&found)?));
        }
        Ok(read)
    }
}

fn by_place(read: Vec<Read>) -> HashMap<Place, Read> {
    let placed = read.into_iter().map(|read| {
        let place = (read.source.key.clone(), read.chunk.ordinal);
        (place, read)
    });
    placed.collect()
}

/// The rows up to `reach` beside `row` in its fragment. Some may not be there.
fn beside(row: u64, reach: u32) -> impl Iterator<Item = u64> {
    let fragment = row >> IN_FRAGMENT;
    let around = row.saturating_sub(u64::from(reach))..=row.saturating_add(u64::from(reach));
    around.filter(move |other| other >> IN_FRAGMENT == fragment)
}

/// The places that must be there, or may be, and were not `read`.
fn missing(ranked: &[&Ranked], reach: u32, read: &HashMap<Place, Read>) -> BTreeSet<Place> {
    let mut missing = BTreeSet::new();
    for Ranked { place, .. } in ranked {
        let (key, ordinal) = place;
        let end = read
            .get(place)
            .and_then(|chunk| chunk.of)
            .unwrap_or(u32::MAX);
        let around = ordinal.saturating_sub(reach)..=ordinal.saturating_add(reach);
        let wanted = around.filter(|near| *near < end || near == ordinal);
        let wanted = wanted.map(|near| (key.clone(), near));
        missing.extend(wanted.filter(|place| !read.contains_key(place)));
    }
    missing
}
