//! A store of any size through the interfaces that the program uses: how fast it fills, how large it
//! gets, how long a search takes and what it misses. benches/README.md says how to call it.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

#[cfg(unix)]
#[path = "../../../../src/allocator.rs"]
mod allocator;
mod corpus;
mod measure;
mod ports;

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rag_core::{Chunk, Filter, Lines, Mode, Outcome, Query, Source, SourceKey, SourceState, Span};
use rag_engine::{Engine, KnowledgeBase};
use rag_index::{Batch, Layout, SourceRows, Store, StoredChunk, Upkeep};

use corpus::{Asked, Corpus, DIMENSIONS};
use measure::processor;
use ports::{Asker, NoFiles};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str =
    "scale make DIR CHUNKS [WORDS]  makes a knowledge base of CHUNKS chunks of WORDS words (110)
scale ask DIR [QUESTIONS]     asks it (100 questions), after `make` and as often as wanted
scale                         both, with 2,000 chunks in a folder that is removed again";

/// Chunks of a commit and of an upkeep, as the engine's own pipeline has them.
const BATCH: usize = 256;
const MAINTAIN_AFTER: usize = 8192;
/// Hits taken from each search, as the engine does.
const DEPTH: usize = 60;
/// Hits of which recall is taken.
const TOP: usize = 10;
const KB: &str = "scale";

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds `--bench`.
    let given: Vec<&str> = given
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--bench")
        .collect();
    match given[..] {
        [] => {
            let dir = tempfile::tempdir()?;
            make(dir.path(), 2000, 110)?;
            ask(dir.path(), 20)
        }
        ["make", dir, chunks] => make(Path::new(dir), chunks.parse()?, 110),
        ["make", dir, chunks, words] => make(Path::new(dir), chunks.parse()?, words.parse()?),
        ["ask", dir] => ask(Path::new(dir), 100),
        ["ask", dir, questions] => ask(Path::new(dir), questions.parse()?),
        _ => {
            println!("{HELP}");
            Ok(())
        }
    }
}

// -- making -----------------------------------------------------------------------------------------

fn make(dir: &Path, wanted: usize, words: u64) -> Result<()> {
    let corpus = Corpus::new(words);
    let kb = place(dir);
    let layout = Layout {
        dimensions: DIMENSIONS,
        fingerprint: "scale-1".into(),
        embedder: "scale".into(),
    };
    let store = Store::open(&kb, &layout)?;
    let (mut chunks, mut sources, mut unkept) = (0, 0, 0);
    let (mut committing, mut upkeep) = (Duration::ZERO, Vec::new());
    let mut batch = Batch::default();
    let mut in_batch = 0;
    while chunks < wanted {
        let rows = rows(&corpus, sources);
        sources += 1;
        chunks += rows.chunks.len();
        in_batch += rows.chunks.len();
        batch.put.push(rows);
        if in_batch >= BATCH || chunks >= wanted {
            unkept += in_batch;
            in_batch = 0;
            let started = Instant::now();
            store.commit(std::mem::take(&mut batch))?;
            committing += started.elapsed();
        }
        if unkept >= MAINTAIN_AFTER || chunks >= wanted {
            unkept = 0;
            let started = Instant::now();
            store.maintain(Upkeep::AfterIngest)?;
            upkeep.push(started.elapsed());
        }
    }
    std::fs::write(dir.join("made"), format!("{sources} {words}"))?;
    upkeep.sort();
    let all: Duration = upkeep.iter().sum();
    let counts = store.counts()?;
    println!(
        "{chunks} chunks of {sources} sources, {} MB on disk, {} fragments",
        counts.bytes >> 20,
        counts.fragments
    );
    println!(
        "written in {:.1} s ({:.0} chunks/s); upkeep {:.1} s in {} parts, {:.2} s the median, {:.2} s the longest",
        committing.as_secs_f64(),
        chunks as f64 / committing.as_secs_f64(),
        all.as_secs_f64(),
        upkeep.len(),
        upkeep[upkeep.len() / 2].as_secs_f64(),
        upkeep[upkeep.len() - 1].as_secs_f64(),
    );
    println!(
        "{:.1} s of the processor in all, {} MB of memory at most",
        processor().as_secs_f64(),
        peak_memory() >> 20
    );
    Ok(())
}

fn rows(corpus: &Corpus, number: u64) -> SourceRows {
    let drafts = corpus.source(number);
    let mut end = 0;
    let chunks: Vec<StoredChunk> = (0..)
        .zip(drafts)
        .map(|(ordinal, draft)| {
            let start = end;
            end = start + draft.text.len() + 2;
            let line = 1 + ordinal * 2;
            let chunk = Chunk {
                ordinal,
                span: Span::new(start, start + draft.text.len()),
                heading: vec![
                    format!("Source {number}"),
                    format!("Section {}", draft.section),
                ],
                lines: Some(Lines {
                    first: line,
                    last: line,
                }),
                tokens: draft.tokens,
                text: draft.text,
                ..Chunk::default()
            };
            StoredChunk {
                chunk,
                text_hash: hash(&format!("{number}:{ordinal}")),
                vector: draft.vector.into(),
            }
        })
        .collect();
    let state = SourceState {
        source: Source {
            key: key(number),
            root: "/home/somebody/documents".into(),
            path: format!("{:02}/source-{number}.md", number % 50),
        },
        hash: hash(&number.to_string()),
        rules: "1".into(),
        size: end as u64,
        modified_ns: 1,
        title: Some(format!("Source {number}")),
        language: Some(
            if Corpus::is_chinese(number) {
                "zh-Hans"
            } else {
                "en"
            }
            .into(),
        ),
        media_type: "text/markdown".into(),
        date: None,
        tags: Vec::new(),
        outcome: Outcome::Read,
        reason: None,
        chunks: chunks.len() as u32,
    };
    SourceRows { state, chunks }
}

