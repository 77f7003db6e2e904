//! Every family of decoders against llama.cpp, by tests/decoders.py, on tiny models with the same
//! random weights. With `RAG_PARITY_TABLE` set, the results are written to that file as a table.

use std::fmt::Write;

use candle_core::quantized::gguf_file::Value as GgufValue;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde_json::Value;

use super::Decoder;
use crate::gguf::Gguf;
use crate::testing::{TinyModel, cosine, fnv, mixed};

/// Scores in the fixture are whole thousandths.
const UNIT: f32 = 1e-3;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/decoders.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn scores(value: &Value) -> Vec<f32> {
    list(value)
        .iter()
        .map(|x| x.as_i64().unwrap() as f32 * UNIT)
        .collect()
}

/// As `prompt` in tests/decoders.py.
fn prompt() -> Vec<u32> {
    (1..=200_u64)
        .map(|n| 3 + (mixed(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) % 256) as u32)
        .collect()
}

/// As `weights` in tests/decoders.py.
fn weights(name: &str, dims: &[usize], size: f32, middle: f32) -> Tensor {
    let seed = fnv(name);
    let numbers: Vec<f32> = (1..=dims.iter().product::<usize>() as u64)
        .map(|n| {
            let bits = mixed(seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))) >> 40;
            (bits as f32 / (1 << 23) as f32 - 1.0) * size + middle
        })
        .collect();
    Tensor::from_vec(numbers, dims, &Device::Cpu).unwrap()
}

fn key_value(value: &Value) -> GgufValue {
    match value {
        Value::String(text) => GgufValue::String(text.clone()),
        Value::Array(all) => GgufValue::Array(all.iter().map(key_value).collect()),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => GgufValue::U32(u32::try_from(whole).unwrap()),
            None => GgufValue::F32(number.as_f64().unwrap() as f32),
        },
        other => panic!("{other} in the keys of a model"),
    }
}

/// The model that a fixture describes, with weights of the type that `kind` says for their
/// dimensions.
fn model(fixture: &Value, kind: impl Fn(&[usize]) -> GgmlDType) -> TinyModel {
    let architecture = fixture["architecture"].as_str().unwrap();
    let mut model = TinyModel::bare(architecture);
    for (key, value) in fixture["keys"].as_object().unwrap() {
        model = model.with(&format!("{architecture}.{key}"), key_value(value));
    }
    for tensor in list(&fixture["tensors"]) {
        let part = tensor[0].as_str().unwrap();
        let dims: Vec<usize> = serde_json::from_value(tensor[1].clone()).unwrap();
        let number = |n: usize| tensor[n].as_f64().unwrap() as f32;
        let layers = list(&tensor[4]).iter();
        let names = match list(&tensor[4]) {
            [] => vec![part.to_owned()],
            _ => layers.map(|layer| format!("blk.{layer}.{part}")).collect(),
        };
        for name in names {
            let tensor = weights(&name, &dims, number(2), number(3));
            let tensor = QTensor::quantize(&tensor, kind(&dims)).unwrap();
            model.tensors.push((name, tensor));
        }
    }
    model
}

fn decoder(model: &TinyModel) -> Decoder {
    let (_folder, path) = model.file();
    Decoder::load(&mut Gguf::open(&path).unwrap(), &Device::Cpu).unwrap()
}

fn best(scores: &[f32]) -> u32 {
    let order = |a: &usize, b: &usize| scores[*a].total_cmp(&scores[*b]);
    (0..scores.len()).max_by(order).unwrap() as u32
}

/// How near we are to the reference.
struct Nearness {
    /// Of the 50 greedy tokens, how many are the same before the first other one.
    same: usize,
    after_prompt: f64,
    after_all: f64,
    /// Largest difference of a logarithm of a probability over the prompt.
    likelihood: f32,
}

impl Nearness {
    fn of(fixture: &Value) -> Self {
        let mut ours = decoder(&model(fixture, |_| GgmlDType::F32));
        let likelihood = ours.likelihood(&prompt(), 1).unwrap();
        let expected = scores(&fixture["likelihood"]);
        assert_eq!(likelihood.len(), expected.len());
        let difference = likelihood.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let greedy: Vec<u32> = serde_json::from_value(fixture["greedy"].clone()).unwrap();
        let first = ours.read(&prompt(), &mut || true).unwrap().unwrap();
        let mut last = first.clone();
        let mut same = 0;
        for (n, token) in greedy.iter().enumerate() {
            if same == n && best(&last) == *token {
                same += 1;
            }
            // The reference's own text, so that scores can be compared whatever happened.
            last = ours.step(*token).unwrap();
        }
        Self {
            same,
            after_prompt: cosine(&first, &scores(&fixture["after_prompt"])),
            after_all: cosine(&last, &scores(&fixture["after_all"])),
            likelihood: difference.fold(0.0, f32::max),
        }
    }

