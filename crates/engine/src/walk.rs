//! The walk: which files there are under the paths that were given. Every file that is passed over
//! has a row with the reason; files that are ignored, hidden or left out by a pattern are not looked at.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{FileType, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};
use rag_core::{Error, Result, Row, Source, SourceKey, Status};

use crate::extent::Extent;
use crate::name::{is_nameable, path_of, written};
use crate::placeholder;
use crate::plan::{Scope, Seen};
use crate::selection::{Filter, IgnoreFiles, Selection};
use crate::stamp::Stamp;

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Sorted by absolute path, each file once.
    pub(crate) seen: Vec<Seen>,
    /// Files that were passed over.
    pub(crate) rows: Vec<Row>,
    pub(crate) unreached: Vec<Unreached>,
    /// The paths whose sources may be dropped if they were not seen.
    pub(crate) scopes: Vec<Scope>,
}

/// A file or a folder that is there and could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreached {
    pub(crate) source: Source,
    pub(crate) is_folder: bool,
    pub(crate) reason: String,
}

/// Walks `paths`, as far as `extent` says. A path inside a folder that was ingested before is walked as a part of it, so that
/// a source has one name however it is reached.
///
/// # Errors
/// `Io` for a path that does not exist: a vanished folder is no proof that its files were deleted.
/// `Usage` for a pattern that is none.
pub(crate) fn walk(
    paths: &[PathBuf],
    known_roots: &[String],
    selection: &Selection,
    extent: &Extent,
) -> Result<Walk> {
    let extent = Arc::new(extent.clone());
    let mut roots: Vec<PathBuf> = known_roots.iter().map(|root| path_of(root)).collect();
    let tops = paths.iter().map(|path| absolute(path));
    roots.extend(tops.filter(|top| top.is_dir()));
    let mut found = Found::default();
    let mut scopes = Vec::new();
    for path in paths {
        let top = absolute(path);
        let is_dir = must_exist(path)?.is_dir();
        let root = root_of(&top, is_dir, &roots);
        let within = if is_dir {
            &*top
        } else {
            top.parent().unwrap_or(&top)
        };
        let filter = Filter::new(within, selection)?;
        let mut scope = Scope {
            path: top.clone(),
            spared: extent.away().clone(),
            filter: filter.clone(),
            extent: Arc::clone(&extent),
        };
        for entry in walker(&top, filter, &extent, selection.ignore_files).build() {
            let look = match entry {
                Ok(entry) => look_at(&entry, &root, &scope.filter, selection.max_file_bytes),
                Err(error) => unreadable(&error, &root),
            };
            found.take(look, &mut scope);
        }
        scopes.push(scope);
    }
    Ok(Walk {
        seen: found.files.into_values().collect(),
        rows: found.passed.into_values().collect(),
        unreached: found.unreached.into_values().collect(),
        scopes,
    })
}

/// The folders that a walk looks into, from the top down; folders that vanish meanwhile are left out.
///
/// # Errors
/// `Usage` for a pattern that is none.
pub(crate) fn folders(
    paths: &[PathBuf],
    selection: &Selection,
    extent: &Extent,
) -> Result<Vec<PathBuf>> {
    let extent = Arc::new(extent.clone());
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        let filter = Filter::new(path, selection)?;
        let entries = walker(path, filter, &extent, selection.ignore_files).build();
        let folders = entries.flatten().filter(|entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            is_folder && extent.covers(entry.path())
        });
        found.extend(folders.map(DirEntry::into_path));
    }
    Ok(found)
}

/// What was met so far, by absolute path: paths that are given may overlap.
#[derive(Default)]
struct Found {
    files: BTreeMap<PathBuf, Seen>,
    passed: BTreeMap<PathBuf, Row>,
    unreached: BTreeMap<PathBuf, Unreached>,
}