fn key(number: u64) -> SourceKey {
    SourceKey(hash(&format!("key {number}"))[..32].to_owned())
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn place(dir: &Path) -> PathBuf {
    dir.join("kb").join(KB)
}

// -- asking -----------------------------------------------------------------------------------------

fn ask(dir: &Path, questions: u64) -> Result<()> {
    let made = std::fs::read_to_string(dir.join("made"))?;
    let (sources, words) = made.split_once(' ').ok_or("`made` is damaged")?;
    let (sources, words) = (sources.parse()?, words.parse()?);
    let corpus = Corpus::new(words);
    let asked: Vec<Asked> = (0..questions)
        .map(|number| corpus.question(number, sources))
        .collect();
    let kb = KnowledgeBase::new(dir, KB)?;
    let engine = Engine::new(kb, Arc::new(NoFiles)).with_embedder(Arc::new(Asker::new(&asked)));
    let query = |asked: &Asked, mode, filter| Query {
        text: asked.text.clone(),
        mode,
        limit: TOP,
        filter,
    };
    let in_one_folder = || Filter {
        within: vec!["/07/".to_owned()],
        ..Filter::default()
    };

    let started = Instant::now();
    engine.search(&query(&asked[0], Mode::Hybrid, Filter::default()))?;
    println!(
        "the first search of the process: {:.1} ms",
        started.elapsed().as_secs_f64() * 1e3
    );

    let store = Store::open_reader(&place(dir))?;
    let mut found = Vec::new();
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>8}",
        "ms", "least", "median", "p95", "CPU"
    );
    timed("by vector, 60", &asked, |asked| {
        let hits = store.search_vector(&asked.vector, DEPTH)?;
        let ids = hits
            .into_iter()
            .map(|hit| (hit.source.key, hit.chunk.ordinal));
        found.push(ids.take(TOP).collect::<HashSet<_>>());
        Ok(())
    })?;
    timed("by words, 60", &asked, |asked| {
        store.search_words(&asked.text, DEPTH)?;
        Ok(())
    })?;
    let whole = [
        ("hybrid, 10", Mode::Hybrid, Filter::default()),
        ("by words alone, 10", Mode::Words, Filter::default()),
        ("hybrid in one of 50 folders", Mode::Hybrid, in_one_folder()),
    ];
    for (name, mode, filter) in whole {
        timed(name, &asked, |asked| {
            engine.search(&query(asked, mode, filter.clone()))?;
            Ok(())
        })?;
    }
    let recall = recall(&corpus, sources, &asked, &found);
    println!(
        "recall@{TOP} of the search by vector: {recall:.4}; {} MB of memory at most",
        peak_memory() >> 20
    );
    Ok(())
}

/// Prints how long `search` takes for each of `asked`.
fn timed(name: &str, asked: &[Asked], mut search: impl FnMut(&Asked) -> Result<()>) -> Result<()> {
    let before = processor();
    let mut times = Vec::new();
    for asked in asked {
        let started = Instant::now();
        search(asked)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let used = processor().saturating_sub(before).as_secs_f64() * 1e3 / times.len() as f64;
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "{name:<28} {:>8.1} {:>8.1} {:>8.1} {used:>8.1}",
        at(0),
        at(50),
        at(95)
    );
    Ok(())
}

/// The share of the true nearest that was found, over all questions. Every vector is made again and
/// compared, so that nothing of the store is trusted.
fn recall(
    corpus: &Corpus,
    sources: u64,
    asked: &[Asked],
    found: &[HashSet<(SourceKey, u32)>],
) -> f64 {
    let mut best: Vec<Vec<(f32, u64, u32)>> = vec![Vec::new(); asked.len()];
    for source in 0..sources {
        for (ordinal, draft) in (0..).zip(corpus.source(source)) {
            for (asked, best) in asked.iter().zip(&mut best) {
                let near = dot(&asked.vector, &draft.vector);
                if best.len() < TOP || near > best[TOP - 1].0 {
                    let at = best.partition_point(|(other, _, _)| *other >= near);
                    best.insert(at, (near, source, ordinal));
                    best.truncate(TOP);
                }
            }
        }
    }
    let hits = best.iter().zip(found).map(|(best, found)| {
        let is_found =
            |(_, source, ordinal): &&(f32, u64, u32)| found.contains(&(key(*source), *ordinal));
        best.iter().filter(is_found).count()
    });
    hits.sum::<usize>() as f64 / (TOP * asked.len()) as f64
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for (a, b) in one.chunks_exact(16).zip(other.chunks_exact(16)) {
        for at in 0..16 {
            sums[at] += a[at] * b[at];
        }
    }
    sums.iter().sum()
}

// -- measuring --------------------------------------------------------------------------------------

/// The most memory that this process has held, in bytes (proc(5)); 0 elsewhere.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
