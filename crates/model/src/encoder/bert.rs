//! BERT (Devlin et al., <https://arxiv.org/abs/1810.04805>) and its descendants that differ in data only
//! (`RoBERTa`, XLM-RoBERTa): token ids in, one vector for each token out.
//!
//! Lean where candle's own model is not: sequences lie end to end without padding, so that every
//! linear layer is one product and nothing needs a mask; queries, keys and values are one product;
//! biases, norms and activations are fused into single passes. Knows nothing of text.

use candle_core::{Result, Tensor};
use serde::Deserialize;

use super::Sequence;
use super::attention::{Look, Run, attend, runs};
use super::table::Table;
use super::tensors::{Linear, Tensors};
use crate::fault::{self, OfModel};
use crate::kernels::{self, LayerNorm};

/// Sizes, as in the model's `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    #[serde(default)]
    pad_token_id: Option<usize>,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

impl Config {
    /// The position of a text's first token. `RoBERTa` counts from behind the position of padding.
    fn first_position(&self) -> usize {
        match self.model_type.as_str() {
            "bert" => 0,
            _ => self.pad_token_id.unwrap_or(1) + 1,
        }
    }

    fn check(&self, tensors: &Tensors) -> fault::Result<()> {
        if self.hidden_act != "gelu" {
            return Err(tensors.unsupported("activation", self.hidden_act.clone(), "gelu"));
        }
        let kind = self.position_embedding_type.as_deref();
        if let Some(kind) = kind.filter(|kind| *kind != "absolute") {
            return Err(tensors.unsupported("kind of positions", kind.to_owned(), "absolute"));
        }
        if self.num_attention_heads == 0
            || !self.hidden_size.is_multiple_of(self.num_attention_heads)
        {
            return Err(tensors.unsound("the heads don't divide the hidden size".to_owned()));
        }
        if self.max_position_embeddings <= self.first_position() {
            return Err(tensors.unsound("it has no positions".to_owned()));
        }
        Ok(())
    }
}

/// An encoder's weights.
#[derive(Debug)]
pub(crate) struct Bert {
    heads: usize,
    /// Longest sequence.
    positions: usize,
    first_position: usize,
    words: Table,
    /// (Segments · positions) × hidden: the sum of both vectors.
    places: Tensor,
    segments: usize,
    norm: LayerNorm,
    layers: Vec<Layer>,
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
    /// Takes the weights out of `tensors`.
    pub(crate) fn new(tensors: &Tensors, config: &Config) -> fault::Result<Self> {
        config.check(tensors)?;
        let hidden = config.hidden_size;
        let words = tensors.table("embeddings.word_embeddings.weight")?;
        let segments = tensors.get("embeddings.token_type_embeddings.weight")?;
        let positions = tensors.get("embeddings.position_embeddings.weight")?;
        let all = config.max_position_embeddings;
        let widths = [&segments, &positions].map(|table| table.dims().get(1).copied());
        if words.width() != hidden
            || widths != [Some(hidden); 2]
            || positions.dims() != [all, hidden]
        {
            return Err(tensors.unsound("its tables are not of the sizes that it gives".into()));
        }
        Ok(Self {
            heads: config.num_attention_heads,
            positions: all - config.first_position(),
            first_position: config.first_position(),
            words,
            places: places(&segments, &positions).of(tensors.model())?,
            segments: segments.dims()[0],
            norm: tensors.norm("embeddings.LayerNorm", config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers)
                .map(|n| Layer::new(tensors, config, n))
                .collect::<fault::Result<_>>()?,
        })
    }

    /// Length of the vectors.
    pub(crate) fn hidden(&self) -> usize {
        self.words.width()
    }

    /// Longest sequence.
    pub(crate) fn positions(&self) -> usize {
        self.positions
    }

    /// Encodes sequences of ids. Gives the vectors of all tokens end to end: tokens × hidden.
    /// Sequences of equal length that stand side by side are attended together.
    pub(crate) fn forward(&self, sequences: &[&Sequence]) -> Result<Tensor> {
        let device = self.words.device();
        let ids: Vec<u32> = sequences.iter().flat_map(|s| s.ids.clone()).collect();
        let places: Vec<u32> = sequences.iter().flat_map(|s| self.rows(s)).collect();
        let places = self.places.index_select(&Tensor::new(places, device)?, 0)?;
        let mut x = self.norm.apply((self.words.select(&ids)? + places)?)?;
        let runs = runs(sequences);
        let look = Look {
            heads: self.heads,
            rotation: None,
            reach: None,
        };
        for layer in &self.layers {
            x = layer.forward(&x, &runs, &look)?;
        }
        Ok(x)
    }

