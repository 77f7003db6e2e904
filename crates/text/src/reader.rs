//! The reader: recognises a file, picks its parser, keeps panics in.

use std::{fs::File, io::Read as _, path::Path};

use rag_core::{Document, Extractor, Result};

use crate::{
    decode::{declared_by_html, decode},
    error::Failure,
    guard::guarded,
    html,
    language::language_of,
    markdown, pdf, plain,
    recognise::{Format, HEAD_BYTES, described, looks_like_html, recognise},
};

/// Version of the reading rules. It changes with any change of what a file's text or blocks are.
pub const READ_RULES: &str = "text-1";

/// Larger files are refused: 512 MiB. A text of that size takes several times as much memory.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Reads Markdown, plain text, HTML and PDF.
///
/// What a file is, its content says first and its name second. A reader has no state: it may be shared
/// and used from any thread. It does not limit time or memory: a file that is not trusted is read in a
/// process that can be killed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reader;

impl Reader {
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// Reads a file's bytes; `name` is its file name, of which the extension counts.
    ///
    /// An empty file is a document without text. A panic of a parser is an error.
    ///
    /// # Errors
    /// `Unsupported` for another kind of file, `Encrypted` for one that needs a password, `Malformed`
    /// where nothing at all can be read.
    pub fn read(&self, name: &str, bytes: &[u8]) -> Result<Document> {
        let format = recognise(name, bytes)?;
        let mut document = match format {
            Format::Pdf => contained(name, "PDF", || pdf::read(name, bytes))??,
            _ => read_text(name, bytes, format)?,
        };
        if document.media_type.is_empty() {
            format.media_type().clone_into(&mut document.media_type);
        }
        // A page's own claim counts less than its characters: templates say `en` of everything.
        let told = language_of(&document.text);
        document.language = match (told, document.language.take()) {
            (Some(told), Some(declared)) if declared.starts_with(&told) => Some(declared),
            (Some(told), Some(declared)) if !is_by_script(&told) => Some(declared),
            (told, declared) => told.or(declared),
        };
        Ok(document)
    }
}

impl Extractor for Reader {
    fn rules(&self) -> String {
        READ_RULES.to_owned()
    }

    fn extract(&self, path: &Path) -> Result<Document> {
        self.read(&name_of(path), &bytes_of(path)?)
    }
}

fn read_text(name: &str, bytes: &[u8], format: Format) -> std::result::Result<Document, Failure> {
    let is_page = format == Format::Html;
    let declared = is_page.then(|| declared_by_html(bytes)).flatten();
    let decoded = decode(bytes, declared);
    let text = decoded.text;
    let is_blank = text.chars().all(char::is_whitespace);
    // UTF-16 can be looked into only once it is decoded.
    let format = if looks_like_html(text.as_bytes()) {
        Format::Html
    } else {
        format
    };
    let mut document = match format {
        _ if is_blank => Document {
            lines_are_source_lines: !is_page,
            ..Document::default()
        },
        Format::Html => contained(name, "HTML", || html::read(&text))?,
        Format::Markdown => contained(name, "Markdown", || markdown::read(text))?,
        Format::Plain | Format::Pdf => plain::read(text),
    };
    format.media_type().clone_into(&mut document.media_type);
    document.warnings.splice(0..0, decoded.warnings);
    Ok(document)
}

/// What `work` gives, or that the parser panicked.
fn contained<T>(
    name: &str,
    kind: &'static str,
    work: impl FnOnce() -> T,
) -> std::result::Result<T, Failure> {
    guarded(work).map_err(|cause| Failure::Panicked {
        name: name.to_owned(),
        kind,
        cause,
    })
}

