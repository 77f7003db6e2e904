//! A knowledge base: its place on disk, what it holds, and how to make it forget.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use rag_core::{Code, Error, Report, Result, Row, SourceKey, SourceState, Status};
use rag_index::{Batch, Layout, Store, Upkeep};
use serde::Serialize;

use crate::name::place;
use crate::record::{is_folder, removed, row_of_state};

/// A named index below the data home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnowledgeBase {
    home: PathBuf,
    name: String,
}

/// What a knowledge base holds; what `rag status --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub kb: String,
    pub dir: PathBuf,
    /// Version of the format on disk.
    pub format: u64,
    pub embedder: String,
    pub dimensions: usize,
    /// Ingested folders, with the number of their sources.
    pub roots: Vec<(String, usize)>,
    pub sources: usize,
    pub chunks: usize,
    /// What a reindex has begun is counted in.
    pub bytes_on_disk: u64,
    /// A change of embedder that has begun and not ended.
    pub reindex: Option<Unfinished>,
    /// Sources that were read in part, skipped or failed, with the reason.
    pub troubles: Vec<Trouble>,
}

impl Summary {
    /// How many troubles have this status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        let rows = self.troubles.iter();
        rows.filter(|trouble| trouble.row.status == status).count()
    }
}

/// A reindex that runs now or was cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// Name of the embedder whose vectors are being made.
    pub embedder: String,
    /// Sources made so far.
    pub sources: usize,
}

/// A source that was not read whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The folder that was ingested.
    pub root: String,
    #[serde(flatten)]
    pub row: Row,
}

impl KnowledgeBase {
    /// The name of the one that is taken where none is named.
    pub const DEFAULT: &str = "default";

