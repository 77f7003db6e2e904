//! The decoder against candle's own models, and against itself.

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2, quantized_qwen3};

use super::*;
use crate::gguf::Gguf;
use crate::testing::{TinyModel, cosine, noise};

const PROMPT: [u32; 9] = [1, 40, 7, 99, 200, 3, 55, 56, 57];
const CONTINUATION: [u32; 4] = [12, 250, 8, 8];

fn decoder(model: &TinyModel) -> Decoder {
    let (_folder, path) = model.file();
    Decoder::load(&mut Gguf::open(&path).unwrap(), &Device::Cpu).unwrap()
}

fn read(decoder: &mut Decoder, tokens: &[u32]) -> Vec<f32> {
    decoder.read(tokens, &mut || true).unwrap().unwrap()
}

/// Scores after the prompt and after each token of the continuation.
fn ours(model: &TinyModel) -> Vec<Vec<f32>> {
    let mut decoder = decoder(model);
    let mut scores = vec![read(&mut decoder, &PROMPT)];
    scores.extend(CONTINUATION.map(|token| decoder.step(token).unwrap()));
    scores
}

/// The same from a model of candle's, given as its forward function.
fn reference(mut forward: impl FnMut(&Tensor, usize) -> Result<Tensor>) -> Vec<Vec<f32>> {
    let mut run = |tokens: &[u32], start: usize| -> Vec<f32> {
        let input = Tensor::new(tokens, &Device::Cpu).unwrap();
        let scores = forward(&input.unsqueeze(0).unwrap(), start).unwrap();
        scores.flatten_all().unwrap().to_vec1().unwrap()
    };
    let mut scores = vec![run(&PROMPT, 0)];
    for (n, token) in CONTINUATION.into_iter().enumerate() {
        scores.push(run(&[token], PROMPT.len() + n));
    }
    scores
}

fn assert_alike(ours: &[Vec<f32>], reference: &[Vec<f32>]) {
    assert_eq!(ours.len(), reference.len());
    for (a, b) in ours.iter().zip(reference) {
        assert!(cosine(a, b) > 0.999_99, "cosine {}", cosine(a, b));
    }
}

fn content(model: &TinyModel) -> (Content, std::io::Cursor<Vec<u8>>) {
    let mut bytes = std::io::Cursor::new(model.bytes());
    (Content::read(&mut bytes).unwrap(), bytes)
}

#[test]
fn llama_gives_the_scores_of_candles_llama() {
    let model = TinyModel::new("llama");
    let (content, mut bytes) = content(&model);
    let mut candle =
        quantized_llama::ModelWeights::from_gguf(content, &mut bytes, &Device::Cpu).unwrap();
    let expected = reference(|input, start| candle.forward(input, start));
    assert_alike(&ours(&model), &expected);
}

#[test]
fn qwen2_gives_the_scores_of_candles_qwen2() {
    let model = TinyModel::new("qwen2");
    let (content, mut bytes) = content(&model);
    let mut candle =
        quantized_qwen2::ModelWeights::from_gguf(content, &mut bytes, &Device::Cpu).unwrap();
    let expected = reference(|input, start| candle.forward(input, start));
    assert_alike(&ours(&model), &expected);
}

#[test]
fn qwen3_gives_the_scores_of_candles_qwen3() {
    let model = TinyModel::new("qwen3");
    let (content, mut bytes) = content(&model);
    let mut candle =
        quantized_qwen3::ModelWeights::from_gguf(content, &mut bytes, &Device::Cpu).unwrap();
    let expected = reference(|input, start| candle.forward(input, start));
    assert_alike(&ours(&model), &expected);
}

#[test]
fn without_an_output_matrix_the_token_table_is_used() {
    let tied = TinyModel::new("llama").without_tensor("output.weight");
    let (content, mut bytes) = content(&tied);
    let mut candle =
        quantized_llama::ModelWeights::from_gguf(content, &mut bytes, &Device::Cpu).unwrap();
    let expected = reference(|input, start| candle.forward(input, start));
    assert_alike(&ours(&tied), &expected);
}

/// A text of `count` tokens.
fn long(count: usize) -> Vec<u32> {
    (0..count as u32).map(|n| n * 37 % 256).collect()
}

fn roomy(architecture: &str) -> TinyModel {
    let key = format!("{architecture}.context_length");
    TinyModel::new(architecture).with(&key, Value::U32(2048))
}

#[test]
fn a_text_with_a_known_beginning_gets_exactly_the_scores_of_a_fresh_run() {
    let model = roomy("qwen3");
    let mut used = decoder(&model);
    let mut text = long(2 * BLOCK + 40);
    read(&mut used, &text);
    used.step(12).unwrap();
    text.truncate(BLOCK + 30);
    text.extend([77, 78, 79]);
    assert_eq!(used.shared(&text), BLOCK);
    let fresh = read(&mut decoder(&model), &text);
    assert_eq!(read(&mut used, &text), fresh);
    // The very same text again.
    assert_eq!(used.shared(&text), BLOCK);
    assert_eq!(read(&mut used, &text), fresh);
    // One that fills its blocks: the last has to be computed for its scores.
    let text = long(2 * BLOCK);
    let fresh = read(&mut decoder(&model), &text);
    assert_eq!(read(&mut used, &text), fresh);
    assert_eq!(used.shared(&text), BLOCK);
    assert_eq!(read(&mut used, &text), fresh);
}

