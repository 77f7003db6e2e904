//! The BERT encoder (Devlin et al., <https://arxiv.org/abs/1810.04805>): token ids in, one vector for
//! each token out.
//!
//! Lean where candle's own model is not: sequences lie end to end without padding, so that every
//! linear layer is one product and nothing needs a mask; queries, keys and values are one product;
//! biases, norms and activations are fused into single passes. Knows nothing of text.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, bail};
use serde::Deserialize;

use crate::kernels::{self, LayerNorm};

/// Sizes, as in the model's `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    pub(crate) model_type: String,
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) hidden_act: String,
    pub(crate) max_position_embeddings: usize,
    pub(crate) layer_norm_eps: f64,
    #[serde(default = "absolute")]
    pub(crate) position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

/// An encoder's weights.
#[derive(Debug)]
pub(crate) struct Bert {
    heads: usize,
    /// Vocabulary × hidden.
    words: Tensor,
    /// Positions × hidden, with the vector of the only segment already added.
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Linear {
    /// Outputs × inputs.
    weight: Tensor,
    bias: Tensor,
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values, one above the other.
    attention: Linear,
    output: Linear,
    output_norm: LayerNorm,
    inner: Linear,
    outer: Linear,
    outer_norm: LayerNorm,
}

impl Bert {
    /// Takes the weights out of `tensors`, whose names may begin with `bert.`.
    pub(crate) fn new(
        tensors: &HashMap<String, Tensor>,
        config: &Config,
        device: &Device,
    ) -> Result<Self> {
        let named = tensors.contains_key("bert.embeddings.word_embeddings.weight");
        let weights = Weights {
            tensors,
            prefix: if named { "bert." } else { "" },
            device,
            epsilon: config.layer_norm_eps as f32,
        };
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            bail!("the heads don't divide the hidden size");
        }
        let segment = weights.get("embeddings.token_type_embeddings.weight")?;
        let positions = weights.get("embeddings.position_embeddings.weight")?;
        Ok(Self {
            heads: config.num_attention_heads,
            words: weights.get("embeddings.word_embeddings.weight")?,
            positions: positions.broadcast_add(&segment.get(0)?)?,
            norm: weights.norm("embeddings.LayerNorm")?,
            layers: (0..config.num_hidden_layers)
                .map(|n| weights.layer(n))
                .collect::<Result<_>>()?,
        })
    }

    /// Length of the vectors.
    pub(crate) fn hidden(&self) -> Result<usize> {
        self.words.dim(1)
    }

    /// Encodes sequences of ids. Gives the vectors of all tokens end to end: tokens × hidden.
    /// Sequences of equal length that stand side by side are attended together.
    pub(crate) fn forward(&self, sequences: &[&[u32]]) -> Result<Tensor> {
        let device = self.words.device();
        let ids = Tensor::new(sequences.concat(), device)?;
        let places: Vec<u32> = sequences
            .iter()
            .flat_map(|ids| 0..ids.len() as u32)
            .collect();
        let places = self
            .positions
            .index_select(&Tensor::new(places, device)?, 0)?;
        let mut x = self
            .norm
            .apply((self.words.index_select(&ids, 0)? + places)?)?;
        let runs = runs(sequences);
        for layer in &self.layers {
            x = layer.forward(&x, &runs, self.heads)?;
        }
        Ok(x)
    }
}

/// How many sequences of which length stand side by side.
struct Run {
    count: usize,
    length: usize,
}

fn runs(sequences: &[&[u32]]) -> Vec<Run> {
    sequences
        .chunk_by(|a, b| a.len() == b.len())
        .map(|chunk| Run {
            count: chunk.len(),
            length: chunk[0].len(),
        })
        .collect()
}

impl Layer {
    fn forward(&self, x: &Tensor, runs: &[Run], heads: usize) -> Result<Tensor> {
        let projected = x.matmul(&self.attention.weight.t()?)?;
        let projected = kernels::add_bias(projected, &self.attention.bias)?;
        let attended = attend(&projected, runs, heads)?;
        let y = attended.matmul(&self.output.weight.t()?)?;
        let x = self.output_norm.apply_to_sum(y, &self.output.bias, x)?;
        let y = x.matmul(&self.inner.weight.t()?)?;
        let y = kernels::bias_gelu(y, &self.inner.bias)?;
        let y = y.matmul(&self.outer.weight.t()?)?;
        self.outer_norm.apply_to_sum(y, &self.outer.bias, &x)
    }
}

