//! Tiny models with fixed random weights, for tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::catalogue::PooledBy;
use crate::embedder::EmbedderSpec;
use crate::model_files::ModelFiles;

/// Numbers between -`size` and `size`, the same for the same seed.
pub(crate) fn noise(dims: &[usize], size: f32, seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let count: usize = dims.iter().product();
    let numbers: Vec<f32> = (0..count)
        .map(|_| {
            // xorshift64* (Vigna, https://arxiv.org/abs/1402.6246)
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            let bits = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
            (bits as f32 / (1 << 23) as f32 - 1.0) * size
        })
        .collect();
    Tensor::from_vec(numbers, dims, &Device::Cpu).unwrap()
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>).
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

/// What splitmix64 makes of its state (Vigna, <https://prng.di.unimi.it/splitmix64.c>).
pub(crate) fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// The angle between two vectors.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// A template like those of models that mark turns with `<|im_start|>` and `<|im_end|>`.
pub(crate) const CHATML: &str = "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}\
{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}\
{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// The text of every token of [`TinyModel`]'s vocabulary: three marks, then the 256 bytes in the
/// alphabet of byte-level BPE, then two merged pairs.
pub(crate) fn tokens() -> Vec<String> {
    let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .map(str::to_owned)
        .to_vec();
    tokens.extend((0..=255).map(|byte| crate::vocabulary::byte_letter(byte).to_string()));
    tokens.extend(["he".to_owned(), "Ġt".to_owned()]);
    tokens
}

/// A decoder small enough to run in a test.
pub(crate) struct TinyModel {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<(String, QTensor)>,
}

const HIDDEN: usize = 32;
const HEADS: usize = 4;
const KEY_HEADS: usize = 2;
const HEAD: usize = 8;
const INNER: usize = 48;
const LAYERS: usize = 2;

impl TinyModel {
    pub(crate) fn new(architecture: &str) -> Self {
        let mut model = Self::bare(architecture);
        let vocabulary = tokens().len();
        model.weight("token_embd.weight", &[vocabulary, HIDDEN]);
        model.norm("output_norm.weight", HIDDEN);
        model.weight("output.weight", &[vocabulary, HIDDEN]);
        for n in 0..LAYERS {
            let name = |part: &str| format!("blk.{n}.{part}");
            model.norm(&name("attn_norm.weight"), HIDDEN);
            model.weight(&name("attn_q.weight"), &[HEADS * HEAD, HIDDEN]);
            model.weight(&name("attn_k.weight"), &[KEY_HEADS * HEAD, HIDDEN]);
            model.weight(&name("attn_v.weight"), &[KEY_HEADS * HEAD, HIDDEN]);
            if architecture == "qwen2" {
                model.weight(&name("attn_q.bias"), &[HEADS * HEAD]);
                model.weight(&name("attn_k.bias"), &[KEY_HEADS * HEAD]);
                model.weight(&name("attn_v.bias"), &[KEY_HEADS * HEAD]);
            }
            if architecture == "qwen3" {
                model.norm(&name("attn_q_norm.weight"), HEAD);
                model.norm(&name("attn_k_norm.weight"), HEAD);
            }
            model.weight(&name("attn_output.weight"), &[HIDDEN, HEADS * HEAD]);
            model.norm(&name("ffn_norm.weight"), HIDDEN);
            model.weight(&name("ffn_gate.weight"), &[INNER, HIDDEN]);
            model.weight(&name("ffn_up.weight"), &[INNER, HIDDEN]);
            model.weight(&name("ffn_down.weight"), &[HIDDEN, INNER]);
        }
        model
    }

