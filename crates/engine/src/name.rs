//! Paths as text and back. A source's root and path are text, in the store and on the wire, while a
//! path on Unix is bytes: what is no UTF-8 is written out, so that such a file has a name of its own
//! and can be opened by it again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rag_core::Source;

/// `path` as text. On Unix a byte that is no UTF-8 is written `\xE9`, and a backslash that would read
/// as the start of such a byte `\x5C`: no two paths share a text. Elsewhere `\` becomes `/`.
pub(crate) fn written(path: &Path) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        written_bytes(path.as_os_str().as_bytes())
    }
    #[cfg(not(unix))]
    {
        path.to_string_lossy().replace('\\', "/")
    }
}

/// The path that was [`written`] so.
pub(crate) fn path_of(text: &str) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        std::ffi::OsString::from_vec(bytes_of(text)).into()
    }
    #[cfg(not(unix))]
    {
        text.into()
    }
}

/// Whether [`written`] gives a path a text of its own. Windows knows names that are no Unicode.
pub(crate) fn is_nameable(path: &Path) -> bool {
    cfg!(unix) || path.to_str().is_some()
}

/// Where a source lies.
pub(crate) fn place(source: &Source) -> PathBuf {
    path_of(&source.root).join(path_of(&source.path))
}

/// For serde, which refuses paths that are no text: `#[serde(with = "crate::name::as_text")]`.
pub(crate) mod as_text {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, out: S) -> Result<S::Ok, S::Error> {
        super::written(path).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(super::path_of(&String::deserialize(from)?))
    }
}

#[cfg(unix)]
fn written_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for piece in bytes.utf8_chunks() {
        let valid = piece.valid();
        let mut rest = valid;
        while let Some(at) = rest.find("\\x") {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            out.push_str(if escaped(from).is_some() {
                "\\x5C"
            } else {
                "\\"
            });
            rest = &from[1..];
        }
        out.push_str(rest);
        for byte in piece.invalid() {
            let _ = write!(out, "\\x{byte:02X}"); // a String takes everything
        }
    }
    out
}

#[cfg(unix)]
fn bytes_of(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        if let Some(byte) = escaped(from) {
            out.push(byte);
            rest = &from[4..];
        } else {
            out.push(b'\\');
            rest = &from[1..];
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The byte that `text` begins with in its written form: `\x` and two capital hex digits.
#[cfg(unix)]
fn escaped(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("\\x")?.get(..2)?;
    let plain = |digit: u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
    let is_plain = digits.bytes().all(plain);
    is_plain.then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_is_text_stays_as_it_is() {
        for name in ["notes.md", "笔记/第一章.md", "a\\b", "a\\xyz", "\\x"] {
            assert_eq!(written(Path::new(name)), name);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_written_out_and_never_collide() {
        let names = [
            &b"caf\xE9.md"[..],
            b"caf\xE8.md",
            b"caf\\xE9.md",
            b"caf\\x5CxE9.md",
            "caf\u{FFFD}.md".as_bytes(),
        ];
        let texts = names.map(|name| written(Path::new(OsStr::from_bytes(name))));
        assert_eq!(texts[0], "caf\\xE9.md");
        assert_eq!(texts[2], "caf\\x5CxE9.md");
        let unique: std::collections::HashSet<_> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len());
    }

    proptest! {
        #[test]
        fn every_path_is_found_again_by_its_text(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\\'), Just(b'x'), Just(b'5'), Just(b'C'), 1..=255u8],
                0..24,
            ),
        ) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            prop_assert_eq!(path_of(&written(path)), path);
        }
    }
}
