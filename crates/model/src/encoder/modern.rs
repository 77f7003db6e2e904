//! `ModernBERT` (Warner et al., <https://arxiv.org/abs/2412.13663>): positions by rotation, most layers
//! look at neighbours only, a gated feed-forward network, no biases.

use candle_core::{Result, Tensor};
use serde::Deserialize;

use super::Sequence;
use super::attention::{Look, Rotation, Run, attend, runs};
use super::table::Table;
use super::tensors::Tensors;
use crate::catalogue::PooledBy;
use crate::fault::{self, OfModel};
use crate::kernels::{self, LayerNorm};

/// Sizes, as in the model's `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    #[serde(default = "gelu")]
    hidden_activation: String,
    #[serde(default = "gelu")]
    pub(super) classifier_activation: String,
    #[serde(default = "cls")]
    classifier_pooling: String,
    /// Called `layer_norm_eps` in some files.
    #[serde(alias = "layer_norm_eps")]
    pub(super) norm_eps: f64,
    global_attn_every_n_layers: usize,
    local_attention: usize,
    global_rope_theta: f64,
    local_rope_theta: Option<f64>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    norm_bias: bool,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn cls() -> String {
    "cls".to_owned()
}

impl Config {
    fn check(&self, tensors: &Tensors) -> fault::Result<()> {
        if self.hidden_activation != "gelu" {
            let found = self.hidden_activation.clone();
            return Err(tensors.unsupported("activation", found, "gelu"));
        }
        if self.attention_bias || self.mlp_bias || self.norm_bias {
            let found = "ModernBERT with biases".to_owned();
            return Err(tensors.unsupported("architecture", found, "ModernBERT without biases"));
        }
        let heads = self.num_attention_heads;
        let whole = heads > 0 && self.hidden_size.is_multiple_of(2 * heads);
        if !whole || self.global_attn_every_n_layers == 0 || self.max_position_embeddings == 0 {
            return Err(tensors.unsound("its sizes contradict one another".to_owned()));
        }
        Ok(())
    }

    /// How the vectors of the tokens become the one that is classified.
    pub(super) fn pooling(&self, tensors: &Tensors) -> fault::Result<PooledBy> {
        match self.classifier_pooling.as_str() {
            "cls" => Ok(PooledBy::Cls),
            "mean" => Ok(PooledBy::Mean),
            other => Err(tensors.unsupported("pooling", other.to_owned(), "cls, mean")),
        }
    }
}

/// An encoder's weights.
#[derive(Debug)]
pub(crate) struct ModernBert {
    heads: usize,
    positions: usize,
    /// How many tokens away a layer that looks at neighbours looks.
    reach: usize,
    /// Vocabulary × hidden.
    words: Table,
    norm: LayerNorm,
    layers: Vec<Layer>,
    last_norm: LayerNorm,
    /// Of the layers that look everywhere, and of the others.
    wide: Rotation,
    near: Rotation,
}

#[derive(Debug)]
struct Layer {
    looks_everywhere: bool,
    /// The first layer has none: the norm of the embeddings stands in for it.
    attention_norm: Option<LayerNorm>,
    /// Queries, keys and values, one above the other.
    attention: Tensor,
    output: Tensor,
    inner_norm: LayerNorm,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

impl ModernBert {
    /// Takes the weights out of `tensors`.
    pub(crate) fn new(tensors: &Tensors, config: &Config) -> fault::Result<Self> {
        config.check(tensors)?;
        let words = tensors.table("embeddings.tok_embeddings.weight")?;
        if words.width() != config.hidden_size {
            return Err(tensors.unsound("its words are not of the size that it gives".to_owned()));
        }
        let head = config.hidden_size / config.num_attention_heads;
        let rotation = |base: f64| {
            Rotation::new(base, head, config.max_position_embeddings, tensors.device())
                .of(tensors.model())
        };
        let norm = |name: &str| tensors.plain_norm(tensors.get(name)?, config.norm_eps);
        Ok(Self {
            heads: config.num_attention_heads,
            positions: config.max_position_embeddings,
            reach: config.local_attention / 2,
            words,
            norm: norm("embeddings.norm.weight")?,
            layers: (0..config.num_hidden_layers)
                .map(|n| Layer::new(tensors, config, n))
                .collect::<fault::Result<_>>()?,
            last_norm: norm("final_norm.weight")?,
            wide: rotation(config.global_rope_theta)?,
            near: rotation(config.local_rope_theta.unwrap_or(config.global_rope_theta))?,
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
    pub(crate) fn forward(&self, sequences: &[&Sequence]) -> Result<Tensor> {
        let ids: Vec<u32> = sequences.iter().flat_map(|s| s.ids.clone()).collect();
        let words = self.words.select(&ids)?;
        let mut x = self.norm.apply(words)?;
        let runs = runs(sequences);
        let wide = Look {
            heads: self.heads,
            rotation: Some(&self.wide),
            reach: None,
        };
        let near = Look {
            heads: self.heads,
            rotation: Some(&self.near),
            reach: Some(self.reach),
        };
        for layer in &self.layers {
            let look = if layer.looks_everywhere { &wide } else { &near };
            x = layer.forward(&x, &runs, look)?;
        }
        self.last_norm.apply(x)
    }
}

impl Layer {
    fn new(tensors: &Tensors, config: &Config, n: usize) -> fault::Result<Self> {
        let name = |part: &str| format!("layers.{n}.{part}.weight");
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |part: &str| tensors.plain_norm(tensors.get(&name(part))?, config.norm_eps);
        let both = tensors.matrix(&name("mlp.Wi"), 2 * inner, hidden)?;
        let half = |from: usize| {
            let half = both.narrow(0, from, inner);
            let half = half.and_then(|half| half.force_contiguous());
            half.of(tensors.model())
        };
        Ok(Self {
            looks_everywhere: n.is_multiple_of(config.global_attn_every_n_layers),
            attention_norm: if n == 0 {
                None
            } else {
                Some(norm("attn_norm")?)
            },
            attention: tensors.matrix(&name("attn.Wqkv"), 3 * hidden, hidden)?,
            output: tensors.matrix(&name("attn.Wo"), hidden, hidden)?,
            inner_norm: norm("mlp_norm")?,
            gate: half(0)?,
            up: half(inner)?,
            down: tensors.matrix(&name("mlp.Wo"), hidden, inner)?,
        })
    }

    fn forward(&self, x: &Tensor, runs: &[Run], look: &Look) -> Result<Tensor> {
        let normed = match &self.attention_norm {
            Some(norm) => norm.apply(x.copy()?)?,
            None => x.clone(),
        };
        let attended = attend(&normed.matmul(&self.attention.t()?)?, runs, look)?;
        let x = (x + attended.matmul(&self.output.t()?)?)?;
        let normed = self.inner_norm.apply(x.copy()?)?;
        let gate = normed.matmul(&self.gate.t()?)?;
        let gated = kernels::geglu(gate, &normed.matmul(&self.up.t()?)?)?;
        x + gated.matmul(&self.down.t()?)?
    }
}
