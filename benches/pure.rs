//! The pure parts that see every byte of a knowledge base: sentences and splitting; and citing, which
//! stands between the last word of a model and its reader.
//!
//! Texts are generated, so that a run measures the same bytes everywhere. Results come as bytes a
//! second. A whole question is measured by `rag bench`; see README.md in this folder.

use divan::Bencher;
use divan::counter::BytesCount;
use rag_core::{Block, BlockKind, Document, Span, TokenCounter};
use rag_text::Sizes;

#[path = "pure/citing.rs"]
mod citing;

fn main() {
    divan::main();
}

const ENGLISH: &[&str] = &[
    "The ferry left the quay at ten past seven. ",
    "Dr. Vale wrote 3.5 pages about the fog, e.g. its smell, and nobody read them! ",
    "Would the gearbox hold until May, as the maker had promised in his letter? ",
    "It did. ",
];

const CHINESE: &[&str] = &[
    "渡轮在七点十分离开了码头。",
    "轮机长写了三页半的维修报告，交给了公司，可是没有人看！",
    "变速箱能不能像厂家来信承诺的那样坚持到五月？",
    "坚持到了。",
];

/// Sizes of texts in bytes: a note, and a long report.
const SIZES: &[usize] = &[4_000, 1_000_000];

#[divan::bench(args = SIZES)]
fn sentences_english(bencher: Bencher, size: usize) {
    bench_sentences(bencher, &prose(ENGLISH, size));
}

#[divan::bench(args = SIZES)]
fn sentences_chinese(bencher: Bencher, size: usize) {
    bench_sentences(bencher, &prose(CHINESE, size));
}

#[divan::bench(args = SIZES)]
fn split_english(bencher: Bencher, size: usize) {
    bench_split(bencher, prose(ENGLISH, size));
}

#[divan::bench(args = SIZES)]
fn split_chinese(bencher: Bencher, size: usize) {
    bench_split(bencher, prose(CHINESE, size));
}

fn bench_sentences(bencher: Bencher, text: &str) {
    bencher
        .counter(BytesCount::of_str(text))
        .bench(|| rag_text::sentences(divan::black_box(text)));
}

fn bench_split(bencher: Bencher, text: String) {
    let bytes = BytesCount::of_str(&text);
    let document = document(text);
    let sizes = Sizes {
        target: 200,
        max: 250,
    };
    bencher
        .counter(bytes)
        .bench(|| rag_text::split(divan::black_box(&document), sizes, &Guess));
}

/// About `size` bytes of `sentences` over and over, in paragraphs.
fn prose(sentences: &[&str], size: usize) -> String {
    let mut text = String::with_capacity(size + 256);
    for n in 0.. {
        if text.len() >= size {
            break;
        }
        text.push_str(sentences[n % sentences.len()]);
        if n % 7 == 6 {
            text.push_str("\n\n");
        }
    }
    text
}

/// A document whose paragraphs are its blocks.
fn document(text: String) -> Document {
    let mut blocks = Vec::new();
    let mut start = 0;
    for paragraph in text.split("\n\n") {
        let end = start + paragraph.len();
        if !paragraph.trim().is_empty() {
            blocks.push(Block::new(BlockKind::Paragraph, Span::new(start, end)));
        }
        start = end + 2;
    }
    Document {
        text,
        blocks,
        lines_are_source_lines: true,
        media_type: "text/plain".to_owned(),
        ..Document::default()
    }
}

/// A token for every three letters and for every Chinese character: the real tokenizer costs more than
/// the splitting and is measured by `rag bench`.
struct Guess;

impl TokenCounter for Guess {
    fn count_tokens(&self, text: &str) -> usize {
        let ascii = text.bytes().filter(u8::is_ascii).count();
        ascii / 3 + (text.len() - ascii) / 3
    }
}