    /// The rows of `places` for a sequence's tokens. Models with a single segment have the second
    /// text in it as well.
    fn rows(&self, sequence: &Sequence) -> impl Iterator<Item = u32> {
        let rows = self.places.dims()[0] / self.segments;
        let second = sequence.second.filter(|_| self.segments > 1);
        let first = self.first_position;
        (0..sequence.ids.len()).map(move |n| {
            let segment = usize::from(second.is_some_and(|second| n >= second));
            (segment * rows + first + n) as u32
        })
    }
}

/// Every position in every segment.
fn places(segments: &Tensor, positions: &Tensor) -> Result<Tensor> {
    let parts = (0..segments.dim(0)?)
        .map(|n| positions.broadcast_add(&segments.get(n)?))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&parts, 0)
}

impl Layer {
    fn new(tensors: &Tensors, config: &Config, n: usize) -> fault::Result<Self> {
        let name = |part: &str| format!("encoder.layer.{n}.{part}");
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let linear = |part: &str, outputs: usize, inputs: usize| {
            let linear = tensors.linear(&name(part))?;
            if linear.weight.dims() == [outputs, inputs] {
                return Ok(linear);
            }
            let found = linear.weight.dims();
            let part = name(part);
            Err(tensors.unsound(format!(
                "`{part}` is {found:?} and should be [{outputs}, {inputs}]"
            )))
        };
        let norm = |part: &str| tensors.norm(&name(part), config.layer_norm_eps);
        let parts = ["query", "key", "value"]
            .iter()
            .map(|part| linear(&format!("attention.self.{part}"), hidden, hidden))
            .collect::<fault::Result<Vec<_>>>()?;
        let weights: Vec<&Tensor> = parts.iter().map(|part| &part.weight).collect();
        let biases: Vec<&Tensor> = parts.iter().map(|part| &part.bias).collect();
        Ok(Self {
            attention: Linear {
                weight: Tensor::cat(&weights, 0).of(tensors.model())?,
                bias: Tensor::cat(&biases, 0).of(tensors.model())?,
            },
            output: linear("attention.output.dense", hidden, hidden)?,
            output_norm: norm("attention.output.LayerNorm")?,
            inner: linear("intermediate.dense", inner, hidden)?,
            outer: linear("output.dense", hidden, inner)?,
            outer_norm: norm("output.LayerNorm")?,
        })
    }

    fn forward(&self, x: &Tensor, runs: &[Run], look: &Look) -> Result<Tensor> {
        let projected = x.matmul(&self.attention.weight.t()?)?;
        let projected = kernels::add_bias(projected, &self.attention.bias)?;
        let attended = attend(&projected, runs, look)?;
        let y = attended.matmul(&self.output.weight.t()?)?;
        let x = self.output_norm.apply_to_sum(y, &self.output.bias, x)?;
        let y = x.matmul(&self.inner.weight.t()?)?;
        let y = kernels::bias_gelu(y, &self.inner.bias)?;
        let y = y.matmul(&self.outer.weight.t()?)?;
        self.outer_norm.apply_to_sum(y, &self.outer.bias, &x)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;
    use candle_transformers::models::bert::{BertModel, Config as ReferenceConfig};

    use super::*;
    use crate::testing::{cosine, tiny_bert};

    #[test]
    fn it_gives_what_candles_bert_gives() {
        let (tensors, config_json) = tiny_bert();
        let config: Config = serde_json::from_str(&config_json).unwrap();
        let reference_config: ReferenceConfig = serde_json::from_str(&config_json).unwrap();
        let builder = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
        let reference = BertModel::load(builder, &reference_config).unwrap();
        let ours = Bert::new(&Tensors::of(&tensors), &config).unwrap();

        let sequences: [&[u32]; 4] = [&[2, 5, 6, 7, 3], &[2, 9, 9, 1, 3], &[2, 8, 3], &[2, 3]];
        let sequences = sequences.map(|ids| Sequence::one(ids.to_vec()));
        let vectors: Vec<Vec<f32>> = ours
            .forward(&sequences.each_ref())
            .unwrap()
            .to_vec2()
            .unwrap();
        let mut row = 0;
        for Sequence { ids, .. } in &sequences {
            let input = Tensor::new(ids.as_slice(), &Device::Cpu)
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