    /// Metadata without tensors.
    pub(crate) fn bare(architecture: &str) -> Self {
        Self {
            metadata: metadata(architecture),
            tensors: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.metadata.retain(|(k, _)| k != key);
        self.metadata.push((key.to_owned(), value));
        self
    }

    /// The same with more words at the end of its vocabulary.
    pub(crate) fn with_words(self, words: &[&str]) -> Self {
        let mut tokens = tokens();
        tokens.extend(words.iter().map(|word| (*word).to_owned()));
        let count = tokens.len();
        let kinds = (0..count).map(|id| Value::I32(if id < 3 { 3 } else { 1 }));
        self.with("tokenizer.ggml.token_type", Value::Array(kinds.collect()))
            .with(
                "tokenizer.ggml.tokens",
                Value::Array(tokens.into_iter().map(Value::String).collect()),
            )
            .with_rows(count)
    }

    /// The same with vectors for `count` tokens.
    pub(crate) fn with_rows(self, count: usize) -> Self {
        let rows = |seed| noise(&[count, HIDDEN], 0.5, seed);
        self.with_tensor("token_embd.weight", &rows(1), GgmlDType::F32)
            .with_tensor("output.weight", &rows(3), GgmlDType::F32)
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        self.metadata.retain(|(k, _)| k != key);
        self
    }

    pub(crate) fn with_tensor(mut self, name: &str, tensor: &Tensor, kind: GgmlDType) -> Self {
        self.tensors.retain(|(n, _)| n != name);
        let tensor = QTensor::quantize(tensor, kind).unwrap();
        self.tensors.push((name.to_owned(), tensor));
        self
    }

    pub(crate) fn without_tensor(mut self, name: &str) -> Self {
        self.tensors.retain(|(n, _)| n != name);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let metadata: Vec<_> = self.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
        let tensors: Vec<_> = self.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let mut bytes = std::io::Cursor::new(Vec::new());
        gguf_file::write(&mut bytes, &metadata, &tensors).unwrap();
        bytes.into_inner()
    }

    /// Writes the model into a folder that lives as long as the first value.
    pub(crate) fn file(&self) -> (tempfile::TempDir, PathBuf) {
        file_of(&self.bytes())
    }

    fn weight(&mut self, name: &str, dims: &[usize]) {
        let tensor = noise(dims, 0.5, self.tensors.len() as u64 + 1);
        self.push(name, &tensor);
    }

    fn norm(&mut self, name: &str, width: usize) {
        let tensor = noise(&[width], 0.5, self.tensors.len() as u64 + 1);
        self.push(name, &(tensor + 1.0).unwrap());
    }

    fn push(&mut self, name: &str, tensor: &Tensor) {
        let tensor = QTensor::quantize(tensor, GgmlDType::F32).unwrap();
        self.tensors.push((name.to_owned(), tensor));
    }
}

/// A file of these bytes in a folder of its own.
pub(crate) fn file_of(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn metadata(architecture: &str) -> Vec<(String, Value)> {
    let own = |key: &str| format!("{architecture}.{key}");
    let number = |n: usize| Value::U32(u32::try_from(n).unwrap());
    let text = |t: &str| Value::String(t.to_owned());
    let tokens = tokens();
    let kinds = (0..tokens.len()).map(|id| Value::I32(if id < 3 { 3 } else { 1 }));
    vec![
        ("general.architecture".into(), text(architecture)),
        ("general.name".into(), text("Tiny")),
        (own("embedding_length"), number(HIDDEN)),
        (own("feed_forward_length"), number(INNER)),
        (own("block_count"), number(LAYERS)),
        (own("context_length"), number(512)),
        (own("attention.head_count"), number(HEADS)),
        (own("attention.head_count_kv"), number(KEY_HEADS)),
        (own("attention.key_length"), number(HEAD)),
        (own("attention.layer_norm_rms_epsilon"), Value::F32(1e-5)),
        (own("rope.dimension_count"), number(HEAD)),
        (own("rope.freq_base"), Value::F32(10_000.0)),
        ("tokenizer.ggml.model".into(), text("gpt2")),
        ("tokenizer.ggml.pre".into(), text("smollm")),
        (
            "tokenizer.ggml.merges".into(),
            Value::Array(vec![text("h e"), text("Ġ t")]),
        ),
        ("tokenizer.ggml.eos_token_id".into(), number(2)),
        ("tokenizer.ggml.bos_token_id".into(), number(1)),
        (
            "tokenizer.ggml.token_type".into(),
            Value::Array(kinds.collect()),
        ),
        (
            "tokenizer.ggml.tokens".into(),
            Value::Array(tokens.into_iter().map(Value::String).collect()),
        ),
        ("tokenizer.chat_template".into(), text(CHATML)),
    ]
}

/// Writes the files of an encoder into `folder`.
pub(crate) fn save_encoder(
    folder: &Path,
    tensors: &HashMap<String, Tensor>,
    config: &str,
    tokenizer: &str,
) -> ModelFiles {
    let file = |name: &str| folder.join(name);
    candle_core::safetensors::save(tensors, file("model.safetensors")).unwrap();
    std::fs::write(file("config.json"), config).unwrap();
    std::fs::write(file("tokenizer.json"), tokenizer).unwrap();
    ModelFiles::Encoder {
        weights: file("model.safetensors"),
        tokenizer: file("tokenizer.json"),
        config: file("config.json"),
    }
}

/// Names of tensors with their dimensions.
pub(crate) type Shapes = Vec<(String, Vec<usize>)>;

/// Weights that depend on their names alone; tests/reference.py makes the same.
pub(crate) fn named(shapes: &Shapes) -> HashMap<String, Tensor> {
    shapes
        .iter()
        .map(|(name, dims)| {
            // Norms pass on most of what they get, so that a text makes a difference.
            let is_norm = name.to_lowercase().ends_with("norm.weight");
            let weights = noise(dims, 0.5, fnv(name)) + f64::from(u8::from(is_norm));
            (name.clone(), weights.unwrap())
        })
        .collect()
}

/// The tensors of a BERT or `RoBERTa` encoder.
pub(crate) fn bert_shapes(prefix: &str, sizes: [usize; 6]) -> Shapes {
    let [hidden, inner, words, places, segments, layers] = sizes;
    let mut shapes = Shapes::new();
    let mut add = |name: String, dims: &[usize]| {
        shapes.push((format!("{prefix}{name}"), dims.to_vec()));
    };
    let of = |part: &str| format!("embeddings.{part}");
    add(of("word_embeddings.weight"), &[words, hidden]);
    add(of("position_embeddings.weight"), &[places, hidden]);
    add(of("token_type_embeddings.weight"), &[segments, hidden]);
    add(of("LayerNorm.weight"), &[hidden]);
    add(of("LayerNorm.bias"), &[hidden]);
    for n in 0..layers {
        let linear = [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ];
        let of = |part: &str| format!("encoder.layer.{n}.{part}");
        for (part, outputs, inputs) in linear {
            add(of(&format!("{part}.weight")), &[outputs, inputs]);
            add(of(&format!("{part}.bias")), &[outputs]);
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(of(&format!("{part}.weight")), &[hidden]);
            add(of(&format!("{part}.bias")), &[hidden]);
        }
    }
    shapes
}

/// The tensors of a `ModernBERT` encoder.
pub(crate) fn modern_shapes(prefix: &str, sizes: [usize; 4]) -> Shapes {
    let [hidden, inner, words, layers] = sizes;
    let mut shapes = vec![
        (
            "embeddings.tok_embeddings.weight".to_owned(),
            vec![words, hidden],
        ),
        ("embeddings.norm.weight".to_owned(), vec![hidden]),
        ("final_norm.weight".to_owned(), vec![hidden]),
    ];
    for n in 0..layers {
        let parts = [
            ("attn_norm", vec![hidden]),
            ("attn.Wqkv", vec![3 * hidden, hidden]),
            ("attn.Wo", vec![hidden, hidden]),
            ("mlp_norm", vec![hidden]),
            ("mlp.Wi", vec![2 * inner, hidden]),
            ("mlp.Wo", vec![hidden, inner]),
        ];
        let parts = parts.into_iter().skip(usize::from(n == 0));
        shapes.extend(parts.map(|(part, dims)| (format!("layers.{n}.{part}.weight"), dims)));
    }
    shapes
        .into_iter()
        .map(|(name, dims)| (format!("{prefix}{name}"), dims))
        .collect()
}

/// Weights and `config.json` of an encoder for [`tiny_word_tokenizer`].
pub(crate) fn tiny_bert() -> (HashMap<String, Tensor>, String) {
    let (hidden, inner, words, places) = (32, 64, 12, 20);
    let tensors = named(&bert_shapes("", [hidden, inner, words, places, 2, 2]));
    let config = serde_json::json!({
        "model_type": "bert", "vocab_size": words, "hidden_size": hidden,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": inner,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": places,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    });
    (tensors, config.to_string())
}

/// What the catalogue would say of [`tiny_bert`].
pub(crate) fn tiny_spec() -> EmbedderSpec {
    EmbedderSpec {
        name: "tiny".into(),
        fingerprint: "tiny@1".into(),
        pooling: PooledBy::Mean,
        query_prompt: String::new(),
        passage_prompt: String::new(),
        max_tokens: 16,
        dimensions: 32,
        shortest: None,
        languages: Vec::new(),
    }
}

/// A `tokenizer.json` that knows the words a to g, cuts at 8 tokens and fills up to 8, as published
/// files do.
pub(crate) fn tiny_word_tokenizer() -> String {
    let words = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e", "f", "g",
    ];
    let vocabulary: serde_json::Map<String, serde_json::Value> = words
        .iter()
        .enumerate()
        .map(|(id, word)| ((*word).to_owned(), id.into()))
        .collect();
    serde_json::json!({
        "version": "1.0",
        "truncation": {"max_length": 8, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {
            "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        },
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "pair": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    })
    .to_string()
}
