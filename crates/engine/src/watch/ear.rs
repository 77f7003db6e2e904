//! What the system says of files, as hints. A thin adapter: which path may have changed is all that is
//! taken from an event, and nothing is concluded from it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, DataChange, ModifyKind};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::watch::debounce::Hint;
use crate::watch::inbox::Inbox;

/// Files that say which others are left out: a change of them is one of what is around them.
const IGNORE_FILES: [&str; 3] = [".gitignore", ".ignore", ".ragignore"];

/// Whether the system follows single folders only, so that each needs a watch of its own. (`notify` could
/// add them by itself, but gives up at the first that may not be entered, and follows what is hidden or
/// ignored too, of which there may be more than the system allows.)
pub(crate) const EACH_FOLDER: bool = cfg!(target_os = "linux");

/// The system's events of some folders.
pub(crate) struct Ear {
    watcher: RecommendedWatcher,
}

/// What the watch is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Files and folders, links resolved.
    pub(crate) roots: Vec<PathBuf>,
    /// What is written here by ourselves must not wake us.
    pub(crate) own: PathBuf,
}

impl About {
    /// The place that is to be looked at where something has happened to `path`.
    fn place(&self, path: &Path) -> Option<PathBuf> {
        if path.starts_with(&self.own) {
            return None;
        }
        if let Some(root) = self.roots.iter().find(|root| path.starts_with(root)) {
            let below = path.strip_prefix(root).ok()?;
            let hides = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
            let is_ignore_file = below
                .file_name()
                .is_some_and(|name| IGNORE_FILES.iter().any(|ignore_file| name == *ignore_file));
            let folders = below.parent().unwrap_or(Path::new(""));
            let is_hidden = folders.iter().any(hides);
            return match (is_hidden, is_ignore_file) {
                (true, _) => None,
                (false, true) => path.parent().map(Path::to_owned),
                (false, false) => (!below.file_name().is_some_and(hides)).then(|| path.to_owned()),
            };
        }
        // A folder on the way to a root: that one may be gone.
        let root = self.roots.iter().find(|root| root.starts_with(path));
        root.cloned()
    }
}

impl Ear {
    /// Listens for `inbox`; nothing is followed yet.
    ///
    /// # Errors
    /// In words, where the system gives no events.
    pub(crate) fn new(about: About, inbox: Arc<Inbox>) -> Result<Self, String> {
        let hear = move |event: notify::Result<Event>| match event {
            Ok(event) => {
                for hint in hints(&event, &about) {
                    inbox.hear(hint);
                }
            }
            Err(error) => {
                if matches!(error.kind, ErrorKind::MaxFilesWatch) {
                    inbox.fall_deaf(told(&error));
                }
                inbox.hear(Hint::Lost);
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(hear, config).map_err(|error| told(&error))?;
        Ok(Self { watcher })
    }

    /// Follows a root: a folder with all that is below it, where the system can do that by itself, or a
    /// file by the folder it lies in, since what is saved over it is another file.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn follow(&mut self, root: &Path) -> Result<(), String> {
        let (path, mode) = if !root.is_dir() {
            (root.parent().unwrap_or(root), RecursiveMode::NonRecursive)
        } else if EACH_FOLDER {
            (root, RecursiveMode::NonRecursive)
        } else {
            (root, RecursiveMode::Recursive)
        };
        self.watcher.watch(path, mode).map_err(|error| told(&error))
    }

    /// Gives each of these folders a watch of its own. Whoever looks into them after this misses
    /// nothing: what is there is seen, and of what comes later there are events. One that is gone, or
    /// that may not be entered, has none; its parent tells when that changes.
    ///
    /// # Errors
    /// In words, where the system follows no more.
    pub(crate) fn follow_each(&mut self, folders: &[PathBuf]) -> Result<(), String> {
        for folder in folders {
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                    return Err(told(&error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Lets go of a root that is not there any more.
    pub(crate) fn let_go(&mut self, root: &Path) {
        // It may have gone by itself.
        let _ = self.watcher.unwatch(root);
    }
}

/// Why the system refuses, and what can be done.
fn told(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => "the system follows no more folders (Linux: sysctl \
                                     fs.inotify.max_user_watches=524288 allows more)"
            .to_owned(),
        ErrorKind::Io(cause) => cause.to_string(),
        other => format!("{other:?}"),
    }
}

fn hints(event: &Event, about: &About) -> Vec<Hint> {
    if event.need_rescan() {
        return vec![Hint::Lost];
    }
    let hint = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Touched,
        // Our own reading is an access too.
        EventKind::Access(_) => return Vec::new(),
        // Only where the end of writing is told as well: elsewhere it would be waited for in vain.
        EventKind::Modify(ModifyKind::Data(DataChange::Any)) if cfg!(target_os = "linux") => {
            Hint::Written
        }
        _ => Hint::Touched,
    };
    let places = event.paths.iter().filter_map(|path| about.place(path));
    places.map(hint).collect()
}

#[cfg(test)]
mod tests {
    use notify::event::CreateKind;

    use super::*;

    fn about() -> About {
        About {
            roots: vec!["/d/notes".into(), "/d/one.md".into()],
            own: "/d/notes/home/kb".into(),
        }
    }

    #[test]
    fn a_hint_names_what_may_have_changed() {
        let about = about();
        let place = |path: &str| about.place(Path::new(path));
        let same = |path: &str| assert_eq!(place(path).as_deref(), Some(Path::new(path)));
        same("/d/notes/a.md");
        same("/d/notes/sub/b");
        same("/d/notes");
        same("/d/one.md");
        assert_eq!(
            place("/d/two.md"),
            None,
            "a neighbour of a file that is followed"
        );
        assert_eq!(place("/d/notes/.git/index.lock"), None);
        assert_eq!(place("/d/notes/.a.md.swp"), None);
        assert_eq!(place("/d/notes/home/kb/default/lance/data"), None);
        assert_eq!(
            place("/d/notes/sub/.gitignore"),
            Some("/d/notes/sub".into())
        );
        assert_eq!(place("/d/notes/.git/.gitignore"), None);
        assert_eq!(place("/d"), Some("/d/notes".into()), "the way to a root");
    }

    #[test]
    fn our_own_reading_wakes_nobody() {
        let event = |kind| Event::new(kind).add_path("/d/notes/a.md".into());
        let heard = |kind| hints(&event(kind), &about());
        assert_eq!(
            heard(EventKind::Access(AccessKind::Open(AccessMode::Any))),
            []
        );
        assert_eq!(
            heard(EventKind::Access(AccessKind::Close(AccessMode::Read))),
            []
        );
        let touched = [Hint::Touched("/d/notes/a.md".into())];
        assert_eq!(
            heard(EventKind::Access(AccessKind::Close(AccessMode::Write))),
            touched
        );
        assert_eq!(heard(EventKind::Create(CreateKind::File)), touched);
    }

    #[test]
    fn an_overflow_means_a_look_at_everything() {
        let event = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert_eq!(hints(&event, &about()), [Hint::Lost]);
    }
}