impl Found {
    fn take(&mut self, look: Look, scope: &mut Scope) {
        match look {
            Look::Nothing => {}
            Look::File(seen) => {
                self.files.insert(seen.absolute.clone(), seen);
            }
            Look::Pass(place, row) => {
                self.passed.insert(place, row);
            }
            // What is too large now, or out of reach, is not proven gone.
            Look::Spare(place, row) => {
                scope.spared.insert(place.clone());
                self.passed.insert(place, row);
            }
            Look::Unreached(place, unreached) => {
                scope.spared.insert(place.clone());
                self.unreached.insert(place, unreached);
            }
        }
    }
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

fn walker(
    top: &Path,
    filter: Filter,
    extent: &Arc<Extent>,
    ignore_files: IgnoreFiles,
) -> WalkBuilder {
    let follows = ignore_files == IgnoreFiles::Followed;
    let extent = Arc::clone(extent);
    let mut builder = WalkBuilder::new(top);
    builder
        .hidden(true)
        .parents(false) // the folder was named: what its parents ignore does not matter
        .ignore(follows)
        .git_ignore(follows)
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .follow_links(false)
        .sort_by_file_path(Ord::cmp)
        .filter_entry(move |entry| {
            let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
            extent.leads_by(entry.path()) && !(is_dir && filter.leaves_out_folder(entry.path()))
        });
    if follows {
        builder.add_custom_ignore_filename(".ragignore");
    }
    builder
}

enum Look {
    /// A folder, which is walked, or a file that the run is not about.
    Nothing,
    File(Seen),
    Pass(PathBuf, Row),
    /// Passed over now, and what is known of it stays.
    Spare(PathBuf, Row),
    Unreached(PathBuf, Unreached),
}

fn look_at(entry: &DirEntry, root: &Path, filter: &Filter, max_bytes: u64) -> Look {
    let path = entry.path();
    let Some(kind) = entry.file_type() else {
        return Look::Nothing;
    };
    if kind.is_dir() || filter.leaves_out(path) {
        return Look::Nothing;
    }
    let source = source_of(path, root);
    let passed = |reason: String| Row {
        source: source.path.clone(),
        status: Status::Skipped,
        reason: Some(reason),
        chunks: 0,
    };
    if !kind.is_file() {
        return Look::Pass(path.to_owned(), passed(special(kind).to_owned()));
    }
    if !is_nameable(path) {
        return Look::Pass(path.to_owned(), passed("its path is no text".to_owned()));
    }
    if entry.depth() > 0
        && let Some(reason) = working_copy(entry.file_name())
    {
        return Look::Pass(path.to_owned(), passed(reason.to_owned()));
    }
    let meta = match entry.metadata() {
        Ok(meta) => meta,
        Err(error) => return unreached(path, source, &Kind::File, &error),
    };
    if placeholder::is_one(&meta) {
        let reason = "its content is in the cloud and was not fetched";
        return Look::Spare(path.to_owned(), passed(reason.to_owned()));
    }
    let stamp = Stamp::of(&meta);
    if stamp.size > max_bytes {
        let reason = format!(
            "{} bytes, more than the {max_bytes} that a file may have (--max-file-size)",
            stamp.size
        );
        return Look::Spare(path.to_owned(), passed(reason));
    }
    Look::File(Seen {
        source,
        absolute: path.to_owned(),
        stamp,
        hash: None,
    })
}

/// What editors and browsers keep beside a file while it is open or on its way, and what stays of it.
fn working_copy(name: &OsStr) -> Option<&'static str> {
    let name = name.to_string_lossy();
    let ends = |endings: &[&str]| {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| endings.contains(&extension))
    };
    if name.ends_with('~') || (name.starts_with('#') && name.ends_with('#')) {
        Some("an editor's copy of the file beside it")
    } else if name.starts_with("~$") || ends(&["swp", "swo", "swx"]) {
        Some("an editor's note that the file beside it is open")
    } else if ends(&["crdownload", "part", "partial"]) {
        Some("a download that is not complete")
    } else {
        None
    }
}

/// What a file is that is none. Opening one of these could wait for ever, or never end.
fn special(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        return "a symbolic link; links are not followed, give the path it leads to";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe, not a file";
        }
        if kind.is_socket() {
            return "a socket, not a file";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device, not a file";
        }
    }
    "not a regular file"
}

/// The folder that sources under `top` are named from: one that is known already, else `top` itself.
fn root_of(top: &Path, is_dir: bool, known_roots: &[PathBuf]) -> PathBuf {
    let known = known_roots
        .iter()
        .filter(|root| top.starts_with(root))
        .min_by_key(|root| root.components().count());
    match known {
        Some(root) => root.clone(),
        None if is_dir => top.to_owned(),
        None => top.parent().unwrap_or(top).to_owned(),
    }
}

