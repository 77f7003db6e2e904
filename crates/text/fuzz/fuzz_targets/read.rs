//! Any bytes under any name: a document whose places hold and whose chunks are its text, or an error
//! that says why. A parser that panics is a finding although the reader keeps the panic in.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use rag_core::{Document, Span, TokenCounter};
use rag_text::{Reader, Sizes, split};

/// About the tokens of a word-piece model.
struct Pieces;

impl TokenCounter for Pieces {
    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().map(|word| word.len().div_ceil(5)).sum()
    }
}

// The first line of an input is the file's name, as far as it goes; the rest are its bytes.
// The hook takes the place of libFuzzer's, which ends the process at a panic that is about to be caught.
fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |input: &[u8]| -> Corpus { run(input) }
);

fn run(input: &[u8]) -> Corpus {
    let Some(end) = input.iter().take(64).position(|b| *b == b'\n') else {
        return Corpus::Reject;
    };
    let Ok(name) = std::str::from_utf8(&input[..end]) else {
        return Corpus::Reject;
    };
    // Another program is not what is tried here.
    let reader = Reader::new().with_ocr_program(None);
    match reader.read(name, &input[end + 1..]) {
        Ok(document) => holds(&document),
        Err(error) => assert!(
            !error.fact.contains("parser failed"),
            "a panic of a parser: {}",
            error.one_line()
        ),
    }
    Corpus::Keep
}

fn holds(document: &Document) {
    in_order(&document.text, document.blocks.iter().map(|block| block.span));
    in_order(&document.text, document.parts.iter().map(|part| part.span));
    in_order(&document.text, document.pages.iter().map(|page| page.span));
    for link in &document.links {
        assert!(document.text.get(link.span.start..link.span.end).is_some());
    }
    let sizes = Sizes { target: 60, max: 100 };
    let chunks = split(document, sizes, &Pieces);
    in_order(&document.text, chunks.iter().map(|chunk| chunk.span));
    for chunk in &chunks {
        assert_eq!(chunk.text, chunk.span.slice(&document.text));
    }
}

fn in_order(text: &str, spans: impl Iterator<Item = Span>) {
    let mut end = 0;
    for span in spans {
        assert!(span.start >= end, "{span:?} begins before {end}");
        assert!(text.get(span.start..span.end).is_some(), "{span:?} is no stretch of the text");
        end = span.end;
    }
}
