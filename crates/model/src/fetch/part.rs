//! A file on its way: written beside its place as `NAME.part`, moved there only when its hash is right.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::failure::Failure;

/// What to do with what an earlier attempt left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    Continue,
    Discard,
}

/// The incomplete file, its length and the hash of what is there so far.
pub(crate) struct Part {
    path: PathBuf,
    target: PathBuf,
    file: File,
    hash: Sha256,
    len: u64,
}

impl Part {
    /// Opens `TARGET.part`, making the folders above it.
    pub(crate) fn open(target: &Path, leftover: Leftover) -> Result<Self, Failure> {
        let path = beside(target);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|cause| Failure::disk("create", folder, cause))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(|cause| Failure::disk("create", &path, cause))?;
        let mut part = Self {
            path,
            target: target.to_owned(),
            file,
            hash: Sha256::new(),
            len: 0,
        };
        match leftover {
            Leftover::Continue => part.count()?,
            Leftover::Discard => part.restart()?,
        }
        Ok(part)
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(bytes)
            .map_err(|cause| Failure::disk("write", &self.path, cause))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets everything that was written.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        self.file
            .set_len(0)
            .map_err(|cause| Failure::disk("truncate", &self.path, cause))?;
        self.hash = Sha256::new();
        self.len = 0;
        Ok(())
    }

    /// Moves the file to its place and gives its SHA-256. A file that is not the expected one is
    /// removed.
    pub(crate) fn finish(self, expected: Option<&str>, origin: &str) -> Result<String, Failure> {
        let found = hex(&self.hash.finalize());
        if let Some(expected) = expected
            && expected != found
        {
            fs::remove_file(&self.path)
                .map_err(|cause| Failure::disk("remove", &self.path, cause))?;
            return Err(Failure::WrongHash {
                file: file_name(&self.target),
                origin: origin.to_owned(),
                expected: expected.to_owned(),
                found,
            });
        }
        self.file
            .sync_all()
            .map_err(|cause| Failure::disk("write", &self.path, cause))?;
        fs::rename(&self.path, &self.target)
            .map_err(|cause| Failure::disk("write", &self.target, cause))?;
        Ok(found)
    }

    /// Reads what an earlier attempt wrote.
    fn count(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = self
                .file
                .read(&mut buffer)
                .map_err(|cause| Failure::disk("read", &self.path, cause))?;
            if read == 0 {
                return Ok(());
            }
            self.hash.update(&buffer[..read]);
            self.len += read as u64;
        }
    }
}

/// Puts a verified file of this machine in place: a second name for the same bytes where the file
/// system allows it, a copy otherwise.
pub(crate) fn link_or_copy(source: &Path, target: &Path) -> Result<(), Failure> {
    let path = beside(target);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(|cause| Failure::disk("create", folder, cause))?;
    }
    match fs::remove_file(&path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::disk("remove", &path, cause));
        }
        _ => {}
    }
    if fs::hard_link(source, &path).is_err() {
        fs::copy(source, &path).map_err(|cause| Failure::disk("copy", source, cause))?;
    }
    fs::rename(&path, target).map_err(|cause| Failure::disk("write", target, cause))
}

/// SHA-256 of a file, 64 hex digits.
pub(crate) fn sha256_of(path: &Path) -> Result<String, Failure> {
    let failed = |cause| Failure::disk("read", path, cause);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text itself, if it is a SHA-256 and not the SHA-1 that the hub gives small files.
pub(crate) fn sha256_in(text: &str) -> Option<String> {
    (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| text.to_ascii_lowercase())
}

/// The last part of a path, for people.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    // SHA-256 of "abc", FIPS 180-2 appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_part_that_is_continued_has_the_hash_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/file");
        let mut part = Part::open(&target, Leftover::Discard).unwrap();
        part.write(b"a").unwrap();
        drop(part);
        let mut part = Part::open(&target, Leftover::Continue).unwrap();
        assert_eq!(part.len(), 1);
        part.write(b"bc").unwrap();
        assert_eq!(part.finish(Some(ABC), "a test").unwrap(), ABC);
        assert_eq!(fs::read(&target).unwrap(), b"abc");
        assert!(!beside(&target).exists());
    }

    #[test]
    fn a_part_that_starts_again_forgets_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file");
        let mut part = Part::open(&target, Leftover::Discard).unwrap();
        part.write(b"wrong").unwrap();
        part.restart().unwrap();
        part.write(b"abc").unwrap();
        assert_eq!(part.finish(Some(ABC), "a test").unwrap(), ABC);
        assert_eq!(sha256_of(&target).unwrap(), ABC);
    }

    #[test]
    fn a_part_with_the_wrong_hash_is_removed_and_both_hashes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file");
        let mut part = Part::open(&target, Leftover::Discard).unwrap();
        part.write(b"abd").unwrap();
        let failure = part.finish(Some(ABC), "a test").unwrap_err();
        assert!(failure.to_string().contains(ABC), "{failure}");
        assert!(!target.exists() && !beside(&target).exists());
    }
}
