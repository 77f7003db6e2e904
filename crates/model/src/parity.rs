//! Embedders and rerankers against another implementation: transformers, by tests/reference.py, on tiny
//! models with the same random weights.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value as GgufValue;
use rag_core::{Code, Embedder, Purpose, Reranker};
use serde_json::{Value, json};

use crate::catalogue::PooledBy;
use crate::device::Device;
use crate::encoder::{Checkpoint, Sequence};
use crate::model_files::ModelFiles;
use crate::testing::{
    Shapes, TinyModel, bert_shapes, cosine, modern_shapes, named, noise, save_encoder, tiny_spec,
    tiny_word_tokenizer,
};
use crate::{EmbedderSpec, LocalEmbedder, LocalReranker, RerankerSpec};

fn reference(family: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../tests/reference.json")).unwrap();
    all[family].clone()
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    list(value)
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

fn assert_alike(ours: &[f32], expected: &[f32]) {
    let cosine = cosine(ours, expected);
    assert!(cosine > 0.999_99, "cosine {cosine}");
    let norm: f32 = ours.iter().map(|x| x * x).sum();
    assert!((norm - 1.0).abs() < 1e-5, "length {norm}");
}

fn assert_close(ours: &[f32], expected: &[f32]) {
    assert_eq!(ours.len(), expected.len());
    for (a, b) in ours.iter().zip(expected) {
        assert!((a - b).abs() < 1e-4, "{a} is not {b}");
    }
}

/// Files of an encoder with weights made of the names in `shapes`.
fn files(folder: &Path, shapes: &Shapes, config: &Value, tokenizer: &str) -> ModelFiles {
    save_encoder(folder, &named(shapes), &config.to_string(), tokenizer)
}

fn spec(pooling: PooledBy, max_tokens: usize) -> EmbedderSpec {
    EmbedderSpec {
        pooling,
        max_tokens,
        ..tiny_spec()
    }
}

fn reranker(files: &ModelFiles, max_tokens: usize) -> LocalReranker {
    let spec = RerankerSpec {
        name: "tiny".into(),
        max_tokens,
        instruction: String::new(),
    };
    LocalReranker::load(files, spec, &Device::cpu()).unwrap()
}

/// Scores each passage alone and together with the others.
fn assert_scores(model: &LocalReranker, question: &str, passages: &[&str], expected: &[f32]) {
    let together = model.score(question, passages).unwrap();
    assert_close(&together, expected);
    for (passage, score) in passages.iter().zip(&together) {
        assert_close(&model.score(question, &[passage]).unwrap(), &[*score]);
    }
}

fn xlm_roberta(folder: &Path) -> ModelFiles {
    let expected = reference("xlm_roberta");
    let size = |key: &str| expected[key].as_u64().unwrap() as usize;
    let mut shapes = bert_shapes(
        "roberta.",
        [32, 48, size("vocabulary"), size("longest") + 2, 1, 3],
    );
    shapes.extend(
        [
            ("classifier.dense.weight", vec![32, 32]),
            ("classifier.dense.bias", vec![32]),
            ("classifier.out_proj.weight", vec![1, 32]),
            ("classifier.out_proj.bias", vec![1]),
        ]
        .map(|(name, dims)| (name.to_owned(), dims)),
    );
    let config = json!({
        "model_type": "xlm-roberta", "hidden_size": 32, "num_hidden_layers": 3,
        "num_attention_heads": 4, "intermediate_size": 48, "hidden_act": "gelu",
        "max_position_embeddings": size("longest") + 2, "layer_norm_eps": 1e-5, "pad_token_id": 1,
    });
    files(
        folder,
        &shapes,
        &config,
        include_str!("../tests/unigram.json"),
    )
}

#[test]
fn xlm_roberta_embeds_as_transformers_does() {
    let folder = tempfile::tempdir().unwrap();
    let files = xlm_roberta(folder.path());
    let expected = reference("xlm_roberta");
    for (key, pooling) in [("mean", PooledBy::Mean), ("cls", PooledBy::Cls)] {
        let prompted = EmbedderSpec {
            query_prompt: "query: ".into(),
            passage_prompt: "passage: ".into(),
            ..spec(pooling, 64)
        };
        let model = LocalEmbedder::load(&files, prompted, &Device::cpu()).unwrap();
        for (prompt, purpose) in [("query: ", Purpose::Query), ("passage: ", Purpose::Passage)] {
            let cases: Vec<&Value> = list(&expected[key])
                .iter()
                .filter(|case| case["prompt"] == prompt)
                .collect();
            let texts: Vec<&str> = cases
                .iter()
                .map(|case| case["text"].as_str().unwrap())
                .collect();
            let vectors = model.embed(&texts, purpose).unwrap();
            assert_eq!(vectors.len(), 3);
            for (case, vector) in cases.iter().zip(&vectors) {
                assert_alike(vector, &floats(&case["vector"]));
            }
        }
    }
}

#[test]
fn an_xlm_roberta_has_two_positions_fewer_than_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let files = xlm_roberta(folder.path());
    let load =
        |max_tokens| LocalEmbedder::load(&files, spec(PooledBy::Cls, max_tokens), &Device::cpu());
    let model = load(64).unwrap();
    let text = "灯".repeat(300);
    let error = model.embed(&[&text], Purpose::Passage).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
    assert_eq!(load(65).unwrap_err().code, Code::ModelInvalid);
}

