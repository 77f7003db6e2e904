//! From the last token to checked citations: an answer of 300 words that a generator gives at once, so
//! that all of splitting, aligning, reading the files again and holding the quotes against them is left
//! to do. What is measured is the whole question, search and prompt included; the share of checking is
//! said beside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a bench that can't begin may fail, and its figures are for a terminal"
)]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use rag_core::{
    AnswerMode, Embedder, Filter, Finish, Generation, Generator, Message, Purpose, Result,
    Sampling, TokenCounter,
};
use rag_engine::{Engine, KnowledgeBase, Question, Settings};
use rag_text::Reader;

const WORDS: usize = 300;
const FILES: usize = 5;

const ENGLISH: [&str; 4] = [
    "The ferry number {n} left the quay at ten past seven with {n} passengers on board. ",
    "Its gearbox {n} was built in Bergen in the year of the great storm and weighs {n} tonnes. ",
    "The engineer of line {n} reported a leak of {n} litres to the harbour office on Monday. ",
    "In the winter of storm {n} the keeper counted {n} ships that sought shelter in the bay. ",
];

#[divan::bench]
fn ask_with_300_words_english(bencher: Bencher) {
    bench(bencher, "What did the engineer of the ferry report?", |n| {
        ENGLISH
            .map(|sentence| sentence.replace("{n}", &n.to_string()))
            .concat()
    });
}

#[divan::bench]
fn ask_with_300_words_chinese(bencher: Bencher) {
    bench(bencher, "渡轮的轮机长报告了什么？", |n| {
        format!(
            "第{n}号渡轮七点十分离开码头，载有{n}名乘客。它的变速箱重{n}吨，风暴那年在卑尔根制造。\
             第{n}航线的轮机长星期一向港务局报告漏油{n}升。"
        )
    });
}

fn bench(bencher: Bencher, question: &str, facts: impl Fn(usize) -> String) {
    let home = tempfile::tempdir().unwrap();
    let docs = home.path().join("docs");
    std::fs::create_dir_all(&docs).unwrap();
    for file in 0..FILES {
        let text: Vec<String> = (0..3).map(|n| facts(file * 3 + n)).collect();
        std::fs::write(docs.join(format!("{file}.md")), text.join("\n\n")).unwrap();
    }
    let engine = engine(home.path(), answer(&facts));
    engine.ingest(&[docs], &mut |_| {}).unwrap();
    let question = Question {
        text: question.to_owned(),
        mode: AnswerMode::Generated,
        limit: 5,
        filter: Filter::default(),
        sampling: Sampling::greedy(1000),
    };
    let first = engine.ask(&question, &mut |_| {}).unwrap();
    assert!(
        !first.citations.is_empty(),
        "nothing was cited: {:?}",
        first.refused
    );
    let warm = engine.ask(&question, &mut |_| {}).unwrap();
    eprintln!(
        "checking {} citations: {:.1} ms",
        warm.citations.len(),
        warm.timings.cite_ms
    );
    bencher.bench_local(|| {
        engine
            .ask(divan::black_box(&question), &mut |_| {})
            .unwrap()
    });
}

/// About 300 words (of Chinese: twice as many characters) that stand in the documents.
fn answer(facts: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let size = |text: &str| {
        let unspaced = text
            .chars()
            .filter(|c| rag_core::fold::is_unspaced(*c))
            .count();
        text.split_whitespace().count() + unspaced / 2
    };
    for n in 0.. {
        if size(&text) >= WORDS {
            break;
        }
        text.push_str(&facts(n));
    }
    text
}

fn engine(home: &Path, answer: String) -> Engine {
    let kb = KnowledgeBase::new(home, "bench").unwrap();
    let settings = Settings {
        least_confidence: 0.0,
        passage_tokens: 2_000, // as a model of a thousand million weights and more is shown
        ..Settings::default()
    };
    Engine::new(kb, Arc::new(Reader::new()))
        .with_settings(settings)
        .with_embedder(Arc::new(Letters))
        .with_generator(Arc::new(AtOnce(answer)))
}

/// Vectors by the letters of a text.
struct Letters;

impl TokenCounter for Letters {
    fn count_tokens(&self, text: &str) -> usize {
        text.chars().count().div_ceil(4)
    }
}

impl Embedder for Letters {
    fn fingerprint(&self) -> &'static str {
        "letters"
    }

    fn name(&self) -> &'static str {
        "letters"
    }

    fn languages(&self) -> &[String] {
        &[]
    }

    fn dimensions(&self) -> usize {
        32
    }

    fn max_tokens(&self) -> usize {
        256
    }

    fn embed(&self, texts: &[&str], _purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut vector = [0.01_f32; 32];
    for c in text.chars() {
        vector[c as usize % 32] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

/// Gives its text in one piece.
struct AtOnce(String);

impl Generator for AtOnce {
    fn name(&self) -> &'static str {
        "at-once"
    }

    fn context_tokens(&self) -> usize {
        1_000_000
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize> {
        Ok(messages
            .iter()
            .map(|message| message.content.len() / 4)
            .sum())
    }

    fn generate(
        &self,
        _messages: &[Message],
        _sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        let _ = on_text(&self.0);
        Ok(Generation {
            text: self.0.clone(),
            prompt_tokens: 1,
            reused_tokens: 0,
            generated_tokens: WORDS,
            finish: Finish::Stop,
            prefill_ms: 0.0,
            decode_ms: 0.0,
        })
    }
}
