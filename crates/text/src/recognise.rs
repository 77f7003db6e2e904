//! What kind of file the bytes are: content first, the name's extension only where content can't tell.

use file_format::FileFormat;

use crate::{
    error::Failure,
    format::{self, Format, PDF},
    markup::PLAIN,
    office,
};

/// So many bytes from the start decide what a file is.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// Share of control characters above which bytes are not text. Texts have none, or a few stray ones;
/// random bytes have 11 %.
const MAX_CONTROL_SHARE: f64 = 0.05;

/// The format of the file `name` with these bytes.
///
/// The start of a file suffices but for containers (zip, OLE), which show at their end what they are:
/// of a start alone these are taken for what they may be.
pub(crate) fn recognise(name: &str, bytes: &[u8]) -> Result<&'static Format, Failure> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let extension = extension_of(name);
    let controls = if is_wide(head) {
        0.0
    } else {
        control_share(head)
    };
    if has_pdf_mark(head) && (starts_with_pdf_mark(head) || extension == "pdf" || controls > 0.0) {
        return Ok(&PDF);
    }
    let magic = office::looked_into(magic_of(bytes), &extension, bytes);
    if let Some(format) = format::all().find(|format| format.magic.contains(&magic)) {
        return Ok(format);
    }
    let refused = |kind: String| Failure::Unsupported {
        name: name.to_owned(),
        kind,
    };
    // A short magic number (`BM`, `MZ`) may well start a text, so text that is clean stays text.
    let known = !matches!(
        magic,
        FileFormat::ArbitraryBinaryData | FileFormat::PlainText
    );
    if known && controls > 0.0 {
        return Err(refused(described(magic)));
    }
    if controls > MAX_CONTROL_SHARE {
        return Err(refused("binary data".to_owned()));
    }
    if extension == "pdf" {
        // An error page that was saved under the name of the file that was wanted, a download that
        // gave nothing: its text is not what the name promises.
        let cause = if head.is_empty() {
            "it is empty"
        } else {
            "it holds other text"
        };
        return Err(Failure::Malformed {
            name: name.to_owned(),
            kind: "PDF",
            cause: cause.to_owned(),
        });
    }
    Ok(by_text(name, head))
}

/// What told the format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy {
    /// Its bytes: under any other name it would be the same.
    Content,
    /// The extension of its name.
    Name,
    /// It is text, and nothing claims it.
    Text,
}

/// The format of the file `name` with these bytes, and what told it.
pub(crate) fn told(name: &str, bytes: &[u8]) -> Result<(&'static Format, ToldBy), Failure> {
    let format = recognise(name, bytes)?;
    let by = match recognise("", bytes) {
        Ok(nameless) if *nameless == *format && *format != PLAIN => ToldBy::Content,
        _ if *format != PLAIN => ToldBy::Name,
        _ if PLAIN.extensions.contains(&&*extension_of(name)) => ToldBy::Name,
        _ => ToldBy::Text,
    };
    Ok((format, by))
}

/// The format of the text `name`: by what it starts with, then by its name; every other text is plain.
pub(crate) fn by_text(name: &str, text: &[u8]) -> &'static Format {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    // `Makefile` has no extension and is known all the same.
    let extension = match extension_of(name) {
        none if none.is_empty() => name.to_lowercase(),
        extension => extension,
    };
    let marked = |format: &&Format| format.marks.is_some_and(|marks| marks(text));
    let named = |format: &&Format| format.extensions.contains(&&*extension);
    format::all()
        .find(marked)
        .or_else(|| format::all().find(named))
        .unwrap_or(&PLAIN)
}

/// What the magic numbers say; of containers, what they hold.
fn magic_of(bytes: &[u8]) -> FileFormat {
    let looked_into = is_container(bytes)
        .then(|| FileFormat::from_reader(std::io::Cursor::new(bytes)).ok())
        .flatten();
    looked_into.unwrap_or_else(|| FileFormat::from_bytes(&bytes[..bytes.len().min(HEAD_BYTES)]))
}

/// Whether these are the first bytes of a file that holds others, and says at its end which.
pub(crate) fn is_container(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0")
}

/// A format's name and media type, for people.
pub(crate) fn described(format: FileFormat) -> String {
    format!("{} ({})", format.name(), format.media_type())
}

