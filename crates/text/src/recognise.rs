//! What kind of file the bytes are: content first, the name's extension only where content can't tell.

use file_format::FileFormat;

use crate::error::Failure;

/// So many bytes from the start decide what a file is.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// Share of control characters above which bytes are not text. Texts have none, or a few stray ones;
/// random bytes have 11 %.
const MAX_CONTROL_SHARE: f64 = 0.05;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Pdf,
    Html,
    Markdown,
    Plain,
}

impl Format {
    /// IANA media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Plain => "text/plain",
        }
    }
}

/// The format of the file `name` with these bytes (its start suffices).
pub(crate) fn recognise(name: &str, bytes: &[u8]) -> Result<Format, Failure> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let extension = extension_of(name);
    let controls = if is_wide(head) {
        0.0
    } else {
        control_share(head)
    };
    if has_pdf_mark(head) && (starts_with_pdf_mark(head) || extension == "pdf" || controls > 0.0) {
        return Ok(Format::Pdf);
    }
    let magic = FileFormat::from_bytes(head);
    let known = !matches!(
        magic,
        FileFormat::ArbitraryBinaryData | FileFormat::PlainText | FileFormat::Empty
    );
    // A short magic number (`BM`, `MZ`) may well start a text, so text that is clean stays text.
    let refused = |kind: String| Failure::Unsupported {
        name: name.to_owned(),
        kind,
    };
    if known && controls > 0.0 || magic == FileFormat::RichTextFormat {
        return Err(refused(described(magic)));
    }
    if controls > MAX_CONTROL_SHARE {
        return Err(refused("binary data".to_owned()));
    }
    match extension.as_str() {
        // An error page that was saved under the name of the file that was wanted, a download that
        // gave nothing: its text is not what the name promises.
        "pdf" => Err(Failure::Malformed {
            name: name.to_owned(),
            kind: "PDF",
            cause: if head.is_empty() {
                "it is empty".to_owned()
            } else {
                "it holds other text".to_owned()
            },
        }),
        _ if looks_like_html(head) => Ok(Format::Html),
        "html" | "htm" | "xhtml" | "xht" => Ok(Format::Html),
        "md" | "markdown" | "mdown" | "mkd" | "mkdn" => Ok(Format::Markdown),
        "" | "txt" | "text" | "log" | "rst" | "adoc" | "org" | "tex" => Ok(Format::Plain),
        _ if head.is_empty() => Ok(Format::Plain),
        _ if known => Err(refused(described(magic))),
        other => Err(refused(format!("a `.{other}` file"))),
    }
}

/// A format's name and media type, for people.
pub(crate) fn described(format: FileFormat) -> String {
    format!("{} ({})", format.name(), format.media_type())
}

/// Whether an HTML page starts here: white space, comments and an XML declaration may come first.
pub(crate) fn looks_like_html(bytes: &[u8]) -> bool {
    let mut rest = &bytes[..bytes.len().min(4096)];
    rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', ..] => b"?>",
            _ => break,
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else {
            return false;
        };
        rest = &rest[at + end.len()..];
    }
    let starts = |mark: &str| {
        rest.len() > mark.len()
            && rest[..mark.len()].eq_ignore_ascii_case(mark.as_bytes())
            && !rest[mark.len()].is_ascii_alphanumeric()
    };
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|mark| starts(mark))
}

/// Lower-case extension without its dot; empty where there is none (`README`, `.profile`).
fn extension_of(name: &str) -> String {
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

    fn kind(name: &str, bytes: &[u8]) -> Option<Format> {
        recognise(name, bytes).ok()
    }

    #[test]
    fn content_counts_before_the_extension() {
        assert_eq!(kind("a.txt", b"%PDF-1.4\n1 0 obj"), Some(Format::Pdf));
        assert_eq!(kind("a.pdf", b"junk\n%PDF-1.4\n"), Some(Format::Pdf));
        assert_eq!(
            kind("a.md", b"<!-- x --><!DOCTYPE html><p>"),
            Some(Format::Html)
        );
        assert_eq!(
            kind("a.txt", b"<?xml version='1.0'?>\n<HTML lang=en>"),
            Some(Format::Html)
        );
        let png = recognise("a.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0").unwrap_err();
        assert!(png.to_string().contains("Portable Network Graphics"));
    }

    #[test]
    fn the_extension_decides_where_content_is_plain_text() {
        assert_eq!(kind("a.MD", b"# x"), Some(Format::Markdown));
        assert_eq!(kind("a.htm", b"<p>x"), Some(Format::Html));
        assert_eq!(kind("README", b"x"), Some(Format::Plain));
        assert_eq!(
            kind("a.md", b"<headline> is no page"),
            Some(Format::Markdown)
        );
        assert_eq!(kind("a.csv", b"a,b\n1,2\n"), None);
    }

    #[test]
    fn a_text_that_starts_like_a_binary_format_stays_text() {
        assert_eq!(
            kind("a.txt", b"BMW and MZ are brands."),
            Some(Format::Plain)
        );
        assert_eq!(
            kind("a.md", b"A PDF starts with %PDF- in its first KiB."),
            Some(Format::Markdown)
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_whatever_they_are_called() {
        let noise: Vec<u8> = (0..4000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        assert_eq!(kind("a.txt", &noise), None);
        assert_eq!(kind("a.rtf", b"{\\rtf1 text}"), None);
        assert_eq!(
            kind("a.txt", b"one stray \0 in a longer line of text"),
            Some(Format::Plain)
        );
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
