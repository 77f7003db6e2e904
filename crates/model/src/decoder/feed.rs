//! Feed-forward networks: one for all tokens, or experts of which each token uses some.

use candle_core::{DType, Result, Tensor};

use super::architecture::Activation;
use super::matrix::Matrix;
use crate::kernels;

#[derive(Debug)]
pub(crate) enum Feed {
    Dense(Dense),
    Experts(Experts),
}

impl Feed {
    /// `x` and the result are tokens × hidden.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(dense) => dense.forward(x),
            Self::Experts(experts) => experts.forward(x),
        }
    }
}

impl Feed {
    /// Bytes of weights that are read for one token.
    pub(crate) fn bytes_read(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.bytes(),
            Self::Experts(experts) => {
                let one = experts.networks.first().map_or(0, Dense::bytes);
                let shared = experts.shared.as_ref();
                let shared = shared.map_or(0, |shared| shared.network.bytes());
                experts.router.bytes() + experts.used * one + shared
            }
        }
    }
}

/// A gated network (`SwiGLU`, `GeGLU`: <https://arxiv.org/abs/2002.05202>).
#[derive(Debug)]
pub(crate) struct Dense {
    pub(crate) gates: Gates,
    pub(crate) down: Matrix,
    pub(crate) activation: Activation,
}

#[derive(Debug)]
pub(crate) enum Gates {
    Apart {
        gate: Matrix,
        up: Matrix,
    },
    /// Both below one another.
    Joined(Matrix),
}

impl Dense {
    fn bytes(&self) -> usize {
        let gates = match &self.gates {
            Gates::Apart { gate, up } => gate.bytes() + up.bytes(),
            Gates::Joined(both) => both.bytes(),
        };
        gates + self.down.bytes()
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (gate, up) = match &self.gates {
            Gates::Apart { gate, up } => Matrix::apply_each([gate, up], x)?.into(),
            Gates::Joined(both) => {
                let both = both.apply(x)?;
                let width = both.dim(1)? / 2;
                let half = |n| both.narrow(1, n * width, width)?.force_contiguous();
                (half(0)?, half(1)?)
            }
        };
        let gated = match self.activation {
            Activation::Silu => kernels::swiglu(gate, &up)?,
            Activation::Gelu => kernels::tanh_geglu(gate, &up)?,
        };
        self.down.apply(&gated)
    }
}

/// A mixture of experts (Shazeer et al., <https://arxiv.org/abs/1701.06538>).
#[derive(Debug)]
pub(crate) struct Experts {
    /// Experts × hidden: how well each suits a token.
    pub(crate) router: Matrix,
    pub(crate) networks: Vec<Dense>,
    /// How many a token uses.
    pub(crate) used: usize,
    pub(crate) shared: Option<Shared>,
}

/// One that every token uses, as far as its gate lets it.
#[derive(Debug)]
pub(crate) struct Shared {
    /// 1 × hidden.
    pub(crate) gate: Matrix,
    pub(crate) network: Dense,
}

/// The tokens of one expert, and how much each makes of what it says.
#[derive(Debug, Default, Clone)]
struct Share {
    tokens: Vec<u32>,
    weights: Vec<f32>,
}

impl Experts {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let device = x.device();
        let mut sum = match &self.shared {
            Some(shared) => {
                let gate = candle_nn::ops::sigmoid(&shared.gate.apply(x)?)?;
                shared.network.forward(x)?.broadcast_mul(&gate)?
            }
            None => Tensor::zeros(x.dims(), DType::F32, device)?,
        };
        // Each expert sees its tokens together, so that its weights are read once. Experts come in the
        // order of their numbers, so that sums do not depend on what else is computed.
        for (network, share) in self.networks.iter().zip(self.shares(x)?) {
            let count = share.tokens.len();
            if count == 0 {
                continue;
            }
            let tokens = Tensor::from_vec(share.tokens, count, device)?;
            let weights = Tensor::from_vec(share.weights, (count, 1), device)?;
            let said = network.forward(&x.index_select(&tokens, 0)?)?;
            sum = sum.index_add(&tokens, &said.broadcast_mul(&weights)?, 0)?;
        }
        Ok(sum)
    }

    /// For each expert the tokens that use it.
    fn shares(&self, x: &Tensor) -> Result<Vec<Share>> {
        let mut shares = vec![Share::default(); self.networks.len()];
        let suits: Vec<Vec<f32>> = self.router.apply(x)?.to_vec2()?;
        for (token, suits) in suits.iter().enumerate() {
            let mut order: Vec<usize> = (0..suits.len()).collect();
            order.sort_by(|a, b| suits[*b].total_cmp(&suits[*a]));
            order.truncate(self.used);
            // The shares of the chosen ones among themselves: their softmax.
            let most = order.first().map_or(0.0, |best| suits[*best]);
            let sum: f32 = order.iter().map(|n| (suits[*n] - most).exp()).sum();
            for n in order {
                shares[n].tokens.push(token as u32);
                shares[n].weights.push((suits[n] - most).exp() / sum);
            }
        }
        Ok(shares)
    }
}
