//! One layer of a decoder: attention over what was seen, then a feed-forward network.

use candle_core::{Result, Tensor};

use super::matrix::Matrix;
use super::memory::Memory;
use super::positions::Positions;
use super::shape::Shape;
use crate::kernels;

/// Most memory for attention scores, in bytes; a single key head may take more.
const SCORES: usize = 256 << 20;

/// A linear map with an optional bias.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) matrix: Matrix,
    pub(crate) bias: Option<Tensor>,
}

impl Projection {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.matrix.apply(x)?;
        match &self.bias {
            Some(bias) => kernels::add_bias(y, bias),
            None => Ok(y),
        }
    }
}

/// The weights of one layer. Norms are RMS norms (<https://arxiv.org/abs/1910.07467>).
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Tensor,
    pub(crate) query: Projection,
    pub(crate) key: Projection,
    pub(crate) value: Projection,
    pub(crate) query_norm: Option<Tensor>,
    pub(crate) key_norm: Option<Tensor>,
    pub(crate) output: Matrix,
    pub(crate) inner_norm: Tensor,
    pub(crate) gate: Matrix,
    pub(crate) up: Matrix,
    pub(crate) down: Matrix,
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
        let epsilon = shape.epsilon as f32;
        let normed = candle_nn::ops::rms_norm(x, &self.attention_norm, epsilon)?;
        let attended = self.attend(&normed, start, shape, positions, memory)?;
        let x = (x + self.output.apply(&attended)?)?;
        let normed = candle_nn::ops::rms_norm(&x, &self.inner_norm, epsilon)?;
        let gated = kernels::swiglu(self.gate.apply(&normed)?, &self.up.apply(&normed)?)?;
        x + self.down.apply(&gated)?
    }

    fn attend(
        &self,
        x: &Tensor,
        start: usize,
        shape: &Shape,
        positions: &Positions,
        memory: &mut Memory,
    ) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let split = |y: Tensor, heads: usize| {
            y.reshape((tokens, heads, shape.head))?
                .transpose(0, 1)?
                .contiguous()
        };
        let norm = |y: Tensor, weight: Option<&Tensor>| match weight {
            Some(weight) => candle_nn::ops::rms_norm(&y, weight, shape.epsilon as f32),
            None => Ok(y),
        };
        let queries = norm(
            split(self.query.apply(x)?, shape.heads)?,
            self.query_norm.as_ref(),
        )?;
        let keys = norm(
            split(self.key.apply(x)?, shape.key_heads)?,
            self.key_norm.as_ref(),
        )?;
        let values = split(self.value.apply(x)?, shape.key_heads)?;
        let queries = positions.turn(&queries, start)?;
        let keys = positions.turn(&keys, start)?;
        let (keys, values) = memory.put(&keys, &values, start)?;

        // The query heads that share a key head become rows of one product: nothing is repeated.
        let rows = shape.heads / shape.key_heads * tokens;
        let queries = queries.reshape((shape.key_heads, rows, shape.head))?;
        mix(&queries, &keys, &values, tokens, start)?
            .reshape((shape.heads, tokens, shape.head))?
            .transpose(0, 1)?
            .reshape((tokens, shape.heads * shape.head))
    }
}

/// The values that each query looks for: for queries (key heads × rows × head) of `tokens` tokens
/// from position `start` on, and the keys and values up to the last of them.
fn mix(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    tokens: usize,
    start: usize,
) -> Result<Tensor> {
    let (key_heads, rows, head) = queries.dims3()?;
    let scale = 1.0 / (head as f32).sqrt();
    if tokens == 1 && queries.device().is_cpu() {
        return kernels::attend_once(queries, keys, values, scale);
    }
    let at_once = (SCORES / (rows * keys.dim(1)? * size_of::<f32>())).max(1);
    let mut mixed = Vec::new();
    for first in (0..key_heads).step_by(at_once) {
        let some = |x: &Tensor| x.narrow(0, first, at_once.min(key_heads - first));
        let scores = kernels::product(&some(queries)?, &some(keys)?.t()?)?;
        let weights = kernels::causal_softmax(scores, scale, tokens, start)?;
        mixed.push(kernels::product(&weights, &some(values)?)?);
    }
    Tensor::cat(&mixed, 0)
}
