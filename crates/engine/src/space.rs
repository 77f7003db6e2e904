//! Space on the disk: whether a second store finds room beside the first, asked before it is begun.

use std::path::Path;
use std::process::Command;

use rag_core::{Code, Error, Result};

/// Refuses where fewer than `needed` bytes are free in `dir`; where that can't be told, nothing is said
/// against it.
///
/// # Errors
/// `Io` with both figures.
pub(crate) fn must_have(dir: &Path, needed: u64) -> Result<()> {
    free(dir).map_or(Ok(()), |free| enough(dir, needed, free))
}

fn enough(dir: &Path, needed: u64, free: u64) -> Result<()> {
    if free >= needed {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    let fact = format!(
        "about {} MB are needed beside what is in `{}`, and {} MB are free there",
        megabytes(needed),
        dir.display(),
        megabytes(free)
    );
    Err(Error::new(Code::Io, fact).hint("make room on that disk first"))
}

/// Bytes that this user may still write in `dir`, as POSIX's `df` says; the standard library has no word
/// for it.
fn free(dir: &Path) -> Option<u64> {
    let mut df = Command::new("df");
    let run = df.arg("-Pk").arg(dir).env("LC_ALL", "C").output().ok()?;
    available(&String::from_utf8(run.stdout).ok()?)
}

/// The column `Available` of the last line, in bytes: the one before the percentage. What stands before
/// and after may be names with spaces.
fn available(table: &str) -> Option<u64> {
    let words: Vec<&str> = table.lines().nth(1)?.split_whitespace().collect();
    let is_percentage = |word: &str| word.strip_suffix('%').is_some_and(is_number);
    let capacity = words.iter().position(|word| is_percentage(word))?;
    let kibibytes: u64 = words.get(capacity.checked_sub(1)?)?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_told_from_the_table_of_df() {
        let table = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n\
                     //nas/my files   257040612 125952328 131071900      50% /media/100 % mine\n";
        assert_eq!(available(table), Some(131_071_900 * 1024));
        for nothing in ["", "Filesystem\n", "a b c\nnone none none - /\n"] {
            assert_eq!(available(nothing), None, "{nothing:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_of_this_machine_has_room_for_a_byte_and_not_for_all_there_are() {
        let dir = tempfile::tempdir().unwrap();
        must_have(dir.path(), 1).unwrap();
        let error = must_have(dir.path(), u64::MAX).unwrap_err();
        assert!(error.fact.contains("MB are free there"), "{error}");
        assert!(error.hint.unwrap().starts_with("make room"));
    }

    #[test]
    fn as_much_as_is_needed_is_enough() {
        assert!(enough(Path::new("/d"), 10, 10).is_ok());
        assert!(enough(Path::new("/d"), 10, 9).is_err());
    }
}
