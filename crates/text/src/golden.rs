//! Every file of `fixtures/formats` against what was read of it when a person last looked, and what must
//! hold of any document.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use rag_core::{Document, Span, TokenCounter};

use crate::{Reader, Sizes, split};

/// About the tokens of a word-piece model.
struct Pieces;

impl TokenCounter for Pieces {
    fn count_tokens(&self, text: &str) -> usize {
        let words: usize = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .map(|word| word.len().div_ceil(6))
            .sum();
        let others = text
            .chars()
            .filter(|c| !c.is_ascii_alphanumeric() && !c.is_whitespace());
        words + others.count()
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats")
}

/// Paths from `fixtures/formats`, sorted.
fn files() -> Vec<String> {
    let root = fixtures();
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(
                    path.strip_prefix(&root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

fn read(file: &str) -> rag_core::Result<Document> {
    let bytes = fs::read(fixtures().join(file)).unwrap();
    let name = file.rsplit('/').next().unwrap();
    // Which programs the machine has must not show.
    Reader::new().with_ocr_program(None).read(name, &bytes)
}

/// A document for people.
fn shown(document: &Document) -> String {
    let Document {
        text,
        title,
        pages,
        parts,
        blocks,
        links,
        lines_are_source_lines,
        language,
        media_type,
        encoding,
        date,
        tags,
        warnings,
    } = document;
    let mut out = format!(
        "{media_type}, {encoding:?}, title {title:?}, language {language:?}, date {date:?}\n"
    );
    if !tags.is_empty() {
        let _ = writeln!(out, "tags {tags:?}");
    }
    let of = |span: Span| span.slice(text);
    for page in pages {
        let _ = writeln!(out, "page {}: {} bytes", page.number, page.span.len());
    }
    for part in parts {
        let _ = writeln!(out, "part {:?}: {} bytes", part.name, part.span.len());
    }
    for link in links {
        let _ = writeln!(out, "link {:?} to {}", of(link.span), link.target);
    }
    for warning in warnings {
        let _ = writeln!(out, "{warning:?}");
    }
    for block in blocks {
        let _ = write!(out, "\n[{:?}", block.kind);
        if let Some(label) = &block.label {
            let _ = write!(out, " {label:?}");
        }
        if *lines_are_source_lines {
            let lines = rag_core::Lines::of(text, block.span);
            let _ = write!(out, " lines {}-{}", lines.first, lines.last);
        }
        if let Some(page) = document.page_at(block.span.start) {
            let _ = write!(out, " page {page}");
        }
        if let Some(area) = block.area {
            let _ = write!(
                out,
                " at {},{}-{},{}",
                area.left, area.bottom, area.right, area.top
            );
        }
        if let Some(part) = document.part_at(block.span.start) {
            let _ = write!(out, " part {:?}", part.name);
        }
        let _ = writeln!(out, "]\n{}", of(block.span));
    }
    out
}

#[test]
fn every_fixture_is_read_as_a_person_saw_it() {
    for file in files() {
        let reading = match read(&file) {
            Ok(document) => shown(&document),
            Err(error) => format!("{:?}: {}", error.code, error.one_line()),
        };
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(file.replace(['/', '.'], "-"), reading);
        });
    }
}

#[test]
fn places_are_in_order_and_chunks_are_the_text() {
    for file in files() {
        let Ok(document) = read(&file) else { continue };
        in_order(
            &file,
            &document.text,
            document.blocks.iter().map(|b| b.span),
        );
        in_order(&file, &document.text, document.parts.iter().map(|p| p.span));
        in_order(&file, &document.text, document.pages.iter().map(|p| p.span));
        for link in &document.links {
            let span = link.span;
            assert!(
                document.text.get(span.start..span.end).is_some(),
                "{file}: {link:?}"
            );
        }
        let sizes = Sizes {
            target: 60,
            max: 100,
        };
        let chunks = split(&document, sizes, &Pieces);
        in_order(&file, &document.text, chunks.iter().map(|c| c.span));
        for chunk in &chunks {
            assert_eq!(chunk.text, chunk.span.slice(&document.text), "{file}");
        }
    }
}

fn in_order(file: &str, text: &str, spans: impl Iterator<Item = Span>) {
    let mut end = 0;
    for span in spans {
        assert!(span.start >= end, "{file}: {span:?} begins before {end}");
        let slice = text.get(span.start..span.end);
        assert!(
            slice.is_some(),
            "{file}: {span:?} is no stretch of the text"
        );
        end = span.end;
    }
}