/// Attention inside each sequence. `projected` is tokens × (queries, keys, values).
fn attend(projected: &Tensor, runs: &[Run], heads: usize) -> Result<Tensor> {
    let hidden = projected.dim(1)? / 3;
    let head = hidden / heads;
    let scale = 1.0 / (head as f32).sqrt();
    let mut start = 0;
    let mut parts = Vec::with_capacity(runs.len());
    for &Run { count, length } in runs {
        let tokens = count * length;
        let split = projected
            .narrow(0, start, tokens)?
            .reshape((count, length, 3, heads, head))?
            .permute((2, 0, 3, 1, 4))?
            .contiguous()?
            .reshape((3, count * heads, length, head))?;
        let scores = kernels::product(&split.get(0)?, &split.get(1)?.t()?)?;
        let weights = kernels::softmax(scores, scale)?;
        let mixed = kernels::product(&weights, &split.get(2)?)?
            .reshape((count, heads, length, head))?
            .transpose(1, 2)?
            .reshape((tokens, hidden))?;
        parts.push(mixed);
        start += tokens;
    }
    match parts.as_slice() {
        [only] => Ok(only.clone()),
        parts => Tensor::cat(parts, 0),
    }
}

/// Where the tensors come from.
struct Weights<'a> {
    tensors: &'a HashMap<String, Tensor>,
    prefix: &'static str,
    device: &'a Device,
    epsilon: f32,
}

impl Weights<'_> {
    fn get(&self, name: &str) -> Result<Tensor> {
        let name = format!("{}{name}", self.prefix);
        match self.tensors.get(&name) {
            Some(tensor) => tensor.to_dtype(DType::F32)?.to_device(self.device),
            None => bail!("tensor `{name}` is missing"),
        }
    }

    fn linear(&self, name: &str) -> Result<Linear> {
        Ok(Linear {
            weight: self.get(&format!("{name}.weight"))?,
            bias: self.get(&format!("{name}.bias"))?,
        })
    }

    fn norm(&self, name: &str) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.get(&format!("{name}.weight"))?,
            bias: self.get(&format!("{name}.bias"))?,
            epsilon: self.epsilon,
        })
    }

    fn layer(&self, n: usize) -> Result<Layer> {
        let name = |part: &str| format!("encoder.layer.{n}.{part}");
        let parts = ["query", "key", "value"]
            .iter()
            .map(|part| self.linear(&name(&format!("attention.self.{part}"))))
            .collect::<Result<Vec<_>>>()?;
        let weights: Vec<&Tensor> = parts.iter().map(|part| &part.weight).collect();
        let biases: Vec<&Tensor> = parts.iter().map(|part| &part.bias).collect();
        Ok(Layer {
            attention: Linear {
                weight: Tensor::cat(&weights, 0)?,
                bias: Tensor::cat(&biases, 0)?,
            },
            output: self.linear(&name("attention.output.dense"))?,
            output_norm: self.norm(&name("attention.output.LayerNorm"))?,
            inner: self.linear(&name("intermediate.dense"))?,
            outer: self.linear(&name("output.dense"))?,
            outer_norm: self.norm(&name("output.LayerNorm"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::VarBuilder;
    use candle_transformers::models::bert::{BertModel, Config as ReferenceConfig};

    use super::*;
    use crate::testing::{cosine, tiny_bert};

    #[test]
    fn it_gives_what_the_reference_implementation_gives() {
        let (tensors, config_json) = tiny_bert();
        let config: Config = serde_json::from_str(&config_json).unwrap();
        let reference_config: ReferenceConfig = serde_json::from_str(&config_json).unwrap();
        let builder = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
        let reference = BertModel::load(builder, &reference_config).unwrap();
        let ours = Bert::new(&tensors, &config, &Device::Cpu).unwrap();

        let sequences: [&[u32]; 4] = [&[2, 5, 6, 7, 3], &[2, 9, 9, 1, 3], &[2, 8, 3], &[2, 3]];
        let vectors: Vec<Vec<f32>> = ours.forward(&sequences).unwrap().to_vec2().unwrap();
        let mut row = 0;
        for ids in sequences {
            let input = Tensor::new(ids, &Device::Cpu)
                .unwrap()
                .unsqueeze(0)
                .unwrap();
            let segments = input.zeros_like().unwrap();
            let expected: Vec<Vec<f32>> = reference
                .forward(&input, &segments, None)
                .unwrap()
                .squeeze(0)
                .unwrap()
                .to_vec2()
                .unwrap();
            for expected in expected {
                assert!(cosine(&vectors[row], &expected) > 0.999_999);
                row += 1;
            }
        }
        assert_eq!(row, vectors.len());
    }
}
