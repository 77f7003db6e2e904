//! Prints how fast a generator and an embedder run on this machine.
//!
//! `measure [FILE.gguf] [FOLDER]`, where the folder holds `model.safetensors`, `tokenizer.json` and
//! `config.json` of a BERT model.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use rag_core::{Embedder, Generator, Message, Purpose, Result, Role, Sampling};
use rag_model::{Device, EmbedderSpec, GgufGenerator, LocalEmbedder, ModelFiles, PooledBy};

fn main() -> Result<()> {
    let device = Device::best();
    println!("device: {}", device.describe());
    for argument in std::env::args().skip(1) {
        let path = Path::new(&argument);
        if path.is_dir() {
            measure_embedder(path, &device)?;
        } else {
            measure_generator(path, &device)?;
        }
    }
    Ok(())
}

fn measure_generator(path: &Path, device: &Device) -> Result<()> {
    println!("{:?}", rag_model::inspect(path)?);
    let started = Instant::now();
    let model = GgufGenerator::load(path, "model", device)?;
    println!("loaded in {:.2} s", started.elapsed().as_secs_f64());
    for prompt in [128, 512, 2048] {
        // Every text begins differently, so that nothing is taken from the one before it.
        let words = format!("{prompt} ") + &"heron ".repeat(prompt);
        let sampling = Sampling {
            temperature: 1.0,
            seed: 1,
            ..Sampling::greedy(64)
        };
        let run = model.generate(&[user(&words)], &sampling, &mut |_| {
            ControlFlow::Continue(())
        })?;
        println!(
            "prefill {:>5} tokens: {:>7.1} tokens/s; decode {:>3} tokens: {:>6.1} tokens/s",
            run.prompt_tokens,
            run.prompt_tokens as f64 / run.prefill_ms * 1e3,
            run.generated_tokens,
            run.generated_tokens as f64 / run.decode_ms * 1e3,
        );
    }
    let question = "Use only these passages.\n\
        [1] The grey heron eats mostly fish, and hunts standing still in shallow water.\n\
        [2] The kingfisher nests in burrows dug into river banks.\n\
        Where does the kingfisher nest?";
    let sampling = Sampling::greedy(48);
    let answer = model.generate(&[user(question)], &sampling, &mut |_| {
        ControlFlow::Continue(())
    })?;
    println!("answer ({:?}): {}", answer.finish, answer.text);
    Ok(())
}

fn user(text: &str) -> Message {
    Message {
        role: Role::User,
        content: text.to_owned(),
    }
}

fn measure_embedder(folder: &Path, device: &Device) -> Result<()> {
    let files = ModelFiles::Encoder {
        weights: folder.join("model.safetensors"),
        tokenizer: folder.join("tokenizer.json"),
        config: folder.join("config.json"),
    };
    let spec = EmbedderSpec {
        name: "embedder".into(),
        fingerprint: "measure".into(),
        pooling: PooledBy::Mean,
        query_prompt: String::new(),
        passage_prompt: String::new(),
        max_tokens: 512,
        dimensions: 384,
        shortest: None,
        languages: Vec::new(),
    };
    let started = Instant::now();
    let model = LocalEmbedder::load(&files, spec, device)?;
    println!("loaded in {:.2} s", started.elapsed().as_secs_f64());
    for (count, tokens) in [
        (1, 16),
        (1, 128),
        (8, 128),
        (32, 128),
        (16, 256),
        (32, 256),
        (256, 200),
    ] {
        let text = "water ".repeat(tokens - 2); // one token a word, two special ones
        let texts = vec![text.as_str(); count];
        let repeats = (16_384 / (count * tokens)).max(1);
        model.embed(&texts, Purpose::Passage)?;
        let started = Instant::now();
        for _ in 0..repeats {
            model.embed(&texts, Purpose::Passage)?;
        }
        let rate = (count * tokens * repeats) as f64 / started.elapsed().as_secs_f64();
        println!("embed {count:>3} × {tokens:>3}: {rate:>7.0} tokens/s");
    }
    let sentences = [
        "That is a happy person",
        "That is a very happy person",
        "Today is a sunny day",
    ];
    let vectors = model.embed(&sentences, Purpose::Passage)?;
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    println!(
        "similarities: {:.4} {:.4}; first components {:?}",
        dot(&vectors[0], &vectors[1]),
        dot(&vectors[0], &vectors[2]),
        &vectors[0][..3]
    );
    Ok(())
}
