//! The reader: recognises a file, picks its parser, keeps panics in.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use rag_core::{Document, Extractor, Result};

use crate::{
    blobs,
    decode::{declared_by_comment, declared_by_html, decode},
    error::Failure,
    format::{Format, HTML, Parser},
    guard::guarded,
    language::language_of,
    markup::PLAIN,
    nest::{Input, Nest},
    ocr::OcrProgram,
    recognise::{HEAD_BYTES, ToldBy, by_text, described, is_container, recognise, told},
};

/// Version of the reading rules. It changes with any change of what a file's text or blocks are.
pub const READ_RULES: &str = "text-6";

/// Larger files are refused: 512 MiB. A text of that size takes several times as much memory.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Reads the files of all formats that [`crate::format::all`] lists.
///
/// What a file is, its content says first and its name second. A reader may be shared and used from any
/// thread. It does not limit time or memory: a file that is not trusted is read in a process that can be
/// killed.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    passwords: Vec<String>,
    ocr_languages: Vec<String>,
    ocr_program: OcrProgram,
}

impl Reader {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tries these on encrypted files, after the empty one.
    #[must_use]
    pub fn with_passwords(mut self, passwords: Vec<String>) -> Self {
        self.passwords = passwords;
        self
    }

    /// Languages of scans, as `tesseract` names them; empty for English and Chinese as far as installed.
    #[must_use]
    pub fn with_ocr_languages(mut self, languages: Vec<String>) -> Self {
        self.ocr_languages = languages;
        self
    }

    /// Which `tesseract` reads scans; none for nobody. By default the one in the folders for programs.
    #[must_use]
    pub fn with_ocr_program(mut self, program: Option<PathBuf>) -> Self {
        self.ocr_program = program.map_or(OcrProgram::None, OcrProgram::At);
        self
    }

    pub(crate) fn passwords(&self) -> &[String] {
        &self.passwords
    }

    pub(crate) fn ocr_languages(&self) -> &[String] {
        &self.ocr_languages
    }

    pub(crate) fn ocr_program(&self) -> &OcrProgram {
        &self.ocr_program
    }

    /// Reads a file's bytes; `name` is its file name, of which the extension counts.
    ///
    /// An empty file is a document without text. A panic of a parser is an error.
    ///
    /// # Errors
    /// `Unsupported` for another kind of file, `Encrypted` for one that needs a password, `Malformed`
    /// where nothing at all can be read, `LimitExceeded` for archives beyond the limits.
    pub fn read(&self, name: &str, bytes: &[u8]) -> Result<Document> {
        Ok(self.read_nested(name, bytes, &Nest::default())?)
    }

    pub(crate) fn read_nested(
        &self,
        name: &str,
        bytes: &[u8],
        nest: &Nest,
    ) -> std::result::Result<Document, Failure> {
        let format = recognise(name, bytes)?;
        let input = Input {
            name,
            bytes,
            reader: self,
            nest,
        };
        let mut document = match format.parser {
            Parser::Bytes(parse) => contained(&input, format, || parse(&input))?,
            Parser::Text(_) => read_text(&input, format)?,
        };
        if document.media_type.is_empty() {
            format.media_type.clone_into(&mut document.media_type);
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

/// What a file is taken for: media type, name for people, and what told it.
///
/// # Errors
/// `Io` where the file can't be read, `Unsupported` where it is of no kind that is read.
pub fn recognised(path: &Path) -> Result<(&'static str, &'static str, ToldBy)> {
    let (format, by) = told(&name_of(path), &bytes_of(path)?)?;
    Ok((format.media_type, format.name, by))
}

fn read_text(input: &Input<'_>, format: &'static Format) -> std::result::Result<Document, Failure> {
    let is_page = *format == HTML;
    let declared = if is_page || input.bytes.starts_with(b"<?xml") {
        declared_by_html(input.bytes)
    } else {
        declared_by_comment(input.bytes)
    };
    let decoded = decode(input.bytes, declared);
    // UTF-16 can be looked into only once it is decoded.
    let start = decoded.text.floor_char_boundary(HEAD_BYTES);
    let format = match by_text(input.name, &decoded.text.as_bytes()[..start]) {
        told if *told == PLAIN || matches!(told.parser, Parser::Bytes(_)) => format,
        told => told,
    };
    let is_blank = decoded.text.chars().all(char::is_whitespace);
    let mut document = match format.parser {
        Parser::Text(parse) if !is_blank => {
            contained(input, format, || parse(input, decoded.text))?
        }
        _ => Document {
            lines_are_source_lines: !is_page,
            ..Document::default()
        },
    };
    if document.media_type.is_empty() {
        format.media_type.clone_into(&mut document.media_type);
    }
    blobs::leave_out(&mut document);
    document.encoding.get_or_insert(decoded.encoding);
    document.warnings.splice(0..0, decoded.warnings);
    Ok(document)
}

/// What `work` gives, or that the parser panicked.
fn contained(
    input: &Input<'_>,
    format: &Format,
    work: impl FnOnce() -> std::result::Result<Document, Failure>,
) -> std::result::Result<Document, Failure> {
    let panicked = |cause| Failure::Panicked {
        name: input.name.to_owned(),
        kind: format.name,
        cause,
    };
    guarded(work).map_err(panicked)?
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
    // A container (a zip of a Word document) shows what it is only at its end.
    if !is_container(&bytes)
        && let Err(failure) = recognise(&name, &bytes)
    {
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
        (Failure::Unsupported { name, .. }, Ok(format))
            if !matches!(
                format,
                file_format::FileFormat::ArbitraryBinaryData | file_format::FileFormat::PlainText
            ) =>
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
            .read("a.bin", b"\x7fELF\x02\x01\x01\0\0\0")
            .unwrap_err();
        assert_eq!(error.code, Code::Unsupported);
        assert!(error.fact.contains("`a.bin`"), "{}", error.fact);
        assert!(error.hint.is_some());
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
