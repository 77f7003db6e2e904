//! Gated delta nets: layers whose memory of all tokens has a fixed size.
//!
//! Each head keeps a matrix that maps keys to values; a token makes it forget a part, then corrects
//! what it gives for the token's key (Yang et al., <https://arxiv.org/abs/2412.06464>).

use candle_core::{Result, Tensor};

use super::architecture::Groups;
use super::layer::Norm;
use super::matrix::Matrix;
use super::memory::DeltaState;
use super::shape::DeltaSizes;
use crate::kernels;

/// The weights of one layer's delta net.
#[derive(Debug)]
pub(crate) struct DeltaNet {
    pub(crate) sizes: DeltaSizes,
    pub(crate) groups: Groups,
    pub(crate) epsilon: f32,
    /// Queries, keys and values below one another.
    pub(crate) inputs: Matrix,
    /// Kernel × channels.
    pub(crate) kernel: Tensor,
    pub(crate) gates: GateWeights,
    /// Added before a head's share to forget is computed.
    pub(crate) step: Tensor,
    /// How fast each head forgets, negative.
    pub(crate) rate: Tensor,
    pub(crate) output_gate: Matrix,
    pub(crate) output_norm: Norm,
    pub(crate) output: Matrix,
}

impl DeltaNet {
    /// Bytes of its weights.
    pub(crate) fn bytes(&self) -> usize {
        let gates = match &self.gates {
            GateWeights::Apart { learn, forget } => learn.bytes() + forget.bytes(),
            GateWeights::Joined(both) => both.bytes(),
        };
        self.inputs.bytes() + gates + self.output_gate.bytes() + self.output.bytes()
    }
}

/// What makes each head's strength of learning and of forgetting.
#[derive(Debug)]
pub(crate) enum GateWeights {
    Apart {
        learn: Matrix,
        forget: Matrix,
    },
    /// Key head by key head, those of learning before those of forgetting.
    Joined(Matrix),
}

impl DeltaNet {
    /// What the tokens `x` (tokens × hidden) make of all before them.
    pub(crate) fn forward(&self, x: &Tensor, state: &mut DeltaState) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let sizes = &self.sizes;
        let raw = self.inputs.apply(x)?;
        let (inputs, before) = kernels::convolve(&raw, &state.before, &self.kernel)?;
        let (learn, forget) = self.gates(x)?;
        let learn = candle_nn::ops::sigmoid(&learn)?;
        let forget = softplus(&forget.broadcast_add(&self.step)?)?.broadcast_mul(&self.rate)?;
        let rule = kernels::DeltaRule {
            key_heads: sizes.key_heads,
            heads: sizes.heads,
            head: sizes.head,
            is_tiled: self.groups == Groups::Tiled,
            epsilon: self.epsilon,
        };
        let (values, weights) = rule.run(&inputs, &learn, &forget, &state.weights)?;
        *state = DeltaState { weights, before };
        let values = self.output_norm.apply(&values)?;
        let values = values.reshape((tokens, sizes.values()))?;
        let gated = kernels::swiglu(self.output_gate.apply(x)?, &values)?;
        self.output.apply(&gated)
    }

    /// Tokens × heads each.
    fn gates(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        match &self.gates {
            GateWeights::Apart { learn, forget } => Ok((learn.apply(x)?, forget.apply(x)?)),
            GateWeights::Joined(both) => {
                let (tokens, heads) = (x.dim(0)?, self.sizes.heads);
                let (groups, each) = (self.sizes.key_heads, heads / self.sizes.key_heads);
                let both = both.apply(x)?.reshape((tokens, groups, 2 * each))?;
                let half = |n| {
                    both.narrow(2, n * each, each)?
                        .contiguous()?
                        .reshape((tokens, heads))
                };
                Ok((half(0)?, half(1)?))
            }
        }
    }
}

/// ln(1 + e^x), which is x for large x.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let small = ((x.abs()?.neg()?.exp()? + 1.0)?).log()?;
    x.relu()? + small
}
