//! The walk: which files there are under the paths that were given. Every file that is passed over
//! has a row with the reason; ignored and hidden files are not looked at.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::overrides::OverrideBuilder;
use ignore::{DirEntry, WalkBuilder};
use rag_core::{Code, Error, Result, Row, Source, SourceKey, Status};

use crate::plan::{Scope, Seen};

/// What a walk leaves aside.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Larger files are passed over with a reason.
    pub(crate) max_file_bytes: u64,
    /// Patterns of files to leave out, as in `.gitignore`, from each path that is walked.
    pub(crate) left_out: Vec<String>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Sorted by absolute path, each file once.
    pub(crate) seen: Vec<Seen>,
    /// Files and folders that were passed over or could not be looked at.
    pub(crate) rows: Vec<Row>,
    /// The paths whose sources may be dropped if they were not seen.
    pub(crate) scopes: Vec<Scope>,
}

/// Walks `paths`. A path inside a folder that was ingested before is walked as a part of it, so that
/// a source has one name however it is reached.
///
/// # Errors
/// `Io` for a path that does not exist: a vanished folder is no proof that its files were deleted.
pub(crate) fn walk(paths: &[PathBuf], known_roots: &[String], limits: &Limits) -> Result<Walk> {
    let mut walk = Walk::default();
    let mut roots = known_roots.to_vec();
    let tops = paths.iter().map(|path| absolute(path));
    roots.extend(
        tops.filter(|top| top.is_dir())
            .map(|top| top.display().to_string()),
    );
    let mut passed: BTreeMap<String, Row> = BTreeMap::new();
    let mut found: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    for path in paths {
        let top = absolute(path);
        let meta = must_exist(path)?;
        let root = root_of(&top, meta.is_dir(), &roots);
        let mut scope = Scope {
            path: top.clone(),
            spared: Vec::new(),
        };
        for entry in walker(&top, &limits.left_out)?.build() {
            match entry {
                Ok(entry) => match look_at(&entry, &root, limits.max_file_bytes) {
                    Look::Folder => {}
                    Look::File(seen) => {
                        found.insert(seen.absolute.clone(), seen);
                    }
                    Look::Pass(row) => {
                        // What can't be looked at is not proven gone.
                        if row.status == Status::Failed {
                            scope.spared.push(entry.path().to_owned());
                        }
                        passed.insert(row.source.clone(), row);
                    }
                },
                Err(error) => {
                    let (place, row) = unreadable(&error, &root);
                    scope.spared.extend(place);
                    passed.insert(row.source.clone(), row);
                }
            }
        }
        walk.scopes.push(scope);
    }
    walk.rows = passed.into_values().collect();
    walk.seen = found.into_values().collect();
    Ok(walk)
}

/// Looks at a path that was named.
///
/// # Errors
/// `Io` where there is nothing.
pub(crate) fn must_exist(path: &Path) -> Result<Metadata> {
    std::fs::metadata(path).map_err(|cause| {
        Error::io("read", path, cause).hint(format!(
            "if it is gone for good: rag forget {}",
            path.display()
        ))
    })
}

fn walker(top: &Path, left_out: &[String]) -> Result<WalkBuilder> {
    let bad = |cause: ignore::Error| {
        Error::new(Code::Usage, "a pattern of files to leave out is wrong").because(cause)
    };
    let mut overrides = OverrideBuilder::new(top);
    for pattern in left_out {
        overrides.add(&format!("!{pattern}")).map_err(bad)?;
    }
    let mut builder = WalkBuilder::new(top);
    builder
        .hidden(true)
        .parents(false) // the folder was named: what its parents ignore does not matter
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .add_custom_ignore_filename(".ragignore")
        .follow_links(false)
        .overrides(overrides.build().map_err(bad)?)
        .sort_by_file_path(Ord::cmp);
    Ok(builder)
}

enum Look {
    Folder,
    File(Seen),
    Pass(Row),
}

fn look_at(entry: &DirEntry, root: &Path, max_bytes: u64) -> Look {
    let shown = relative(entry.path(), root);
    let pass = |status, reason: String| {
        Look::Pass(Row {
            source: shown.clone(),
            status,
            reason: Some(reason),
            chunks: 0,
        })
    };
    let Some(kind) = entry.file_type() else {
        return Look::Folder;
    };
    if kind.is_dir() {
        return Look::Folder;
    }
    if entry.path().to_str().is_none() {
        return pass(Status::Skipped, "its path is not valid Unicode".into());
    }
    if kind.is_symlink() {
        return pass(
            Status::Skipped,
            "a symbolic link; links are not followed".into(),
        );
    }
    if !kind.is_file() {
        return pass(Status::Skipped, "not a regular file".into());
    }
    let meta = match entry.metadata() {
        Ok(meta) => meta,
        Err(error) => return pass(Status::Failed, format!("can't be looked at: {error}")),
    };
    if meta.len() > max_bytes {
        let reason = format!(
            "{} MiB, larger than the limit of {} MiB",
            meta.len() >> 20,
            max_bytes >> 20
        );
        return pass(Status::Skipped, reason);
    }
    Look::File(Seen {
        source: Source {
            key: key_of(entry.path()),
            root: root.display().to_string(),
            path: shown,
        },
        absolute: entry.path().to_owned(),
        size: meta.len(),
        modified_ns: meta.modified().map_or(0, nanoseconds),
        hash: None,
    })
}

