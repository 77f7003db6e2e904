//! Files that another client of the hub has fetched before: used in place of a download.
//!
//! The layout is that of the `huggingface_hub` client: `models--ORG--NAME/snapshots/COMMIT/FILE`, where
//! large files are links to `blobs/SHA256`, and `refs/BRANCH` names a commit.

use std::fs;
use std::path::{Path, PathBuf};

use super::Progress;
use super::failure::Failure;
use super::hub::Wanted;
use super::part::{file_name, link_or_copy, sha256_in, sha256_of};

struct Cached {
    path: PathBuf,
    /// What it should hash to, where anybody says so.
    sha256: Option<String>,
}

/// Puts the wanted file from the cache at `target` and gives its SHA-256; none where the cache does
/// not have it.
pub(crate) fn take(
    cache: &Path,
    wanted: &Wanted<'_>,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<String>, Failure> {
    for cached in candidates(cache, wanted) {
        let shown = cached.path.display();
        let found = match sha256_of(&cached.path) {
            Ok(found) => found,
            Err(failure) => {
                progress(Progress::Note(failure.to_string()));
                continue;
            }
        };
        if cached.sha256.is_some_and(|expected| expected != found) {
            progress(Progress::Note(format!(
                "`{shown}` is not the file that is wanted"
            )));
            continue;
        }
        link_or_copy(&cached.path, target)?;
        progress(Progress::Note(format!(
            "`{}` taken from `{shown}`",
            wanted.file.path
        )));
        return Ok(Some(found));
    }
    Ok(None)
}

/// Files that may be the one that is wanted. Without a pin, only the snapshot of the wanted revision
/// counts.
fn candidates(cache: &Path, wanted: &Wanted<'_>) -> Vec<Cached> {
    let repo = cache.join(format!("models--{}", wanted.repo.replace('/', "--")));
    let commit = fs::read_to_string(repo.join("refs").join(wanted.revision)).map_or_else(
        |_| wanted.revision.to_owned(),
        |text| text.trim().to_owned(),
    );
    let Ok(snapshots) = fs::read_dir(repo.join("snapshots")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for snapshot in snapshots.flatten() {
        let Ok(path) = snapshot.path().join(&wanted.file.path).canonicalize() else {
            continue;
        };
        let named = sha256_in(&file_name(&path));
        let pin = wanted.file.sha256.clone();
        if pin.is_some() && named.is_some() && pin != named {
            continue;
        }
        let pinned = pin.is_some();
        let cached = Cached {
            path,
            sha256: pin.or(named),
        };
        if snapshot.file_name().to_string_lossy() == commit {
            found.insert(0, cached);
        } else if pinned {
            found.push(cached);
        }
    }
    found
}
