//! Jupyter notebooks: the Markdown of text cells, the code of code cells, what these printed.
//!
//! Format: nbformat 4, and 3 as far as its cells have the same meaning.

use std::collections::BTreeMap;

use rag_core::{Block, BlockKind, Document, Link, Span, Warning, WarningKind};
use serde::Deserialize;
use serde_json::Value;

use super::json;
use crate::{code, error::Failure, lines::trimmed, markup, nest::Input};

/// What a cell printed is read up to so many bytes: more is a table of numbers or a log.
const MAX_OUTPUT: usize = 8 << 10;

#[derive(Debug, Deserialize)]
struct Notebook {
    #[serde(default)]
    cells: Vec<Cell>,
    /// Of nbformat 3.
    #[serde(default)]
    worksheets: Vec<Worksheet>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Worksheet {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    title: Option<String>,
    kernelspec: Option<Named>,
    language_info: Option<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: Option<String>,
    language: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Cell {
    #[serde(rename = "cell_type")]
    kind: String,
    #[serde(default, alias = "input")]
    source: Lines,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Debug, Default, Deserialize)]
struct Output {
    #[serde(default)]
    text: Lines,
    #[serde(default)]
    data: BTreeMap<String, Value>,
    ename: Option<String>,
    evalue: Option<String>,
}

/// One text, or its lines with their line feeds.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Lines {
    One(String),
    Many(Vec<String>),
    Other(serde::de::IgnoredAny),
}

impl Default for Lines {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Lines {
    fn joined(self) -> String {
        match self {
            Self::One(text) => text,
            Self::Many(lines) => lines.concat(),
            Self::Other(_) => String::new(),
        }
    }
}

/// The document of a decoded notebook. One that is damaged is read as the JSON that it is.
#[allow(clippy::unnecessary_wraps, reason = "the signature of a parser")]
pub(super) fn read(_: &Input<'_>, text: String) -> Result<Document, Failure> {
    let notebook: Notebook = match serde_json::from_str(&text) {
        Ok(notebook) => notebook,
        Err(error) => {
            let mut document = json::read(text, "application/json");
            let fact = format!("no notebook that can be parsed ({error}), so read as JSON");
            document
                .warnings
                .push(Warning::new(WarningKind::Guessed, fact));
            return Ok(document);
        }
    };
    let metadata = notebook.metadata;
    let told = [metadata.language_info, metadata.kernelspec];
    let told = told.into_iter().flatten();
    let language = told
        .into_iter()
        .find_map(|named| named.language.or(named.name));
    let mut pages = Pages {
        language: language.and_then(|told| code::label_of(&told)),
        ..Pages::default()
    };
    let worksheets = notebook
        .worksheets
        .into_iter()
        .flat_map(|sheet| sheet.cells);
    for cell in notebook.cells.into_iter().chain(worksheets) {
        pages.cell(cell);
    }
    let mut document = pages.document;
    document.title = metadata.title.or(document.title);
    if pages.cut > 0 {
        let fact = format!(
            "what {} cells printed was read up to {MAX_OUTPUT} bytes each",
            pages.cut
        );
        document
            .warnings
            .push(Warning::new(WarningKind::Guessed, fact));
    }
    Ok(document)
}

/// The text of the cells so far.
#[derive(Default)]
struct Pages {
    document: Document,
    language: Option<String>,
    /// Cells whose output was cut.
    cut: usize,
}

impl Pages {
    fn cell(&mut self, cell: Cell) {
        let source = cell.source.joined();
        match cell.kind.as_str() {
            "code" => self.code(&source, self.language.clone()),
            "markdown" | "heading" => self.markdown(source),
            _ => self.code(&source, None),
        }
        let mut left = MAX_OUTPUT;
        let mut is_cut = false;
        for output in cell.outputs {
            let printed = printed(output);
            let end = printed.floor_char_boundary(left);
            is_cut |= end < printed.len();
            left -= end;
            self.code(&printed[..end], None);
        }
        self.cut += usize::from(is_cut);
    }

