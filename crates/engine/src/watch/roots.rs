//! The files and folders that are followed, and whether each is there. One that has vanished is away,
//! not empty: nothing is concluded about what was in it until it is back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::{path_of, written};
use crate::watch::mounts::Mounts;

/// A file or folder that is followed, as `rag watch --status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootStatus {
    #[serde(with = "crate::name::as_text")]
    pub path: PathBuf,
    #[serde(flatten)]
    pub footing: Footing,
    /// Where its file system was mounted when it was last there.
    pub mount: Option<String>,
    /// Other file systems that were mounted below it and are not now: nothing there is looked at.
    pub away: Vec<String>,
    /// All that were mounted below it at some time.
    pub mounts: BTreeSet<String>,
}

/// How changes of a root are learnt of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "follows", rename_all = "snake_case")]
pub enum Footing {
    /// Nothing was tried yet.
    Unknown,
    /// By the system's events.
    Events,
    /// By looking at all of it every so often, for this reason.
    Polling { every_s: u64, reason: String },
    /// Not at all, for this reason; nothing of it is forgotten.
    Away { reason: String },
}

/// What tells one file or folder from another in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

/// What a look at a root says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// In words, where it can't be looked at.
    pub(crate) there: Result<Identity, String>,
    pub(crate) mount: Option<String>,
    /// A folder without any entry.
    pub(crate) is_empty: bool,
}

impl Look {
    pub(crate) fn at(path: &Path, mounts: &Mounts) -> Self {
        let meta = std::fs::metadata(path);
        let is_empty = || {
            let listed = std::fs::read_dir(path);
            listed.map(|mut entries| entries.next().is_none())
        };
        let looked = match &meta {
            Ok(meta) if meta.is_dir() => is_empty().map(|empty| (identity(path, meta), empty)),
            Ok(meta) => Ok((identity(path, meta), false)),
            Err(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
        };
        let (there, is_empty) = match looked {
            Ok((identity, empty)) => (Ok(identity), empty),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                (Err("it is not there".to_owned()), false)
            }
            Err(error) => (Err(format!("it can't be looked at: {error}")), false),
        };
        Self {
            there,
            mount: mounts.point_of(path).map(written),
            is_empty,
        }
    }
}

/// A file that is saved by renaming another one over it is the same root.
#[cfg(unix)]
fn identity(_: &Path, meta: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    if meta.is_dir() {
        Identity(meta.dev(), meta.ino())
    } else {
        Identity(meta.dev(), 0)
    }
}

#[cfg(not(unix))]
fn identity(_: &Path, _: &std::fs::Metadata) -> Identity {
    Identity(0, 0)
}

/// One root and what is remembered of it.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) status: RootStatus,
    /// The folder that was last seen with something in it, by this run.
    proven: Option<Identity>,
    /// The folder whose events are followed.
    pub(crate) followed: Option<Identity>,
    /// When it is looked at next, where it is polled or away.
    pub(crate) look_at: Duration,
}