#[test]
fn what_was_generated_is_computed_again_as_part_of_a_text() {
    let model = roomy("llama");
    let mut used = decoder(&model);
    let text = long(BLOCK + 50);
    read(&mut used, &text[..BLOCK - 20]);
    for token in &text[BLOCK - 20..] {
        used.step(*token).unwrap();
    }
    assert_eq!(used.shared(&text), 0);
    let fresh = read(&mut decoder(&model), &text);
    assert_eq!(read(&mut used, &text), fresh);
}

#[test]
fn a_long_text_read_in_blocks_gets_the_scores_of_single_steps() {
    let model = roomy("llama");
    let tokens = long(BLOCK + 100);
    let mut stepping = decoder(&model);
    let mut last = read(&mut stepping, &tokens[..1]);
    for token in &tokens[1..] {
        last = stepping.step(*token).unwrap();
    }
    let blocks = read(&mut decoder(&model), &tokens);
    assert!(cosine(&blocks, &last) > 0.999_99);
}

#[test]
fn a_reading_that_is_stopped_can_be_taken_up_again() {
    let model = roomy("llama");
    let tokens = long(2 * BLOCK);
    let mut stopped = decoder(&model);
    let mut blocks = 0;
    let none = stopped.read(&tokens, &mut || {
        blocks += 1;
        blocks < 2
    });
    assert_eq!(none.unwrap(), None);
    assert_eq!(stopped.shared(&tokens), BLOCK);
    let fresh = read(&mut decoder(&model), &tokens);
    assert_eq!(read(&mut stopped, &tokens), fresh);
}

/// The turn of a position is divided by the factor: with a factor of 2 everywhere, the model sees
/// what it would see at half the positions.
#[test]
fn tables_of_position_factors_and_linear_scaling_do_the_same() {
    let factors = Tensor::full(2.0_f32, 4, &Device::Cpu).unwrap();
    let table = TinyModel::new("llama").with_tensor("rope_freqs.weight", &factors, GgmlDType::F32);
    let linear = TinyModel::new("llama")
        .with("llama.rope.scaling.type", Value::String("linear".into()))
        .with("llama.rope.scaling.factor", Value::F32(2.0));
    let (table, linear) = (ours(&table), ours(&linear));
    assert_alike(&table, &linear);
    assert!(cosine(&table[0], &ours(&TinyModel::new("llama"))[0]) < 0.999_9);
}

#[test]
fn a_matrix_of_any_type_gives_nearly_the_products_of_its_floats() {
    use GgmlDType::{BF16, F16, Q4_0, Q4_1, Q4K, Q5_0, Q5K, Q6K, Q8_0};
    // One shape with fast kernels, and one without.
    for (rows, columns) in [(32, 256), (300, 64)] {
        let weights = noise(&[rows, columns], 1.0, 5);
        for kind in [F16, BF16, Q4_0, Q4_1, Q5_0, Q8_0, Q4K, Q5K, Q6K] {
            if columns % kind.block_size() != 0 {
                continue;
            }
            let quantised = QTensor::quantize(&weights, kind).unwrap();
            let floats = QMatMul::Tensor(quantised.dequantize(&Device::Cpu).unwrap());
            let matrix = Matrix::new(quantised).unwrap();
            for count in [1, 5, 40] {
                let x = noise(&[count, columns], 1.0, 6);
                let flat = |y: Tensor| -> Vec<f32> { y.flatten_all().unwrap().to_vec1().unwrap() };
                let expected = flat(floats.forward(&x).unwrap());
                let similar = cosine(&flat(matrix.apply(&x).unwrap()), &expected);
                // Blocks are multiplied with inputs rounded to 8 bits.
                assert!(similar > 0.999_5, "{kind:?} {rows} {count}: {similar}");
            }
        }
    }
}

#[test]
fn no_matrix_is_left_without_a_fast_kernel_for_one_row() {
    let weights = noise(&[48, 96], 1.0, 5);
    let quantised = QTensor::quantize(&weights, GgmlDType::Q4_1).unwrap();
    let matrix = Matrix::new(quantised).unwrap();
    assert!(matches!(matrix, Matrix::Packed(_)));
}

/// The logarithms of the probabilities, one token at a time, by the book.
fn by_steps(decoder: &mut Decoder, tokens: &[u32], from: usize) -> Vec<f32> {
    let mut scores = read(decoder, &tokens[..from]);
    let mut all = Vec::new();
    for token in &tokens[from..] {
        let sum: f64 = scores.iter().map(|x| f64::from(*x).exp()).sum();
        all.push((f64::from(scores[*token as usize]) - sum.ln()) as f32);
        scores = decoder.step(*token).unwrap();
    }
    all
}

