//! One layer of a decoder: tokens learn of those before them, then a feed-forward network.

use candle_core::{Result, Tensor};

use super::attention::Attention;
use super::delta::DeltaNet;
use super::feed::Feed;
use super::memory::Memory;
use super::positions::Positions;
use super::shape::Shape;
use crate::kernels;

/// The weights of one layer. Norms are RMS norms (<https://arxiv.org/abs/1910.07467>).
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) before_mixing: Norm,
    pub(crate) mixing: MixingWeights,
    pub(crate) after_mixing: Option<Norm>,
    pub(crate) before_feed: Norm,
    pub(crate) feed: Feed,
    pub(crate) after_feed: Option<Norm>,
}

#[derive(Debug)]
pub(crate) enum MixingWeights {
    Attention(Box<Attention>),
    Delta(Box<DeltaNet>),
}

#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) weight: Tensor,
    pub(crate) epsilon: f32,
}

impl Norm {
    /// The norm of every row (last dimension) of `x`.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        kernels::rms_norm(x, &self.weight, self.epsilon)
    }
}

impl Layer {
    /// `x` (tokens × hidden), whose first token has position `start`, one layer further.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        start: usize,
        shape: &Shape,
        positions: &Positions,
        memory: &mut Memory,
    ) -> Result<Tensor> {
        let normed = self.before_mixing.apply(x)?;
        let mixed = match (&self.mixing, memory) {
            (MixingWeights::Attention(attention), Memory::Keys(keys)) => {
                attention.forward(&normed, start, shape, positions, keys)?
            }
            (MixingWeights::Delta(net), Memory::Delta(state)) => net.forward(&normed, state)?,
            _ => candle_core::bail!("a layer has the memory of another kind"),
        };
        let x = (x + after(mixed, self.after_mixing.as_ref())?)?;
        let fed = self.feed.forward(&self.before_feed.apply(&x)?)?;
        x + after(fed, self.after_feed.as_ref())?
    }
}

impl Layer {
    /// Bytes of weights that are read for one token.
    pub(crate) fn bytes_read(&self) -> usize {
        let mixing = match &self.mixing {
            MixingWeights::Attention(attention) => attention.bytes(),
            MixingWeights::Delta(net) => net.bytes(),
        };
        mixing + self.feed.bytes_read()
    }
}

fn after(y: Tensor, norm: Option<&Norm>) -> Result<Tensor> {
    match norm {
        Some(norm) => norm.apply(&y),
        None => Ok(y),
    }
}
