//! `rag bench --ingest`: how fast files are read, split and written when vectors cost nothing.
//!
//! A stand-in takes the embedder's place: it counts tokens as the embedder does, so that chunks are the
//! same, and makes vectors up. What is measured is therefore everything that has to hide behind the
//! embedder in a real run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rag_core::{Embedder, Error, Purpose, TokenCounter};
use rag_engine::{Engine, KnowledgeBase};
use serde::Serialize;

use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, stop_on_interrupt};
use crate::verbs::ingest::{Meter, size};
use crate::verbs::process;
use crate::wiring;

/// What is measured.
#[derive(Debug, Serialize)]
struct Figures {
    files: u64,
    bytes: u64,
    chunks: u64,
    seconds: f64,
    mb_per_s: f64,
    /// The same folder again, with nothing changed.
    again_seconds: f64,
    bytes_on_disk: u64,
    /// Most memory that this process, without the workers that read, has held; none where the system
    /// does not say.
    peak_memory: Option<u64>,
}

pub(crate) fn run(config: &Config, dir: &Path, printer: &mut Printer) -> anyhow::Result<Exit> {
    let embedder = wiring::embedder_for_writing(config, None)?;
    let scratch = Scratch::new()?;
    let kb = KnowledgeBase::new(&scratch.0, "bench")?;
    let engine =
        Engine::new(kb, wiring::readers(config)?).with_embedder(Arc::new(StandIn { embedder }));
    stop_on_interrupt(engine.stop_switch())?;
    let mut meter = Meter::new(printer.is_watched());
    let paths = [dir.to_owned()];
    let started = Instant::now();
    let report = engine.ingest(&paths, &mut |event| meter.take(event, printer))?;
    let seconds = started.elapsed().as_secs_f64();
    drop(meter);
    let started = Instant::now();
    engine.ingest(&paths, &mut |_| {})?;
    let again_seconds = started.elapsed().as_secs_f64();
    let totals = &report.totals;
    let figures = Figures {
        files: totals.read + totals.partly,
        bytes: totals.bytes,
        chunks: totals.chunks,
        seconds,
        mb_per_s: totals.bytes as f64 / 1e6 / seconds.max(1e-9),
        again_seconds,
        bytes_on_disk: engine.status()?.bytes_on_disk,
        peak_memory: process::peak_memory(),
    };
    if printer.is_json() {
        printer.value(&figures)?;
        return Ok(Exit::Done);
    }
    printer.line(&format!(
        "{} files, {} in {seconds:.1} s: {:.2} MB/s, {} chunks, {} on disk",
        figures.files,
        size(figures.bytes),
        figures.mb_per_s,
        figures.chunks,
        size(figures.bytes_on_disk)
    ))?;
    let memory = figures.peak_memory.map_or_else(
        || "not known here".to_owned(),
        |bytes| format!("{} at most", size(bytes)),
    );
    printer.line(&format!(
        "unchanged again in {again_seconds:.2} s; memory without workers: {memory}"
    ))?;
    Ok(Exit::Done)
}

/// A folder that goes with the run.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> rag_core::Result<Self> {
        let dir = std::env::temp_dir().join(format!("rag-bench-{}", std::process::id()));
        std::fs::create_dir(&dir).map_err(|cause| Error::io("create", &dir, cause))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An embedder whose vectors cost nothing.
struct StandIn {
    embedder: Arc<dyn Embedder>,
}

impl TokenCounter for StandIn {
    fn count_tokens(&self, text: &str) -> usize {
        self.embedder.count_tokens(text)
    }
}

impl Embedder for StandIn {
    fn fingerprint(&self) -> &'static str {
        "made up"
    }

    fn name(&self) -> &'static str {
        "stand-in"
    }

    fn languages(&self) -> &[String] {
        &[]
    }

    fn dimensions(&self) -> usize {
        self.embedder.dimensions()
    }

    fn max_tokens(&self) -> usize {
        self.embedder.max_tokens()
    }

    fn embed(&self, texts: &[&str], _purpose: Purpose) -> rag_core::Result<Vec<Vec<f32>>> {
        Ok(texts
            .iter()
            .map(|text| made_up(text, self.dimensions()))
            .collect())
    }
}

/// A unit vector that follows from the text: numbers of a generator that the text seeds (xorshift64), as
/// hard to compress as real ones.
fn made_up(text: &str, dimensions: usize) -> Vec<f32> {
    let seed = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325, seed) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let raw: Vec<f32> = std::iter::repeat_with(&mut next).take(dimensions).collect();
    let length = raw
        .iter()
        .map(|x| x * x)
        .sum::<f32>()
        .sqrt()
        .max(f32::MIN_POSITIVE);
    raw.iter().map(|x| x / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_vectors_are_of_length_one_and_follow_from_the_text() {
        let one = made_up("one", 384);
        let length: f32 = one.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4);
        assert_eq!(one, made_up("one", 384));
        let likeness: f32 = one
            .iter()
            .zip(made_up("two", 384))
            .map(|(a, b)| a * b)
            .sum();
        assert!(likeness.abs() < 0.3, "{likeness}");
    }
}
