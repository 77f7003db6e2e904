//! Reads files and shows what was made of them: `cargo run --example read -- FILE…`.
//!
//! With `--text` the text alone is printed; with `--blocks` every block, with `--chunks` every chunk.
//! `--password=WORD` is tried on files that need one; with `--no-ocr` scans are not read.

// An example talks to the terminal; there is no other face here.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{path::Path, time::Instant};

use rag_core::{Extractor as _, TokenCounter};
use rag_text::{Reader, Sizes, split};

/// About the tokens of a word-piece model: six letters a piece, one for each other character.
struct Pieces;

impl TokenCounter for Pieces {
    fn count_tokens(&self, text: &str) -> usize {
        let mut tokens = 0;
        let mut letters = 0;
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                tokens += usize::from(letters % 6 == 0);
                letters += 1;
            } else {
                letters = 0;
                tokens += usize::from(!c.is_whitespace());
            }
        }
        tokens
    }
}

fn main() {
    let mut show = String::new();
    let mut reader = Reader::new();
    for argument in std::env::args().skip(1) {
        if let Some(password) = argument.strip_prefix("--password=") {
            reader = reader.with_passwords(vec![password.to_owned()]);
        } else if argument == "--no-ocr" {
            reader = reader.with_ocr_program(None);
        } else if argument.starts_with("--") {
            show = argument;
        } else {
            read(&reader, Path::new(&argument), &show);
        }
    }
}

fn read(reader: &Reader, path: &Path, show: &str) {
    let begun = Instant::now();
    let document = match reader.extract(path) {
        Ok(document) => document,
        Err(error) => {
            println!("{}: {:?}: {}", path.display(), error.code, error.one_line());
            return;
        }
    };
    let read_ms = begun.elapsed().as_millis();
    if show == "--text" {
        println!("{}", document.text);
        for warning in &document.warnings {
            eprintln!("{warning:?}");
        }
        return;
    }
    let begun = Instant::now();
    let sizes = Sizes {
        target: 200,
        max: 254,
    };
    let chunks = split(&document, sizes, &Pieces);
    let split_ms = begun.elapsed().as_millis();
    println!(
        "{}: {} · title {:?} · language {:?} · {} bytes · {} pages · {} blocks · {} chunks · read {read_ms} ms · split {split_ms} ms",
        path.display(),
        document.media_type,
        document.title,
        document.language,
        document.text.len(),
        document.pages.len(),
        document.blocks.len(),
        chunks.len(),
    );
    for warning in &document.warnings {
        println!(
            "  {:?} page {:?}: {}",
            warning.kind, warning.page, warning.fact
        );
    }
    if show == "--blocks" {
        for block in &document.blocks {
            let page = document.page_at(block.span.start);
            println!(
                "[{:?} p{page:?}] {}",
                block.kind,
                block.span.slice(&document.text)
            );
        }
    }
    if show == "--chunks" {
        for chunk in &chunks {
            let Some(page) = chunk.page else {
                println!(
                    "--- {} tokens, {:?}, {:?}\n{}",
                    chunk.tokens, chunk.lines, chunk.heading, chunk.text
                );
                continue;
            };
            println!(
                "--- {} tokens, page {page}, {:?}\n{}",
                chunk.tokens, chunk.heading, chunk.text
            );
        }
    }
    let mut tokens: Vec<u32> = chunks.iter().map(|chunk| chunk.tokens).collect();
    tokens.sort_unstable();
    if let (Some(least), Some(most)) = (tokens.first(), tokens.last()) {
        println!(
            "  tokens: least {least}, median {}, most {most}",
            tokens[tokens.len() / 2]
        );
    }
}