impl Root {
    /// `before` is what the last watch knew of it.
    pub(crate) fn new(path: PathBuf, before: Option<RootStatus>) -> Self {
        let fresh = RootStatus {
            path,
            footing: Footing::Unknown,
            mount: None,
            away: Vec::new(),
            mounts: BTreeSet::new(),
        };
        let status = RootStatus {
            footing: Footing::Unknown,
            ..before.unwrap_or(fresh)
        };
        Self {
            status,
            proven: None,
            followed: None,
            look_at: Duration::ZERO,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.status.path
    }

    /// Folders below it whose file system is not mounted.
    pub(crate) fn away(&self) -> impl Iterator<Item = PathBuf> {
        self.status.away.iter().map(|point| path_of(point))
    }

    pub(crate) fn is_there(&self) -> bool {
        !matches!(self.status.footing, Footing::Away { .. })
    }

    /// Whether `look` is one at what is followed, and of what can be concluded from: its identity, or
    /// why it is away. `known` counts the sources that are known in it.
    pub(crate) fn judge(
        &self,
        look: &Look,
        known: impl FnOnce() -> usize,
    ) -> Result<Identity, String> {
        let identity = look.there.clone()?;
        if let (Some(before), Some(now)) = (&self.status.mount, &look.mount)
            && before != now
            && Path::new(before).starts_with(now)
        {
            return Err(format!("the disk at `{before}` is not mounted"));
        }
        // This run saw the same folder with files in it, and heard them go.
        if look.is_empty && self.proven != Some(identity) {
            let known = known();
            if known > 0 {
                return Err(format!(
                    "it is empty, and {known} files of it are known: a disk that is not there looks \
                     like this (if they are gone for good: rag forget '{}')",
                    self.path().display()
                ));
            }
        }
        Ok(identity)
    }

    /// It is there.
    pub(crate) fn remember(&mut self, look: &Look, identity: Identity, mounts: &Mounts) {
        self.status.mount.clone_from(&look.mount);
        if !look.is_empty {
            self.proven = Some(identity);
        }
        let below: BTreeSet<String> = mounts.below(&self.status.path).map(written).collect();
        self.status.away = self.status.mounts.difference(&below).cloned().collect();
        self.status.mounts.extend(below);
    }
}

/// Whether the roots are still what they were before they were looked at: what was unmounted meanwhile
/// looks as if all of it had been deleted.
pub(crate) fn same_ground(
    seen: &[(PathBuf, Option<Identity>)],
    before: &Mounts,
) -> rag_core::Result<()> {
    let now = Mounts::now();
    for (path, identity) in seen {
        let look = Look::at(path, &now);
        let is_same = look.there.ok() == *identity
            && now.point_of(path) == before.point_of(path)
            && before
                .below(path)
                .all(|point| now.below(path).any(|now| now == point));
        if !is_same {
            let fact = format!("`{}` was exchanged while it was looked at", path.display());
            return Err(rag_core::Error::new(rag_core::Code::Io, fact));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(identity: u64, mount: &str, is_empty: bool) -> Look {
        Look {
            there: Ok(Identity(identity, 1)),
            mount: Some(mount.into()),
            is_empty,
        }
    }

    fn root() -> Root {
        Root::new("/media/usb/notes".into(), None)
    }

    #[test]
    fn a_root_that_is_not_there_is_away() {
        let gone = Look {
            there: Err("it is not there".into()),
            ..look(1, "/", false)
        };
        assert_eq!(root().judge(&gone, || 9), Err("it is not there".into()));
        assert!(root().judge(&look(1, "/", false), || 9).is_ok());
    }

    #[test]
    fn the_folder_below_a_disk_that_is_unmounted_is_not_the_disk() {
        let mut root = root();
        let mounted = look(1, "/media/usb", false);
        let identity = root.judge(&mounted, || 0).unwrap();
        root.remember(&mounted, identity, &Mounts::default());
        let below = look(2, "/", false);
        let why = root.judge(&below, || 0).unwrap_err();
        assert!(why.contains("`/media/usb` is not mounted"), "{why}");
        // The same disk comes back under another number.
        assert!(root.judge(&look(3, "/media/usb", false), || 0).is_ok());
        // The next run remembers where it was mounted.
        let next = Root::new("/media/usb/notes".into(), Some(root.status));
        assert!(next.judge(&below, || 0).is_err());
    }

    #[test]
    fn an_empty_folder_proves_nothing_unless_its_files_were_seen_to_go() {
        let mut root = root();
        let empty = look(1, "/", true);
        assert!(root.judge(&empty, || 0).is_ok(), "nothing is known of it");
        let why = root.judge(&empty, || 7).unwrap_err();
        assert!(
            why.contains("7 files") && why.contains("rag forget"),
            "{why}"
        );
        let full = look(1, "/", false);
        root.remember(&full, Identity(1, 1), &Mounts::default());
        assert!(root.judge(&empty, || 7).is_ok());
        assert!(
            root.judge(&look(2, "/", true), || 7).is_err(),
            "another folder"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_look_tells_folders_from_each_other_and_empty_ones_from_full_ones() {
        let dir = tempfile::tempdir().unwrap();
        let look = |name: &str| Look::at(&dir.path().join(name), &Mounts::now());
        let folder = dir.path().join("a");
        std::fs::create_dir(&folder).unwrap();
        let first = look("a");
        assert!(first.is_empty);
        std::fs::write(folder.join("x.md"), "x").unwrap();
        assert!(!look("a").is_empty);
        assert_eq!(look("a").there, first.there);
        std::fs::create_dir(dir.path().join("b")).unwrap();
        assert_ne!(look("b").there, first.there);
        assert!(look("c").there.is_err());
    }
}
