//! `meta.json`: which embedder a store belongs to, readable without opening the table.

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
/// pairs of characters.
pub const FORMAT: u64 = 3;

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format: u64,
    embedder: String,
    fingerprint: String,
    dimensions: usize,
    /// UTC, RFC 3339.
    created: String,
}

/// Where the file lies.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("meta.json")
}

/// The layout of the store in `dir`; none where no store was ever begun there.
pub(crate) fn read(dir: &Path) -> Result<Option<Layout>> {
    /// Every format has this much in common.
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    let path = path(dir);
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
    if format != FORMAT {
        return Err(IndexError::UnknownFormat {
            path,
            found: format,
            known: FORMAT,
        });
    }
    let meta: Meta = serde_json::from_slice(&text).map_err(broken)?;
    Ok(Some(Layout {
        dimensions: meta.dimensions,
        fingerprint: meta.fingerprint,
        embedder: meta.embedder,
    }))
}

/// Writes the file whole or not at all.
pub(crate) fn write(dir: &Path, layout: &Layout) -> Result<()> {
    let meta = Meta {
        format: FORMAT,
        embedder: layout.embedder.clone(),
        fingerprint: layout.fingerprint.clone(),
        dimensions: layout.dimensions,
        created: utc_now(),
    };
    let path = path(dir);
    let text = serde_json::to_vec_pretty(&meta).map_err(|source| IndexError::BrokenMeta {
        path: path.clone(),
        source,
    })?;
    let draft = dir.join("meta.json.new");
    let written = File::create(&draft)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, &path));
    written.map_err(|source| IndexError::Io {
        verb: "write",
        path,
        source,
    })
}

/// Now, as RFC 3339 in UTC.
pub(crate) fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment::at(since.map_or(0, |since| since.as_secs())).rfc3339()
}
