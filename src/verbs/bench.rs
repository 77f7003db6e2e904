//! `rag bench`: how fast the models run on this machine.

use std::time::Instant;

use rag_core::{Embedder, Purpose};
use rag_model::GgufGenerator;
use serde::Serialize;

use crate::args::Bench;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;
use crate::verbs::ingest::size;
use crate::verbs::{process, throughput};
use crate::wiring;

/// What is measured.
#[derive(Debug, Serialize)]
struct Figures {
    model: String,
    device: String,
    load_ms: f64,
    /// From the beginning of loading to the first token after the first prompt.
    first_token_ms: f64,
    prefill: Vec<Pace>,
    decode: Vec<Pace>,
    memory_gb_per_s: f64,
    /// Most memory that this process has held for the language model, its file's pages included.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedder: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embed_tokens_per_s: Option<f64>,
}

/// How fast tokens are read or written.
#[derive(Debug, Serialize)]
struct Pace {
    tokens: usize,
    /// Tokens before them.
    depth: usize,
    seconds: f64,
    tokens_per_s: f64,
    /// Seconds of all threads together; none where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    /// Bytes of weights and cache read for each token over what memory gives in that time: 1 is as fast
    /// as memory allows. Only where tokens are written: those that are read share the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    bandwidth_share: Option<f64>,
}

pub(crate) fn run(config: &Config, options: &Bench, printer: &mut Printer) -> anyhow::Result<Exit> {
    match &options.ingest {
        Some(dir) => throughput::run(config, dir, printer),
        None => models(config, options, printer),
    }
}

fn models(config: &Config, options: &Bench, printer: &mut Printer) -> anyhow::Result<Exit> {
    if let Some(threads) = options.threads {
        rag_model::use_threads(threads.into())?;
    }
    let file = wiring::generator_file(config, options.model.as_deref())?;
    let started = Instant::now();
    let device = rag_model::Device::best();
    let name = wiring::generator_name(config, options.model.as_deref());
    let generator = GgufGenerator::load(&file, &name, &device)?;
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    let mut measured = language_model(&generator, options)?;
    let peak_memory = process::peak_memory();
    let memory_gb_per_s = memory_gb_per_s(rag_model::threads());
    for pace in &mut measured.decode {
        // What is read grows while tokens are written: the mean is that in the middle.
        let bytes = generator.bytes_per_token(pace.depth + pace.tokens / 2) as f64;
        pace.bandwidth_share = Some(pace.tokens_per_s * bytes / (memory_gb_per_s * 1e9));
    }
    let embedder = if options.skip_embedder {
        None
    } else {
        Some(wiring::embedder_for_writing(config, None)?)
    };
    let figures = Figures {
        model: name,
        device: device.describe(),
        load_ms,
        first_token_ms: load_ms + measured.first_token_ms,
        prefill: measured.prefill,
        decode: measured.decode,
        memory_gb_per_s,
        peak_memory,
        embed_tokens_per_s: embedder
            .as_ref()
            .map(|embedder| embedding_rate(&**embedder))
            .transpose()?,
        embedder: embedder.map(|embedder| embedder.name().to_owned()),
    };
    if printer.is_json() {
        printer.value(&figures)?;
    } else {
        print(&figures, printer)?;
    }
    Ok(Exit::Done)
}

/// What is measured of a language model.
struct Measured {
    first_token_ms: f64,
    prefill: Vec<Pace>,
    decode: Vec<Pace>,
}

fn language_model(generator: &GgufGenerator, options: &Bench) -> rag_core::Result<Measured> {
    let generate = options.generate as usize;
    let mut measured = Measured {
        first_token_ms: 0.0,
        prefill: Vec::new(),
        decode: Vec::new(),
    };
    let mut held = 0;
    for prompt in options.prompt.iter().map(|prompt| *prompt as usize) {
        let pace = pace(prompt, 0, || generator.practise_reading(prompt, generate))?;
        if measured.prefill.is_empty() {
            measured.first_token_ms = pace.seconds * 1000.0;
        }
        measured.prefill.push(pace);
        held = prompt;
        if options.depth.is_empty() {
            let write = || generator.practise_writing(generate);
            measured.decode.push(self::pace(generate, prompt, write)?);
            held = 0;
        }
    }
    for depth in options.depth.iter().map(|depth| *depth as usize) {
        if held != depth {
            generator.practise_reading(depth, generate)?;
        }
        let write = || generator.practise_writing(generate);
        measured.decode.push(pace(generate, depth, write)?);
        held = 0;
    }
    Ok(measured)
}