#[test]
fn the_likelihood_of_a_continuation_is_that_of_its_tokens_one_by_one() {
    for architecture in ["llama", "qwen2", "qwen3"] {
        let model = roomy(architecture);
        // Within a block, over the edge of one, from one on, and longer than what is scored at once.
        for (from, to) in [
            (9, 13),
            (BLOCK - 3, BLOCK + 5),
            (BLOCK, BLOCK + 2),
            (20, 2 * BLOCK + 30),
        ] {
            let tokens = long(to);
            let expected = by_steps(&mut decoder(&model), &tokens, from);
            let ours = decoder(&model).likelihood(&tokens, from).unwrap();
            assert_eq!(ours.len(), to - from);
            for (a, b) in ours.iter().zip(&expected) {
                assert!(
                    (a - b).abs() < 2e-3,
                    "{architecture} {from}: {a} is not {b}"
                );
                assert!(*a < 0.0);
            }
        }
    }
}

#[test]
fn a_likelihood_with_a_known_beginning_is_exactly_that_of_a_fresh_run() {
    let model = roomy("qwen3");
    let mut used = decoder(&model);
    let mut text = long(2 * BLOCK + 40);
    used.likelihood(&text, BLOCK + 10).unwrap();
    text.truncate(BLOCK + 30);
    text.extend([77, 78, 79]);
    assert_eq!(used.shared(&text[..BLOCK + 10]), BLOCK);
    let fresh = decoder(&model).likelihood(&text, BLOCK + 10).unwrap();
    assert_eq!(used.likelihood(&text, BLOCK + 10).unwrap(), fresh);
    // One that begins within what is held: its first scores have to be computed again.
    let fresh = decoder(&model).likelihood(&text, 5).unwrap();
    assert_eq!(used.likelihood(&text, 5).unwrap(), fresh);
    // What is read afterwards is as if nothing had been before.
    let fresh = read(&mut decoder(&model), &text);
    assert_eq!(read(&mut used, &text), fresh);
}

#[test]
fn nothing_follows_from_nothing() {
    let mut decoder = decoder(&roomy("llama"));
    assert_eq!(decoder.likelihood(&PROMPT, PROMPT.len()).unwrap(), [0.0; 0]);
    assert_eq!(decoder.likelihood(&[], 0).unwrap(), [0.0; 0]);
    assert_eq!(
        decoder.likelihood(&PROMPT, 0).unwrap().len(),
        PROMPT.len() - 1
    );
}

/// One layer, so that what a token does not look at can't reach it by way of others.
fn one_layer(window: u32) -> TinyModel {
    let mut model = roomy("llama").with("llama.block_count", Value::U32(1));
    model.tensors.retain(|(name, _)| !name.starts_with("blk.1"));
    if window > 0 {
        model = model.with("llama.attention.sliding_window", Value::U32(window));
    }
    model
}

#[test]
fn a_window_hides_what_lies_before_it_and_nothing_else() {
    let model = one_layer(20);
    let text = long(300);
    let last = |text: &[u32]| read(&mut decoder(&model), text);
    let mut other = text.clone();
    other[279] += 1; // the 21st from the end
    assert_eq!(last(&text), last(&other));
    other[280] += 1;
    assert_ne!(last(&text), last(&other));
    // The same by steps, and no difference as long as all fits into it.
    let mut stepping = decoder(&model);
    read(&mut stepping, &text[..299]);
    let stepped = stepping.step(text[299]).unwrap();
    assert!(cosine(&stepped, &last(&text)) > 0.999_99);
    let short = &text[..20];
    assert_eq!(last(short), read(&mut decoder(&one_layer(0)), short));
    assert_ne!(last(&text), read(&mut decoder(&one_layer(0)), &text));
}

#[test]
fn a_text_longer_than_the_first_training_gets_the_long_table() {
    let factors = |x: f32| Tensor::full(x, 4, &Device::Cpu).unwrap();
    let model = |original: u32| {
        roomy("llama")
            .with("llama.rope.scaling.type", Value::String("longrope".into()))
            .with(
                "llama.rope.scaling.original_context_length",
                Value::U32(original),
            )
            .with_tensor("rope_factors_short.weight", &factors(1.0), GgmlDType::F32)
            .with_tensor("rope_factors_long.weight", &factors(3.0), GgmlDType::F32)
    };
    let text = long(100);
    let (short, long) = (model(100), model(99));
    let plain = read(&mut decoder(&roomy("llama")), &text);
    assert_eq!(read(&mut decoder(&short), &text), plain);
    let scaled = read(&mut decoder(&long), &text);
    assert_ne!(scaled, plain);
    // What is to follow counts as well, and a decoder can go from one to the other.
    let mut changing = decoder(&short);
    changing.expect(101);
    assert_eq!(read(&mut changing, &text), scaled);
    changing.expect(100);
    assert_eq!(read(&mut changing, &text), plain);
}