#[test]
fn an_xlm_roberta_reranker_scores_as_transformers_does() {
    let folder = tempfile::tempdir().unwrap();
    let model = reranker(&xlm_roberta(folder.path()), 64);
    for case in list(&reference("xlm_roberta")["scores"]) {
        let question = case["question"].as_str().unwrap();
        let passages = texts(&case["passages"]);
        assert_scores(&model, question, &passages, &floats(&case["scores"]));
    }
}

#[test]
fn a_question_that_leaves_no_room_is_refused_and_marks_in_texts_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let model = reranker(&xlm_roberta(folder.path()), 64);
    let long = "灯塔".repeat(100);
    let error = model.score(&long, &["a"]).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
    assert!(error.fact.contains("takes 59 with a passage"), "{error}");
    let marked = model.score("who", &["</s></s> lamp", "lamp"]).unwrap();
    assert!((marked[0] - marked[1]).abs() > 1e-6);
    assert!(model.score("who", &[]).unwrap().is_empty());
    assert_eq!(model.score("", &["", "a"]).unwrap().len(), 2);
}

fn bert(folder: &Path) -> ModelFiles {
    let mut shapes = bert_shapes("bert.", [32, 64, 12, 20, 2, 2]);
    shapes.extend(
        [
            ("bert.pooler.dense.weight", vec![32, 32]),
            ("bert.pooler.dense.bias", vec![32]),
            ("classifier.weight", vec![1, 32]),
            ("classifier.bias", vec![1]),
        ]
        .map(|(name, dims)| (name.to_owned(), dims)),
    );
    let config = json!({
        "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "hidden_act": "gelu", "max_position_embeddings": 20,
        "layer_norm_eps": 1e-12, "pad_token_id": 0,
    });
    files(folder, &shapes, &config, &tiny_word_tokenizer())
}

#[test]
fn bert_embeds_and_scores_as_transformers_does() {
    let folder = tempfile::tempdir().unwrap();
    let files = bert(folder.path());
    let expected = reference("bert");
    let model = LocalEmbedder::load(&files, spec(PooledBy::Cls, 20), &Device::cpu()).unwrap();
    for case in list(&expected["cls"]) {
        let text = case["text"].as_str().unwrap();
        let vectors = model.embed(&[text], Purpose::Passage).unwrap();
        assert_alike(&vectors[0], &floats(&case["vector"]));
    }
    // A table of 20 positions: the last passage is cut, as the reference's is.
    let model = reranker(&files, 512);
    for case in list(&expected["scores"]) {
        let passages = [case["passage"].as_str().unwrap()];
        let question = case["question"].as_str().unwrap();
        let score = case["score"].as_f64().unwrap() as f32;
        assert_scores(&model, question, &passages, &[score]);
    }
}

#[test]
fn a_classifier_of_several_classes_is_no_reranker() {
    let folder = tempfile::tempdir().unwrap();
    let mut shapes = bert_shapes("bert.", [32, 64, 12, 20, 2, 2]);
    let head = [
        ("bert.pooler.dense.weight", vec![32, 32]),
        ("bert.pooler.dense.bias", vec![32]),
        ("classifier.weight", vec![3, 32]),
        ("classifier.bias", vec![3]),
    ];
    shapes.extend(head.map(|(name, dims)| (name.to_owned(), dims)));
    bert(folder.path());
    let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    let files = files(folder.path(), &shapes, &config, &tiny_word_tokenizer());
    let spec = RerankerSpec {
        name: "tiny".into(),
        max_tokens: 20,
        instruction: String::new(),
    };
    let error = LocalReranker::load(&files, spec, &Device::cpu()).unwrap_err();
    assert_eq!(error.code, Code::ModelInvalid);
    assert!(error.fact.contains("3 classes"), "{error}");
}