/// The folder that sources under `top` are named from: one that is known already, else `top` itself.
fn root_of(top: &Path, is_dir: bool, known_roots: &[String]) -> PathBuf {
    let known = known_roots
        .iter()
        .map(Path::new)
        .filter(|root| top.starts_with(root))
        .min_by_key(|root| root.components().count());
    match known {
        Some(root) => root.to_owned(),
        None if is_dir => top.to_owned(),
        None => top.parent().unwrap_or(top).to_owned(),
    }
}

fn unreadable(error: &ignore::Error, root: &Path) -> (Option<PathBuf>, Row) {
    let place = path_of(error).map(Path::to_owned);
    let shown = place
        .as_deref()
        .map_or_else(|| root.display().to_string(), |path| relative(path, root));
    let row = Row {
        source: shown,
        status: Status::Failed,
        reason: Some(format!("can't be looked at: {error}")),
        chunks: 0,
    };
    (place, row)
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

/// `path` from the file system's root, links resolved as far as it exists.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing: Vec<&std::ffi::OsStr> = Vec::new();
    for ancestor in full.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return missing
                .iter()
                .rev()
                .fold(real, |path, part| path.join(part));
        }
        missing.extend(ancestor.file_name());
    }
    full
}

fn relative(path: &Path, root: &Path) -> String {
    let rest = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<String> = rest
        .components()
        .filter(|part| !matches!(part, Component::RootDir))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}

/// A file's identity: the hash of its absolute path.
pub(crate) fn key_of(path: &Path) -> SourceKey {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes());
    SourceKey(hash.to_hex()[..32].to_owned())
}

/// Nanoseconds since 1970; 0 for a time too close to now to tell a later change by it.
fn nanoseconds(time: SystemTime) -> i64 {
    const SETTLED_MS: u128 = 2_000;
    let fresh = SystemTime::now()
        .duration_since(time)
        .map_or(true, |age| age.as_millis() < SETTLED_MS);
    if fresh {
        return 0;
    }
    time.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(walk: &Walk) -> Vec<&str> {
        walk.seen.iter().map(|s| s.source.path.as_str()).collect()
    }

    fn limits() -> Limits {
        Limits {
            max_file_bytes: 100,
            left_out: vec!["/*.jsonl".into()],
        }
    }

    #[test]
    fn ignored_and_hidden_files_are_not_seen_and_links_are_passed_over_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a.md", "a"),
            ("sub/b.md", "b"),
            ("secret.md", "s"),
            ("draft.md", "d"),
            (".hidden.md", "h"),
            ("queries.jsonl", "left out at the top"),
            (".gitignore", "secret.md\n"),
            (".ragignore", "draft.md\n"),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path().join("a.md"), dir.path().join("z.md")).unwrap();
        let walk = walk(&[dir.path().to_owned()], &[], &limits()).unwrap();
        assert_eq!(names(&walk), ["a.md", "sub/b.md"]);
        if cfg!(unix) {
            assert_eq!(walk.rows[0].source, "z.md");
            assert_eq!(walk.rows[0].status, Status::Skipped);
        }
    }

    #[test]
    fn a_part_of_a_known_folder_keeps_the_names_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let top = absolute(dir.path());
        std::fs::create_dir(top.join("sub")).unwrap();
        std::fs::write(top.join("sub/b.md"), "b").unwrap();
        let roots = [top.display().to_string()];
        let whole = walk(std::slice::from_ref(&top), &roots, &limits()).unwrap();
        let part = walk(&[top.join("sub")], &roots, &limits()).unwrap();
        let file = walk(&[top.join("sub/b.md")], &roots, &limits()).unwrap();
        assert_eq!(names(&whole), ["sub/b.md"]);
        assert_eq!(names(&part), ["sub/b.md"]);
        assert_eq!(whole.seen[0].source, file.seen[0].source);
    }

    #[test]
    fn a_file_over_the_limit_is_passed_over_and_a_missing_path_is_an_error_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("big.txt"), vec![b'x'; 200]).unwrap();
        let walked = walk(&[dir.path().to_owned()], &[], &limits()).unwrap();
        assert!(walked.seen.is_empty());
        assert!(walked.rows[0].reason.as_deref().unwrap().contains("limit"));
        let error = walk(&[dir.path().join("nothing")], &[], &limits()).unwrap_err();
        assert!(error.hint.unwrap().contains("rag forget"));
    }
}
