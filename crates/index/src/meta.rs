//! `meta.json`: which embedder a store belongs to, readable without opening the table.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Layout;
use crate::error::{IndexError, Result};

/// 1: the first. 2: parts of files, table headers and dates have columns.
const FORMAT: u64 = 2;

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
    utc(since.map_or(0, |since| since.as_secs()))
}

/// Seconds since 1970 as RFC 3339; the calendar is Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), for years from 1970 on.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_as_people_read_them() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(utc(1_795_219_200), "2026-11-21T00:00:00Z");
    }
}
