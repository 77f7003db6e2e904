//! How much memory a language model needs, and how much there is: what does not fit is refused before it
//! is loaded, not ended by the system in the middle.

use std::fs::read_to_string;

use candle_core::quantized::GgmlDType;

use crate::decoder::{Decoder, Shape};
use crate::fault::{Fault, Result};
use crate::gguf::Gguf;

/// Tokens of the shortest conversation that is worth loading a model for.
const CONVERSATION: usize = 2048;

/// For tokens on their way through the layers.
const WORKING: u64 = 128 << 20;

/// Refuses a model whose weights and a short conversation don't fit what is free on this machine.
pub(crate) fn check_model(gguf: &Gguf, shape: &Shape) -> Result<()> {
    let tokens = CONVERSATION.min(shape.context);
    let cache = shape.cache_bytes(tokens) as u64;
    fits(
        gguf.label(),
        weights(gguf) + cache + WORKING,
        free(),
        || {
            "take a smaller model or one with fewer bits a weight (`rag models list`), or end other programs"
            .to_owned()
        },
    )
}

/// Refuses a conversation of `tokens` tokens whose keys and values, beyond those that are held, don't fit
/// what is free.
pub(crate) fn check_conversation(model: &str, decoder: &Decoder, tokens: usize) -> Result<()> {
    if !decoder.is_on_cpu() {
        return Ok(());
    }
    let needed = decoder.shape().cache_bytes(tokens);
    let more = needed.saturating_sub(decoder.held_bytes()) as u64;
    fits(model.to_owned(), more, free(), || {
        format!(
            "{tokens} tokens are too many: ask with fewer passages (-n) or a shorter answer \
             (--max-tokens), or take a smaller model"
        )
    })
}

fn fits(
    model: String,
    needed: u64,
    free: Option<u64>,
    advice: impl FnOnce() -> String,
) -> Result<()> {
    match free {
        Some(free) if needed > free => Err(Fault::Memory {
            model,
            needed,
            free,
            advice: advice(),
        }),
        _ => Ok(()),
    }
}

/// Bytes of all weights once they are loaded.
fn weights(gguf: &Gguf) -> u64 {
    let all = gguf.tensor_names().filter_map(|name| {
        let (kind, dims) = gguf.kind(name).zip(gguf.dims(name))?;
        let count: usize = dims.iter().product();
        Some(match kind {
            // These become floats.
            GgmlDType::F16 | GgmlDType::BF16 => count * size_of::<f32>(),
            kind => count / kind.block_size() * kind.type_size(),
        } as u64)
    });
    all.sum()
}

/// Bytes that this process may still take; none where the system does not say.
fn free() -> Option<u64> {
    let machine = available(&read_to_string("/proc/meminfo").ok()?)?;
    let number = |name: &str| -> Option<u64> {
        let text = read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse().ok()
    };
    // Containers may have less than their machine. What files have in memory can be given back.
    let bounded = number("memory.max").zip(number("memory.current"));
    let bounded = bounded.map(|(most, used)| {
        let files = read_to_string("/sys/fs/cgroup/memory.stat").ok();
        let files = files.and_then(|text| counted(&text, "file")).unwrap_or(0);
        most.saturating_sub(used.saturating_sub(files))
    });
    Some(bounded.map_or(machine, |bounded| bounded.min(machine)))
}

/// What the machine has left, of the text of `/proc/meminfo` (proc(5)).
fn available(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// A number of lines of names and numbers.
fn counted(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, number) = lines.find(|(found, _)| *found == name)?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use rag_core::{Code, Error};

    use super::*;
    use crate::testing::TinyModel;

    #[test]
    fn what_does_not_fit_is_refused_with_both_sizes_and_advice() {
        let refused = fits("big".to_owned(), 3 << 30, Some(1 << 30), || {
            "less".to_owned()
        });
        let error = Error::from(refused.unwrap_err());
        assert_eq!(error.code, Code::LimitExceeded);
        assert!(error.fact.contains("3.2 GB"), "{error}");
        assert!(error.fact.contains("1.1 GB"), "{error}");
        assert_eq!(error.hint.as_deref(), Some("less"));
        for free in [None, Some(3 << 30)] {
            assert!(fits(String::new(), 3 << 30, free, String::new).is_ok());
        }
    }

    #[test]
    fn weights_and_cache_are_counted() {
        let (_folder, path) = TinyModel::new("llama").file();
        let gguf = Gguf::open(&path).unwrap();
        let shape = Shape::read(&gguf).unwrap();
        let file = std::fs::metadata(&path).unwrap().len();
        let weights = weights(&gguf);
        assert!(weights < file && weights > file / 2, "{weights} of {file}");
        let one = 2 * shape.layers * shape.key_heads * shape.head * 4;
        assert_eq!(shape.cache_bytes(100), 100 * one);
    }

    #[test]
    fn the_systems_words_are_understood() {
        let text = "MemTotal:  24649652 kB\nMemAvailable:   1024 kB\n";
        assert_eq!(available(text), Some(1 << 20));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert_eq!(
            counted("anon 5\nfile 70\nfile_mapped 3\n", "file"),
            Some(70)
        );
    }
}