    /// The knowledge base `name` below the data home; it need not exist yet.
    ///
    /// # Errors
    /// `Usage` for a name that is not one plain folder name.
    pub fn new(home: &Path, name: &str) -> Result<Self> {
        let mut parts = Path::new(name).components();
        let plain = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(part)), None) if part == name
        );
        if !plain || name.starts_with('.') {
            return Err(Error::new(
                Code::Usage,
                format!("`{name}` can't be the name of a knowledge base"),
            )
            .hint("choose a name without slashes that does not begin with a dot"));
        }
        Ok(Self {
            home: home.to_owned(),
            name: name.to_owned(),
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lies with all others of the data home; nothing there is a source.
    pub(crate) fn shelf(&self) -> PathBuf {
        self.home.join("kb")
    }

    /// Where it lies on disk.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.shelf().join(&self.name)
    }

    /// Name of the embedder it was made with.
    ///
    /// # Errors
    /// `NoKnowledgeBase`.
    pub fn embedder(&self) -> Result<String> {
        Ok(self.reader()?.layout().embedder.clone())
    }

    /// Opens its store for reading.
    ///
    /// # Errors
    /// `NoKnowledgeBase`, with the names of those that exist in the hint.
    pub(crate) fn reader(&self) -> Result<Store> {
        self.advised(Store::open_reader(&self.dir()))
    }

    /// Opens its store for writing, whichever embedder made it.
    ///
    /// # Errors
    /// As [`KnowledgeBase::reader`]; `Locked`.
    pub(crate) fn writer(&self) -> Result<Store> {
        self.advised(Store::open_writer(&self.dir()))
    }

    fn advised(&self, store: Result<Store>) -> Result<Store> {
        store.map_err(|error| {
            if error.code != Code::NoKnowledgeBase {
                return error;
            }
            let names = Self::names(&self.home);
            let hint = if names.is_empty() {
                "rag ingest PATH".to_owned()
            } else {
                format!(
                    "there is: {}; choose one with --kb, or: rag ingest PATH",
                    names.join(", ")
                )
            };
            Error::new(
                Code::NoKnowledgeBase,
                format!("there is no knowledge base `{}`", self.name),
            )
            .hint(hint)
        })
    }

    /// Names of the knowledge bases below the data home, sorted.
    #[must_use]
    pub fn names(home: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(home.join("kb")).into_iter().flatten();
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().join("meta.json").is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn summary(&self) -> Result<Summary> {
        let store = self.reader()?;
        let sources = store.sources()?;
        let counts = store.counts()?;
        let mut roots: Vec<(String, usize)> = Vec::new();
        for state in &sources {
            match roots.last_mut() {
                Some((root, count)) if *root == state.source.root => *count += 1,
                _ => roots.push((state.source.root.clone(), 1)),
            }
        }
        Ok(Summary {
            kb: self.name.clone(),
            dir: self.dir(),
            format: rag_index::FORMAT,
            embedder: store.layout().embedder.clone(),
            dimensions: store.layout().dimensions,
            roots,
            sources: sources.iter().filter(|state| !is_folder(state)).count(),
            chunks: counts.chunks as usize,
            bytes_on_disk: counts.bytes,
            reindex: self.unfinished()?,
            troubles: sources.iter().filter_map(trouble).collect(),
        })
    }

    /// The layout of the store that an unfinished reindex has begun.
    fn next_layout(&self) -> Result<Option<Layout>> {
        let next = Store::open_successor(&self.dir())?;
        Ok(next.map(|next| next.layout().clone()))
    }

    fn unfinished(&self) -> Result<Option<Unfinished>> {
        let Some(next) = Store::open_successor(&self.dir())? else {
            return Ok(None);
        };
        Ok(Some(Unfinished {
            embedder: next.layout().embedder.clone(),
            sources: next.counts()?.sources as usize,
        }))
    }

    /// Removes every source at or under one of `paths` from the store.
    pub(crate) fn forget(&self, paths: &[PathBuf]) -> Result<Report> {
        let started = Instant::now();
        let store = self.writer()?;
        store.note_writer("rag forget", false);
        let sources = store.sources()?;
        let mut doomed: BTreeMap<SourceKey, &SourceState> = BTreeMap::new();
        for path in paths {
            let found = meant(&sources, path);
            doomed.extend(
                found
                    .into_iter()
                    .map(|state| (state.source.key.clone(), state)),
            );
        }
        if !doomed.is_empty() {
            forget(&store, doomed.keys())?;
            self.forget_in_conversation(doomed.keys())?;
            // An unfinished reindex would drop them in time, but their text is to go now.
            if let Some(layout) = self.next_layout()? {
                forget(&store.successor(&layout)?, doomed.keys())?;
            }
        }
        let mut report = Report::default();
        for state in doomed.into_values() {
            report.push(removed(state));
        }
        report.took_ms = started.elapsed().as_millis() as u64;
        Ok(report)
    }

    /// The error of vectors that `made_by` made, where those of `offered` are wanted.
    pub(crate) fn mismatch(&self, made_by: &str, offered: &str) -> Error {
        let kb = &self.name;
        let whose = if made_by == offered {
            "other files of "
        } else {
            ""
        };
        let fact = format!(
            "the knowledge base `{kb}` holds vectors of {whose}`{made_by}`, not of `{offered}`"
        );
        let hint = format!(
            "rag reindex --embedder {offered} makes all vectors anew; rag models verify {made_by} says \
             whether its files are whole"
        );
        self.in_hint(Error::new(Code::Incompatible, fact).hint(hint))
    }

    /// Names the knowledge base in the commands of a hint, where it is not the one that they would
    /// take by themselves.
    pub(crate) fn in_hint(&self, mut error: Error) -> Error {
        if self.name != Self::DEFAULT {
            let command = format!("rag reindex --kb '{}' ", self.name);
            error.hint = error
                .hint
                .map(|hint| hint.replace("rag reindex ", &command));
        }
        error
    }
}

/// Drops sources, and their text from the disk.
fn forget<'a>(store: &Store, keys: impl Iterator<Item = &'a SourceKey>) -> Result<()> {
    store.commit(Batch {
        drop: keys.cloned().collect(),
        ..Batch::default()
    })?;
    store.maintain(Upkeep::Forget)
}

/// The sources at or under `path`, taken from the current folder; failing that, those that reports
/// show under this relative path.
fn meant<'a>(sources: &'a [SourceState], path: &Path) -> Vec<&'a SourceState> {
    if path.as_os_str().is_empty() {
        return Vec::new();
    }
    let absolute = crate::walk::absolute(path);
    let here: Vec<_> = sources
        .iter()
        .filter(|state| place(&state.source).starts_with(&absolute))
        .collect();
    if !here.is_empty() || path.is_absolute() {
        return here;
    }
    // Shown names may have bytes written out that are no text.
    let shown = |state: &&SourceState| Path::new(&state.source.path).starts_with(path);
    sources.iter().filter(shown).collect()
}

fn trouble(state: &SourceState) -> Option<Trouble> {
    let row = row_of_state(state);
    (row.status != Status::Read).then(|| Trouble {
        root: state.source.root.clone(),
        row,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_folder_name() {
        for bad in ["", ".", "..", "a/b", "/a", "../x", ".hidden", "a/"] {
            assert!(KnowledgeBase::new(Path::new("/h"), bad).is_err(), "{bad:?}");
        }
        for good in ["default", "my notes", "笔记"] {
            let kb = KnowledgeBase::new(Path::new("/h"), good).unwrap();
            assert_eq!(kb.dir(), Path::new("/h/kb").join(good));
        }
    }
}
