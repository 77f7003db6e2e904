//! `rag bench`: how fast the models run on this machine.

use std::ops::ControlFlow;
use std::time::Instant;

use rag_core::{Embedder, Generator, Message, Purpose, Role, Sampling};
use serde::Serialize;

use crate::args::Bench;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;
use crate::verbs::throughput;
use crate::wiring;

/// What is measured.
#[derive(Debug, Serialize)]
struct Figures {
    model: String,
    device: String,
    prompt_tokens: usize,
    prefill_tokens_per_s: f64,
    generated_tokens: usize,
    decode_tokens_per_s: f64,
    first_token_ms: f64,
    /// Bytes of weights read for each token over what memory gives: 1 is as fast as memory allows.
    bandwidth_share: f64,
    memory_gb_per_s: f64,
    load_ms: f64,
    embedder: String,
    embed_tokens_per_s: f64,
}

pub(crate) fn run(config: &Config, options: &Bench, printer: &mut Printer) -> anyhow::Result<Exit> {
    match &options.ingest {
        Some(dir) => throughput::run(config, dir, printer),
        None => models(config, options, printer),
    }
}

fn models(config: &Config, options: &Bench, printer: &mut Printer) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let file = wiring::generator_file(config, options.model.as_deref())?;
    let generator = wiring::generator(config, options.model.as_deref())?;
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    let embedder = wiring::embedder_for_writing(config, None)?;

    let memory_gb_per_s = memory_gb_per_s();
    let prompt = prompt(&*generator, options.prompt as usize)?;
    let sampling = Sampling {
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
        max_tokens: options.generate as usize,
    };
    let mut first: Option<f64> = None;
    let asked = Instant::now();
    let run = generator.generate(&prompt, &sampling, &mut |piece| {
        // Empty pieces are signs of life while the prompt is read.
        if !piece.is_empty() {
            first.get_or_insert_with(|| asked.elapsed().as_secs_f64() * 1000.0);
        }
        ControlFlow::Continue(())
    })?;
    let weights = std::fs::metadata(&file).map_or(0, |meta| meta.len()) as f64;
    let decode = run.generated_tokens as f64 * 1000.0 / run.decode_ms.max(1e-3);
    let figures = Figures {
        model: generator.name().to_owned(),
        device: rag_model::Device::best().describe(),
        prompt_tokens: run.prompt_tokens,
        prefill_tokens_per_s: run.prompt_tokens as f64 * 1000.0 / run.prefill_ms.max(1e-3),
        generated_tokens: run.generated_tokens,
        decode_tokens_per_s: decode,
        first_token_ms: first.unwrap_or_default(),
        bandwidth_share: decode * weights / (memory_gb_per_s * 1e9),
        memory_gb_per_s,
        load_ms,
        embedder: embedder.name().to_owned(),
        embed_tokens_per_s: embedding_rate(&*embedder)?,
    };
    if printer.is_json() {
        printer.value(&figures)?;
        return Ok(Exit::Done);
    }
    printer.line(&format!("{} on {}", figures.model, figures.device))?;
    printer.line(&format!(
        "prefill {:.1} tokens/s ({} tokens), decode {:.1} tokens/s ({} tokens), first token after {:.0} ms",
        figures.prefill_tokens_per_s,
        figures.prompt_tokens,
        figures.decode_tokens_per_s,
        figures.generated_tokens,
        figures.first_token_ms
    ))?;
    printer.line(&format!(
        "memory gives {:.1} GB/s, decoding uses {:.0} % of it; loading took {:.0} ms",
        figures.memory_gb_per_s,
        figures.bandwidth_share * 100.0,
        figures.load_ms
    ))?;
    printer.line(&format!(
        "{} embeds {:.0} tokens/s",
        figures.embedder, figures.embed_tokens_per_s
    ))?;
    Ok(Exit::Done)
}

/// A conversation of about `tokens` tokens.
fn prompt(generator: &dyn Generator, tokens: usize) -> rag_core::Result<Vec<Message>> {
    const TEXT: &str = "The ferry leaves the harbour at seven and returns before noon. ";
    let message = |times: usize| {
        vec![Message {
            role: Role::User,
            content: format!("{}Tell a long story about it.", TEXT.repeat(times)),
        }]
    };
    let base = generator.prompt_tokens(&message(1))?;
    let ten = (generator.prompt_tokens(&message(11))? - base).max(10);
    let times = tokens.saturating_sub(base) * 10 / ten;
    Ok(message(times + 1))
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

/// Reading speed of memory with all cores, in GB/s: the best of three passes over 512 MiB.
fn memory_gb_per_s() -> f64 {
    const BYTES: usize = 512 << 20;
    let words = vec![1u64; BYTES / 8];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        let started = Instant::now();
        let total: u64 = std::thread::scope(|scope| {
            let parts: Vec<_> = words
                .chunks(words.len() / cores + 1)
                .map(|part| scope.spawn(move || part.iter().sum::<u64>()))
                .collect();
            parts.into_iter().filter_map(|part| part.join().ok()).sum()
        });
        std::hint::black_box(total);
        best = best.max(BYTES as f64 / started.elapsed().as_secs_f64() / 1e9);
    }
    best
}