/// The bytes of a file, once its start shows that it is of a kind that is read.
fn bytes_of(path: &Path) -> std::result::Result<Vec<u8>, Failure> {
    let io = |source| Failure::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let name = name_of(path);
    // Neither a file that grows nor a device that never ends is read beyond the limit.
    let mut file = file.take(MAX_FILE_BYTES + 1);
    let mut bytes = Vec::new();
    file.by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if let Err(failure) = recognise(&name, &bytes) {
        return Err(better_named(path, failure));
    }
    if size <= MAX_FILE_BYTES {
        file.read_to_end(&mut bytes).map_err(io)?;
    }
    let size = size.max(bytes.len() as u64);
    if size > MAX_FILE_BYTES {
        return Err(Failure::TooLarge {
            name,
            size,
            limit: MAX_FILE_BYTES,
        });
    }
    Ok(bytes)
}

/// A container (a zip of a Word document) shows what it is only at its end.
fn better_named(path: &Path, failure: Failure) -> Failure {
    match (failure, file_format::FileFormat::from_file(path)) {
        (Failure::Unsupported { name, kind }, Ok(format))
            if !matches!(
                format,
                file_format::FileFormat::ArbitraryBinaryData | file_format::FileFormat::PlainText
            ) && !kind.starts_with("a `.") =>
        {
            Failure::Unsupported {
                name,
                kind: described(format),
            }
        }
        (failure, _) => failure,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether a language was told by its script, which can't be wrong, rather than by statistics.
fn is_by_script(tag: &str) -> bool {
    matches!(tag, "zh-Hans" | "zh-Hant" | "ja" | "ko")
}

#[cfg(test)]
mod tests {
    use rag_core::{BlockKind, Code};

    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Document {
        Reader::new().read(name, bytes).unwrap()
    }

    #[test]
    fn an_empty_file_is_a_document_without_text() {
        for name in ["a.md", "a.txt", "a.html"] {
            for bytes in [&b""[..], b" \n", b"\xEF\xBB\xBF"] {
                let document = read(name, bytes);
                assert_eq!(document.text, "", "{name}");
                assert!(document.blocks.is_empty());
            }
        }
    }

    #[test]
    fn the_text_of_markdown_is_the_file_to_the_byte() {
        let text = "# Title\n\nWords and 中文。\n";
        let document = read("a.md", text.as_bytes());
        assert_eq!(document.text, text);
        assert_eq!(document.media_type, "text/markdown");
        assert_eq!(document.title.as_deref(), Some("Title"));
        assert!(document.lines_are_source_lines);
    }

    #[test]
    fn a_page_in_utf16_is_recognised_after_decoding() {
        let page: Vec<u8> = "\u{FEFF}<!DOCTYPE html><title>T</title><p>中文 text</p>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let document = read("a.txt", &page);
        assert_eq!(document.media_type, "text/html");
        assert_eq!(document.blocks[0].kind, BlockKind::Paragraph);
        assert_eq!(document.text, "中文 text");
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        let error = Reader::new()
            .read("a.docx", b"PK\x03\x04\x14\0\x06\0")
            .unwrap_err();
        assert_eq!(error.code, Code::Unsupported);
        assert!(error.fact.contains("`a.docx`"), "{}", error.fact);
        assert!(error.hint.is_some());
        let error = Reader::new().read("a.csv", b"a,b\n").unwrap_err();
        assert_eq!(
            error.fact,
            "`a.csv` is a `.csv` file, which can't be read yet"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_refused_with_its_path() {
        let error = Reader::new()
            .extract(Path::new("/nowhere/a.md"))
            .unwrap_err();
        assert_eq!(error.code, Code::Io);
        assert!(error.fact.contains("/nowhere/a.md"));
    }

    #[test]
    fn what_a_page_claims_of_its_language_counts_less_than_its_script() {
        let page = "<html lang=en><p>他们说这个国家的经济发展很快。</p>";
        assert_eq!(
            read("a.html", page.as_bytes()).language.as_deref(),
            Some("zh-Hans")
        );
        let page = "<html lang=en-GB><p>Hybrid search</p>";
        assert_eq!(
            read("a.html", page.as_bytes()).language.as_deref(),
            Some("en-GB")
        );
    }
}
