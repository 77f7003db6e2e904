//! Source code: the file's own text as one block that knows its language. Where it is cut and under
//! which names, its grammar says when it is split.

use rag_core::{Block, BlockKind, Document, Span};

use crate::{error::Failure, format::Format, items::Item, lines::trimmed, nest::Input};

mod languages;
mod syntax;

pub(crate) use languages::formats;
pub(crate) use syntax::Splitter;

/// The document of a decoded source file.
#[allow(clippy::unnecessary_wraps, reason = "the signature of a parser")]
pub(crate) fn read(input: &Input<'_>, text: String) -> Result<Document, Failure> {
    let language = languages::of_file(input.name, &text);
    let label = language.map(|language| language.label);
    let media_type = language.map_or("text/plain", |language| language.format.media_type);
    Ok(document(text, label, media_type))
}

/// A text that is one block of code and in which lines matter.
pub(crate) fn document(text: String, label: Option<&str>, media_type: &str) -> Document {
    let span = trimmed(&text, Span::new(0, text.len()));
    let block = Block {
        label: label.map(str::to_owned),
        ..Block::new(BlockKind::Code, span)
    };
    Document {
        blocks: (!span.is_empty()).then_some(block).into_iter().collect(),
        text,
        lines_are_source_lines: true,
        media_type: media_type.to_owned(),
        ..Document::default()
    }
}

/// The label of code that calls its language so (`py`, `C++`, `rust,ignore`): in lower case, and by one
/// name for each language that is known.
pub(crate) fn label_of(told: &str) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || "+#-_.".contains(c);
    let name = told.trim().trim_start_matches(['{', '.']);
    let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
    let name = name[..end].to_lowercase();
    match languages::by_name(&name) {
        Some(language) => Some(language.label.to_owned()),
        None => (!name.is_empty() && name.len() <= 30).then_some(name),
    }
}

/// The items of `text`, where the language of that label has a grammar here.
pub(crate) fn items(label: &str, text: &str) -> Vec<Item> {
    languages::by_name(label).map_or_else(Vec::new, |language| syntax::items(language, text))
}

/// Whether the start of a text says that it is a script of a language that is known.
fn is_script(text: &[u8]) -> bool {
    text.starts_with(b"#!") && languages::by_first_line(text).is_some()
}

impl Format {
    /// A language's row: recognised by its extensions and by the interpreter that scripts name.
    const fn of_code(
        name: &'static str,
        media_type: &'static str,
        extensions: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            media_type,
            magic: &[],
            marks: None,
            extensions,
            parser: crate::format::Parser::Text(read),
        }
    }
}