#[test]
fn modernbert_embeds_and_scores_as_transformers_does() {
    let mut shapes = modern_shapes("model.", [32, 48, 12, 4]);
    shapes.extend(
        [
            ("head.dense.weight", vec![32, 32]),
            ("head.norm.weight", vec![32]),
            ("classifier.weight", vec![1, 32]),
            ("classifier.bias", vec![1]),
        ]
        .map(|(name, dims)| (name.to_owned(), dims)),
    );
    let config = json!({
        "model_type": "modernbert", "hidden_size": 32, "num_hidden_layers": 4,
        "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 300,
        "norm_eps": 1e-5, "global_attn_every_n_layers": 3, "local_attention": 8,
        "global_rope_theta": 160_000.0, "local_rope_theta": 10_000.0, "classifier_pooling": "mean",
    });
    let folder = tempfile::tempdir().unwrap();
    let ModelFiles::Encoder {
        weights, config, ..
    } = files(folder.path(), &shapes, &config, &tiny_word_tokenizer())
    else {
        unreachable!("an encoder was saved")
    };
    let device = candle_core::Device::Cpu;
    let checkpoint = Checkpoint::open(&config, &weights, "tiny", &device).unwrap();
    let (encoder, head) = (checkpoint.encoder().unwrap(), checkpoint.head().unwrap());
    let expected = reference("modernbert");
    let sequences: Vec<Sequence> = list(&expected["cls"])
        .iter()
        .map(|case| {
            let length = case["length"].as_u64().unwrap() as u32;
            let inner = (0..length - 2).map(|n| 4 + n * n % 7);
            Sequence::one([2].into_iter().chain(inner).chain([3]).collect())
        })
        .collect();
    let batch: Vec<&Sequence> = sequences.iter().collect();
    let vectors = encoder.pooled(&batch, PooledBy::Cls).unwrap();
    let scores = encoder.scores(&batch, &head).unwrap();
    for (n, sequence) in sequences.iter().enumerate() {
        let expected_vector = floats(&expected["cls"][n]["vector"]);
        assert!(cosine(&vectors[n], &expected_vector) > 0.999_99);
        let expected_score = expected["scores"][n]["score"].as_f64().unwrap() as f32;
        assert_close(&[scores[n]], &[expected_score]);
        let alone = encoder.scores(&[sequence], &head).unwrap();
        assert_close(&alone, &[scores[n]]);
    }
}

/// Qwen3 with the words that a judge needs.
fn qwen3() -> TinyModel {
    TinyModel::new("qwen3")
        .with_words(&["yes", "no"])
        .with("qwen3.context_length", GgufValue::U32(2048))
}

const INSTRUCT: &str =
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:";

#[test]
fn a_qwen3_embeds_as_transformers_does() {
    let (_folder, path) = qwen3().file();
    let files = ModelFiles::Gguf(path);
    let prompted = EmbedderSpec {
        query_prompt: INSTRUCT.into(),
        shortest: Some(8),
        ..spec(PooledBy::LastToken, 2048)
    };
    let cut = EmbedderSpec {
        dimensions: 16,
        ..prompted.clone()
    };
    let load = |spec| LocalEmbedder::load(&files, spec, &Device::cpu()).unwrap();
    let (whole, short) = (load(prompted), load(cut));
    for case in list(&reference("qwen3")["vectors"]) {
        let text = case["text"].as_str().unwrap();
        let purpose = if case["prompt"] == INSTRUCT {
            Purpose::Query
        } else {
            Purpose::Passage
        };
        let vectors = whole.embed(&[text, "something else"], purpose).unwrap();
        assert_alike(&vectors[0], &floats(&case["vector"]));
        let vectors = short.embed(&[text], purpose).unwrap();
        assert_eq!(vectors[0].len(), 16);
        assert_alike(&vectors[0], &floats(&case["cut"]));
    }
    // The marks that end a text and begin another are set, never read.
    let marked = whole
        .embed(&["a<|endoftext|>", "a"], Purpose::Passage)
        .unwrap();
    assert!(cosine(&marked[0], &marked[1]) < 0.999);
}

#[test]
fn a_qwen3_is_no_embedder_of_another_pooling() {
    let (_folder, path) = qwen3().file();
    let files = ModelFiles::Gguf(path);
    let error = LocalEmbedder::load(&files, spec(PooledBy::Mean, 512), &Device::cpu()).unwrap_err();
    assert!(error.fact.contains("pooling `Mean`"), "{error}");
}

#[test]
fn a_qwen3_judges_as_transformers_does() {
    let (_folder, path) = qwen3().file();
    let model = reranker(&ModelFiles::Gguf(path), 2048);
    // The same model as llama.cpp's converter writes it: the rows of both words as a classifier.
    let output = noise(&[263, 32], 0.5, 3);
    let rows = output.narrow(0, 261, 2).unwrap();
    let rows = rows.force_contiguous().unwrap();
    let (_folder, path) = qwen3()
        .with_tensor("cls.output.weight", &rows, GgmlDType::F32)
        .file();
    let classifier = reranker(&ModelFiles::Gguf(path), 2048);
    for case in list(&reference("qwen3")["scores"]) {
        let question = case["question"].as_str().unwrap();
        let passages = texts(&case["passages"]);
        let expected = floats(&case["scores"]);
        assert_scores(&model, question, &passages, &expected);
        assert_scores(&classifier, question, &passages, &expected);
    }
}

#[test]
fn a_judge_cuts_passages_and_refuses_questions() {
    let (_folder, path) = qwen3().file();
    let model = reranker(&ModelFiles::Gguf(path), 500);
    let (long, longer) = ("lamp ".repeat(200), "lamp ".repeat(300));
    let scores = model.score("who?", &[&long, &longer]).unwrap();
    assert!((scores[0] - scores[1]).abs() < f32::EPSILON);
    let error = model.score(&longer, &["a"]).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
}
