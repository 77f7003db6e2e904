//! The small files that say which embedder a store belongs to and where its table lies, readable
//! without opening the table: `meta.json` for the store that is searched, `next.json` for the one that
//! is being made to take its place. The one becomes the other by a rename.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rag_core::calendar::Moment;
use serde::{Deserialize, Serialize};

use crate::Layout;
use crate::error::{IndexError, Result};

/// The format of a store on disk; others are refused. 1: the first. 2: parts of files, table headers and
/// dates have columns. 3: tags have one, and scripts without spaces are found by
/// pairs of characters. 4: the table may lie in another folder than `lance`.
pub const FORMAT: u64 = 4;

/// This and later formats are read.
const OLDEST: u64 = 3;

/// Where the table of a store lies that never took another one's place.
pub(crate) const FIRST_FOLDER: &str = "lance";

/// A store's part in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is searched.
    Present,
    /// It is being made, and will take the present one's place.
    Next,
}

impl Role {
    fn file(self) -> &'static str {
        match self {
            Self::Present => "meta.json",
            Self::Next => NEXT,
        }
    }
}

const NEXT: &str = "next.json";

/// What is on record of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) layout: Layout,
    /// Name of the folder that holds the table, beside this file.
    pub(crate) folder: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct OnDisk {
    format: u64,
    embedder: String,
    fingerprint: String,
    dimensions: usize,
    /// Since format 4.
    #[serde(default = "first_folder")]
    folder: String,
    /// UTC, RFC 3339.
    created: String,
}

fn first_folder() -> String {
    FIRST_FOLDER.to_owned()
}

/// Where the file lies.
pub(crate) fn path(dir: &Path, role: Role) -> PathBuf {
    dir.join(role.file())
}

/// Whether the file is that of a store that is being made.
pub(crate) fn is_next(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == NEXT)
}

/// What is on record of the store in `dir`; none where no such store was ever begun there.
pub(crate) fn read(dir: &Path, role: Role) -> Result<Option<Meta>> {
    /// Every format has this much in common.
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    let path = path(dir, role);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(IndexError::Io {
                verb: "read",
                path,
                source,
            });
        }
    };
    let broken = |source| IndexError::BrokenMeta {
        path: path.clone(),
        source,
    };
    let Format { format } = serde_json::from_slice(&text).map_err(broken)?;
    if !(OLDEST..=FORMAT).contains(&format) {
        return Err(IndexError::UnknownFormat {
            path,
            found: format,
            known: FORMAT,
        });
    }
    let meta: OnDisk = serde_json::from_slice(&text).map_err(broken)?;
    Ok(Some(Meta {
        layout: Layout {
            dimensions: meta.dimensions,
            fingerprint: meta.fingerprint,
            embedder: meta.embedder,
        },
        folder: meta.folder,
    }))
}

/// Writes the file whole or not at all.
pub(crate) fn write(dir: &Path, role: Role, meta: &Meta) -> Result<()> {
    let on_disk = OnDisk {
        format: FORMAT,
        embedder: meta.layout.embedder.clone(),
        fingerprint: meta.layout.fingerprint.clone(),
        dimensions: meta.layout.dimensions,
        folder: meta.folder.clone(),
        created: utc_now(),
    };
    let path = path(dir, role);
    let text = serde_json::to_vec_pretty(&on_disk).map_err(|source| IndexError::BrokenMeta {
        path: path.clone(),
        source,
    })?;
    let draft = path.with_extension("json.new");
    let written = File::create(&draft)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, &path));
    written.map_err(failed("write", &path))
}

/// Puts the next store in the present one's place: the one step of a change of embedder that readers
/// see. On the disk for good when it returns.
pub(crate) fn promote(dir: &Path) -> Result<()> {
    let (next, present) = (path(dir, Role::Next), path(dir, Role::Present));
    let renamed = fs::rename(&next, &present);
    renamed.map_err(failed("replace", &present))?;
    // Windows opens no folders; its renames are on the disk when they return.
    #[cfg(unix)]
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(failed("write", dir))?;
    Ok(())
}

/// Forgets the next store; false where there was none.
pub(crate) fn remove_next(dir: &Path) -> Result<bool> {
    let path = path(dir, Role::Next);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", &path)(error)),
    }
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> IndexError {
    let path = path.to_owned();
    move |source| IndexError::Io { verb, path, source }
}

/// Now, as RFC 3339 in UTC.
pub(crate) fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment::at(since.map_or(0, |since| since.as_secs())).rfc3339()
}