/// Measures `work` on `tokens` tokens that follow `depth` others.
fn pace(
    tokens: usize,
    depth: usize,
    work: impl FnOnce() -> rag_core::Result<()>,
) -> rag_core::Result<Pace> {
    let (started, before) = (Instant::now(), process::cpu_seconds());
    work()?;
    let seconds = started.elapsed().as_secs_f64();
    let after = process::cpu_seconds();
    Ok(Pace {
        tokens,
        depth,
        seconds,
        tokens_per_s: tokens as f64 / seconds.max(1e-9),
        cpu_seconds: before.zip(after).map(|(before, after)| after - before),
        bandwidth_share: None,
    })
}

fn print(figures: &Figures, printer: &mut Printer) -> anyhow::Result<()> {
    printer.line(&format!("{} on {}", figures.model, figures.device))?;
    let memory = figures
        .peak_memory
        .map(|bytes| format!(", {} at most", size(bytes)));
    printer.line(&format!(
        "loaded in {:.0} ms, first token after {:.0} ms{}",
        figures.load_ms,
        figures.first_token_ms,
        memory.unwrap_or_default()
    ))?;
    for pace in &figures.prefill {
        printer.line(&format!(
            "prefill {:.1} tokens/s ({} tokens)",
            pace.tokens_per_s, pace.tokens
        ))?;
    }
    for pace in &figures.decode {
        printer.line(&format!(
            "decode {:.1} tokens/s ({} tokens after {}), {:.0} % of what memory gives",
            pace.tokens_per_s,
            pace.tokens,
            pace.depth,
            pace.bandwidth_share.unwrap_or_default() * 100.0
        ))?;
    }
    printer.line(&format!("memory gives {:.1} GB/s", figures.memory_gb_per_s))?;
    if let (Some(name), Some(rate)) = (&figures.embedder, figures.embed_tokens_per_s) {
        printer.line(&format!("{name} embeds {rate:.0} tokens/s"))?;
    }
    Ok(())
}

fn embedding_rate(embedder: &dyn Embedder) -> rag_core::Result<f64> {
    const TEXT: &str = "The ferry leaves the harbour at seven and returns before noon. ";
    const TEXTS: usize = 64;
    let text =
        TEXT.repeat((embedder.max_tokens() * 6 / 10 / embedder.count_tokens(TEXT).max(1)).max(1));
    let tokens = embedder.count_tokens(&text) * TEXTS;
    let texts = vec![text.as_str(); TEXTS];
    embedder.embed(&texts[..8], Purpose::Passage)?; // warm-up
    let started = Instant::now();
    embedder.embed(&texts, Purpose::Passage)?;
    Ok(tokens as f64 / started.elapsed().as_secs_f64())
}

/// Reading speed of memory with so many threads, in GB/s: the best of three passes over 512 MiB.
fn memory_gb_per_s(threads: usize) -> f64 {
    const BYTES: usize = 512 << 20;
    let words = vec![1u64; BYTES / 8];
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        let started = Instant::now();
        let total: u64 = std::thread::scope(|scope| {
            let parts: Vec<_> = words
                .chunks(words.len() / threads.max(1) + 1)
                .map(|part| scope.spawn(move || part.iter().sum::<u64>()))
                .collect();
            parts.into_iter().filter_map(|part| part.join().ok()).sum()
        });
        std::hint::black_box(total);
        best = best.max(BYTES as f64 / started.elapsed().as_secs_f64() / 1e9);
    }
    best
}