    fn markdown(&mut self, source: String) {
        let cell = markup::markdown::read(source);
        let base = self.begin();
        self.document.text.push_str(&cell.text);
        let blocks = cell.blocks.into_iter().map(|mut block| {
            block.span = block.span.shifted(base);
            block
        });
        self.document.blocks.extend(blocks);
        let links = cell.links.into_iter().map(|link| Link {
            span: link.span.shifted(base),
            ..link
        });
        self.document.links.extend(links);
        self.document.warnings.extend(cell.warnings);
        if self.document.title.is_none() {
            self.document.title = cell.title;
        }
    }

    fn code(&mut self, source: &str, label: Option<String>) {
        let span = trimmed(source, Span::new(0, source.len()));
        if span.is_empty() {
            return;
        }
        let base = self.begin();
        self.document.text.push_str(span.slice(source));
        self.document.blocks.push(Block {
            label,
            ..Block::new(BlockKind::Code, Span::new(base, base + span.len()))
        });
    }

    /// Where the next cell begins: after a blank line.
    fn begin(&mut self) -> usize {
        let text = &mut self.document.text;
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.len()
    }
}

/// The words of an output; a picture, a table that is drawn with HTML and the name of an object in
/// memory have none.
fn printed(output: Output) -> String {
    let error = [output.ename, output.evalue];
    let error: Vec<String> = error.into_iter().flatten().collect();
    if !error.is_empty() {
        return error.join(": ");
    }
    let kinds = ["text/markdown", "text/plain"];
    let shown = kinds.iter().find_map(|kind| output.data.get(*kind));
    let shown = shown.map(|value| match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    });
    let text = shown.unwrap_or_default() + &output.text.joined();
    let words = text.trim();
    if words.starts_with('<') && words.ends_with('>') && !words.contains('\n') {
        return String::new();
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::Reader;

    use super::*;

    fn read(text: &str) -> Document {
        Reader::new().read("a.ipynb", text.as_bytes()).unwrap()
    }

    fn parts(document: &Document) -> Vec<(BlockKind, Option<&str>, &str)> {
        let blocks = document.blocks.iter();
        blocks
            .map(|b| (b.kind, b.label.as_deref(), b.span.slice(&document.text)))
            .collect()
    }

    #[test]
    fn cells_become_blocks_and_pictures_are_left_out() {
        let text = r##"{"nbformat": 4, "metadata": {"kernelspec": {"language": "python"}}, "cells": [
            {"cell_type": "markdown", "source": ["# Fares\n", "\n", "By [year](y.md)."]},
            {"cell_type": "code", "source": "print(7)\n", "outputs": [
                {"output_type": "stream", "text": ["7\n"]},
                {"data": {"image/png": "AAAA", "text/plain": ["<Figure size 640x480>"]}},
                {"ename": "KeyError", "evalue": "'2024'", "traceback": ["\u001b[31m"]}]},
            {"cell_type": "raw", "source": []}]}"##;
        let document = read(text);
        assert_eq!(document.title.as_deref(), Some("Fares"));
        assert_eq!(
            parts(&document),
            [
                (BlockKind::Heading(1), Some("Fares"), "# Fares"),
                (BlockKind::Paragraph, None, "By [year](y.md)."),
                (BlockKind::Code, Some("python"), "print(7)"),
                (BlockKind::Code, None, "7"),
                (BlockKind::Code, None, "KeyError: '2024'"),
            ]
        );
        assert_eq!(document.links[0].target, "y.md");
        assert_eq!(document.links[0].span.slice(&document.text), "[year](y.md)");
    }

    #[test]
    fn long_output_is_cut_and_said() {
        let text = format!(
            r#"{{"cells": [{{"cell_type": "code", "source": "x", "outputs": [{{"text": "{}"}}]}}]}}"#,
            "数".repeat(5000)
        );
        let document = read(&text);
        assert!(document.text.len() < MAX_OUTPUT + 10);
        assert!(document.warnings[0].fact.contains("1 cells"));
    }

    #[test]
    fn a_cut_notebook_is_read_as_json() {
        let document = read(r#"{"cells": [{"cell_type": "markdown", "source": ["Half a"#);
        assert!(document.text.contains("Half a"));
        assert_eq!(document.media_type, "application/json");
        assert_eq!(document.warnings.len(), 1);
    }
}