/// Lower-case extension without its dot; empty where there is none (`README`, `.profile`).
pub(crate) fn extension_of(name: &str) -> String {
    std::path::Path::new(name)
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// The mark may stand anywhere in the first KiB (ISO 32000-1, implementation note 13 of Annex H).
fn has_pdf_mark(head: &[u8]) -> bool {
    let first = &head[..head.len().min(1024)];
    first.windows(5).any(|window| window == b"%PDF-")
}

fn starts_with_pdf_mark(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    head.trim_ascii_start().starts_with(b"%PDF-")
}

/// Whether these are characters of two or four bytes (UTF-16, UTF-32), where NUL bytes mean nothing.
fn is_wide(head: &[u8]) -> bool {
    head.starts_with(b"\xFF\xFE")
        || head.starts_with(b"\xFE\xFF")
        || head.starts_with(b"\x00\x00\xFE\xFF")
        || crate::decode::unmarked_utf16(head).is_some()
}

/// Share of bytes that are control characters other than white space, escape and backspace.
fn control_share(head: &[u8]) -> f64 {
    if head.is_empty() {
        return 0.0;
    }
    let is_control = |b: &&u8| matches!(**b, 0..=7 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F);
    head.iter().filter(is_control).count() as f64 / head.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{format::HTML, markup::MARKDOWN};

    fn kind(name: &str, bytes: &[u8]) -> Option<&'static Format> {
        recognise(name, bytes).ok()
    }

    #[test]
    fn it_is_known_what_told_the_format() {
        let by = |name, bytes: &[u8]| told(name, bytes).unwrap().1;
        assert_eq!(by("a.pdf", b"%PDF-1.4"), ToldBy::Content);
        assert_eq!(by("a.txt", b"<!doctype html><p>x"), ToldBy::Content);
        assert_eq!(by("a.html", b"<p>x"), ToldBy::Name);
        assert_eq!(by("a.TXT", b"x"), ToldBy::Name);
        assert_eq!(by("README", b"x"), ToldBy::Text);
    }

    #[test]
    fn content_counts_before_the_extension() {
        assert_eq!(kind("a.txt", b"%PDF-1.4\n1 0 obj"), Some(&PDF));
        assert_eq!(kind("a.pdf", b"junk\n%PDF-1.4\n"), Some(&PDF));
        let page = b"<!-- x --><!DOCTYPE html><p>";
        assert_eq!(kind("a.md", page), Some(&HTML));
        let page = b"<?xml version='1.0'?>\n<HTML lang=en>";
        assert_eq!(kind("a.txt", page), Some(&HTML));
        let png = recognise("a.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0").unwrap_err();
        assert!(png.to_string().contains("Portable Network Graphics"));
    }

    #[test]
    fn the_extension_decides_where_content_is_plain_text() {
        assert_eq!(kind("a.MD", b"# x"), Some(&MARKDOWN));
        assert_eq!(kind("a.htm", b"<p>x"), Some(&HTML));
        assert_eq!(kind("README", b"x"), Some(&PLAIN));
        assert_eq!(kind("a.md", b"<headline> is no page"), Some(&MARKDOWN));
        assert_eq!(kind("server.options", b"port = 80\n"), Some(&PLAIN));
    }

    #[test]
    fn a_text_that_starts_like_a_binary_format_stays_text() {
        assert_eq!(kind("a.txt", b"BMW and MZ are brands."), Some(&PLAIN));
        let text = b"A PDF starts with %PDF- in its first KiB.";
        assert_eq!(kind("a.md", text), Some(&MARKDOWN));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_whatever_they_are_called() {
        let noise: Vec<u8> = (0..4000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        assert_eq!(kind("a.txt", &noise), None);
        let stray = b"one stray \0 in a longer line of text";
        assert_eq!(kind("a.txt", stray), Some(&PLAIN));
    }

    #[test]
    fn an_empty_file_is_a_text_of_no_characters() {
        for name in ["a.md", "a.html", "a.txt", "a"] {
            assert!(kind(name, b"").is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_only_called_pdf_is_malformed() {
        for bytes in [&b""[..], b"<html>404 Not Found</html>", b"words"] {
            let failure = recognise("a.pdf", bytes).unwrap_err();
            assert!(matches!(failure, Failure::Malformed { .. }), "{failure}");
        }
    }
}