    fn holds(&self) -> bool {
        self.same == 50
            && self.after_prompt >= 0.9999
            && self.after_all >= 0.9999
            && self.likelihood < 0.02
    }
}

#[test]
fn every_family_gives_the_scores_and_the_words_of_llama_cpp() {
    let fixture = fixture();
    let mut table = format!(
        "# Language models against llama.cpp\n\n\
         By `make parity`: tiny models of each family with random F32 weights against {}, a prompt of \
         200 tokens and 50 greedy steps.\n\n\
         | model | architecture | same greedy tokens | cosine after the prompt | cosine after all | largest difference of a log-probability |\n\
         |---|---|---|---|---|---|\n",
        fixture["reference"].as_str().unwrap()
    );
    let mut failures = Vec::new();
    assert!(!fixture["models"].as_object().unwrap().is_empty());
    for (name, model) in fixture["models"].as_object().unwrap() {
        let near = Nearness::of(model);
        writeln!(
            table,
            "| {name} | `{}` | {} of 50 | {:.7} | {:.7} | {:.4} |",
            model["architecture"].as_str().unwrap(),
            near.same,
            near.after_prompt,
            near.after_all,
            near.likelihood
        )
        .unwrap();
        if !near.holds() {
            failures.push(name);
        }
    }
    if let Some(path) = std::env::var_os("RAG_PARITY_TABLE") {
        std::fs::write(path, &table).unwrap();
    }
    assert!(failures.is_empty(), "{failures:?}\n{table}");
}

#[test]
fn a_known_beginning_changes_nothing_in_any_family() {
    let tokens = |count: u32| -> Vec<u32> { (0..count).map(|n| n * 37 % 256).collect() };
    for (name, fixture) in fixture()["models"].as_object().unwrap() {
        let key = format!(
            "{}.context_length",
            fixture["architecture"].as_str().unwrap()
        );
        let model = model(fixture, |_| GgmlDType::F32).with(&key, GgufValue::U32(4096));
        let mut used = decoder(&model);
        let text = tokens(2 * 256 + 40);
        used.read(&text, &mut || true).unwrap();
        used.step(12).unwrap();
        let mut other = text[..256 + 30].to_vec();
        other.extend([77, 78, 79]);
        assert_eq!(used.shared(&other), 256, "{name}");
        let fresh = decoder(&model).read(&other, &mut || true).unwrap();
        assert_eq!(used.read(&other, &mut || true).unwrap(), fresh, "{name}");
        // Back to the first text, and to one that has nothing in common.
        let fresh = decoder(&model).read(&text, &mut || true).unwrap();
        assert_eq!(used.read(&text, &mut || true).unwrap(), fresh, "{name}");
        let fresh = decoder(&model).read(&text[3..90], &mut || true).unwrap();
        assert_eq!(
            used.read(&text[3..90], &mut || true).unwrap(),
            fresh,
            "{name}"
        );
    }
}

/// The same model with its weights, as they were rounded, in floats.
fn in_floats(mut model: TinyModel) -> TinyModel {
    for (_, tensor) in &mut model.tensors {
        let rounded = tensor.dequantize(&Device::Cpu).unwrap();
        *tensor = QTensor::quantize(&rounded, GgmlDType::F32).unwrap();
    }
    model
}

#[test]
fn every_quantisation_of_every_family_gives_the_scores_of_its_weights_in_floats() {
    use GgmlDType::{BF16, F16, F32, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
    // What is left is that inputs are rounded to 8 bits as well, by which a token may ask another expert;
    // a wrong reading gives no likeness at all. The tiny rows have no room for blocks of 256; the matrix
    // tests have those types.
    let kinds = [F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0];
    let fixture = fixture();
    for (name, least) in [
        ("Llama 2, Mistral (tied output)", 0.99),
        ("Qwen3.5-MoE", 0.85),
        ("Gemma 3 (windows)", 0.99),
    ] {
        let fixture = &fixture["models"][name];
        let run = |model: TinyModel| {
            let read = decoder(&model).read(&prompt()[..40], &mut || true);
            read.unwrap().unwrap()
        };
        for kind in kinds {
            let of_kind = || {
                model(fixture, |dims| {
                    let fills = dims.len() > 1 && dims[dims.len() - 1].is_multiple_of(32);
                    if fills { kind } else { F32 }
                })
            };
            let near = cosine(&run(of_kind()), &run(in_floats(of_kind())));
            assert!(near > least, "{name} {kind:?}: {near}");
        }
    }
}
