//! Stand-ins for models in tests: an embedder that hashes words, a generator with a script.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rag_core::{
    Chunk, Code, Embedder, Error, Filter, Finish, Generation, Generator, Hit, Message, Mode,
    Outcome, Purpose, Query, Report, Result, Sampling, Source, SourceKey, SourceState, Span,
    Status, TokenCounter, Why,
};
use rag_text::Reader;

use crate::{Engine, KnowledgeBase};

/// Texts that share words get near vectors; counts how many texts it has embedded.
#[derive(Debug)]
pub(crate) struct HashEmbedder {
    pub(crate) name: &'static str,
    /// A word has a token for each so many characters.
    pub(crate) letters: usize,
    /// Texts after which it fails, as if the process had been killed there.
    pub(crate) fails_after: usize,
    pub(crate) embedded: AtomicUsize,
}

impl Default for HashEmbedder {
    fn default() -> Self {
        Self::named("hash")
    }
}

impl HashEmbedder {
    /// One whose vectors can't be compared with those of another name.
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name,
            letters: 4,
            fails_after: usize::MAX,
            embedded: AtomicUsize::new(0),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.embedded.load(Ordering::Relaxed)
    }
}

const DIMENSIONS: usize = 64;

impl TokenCounter for HashEmbedder {
    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace()
            .map(|word| word.chars().count().div_ceil(self.letters))
            .sum()
    }
}

impl Embedder for HashEmbedder {
    fn fingerprint(&self) -> &str {
        self.name
    }

    fn name(&self) -> &str {
        self.name
    }

    fn languages(&self) -> &[String] {
        &[]
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn max_tokens(&self) -> usize {
        64
    }

    fn embed(&self, texts: &[&str], _purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        if self.count() >= self.fails_after {
            return Err(Error::new(Code::Internal, "killed"));
        }
        if texts
            .iter()
            .any(|text| self.count_tokens(text) > self.max_tokens())
        {
            return Err(Error::new(Code::LimitExceeded, "a text is too long"));
        }
        self.embedded.fetch_add(texts.len(), Ordering::Relaxed);
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

/// A text of so many sections of so many words: with 12 and more, each fills a chunk of its own.
pub(crate) fn sections(count: usize, words: usize) -> String {
    let section = |n: usize| {
        let words: Vec<String> = (0..words).map(|word| format!("w{n}x{word}")).collect();
        format!("# Part {n}\n\n{}\n\n", words.join(" "))
    };
    (0..count).map(section).collect()
}

fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![1e-3; DIMENSIONS];
    for term in rag_text::terms(text) {
        let hash = blake3::hash(term.as_bytes());
        vector[usize::from(hash.as_bytes()[0]) % DIMENSIONS] += 1.0;
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}

/// Writes its script, a few characters at a time.
#[derive(Debug)]
pub(crate) struct Script(pub(crate) &'static str);

impl Generator for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn context_tokens(&self) -> usize {
        2000
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize> {
        Ok(messages.iter().map(|m| m.content.len().div_ceil(4)).sum())
    }

    fn generate(
        &self,
        messages: &[Message],
        _sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        let characters: Vec<char> = self.0.chars().collect();
        let mut text = String::new();
        let mut finish = Finish::Stop;
        for piece in characters.chunks(3) {
            let piece: String = piece.iter().collect();
            text.push_str(&piece);
            if on_text(&piece).is_break() {
                finish = Finish::Cancelled;
                break;
            }
        }
        Ok(Generation {
            generated_tokens: text.len().div_ceil(4),
            text,
            prompt_tokens: self.prompt_tokens(messages)?,
            reused_tokens: 0,
            finish,
            prefill_ms: 1.0,
            decode_ms: 1.0,
        })
    }
}

/// An engine over `home`, with its embedder for counting.
pub(crate) fn engine(home: &Path, script: &'static str) -> (Engine, Arc<HashEmbedder>) {
    let (engine, embedder) = engine_with(home, HashEmbedder::default());
    (engine.with_generator(Arc::new(Script(script))), embedder)
}

/// The same with another embedder, and no generator.
pub(crate) fn engine_with(home: &Path, embedder: HashEmbedder) -> (Engine, Arc<HashEmbedder>) {
    let embedder = Arc::new(embedder);
    let engine = Engine::new(
        KnowledgeBase::new(home, "test").unwrap(),
        Arc::new(Reader::new()),
    )
    .with_embedder(Arc::clone(&embedder) as _);
    (engine, embedder)
}

/// Writes files below `dir`.
pub(crate) fn files(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Ingests a folder without trouble.
pub(crate) fn ingest(engine: &Engine, dir: &Path) -> Report {
    engine.ingest(&[dir.to_owned()], &mut |_| {}).unwrap()
}

/// What became of each file.
pub(crate) fn statuses(report: &Report) -> Vec<(&str, Status)> {
    report
        .sources
        .iter()
        .map(|row| (row.source.as_str(), row.status))
        .collect()
}

/// The files in which a search by words finds something, best first.
pub(crate) fn finds(engine: &Engine, words: &str) -> Vec<String> {
    let query = Query {
        text: words.into(),
        mode: Mode::Words,
        limit: 10,
        filter: Filter::default(),
    };
    let hits = engine.search(&query).unwrap();
    hits.into_iter().map(|hit| hit.source.path).collect()
}

/// A file that was read, of which nothing matters but its path.
pub(crate) fn state(path: &str) -> SourceState {
    SourceState {
        source: Source {
            key: SourceKey(path.to_owned()),
            root: "/".into(),
            path: path.to_owned(),
        },
        hash: String::new(),
        rules: String::new(),
        size: 1,
        modified_ns: 0,
        title: None,
        language: None,
        media_type: "text/markdown".into(),
        date: None,
        tags: Vec::new(),
        outcome: Outcome::Read,
        reason: None,
        chunks: 1,
    }
}

/// A hit in the file `path`, of which nothing matters but its text.
pub(crate) fn hit(path: &str, text: &str) -> Hit {
    Hit {
        source: Source {
            key: SourceKey(path.to_owned()),
            root: "/".into(),
            path: path.to_owned(),
        },
        source_hash: String::new(),
        chunk: Chunk {
            text: text.to_owned(),
            ..Chunk::default()
        },
        focus: Span::new(0, 0),
        score: 1.0,
        why: Why::default(),
    }
}
