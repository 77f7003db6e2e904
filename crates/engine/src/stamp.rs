//! Whether a file is still the one that was looked at. Size and time of change are a shortcut; the hash
//! of its bytes decides.

use std::fs::Metadata;
use std::io::Result;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file that changed less than this before it was looked at may change again within the same tick of
/// its file system's clock (2 s on FAT), and nobody could tell by its time.
const SETTLED: Duration = Duration::from_secs(2);

/// What a look at a file's metadata says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// In bytes.
    pub(crate) size: u64,
    /// Modification time in nanoseconds since 1970; 0 where it can't be relied on, because it was too
    /// fresh when the file was looked at.
    pub(crate) modified_ns: i64,
    /// File number and time of the last change of any kind, which no program can set back; 0 where the
    /// system has none.
    identity: (u64, i64, i64),
}

impl Stamp {
    pub(crate) fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (meta.ino(), meta.ctime(), meta.ctime_nsec())
        };
        #[cfg(not(unix))]
        let identity = (0, 0, 0);
        Self {
            size: meta.len(),
            modified_ns: meta.modified().map_or(0, nanoseconds),
            identity,
        }
    }

    /// The stamp of a file that can't be looked at; it proves nothing.
    pub(crate) fn unknown() -> Self {
        Self {
            size: 0,
            modified_ns: 0,
            identity: (0, 0, 0),
        }
    }

    /// A stamp that says so much, for plans in tests.
    #[cfg(test)]
    pub(crate) fn so(size: u64, modified_ns: i64) -> Self {
        Self {
            size,
            modified_ns,
            identity: (0, 0, 0),
        }
    }

    /// Looks at `path`.
    pub(crate) fn look(path: &Path) -> Result<Self> {
        Ok(Self::of(&std::fs::metadata(path)?))
    }

    /// Whether nothing can have happened to the file between the look that gave `earlier` and this one.
    pub(crate) fn proves_same(&self, earlier: &Self) -> bool {
        self == earlier && self.modified_ns != 0
    }
}

/// BLAKE3 of a file's bytes, hex.
pub(crate) fn hash_of(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn nanoseconds(time: SystemTime) -> i64 {
    let age = SystemTime::now().duration_since(time);
    if age.is_ok_and(|age| age >= SETTLED) {
        since_1970(time)
    } else {
        0
    }
}

fn since_1970(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).ok();
    since
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;

    use super::*;

    /// A file whose time of change is set to `age` before now, or after it.
    fn file(dir: &Path, name: &str, modified: SystemTime) -> PathBuf {
        let path = dir.join(name);
        let file = File::create(&path).unwrap();
        file.set_modified(modified).unwrap();
        path
    }

    #[test]
    fn a_time_of_just_now_or_of_the_future_is_not_relied_on() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for time in [now, now + Duration::from_hours(1)] {
            let path = file(dir.path(), "a.txt", time);
            let look = Stamp::look(&path).unwrap();
            assert_eq!(look.modified_ns, 0);
            assert!(!Stamp::look(&path).unwrap().proves_same(&look));
        }
    }

    #[test]
    fn a_settled_file_is_the_same_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let then = SystemTime::now() - Duration::from_mins(1);
        let path = file(dir.path(), "a.txt", then);
        let look = Stamp::look(&path).unwrap();
        assert!(look.modified_ns > 0);
        assert!(Stamp::look(&path).unwrap().proves_same(&look));
        std::fs::write(&path, "longer").unwrap();
        assert!(!Stamp::look(&path).unwrap().proves_same(&look));
    }

    #[cfg(unix)]
    #[test]
    fn another_file_of_the_same_size_and_time_in_its_place_is_not_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let then = SystemTime::now() - Duration::from_mins(1);
        let path = file(dir.path(), "a.txt", then);
        let look = Stamp::look(&path).unwrap();
        std::fs::rename(file(dir.path(), "b.txt", then), &path).unwrap();
        let again = Stamp::look(&path).unwrap();
        assert_eq!(again.modified_ns, look.modified_ns);
        assert!(!again.proves_same(&look));
    }
}
