//! Attention of tokens to those before them (Vaswani et al., <https://arxiv.org/abs/1706.03762>), with
//! key heads that query heads share.

use candle_core::{D, Result, Tensor};

use super::layer::Norm;
use super::matrix::Matrix;
use super::memory::Keys;
use super::positions::Positions;
use super::shape::{Shape, Sight};
use crate::kernels;

/// Most memory for attention scores, in bytes, so that they stay in a processor's cache; a single key head
/// may take more.
const SCORES: usize = 4 << 20;

/// A linear map with an optional bias.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) matrix: Matrix,
    pub(crate) bias: Option<Tensor>,
}

impl Projection {
    /// `y`, which the matrix gave, with the bias.
    fn biased(&self, y: Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => kernels::add_bias(y, bias),
            None => Ok(y),
        }
    }
}

/// The weights of one layer's attention.
#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) inputs: Inputs,
    pub(crate) query_norm: Option<Norm>,
    pub(crate) key_norm: Option<Norm>,
    pub(crate) output: Matrix,
    pub(crate) sight: Sight,
}

/// What makes queries, keys and values.
#[derive(Debug)]
pub(crate) enum Inputs {
    Apart {
        query: Projection,
        key: Projection,
        value: Projection,
    },
    /// All three below one another.
    Joined(Matrix),
}

impl Attention {
    /// What the tokens `x` (tokens × hidden), the first at position `start`, make of all before them.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        start: usize,
        shape: &Shape,
        positions: &Positions,
        memory: &mut Keys,
    ) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let width = shape.heads * shape.head;
        let split = |y: Tensor, heads: usize| {
            y.reshape((tokens, heads, shape.head))?
                .transpose(0, 1)?
                .contiguous()
        };
        let norm = |y: Tensor, norm: Option<&Norm>| match norm {
            Some(norm) => norm.apply(&y),
            None => Ok(y),
        };
        let (queries, keys, values) = self.inputs(x, shape)?;
        let (queries, gates) = if shape.is_gated() {
            // Each head's numbers are followed by its gates.
            let both = queries.reshape((tokens, shape.heads, 2 * shape.head))?;
            let half = |n| {
                both.narrow(D::Minus1, n * shape.head, shape.head)?
                    .contiguous()
            };
            (half(0)?, Some(half(1)?.reshape((tokens, width))?))
        } else {
            (queries, None)
        };
        let queries = norm(split(queries, shape.heads)?, self.query_norm.as_ref())?;
        let keys = norm(split(keys, shape.key_heads)?, self.key_norm.as_ref())?;
        let values = split(values, shape.key_heads)?;
        let queries = positions.turn(&queries, start, self.sight)?;
        let keys = positions.turn(&keys, start, self.sight)?;
        let view = View {
            tokens,
            start,
            sight: self.sight,
        };
        let (keys, values) = memory.put(&keys, &values, start, view.first())?;

        // The query heads that share a key head become rows of one product: nothing is repeated.
        let rows = shape.heads / shape.key_heads * tokens;
        let queries = queries.reshape((shape.key_heads, rows, shape.head))?;
        let scale = shape.attention_scale as f32;
        let mixed = mix(&queries, &keys, &values, &view, scale)?
            .reshape((shape.heads, tokens, shape.head))?
            .transpose(0, 1)?
            .reshape((tokens, width))?;
        let mixed = match gates {
            Some(gates) => (mixed * candle_nn::ops::sigmoid(&gates)?)?,
            None => mixed,
        };
        self.output.apply(&mixed)
    }

    /// Bytes of its weights.
    pub(crate) fn bytes(&self) -> usize {
        let inputs = match &self.inputs {
            Inputs::Apart { query, key, value } => [query, key, value]
                .iter()
                .map(|projection| projection.matrix.bytes())
                .sum(),
            Inputs::Joined(all) => all.bytes(),
        };
        inputs + self.output.bytes()
    }

    /// Queries, keys and values, token by token.
    fn inputs(&self, x: &Tensor, shape: &Shape) -> Result<(Tensor, Tensor, Tensor)> {
        match &self.inputs {
            Inputs::Apart { query, key, value } => {
                let matrices = [&query.matrix, &key.matrix, &value.matrix];
                let [queries, keys, values] = Matrix::apply_each(matrices, x)?;
                Ok((
                    query.biased(queries)?,
                    key.biased(keys)?,
                    value.biased(values)?,
                ))
            }
            Inputs::Joined(matrix) => {
                let all = matrix.apply(x)?;
                let (queries, keys) = (shape.heads * shape.head, shape.key_heads * shape.head);
                let part = |from, width| all.narrow(1, from, width)?.contiguous();
                Ok((
                    part(0, queries)?,
                    part(queries, keys)?,
                    part(queries + keys, keys)?,
                ))
            }
        }
    }
}

/// What `tokens` tokens from position `start` on look at.
struct View {
    tokens: usize,
    start: usize,
    sight: Sight,
}

impl View {
    /// The first position that any of them looks at.
    fn first(&self) -> usize {
        match self.sight {
            Sight::All => 0,
            Sight::Near(count) => (self.start + 1).saturating_sub(count),
        }
    }

    fn window(&self) -> usize {
        match self.sight {
            Sight::All => usize::MAX,
            Sight::Near(count) => count,
        }
    }
}

/// The values that each query looks for: for queries (key heads × rows × head), and the keys and
/// values from the first position that is looked at to the last of the tokens.
fn mix(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    view: &View,
    scale: f32,
) -> Result<Tensor> {
    let (key_heads, rows, _) = queries.dims3()?;
    if view.tokens == 1 && queries.device().is_cpu() {
        return kernels::attend_once(queries, keys, values, scale);
    }
    let at_once = (SCORES / (rows * keys.dim(1)? * size_of::<f32>())).max(1);
    let past = kernels::Past {
        tokens: view.tokens,
        before: view.start - view.first(),
        window: view.window(),
    };
    let mut mixed = Vec::new();
    for first in (0..key_heads).step_by(at_once) {
        let some = |x: &Tensor| x.narrow(0, first, at_once.min(key_heads - first));
        let scores = kernels::product(&some(queries)?, &some(keys)?.t()?)?;
        let weights = kernels::causal_softmax(scores, scale, past)?;
        mixed.push(kernels::product(&weights, &some(values)?)?);
    }
    Tensor::cat(&mixed, 0)
}
