//! The head of a cross-encoder: the vector of a question and a passage that were read together becomes
//! one score.

use candle_core::{Device, Result, Tensor};

use super::modern::Config as ModernConfig;
use super::tensors::{Linear, Tensors};
use crate::catalogue::PooledBy;
use crate::fault;
use crate::kernels::{self, LayerNorm};

/// A dense layer and a score. The score is a logit: above 0 where the passage more likely answers the
/// question than not.
#[derive(Debug)]
pub(crate) struct Head {
    pooling: PooledBy,
    dense: Linear,
    activation: Activation,
    norm: Option<LayerNorm>,
    output: Linear,
}

#[derive(Debug, Clone, Copy)]
enum Activation {
    Tanh,
    Gelu,
}

impl Head {
    /// BERT's pooler and the classifier behind it.
    pub(super) fn bert(tensors: &Tensors) -> fault::Result<Self> {
        Ok(Self {
            pooling: PooledBy::Cls,
            dense: tensors.linear("pooler.dense")?,
            activation: Activation::Tanh,
            norm: None,
            output: single(tensors, "classifier")?,
        })
    }

    /// `RoBERTa`'s classification head.
    pub(super) fn roberta(tensors: &Tensors) -> fault::Result<Self> {
        Ok(Self {
            pooling: PooledBy::Cls,
            dense: tensors.outer_linear("classifier.dense")?,
            activation: Activation::Tanh,
            norm: None,
            output: single(tensors, "classifier.out_proj")?,
        })
    }

    /// `ModernBERT`'s prediction head and the classifier behind it.
    pub(super) fn modern(tensors: &Tensors, config: &ModernConfig) -> fault::Result<Self> {
        if config.classifier_activation != "gelu" {
            let found = config.classifier_activation.clone();
            return Err(tensors.unsupported("activation", found, "gelu"));
        }
        let weight = tensors.outer("head.dense.weight")?;
        let norm = tensors.plain_norm(tensors.outer("head.norm.weight")?, config.norm_eps)?;
        Ok(Self {
            pooling: config.pooling(tensors)?,
            dense: Linear {
                bias: norm.bias.clone(),
                weight,
            },
            activation: Activation::Gelu,
            norm: Some(norm),
            output: single(tensors, "classifier")?,
        })
    }

    /// How the vectors of the tokens become the one that is scored.
    pub(super) fn pooling(&self) -> PooledBy {
        self.pooling
    }

    pub(super) fn device(&self) -> &Device {
        self.output.weight.device()
    }

    /// The score of every row of `vectors` (n × hidden).
    pub(super) fn score(&self, vectors: &Tensor) -> Result<Vec<f32>> {
        let y = vectors.matmul(&self.dense.weight.t()?)?;
        let y = match self.activation {
            Activation::Tanh => kernels::add_bias(y, &self.dense.bias)?.tanh()?,
            Activation::Gelu => kernels::bias_gelu(y, &self.dense.bias)?,
        };
        let y = match &self.norm {
            Some(norm) => norm.apply(y)?,
            None => y,
        };
        let scores = y.matmul(&self.output.weight.t()?)?;
        kernels::add_bias(scores, &self.output.bias)?
            .squeeze(1)?
            .to_vec1()
    }
}

/// A linear map to a single number.
fn single(tensors: &Tensors, name: &str) -> fault::Result<Linear> {
    let linear = tensors.outer_linear(name)?;
    match linear.weight.dims()[0] {
        1 => Ok(linear),
        classes => {
            let found = format!("a classifier of {classes} classes");
            Err(tensors.unsupported("head", found, "one that gives a single score"))
        }
    }
}