enum Kind {
    File,
    Folder,
}

fn unreached(path: &Path, source: Source, kind: &Kind, cause: &dyn std::fmt::Display) -> Look {
    let unreached = Unreached {
        source,
        is_folder: matches!(kind, Kind::Folder),
        reason: format!("can't be looked at: {cause}"),
    };
    Look::Unreached(path.to_owned(), unreached)
}

/// Errors of the walk itself come from folders that can't be listed.
fn unreadable(error: &ignore::Error, root: &Path) -> Look {
    let place = path_of_error(error).unwrap_or(root);
    let cause = error
        .io_error()
        .map_or_else(|| error.to_string(), ToString::to_string);
    unreached(place, source_of(place, root), &Kind::Folder, &cause)
}

fn path_of_error(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of_error(err)
        }
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

fn source_of(path: &Path, root: &Path) -> Source {
    let below = path.strip_prefix(root).ok();
    let below = below.filter(|below| !below.as_os_str().is_empty());
    Source {
        key: key_of(path),
        root: written(root),
        path: written(below.unwrap_or(path)),
    }
}

/// `path` from the file system's root, links resolved as far as it exists.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing: Vec<&OsStr> = Vec::new();
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

/// A file's identity: the hash of its absolute path.
pub(crate) fn key_of(path: &Path) -> SourceKey {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes());
    SourceKey(hash.to_hex()[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::files;

    fn names(walk: &Walk) -> Vec<&str> {
        walk.seen.iter().map(|s| s.source.path.as_str()).collect()
    }

    fn reasons(walk: &Walk) -> Vec<(&str, &str)> {
        let reason = |row: &'_ Row| row.reason.clone();
        assert!(walk.rows.iter().all(|row| reason(row).is_some()));
        let rows = walk.rows.iter();
        rows.map(|row| (row.source.as_str(), row.reason.as_deref().unwrap()))
            .collect()
    }

    fn selection() -> Selection {
        Selection {
            max_file_bytes: 100,
            exclude: vec!["/*.jsonl".into()],
            ..Selection::default()
        }
    }

    fn walk_all(dir: &Path) -> Walk {
        walk(&[dir.to_owned()], &[], &selection(), &Extent::default()).unwrap()
    }

    #[test]
    fn ignored_hidden_and_left_out_files_are_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        files(
            dir.path(),
            &[
                ("a.md", "a"),
                ("sub/b.md", "b"),
                ("secret.md", "s"),
                ("draft.md", "d"),
                (".hidden.md", "h"),
                ("queries.jsonl", "left out at the top"),
                ("sub/queries.jsonl", "and only there"),
                (".gitignore", "secret.md\n"),
                (".ragignore", "draft.md\n"),
            ],
        );
        let walked = walk_all(dir.path());
        assert_eq!(names(&walked), ["a.md", "sub/b.md", "sub/queries.jsonl"]);
        assert_eq!(reasons(&walked), []);
        let all = Selection {
            ignore_files: IgnoreFiles::Disregarded,
            include: vec!["*.md".into()],
            ..selection()
        };
        let walked = walk(&[dir.path().to_owned()], &[], &all, &Extent::default()).unwrap();
        assert_eq!(
            names(&walked),
            ["a.md", "draft.md", "secret.md", "sub/b.md"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_named_and_never_followed() {
        use std::os::unix::fs::symlink;
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        files(dir.path(), &[("sub/a.md", "a")]);
        files(outside.path(), &[("secret.md", "s")]);
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink(outside.path().join("secret.md"), dir.path().join("out.md")).unwrap();
        symlink(dir.path(), dir.path().join("sub/round")).unwrap();
        symlink("nowhere", dir.path().join("broken")).unwrap();
        symlink("itself", dir.path().join("itself")).unwrap();
        let walked = walk_all(dir.path());
        assert_eq!(names(&walked), ["sub/a.md"]);
        let passed: Vec<_> = reasons(&walked).iter().map(|row| row.0).collect();
        assert_eq!(passed, ["broken", "itself", "out", "out.md", "sub/round"]);
        assert!(reasons(&walked).iter().all(|row| row.1.contains("link")));
        // A link that is given is the place it leads to.
        let given = walk(
            &[dir.path().join("out")],
            &[],
            &selection(),
            &Extent::default(),
        )
        .unwrap();
        assert_eq!(names(&given), ["secret.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_sockets_and_devices_are_named_and_never_opened() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(dir.path().join("pipe.md"))
            .status();
        assert!(pipe.unwrap().success());
        let socket = dir.path().join("socket.md");
        let _socket = std::os::unix::net::UnixDatagram::bind(socket).unwrap();
        let walked = walk_all(dir.path());
        assert_eq!(names(&walked), [""; 0]);
        assert_eq!(
            reasons(&walked),
            [
                ("pipe.md", "a named pipe, not a file"),
                ("socket.md", "a socket, not a file")
            ]
        );
        let given = walk(&["/dev/zero".into()], &[], &selection(), &Extent::default()).unwrap();
        assert_eq!(reasons(&given), [("zero", "a device, not a file")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_no_text_are_seen_each_under_a_name_of_its_own() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        for name in [&b"caf\xE9.md"[..], b"caf\xE8.md", b"caf\\xE9.md"] {
            let name = std::ffi::OsStr::from_bytes(name);
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let walked = walk_all(dir.path());
        assert_eq!(
            names(&walked),
            ["caf\\x5CxE9.md", "caf\\xE8.md", "caf\\xE9.md"]
        );
        for seen in &walked.seen {
            assert_eq!(crate::name::place(&seen.source), seen.absolute);
            assert!(crate::name::place(&seen.source).is_file());
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_longest_name_is_seen_and_a_path_beyond_the_longest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let longest = format!("{}.md", "n".repeat(252));
        files(dir.path(), &[(&longest, "x")]);
        // 20 folders of 250 letters are more than the 4,096 bytes that a path may have.
        let script = "d=$(printf 'd%.0s' $(seq 250)); \
             for n in $(seq 20); do mkdir $d && cd -P $d || exit 1; done; echo deep > deep.md";
        let made = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(dir.path())
            .status();
        assert!(made.unwrap().success());
        let walked = walk_all(dir.path());
        assert_eq!(names(&walked), [longest]);
        assert_eq!(walked.unreached.len(), 1, "{:?}", walked.unreached);
        assert!(walked.unreached[0].reason.contains("too long"));
    }

    #[test]
    fn two_roots_with_the_same_names_lose_no_row() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &two] {
            std::fs::write(dir.path().join("big.md"), vec![b'x'; 200]).unwrap();
        }
        let tops = [one.path().to_owned(), two.path().to_owned()];
        let walked = walk(&tops, &[], &selection(), &Extent::default()).unwrap();
        assert_eq!(walked.rows.len(), 2);
    }

    #[test]
    fn a_part_of_a_known_folder_keeps_the_names_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let top = absolute(dir.path());
        std::fs::create_dir(top.join("sub")).unwrap();
        std::fs::write(top.join("sub/b.md"), "b").unwrap();
        let roots = [written(&top)];
        let whole = walk(
            std::slice::from_ref(&top),
            &roots,
            &selection(),
            &Extent::default(),
        )
        .unwrap();
        let part = walk(&[top.join("sub")], &roots, &selection(), &Extent::default()).unwrap();
        let file = walk(
            &[top.join("sub/b.md")],
            &roots,
            &selection(),
            &Extent::default(),
        )
        .unwrap();
        assert_eq!(names(&whole), ["sub/b.md"]);
        assert_eq!(names(&part), ["sub/b.md"]);
        assert_eq!(whole.seen[0].source, file.seen[0].source);
    }

    #[test]
    fn a_file_over_the_limit_is_passed_over_unread_however_large_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(dir.path().join("big.txt")).unwrap();
        file.set_len(5 << 30).unwrap(); // without blocks on disk
        let walked = walk_all(dir.path());
        assert!(walked.seen.is_empty());
        assert!(reasons(&walked)[0].1.contains("--max-file-size"));
        assert!(
            walked.scopes[0]
                .spared
                .contains(&absolute(dir.path()).join("big.txt"))
        );
    }

    #[test]
    fn a_missing_path_is_an_error_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let error = walk(
            &[dir.path().join("nothing")],
            &[],
            &selection(),
            &Extent::default(),
        )
        .unwrap_err();
        assert!(error.hint.unwrap().contains("rag forget"));
    }
}
