//! Loads a decoder's weights.

use std::collections::VecDeque;
use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};

use super::architecture::{FeedKind, Groups, Layout, Mixing, Norms};
use super::attention::{Attention, Inputs, Projection};
use super::delta::{DeltaNet, GateWeights};
use super::feed::{Dense, Experts, Feed, Gates, Shared};
use super::layer::{Layer, MixingWeights, Norm};
use super::matrix::Matrix;
use super::memory::Memory;
use super::positions::{Factors, Positions};
use super::shape::{DeltaSizes, ExpertSizes, Mixer, Sight};
use super::{Decoder, Shape};
use crate::fault::{Fault, OfModel, Result};
use crate::gguf::Gguf;

impl Decoder {
    /// Reads all weights to `device`.
    pub(crate) fn load(gguf: &mut Gguf, device: &Device) -> Result<Self> {
        let shape = Shape::read(gguf)?;
        let mut source = Source {
            model: gguf.label(),
            gguf,
            device,
            shape: &shape,
        };
        let table = Arc::new(source.matrix("token_embd.weight")?);
        let output = source.optional_matrix("output.weight")?;
        let output = output.map_or_else(|| Arc::clone(&table), Arc::new);
        let classes = source.optional_matrix("cls.output.weight")?;
        let factors = Factors {
            all: source.factors("rope_freqs.weight")?,
            short: source.factors("rope_factors_short.weight")?,
            long: source.factors("rope_factors_long.weight")?,
        };
        let layers = (0..shape.layers)
            .map(|n| source.layer(n))
            .collect::<Result<Vec<_>>>()?;
        let norm = source.norm("output_norm.weight")?;
        let model = source.model;
        let memories = (0..shape.layers)
            .map(|n| Memory::new(&shape, n, device))
            .collect::<candle_core::Result<Vec<_>>>()
            .of(&model)?;
        let positions = Positions::new(&shape, &factors, device).of(&model)?;
        Ok(Self {
            shape,
            device: device.clone(),
            table,
            layers,
            norm,
            output,
            classes,
            positions,
            memories,
            copies: VecDeque::new(),
            seen: Vec::new(),
            whole: 0,
            expected: 0,
        })
    }
}

/// Where the tensors come from.
struct Source<'a> {
    gguf: &'a mut Gguf,
    device: &'a Device,
    model: String,
    shape: &'a Shape,
}

impl Source<'_> {
    fn layer(&mut self, n: usize) -> Result<Layer> {
        let name = |part: &str| format!("blk.{n}.{part}");
        let shape = self.shape;
        let mixing = match (shape.mixer(n), &shape.delta) {
            (Mixer::Attention(sight), _) => {
                MixingWeights::Attention(Box::new(self.attention(n, sight)?))
            }
            (Mixer::Delta, Some(sizes)) => MixingWeights::Delta(Box::new(self.delta(n, sizes)?)),
            (Mixer::Delta, None) => return Err(self.gguf.unsound("its delta nets have no size")),
        };
        let feed = match shape.experts {
            Some(sizes) => Feed::Experts(self.experts(n, sizes)?),
            None => Feed::Dense(self.dense(n, "")?),
        };
        let before_mixing = self.norm(&name("attn_norm.weight"))?;
        let (after_mixing, before_feed, after_feed) = match shape.architecture.norms {
            Norms::Before(feed) => (None, self.norm(&name(feed))?, None),
            Norms::Around => (
                Some(self.norm(&name("post_attention_norm.weight"))?),
                self.norm(&name("ffn_norm.weight"))?,
                Some(self.norm(&name("post_ffw_norm.weight"))?),
            ),
        };
        Ok(Layer {
            before_mixing,
            mixing,
            after_mixing,
            before_feed,
            feed,
            after_feed,
        })
    }

    fn attention(&mut self, n: usize, sight: Sight) -> Result<Attention> {
        let name = |part: &str| format!("blk.{n}.{part}");
        let inputs = match self.shape.architecture.layout {
            Layout::Joined => Inputs::Joined(self.matrix(&name("attn_qkv.weight"))?),
            Layout::Apart => Inputs::Apart {
                query: self.projection(&name("attn_q"))?,
                key: self.projection(&name("attn_k"))?,
                value: self.projection(&name("attn_v"))?,
            },
        };
        Ok(Attention {
            inputs,
            query_norm: self.optional_norm(&name("attn_q_norm.weight"))?,
            key_norm: self.optional_norm(&name("attn_k_norm.weight"))?,
            output: self.matrix(&name("attn_output.weight"))?,
            sight,
        })
    }

    fn delta(&mut self, n: usize, sizes: &DeltaSizes) -> Result<DeltaNet> {
        let name = |part: &str| format!("blk.{n}.{part}");
        let groups = match self.shape.architecture.mixing {
            Mixing::Hybrid(groups) => groups,
            Mixing::Attention => Groups::Tiled,
        };
        let kernel = self.required_vector(&name("ssm_conv1d.weight"))?;
        let kernel = kernel.t().and_then(|kernel| kernel.force_contiguous());
        Ok(DeltaNet {
            sizes: sizes.clone(),
            groups,
            epsilon: self.shape.epsilon as f32,
            inputs: self.matrix(&name("attn_qkv.weight"))?,
            kernel: kernel.of(&self.model)?,
            gates: match groups {
                Groups::Tiled => GateWeights::Apart {
                    learn: self.matrix(&name("ssm_beta.weight"))?,
                    forget: self.matrix(&name("ssm_alpha.weight"))?,
                },
                Groups::Blocks => GateWeights::Joined(self.matrix(&name("ssm_ba.weight"))?),
            },
            step: self.required_vector(&name("ssm_dt.bias"))?,
            rate: self.required_vector(&name("ssm_a"))?,
            output_gate: self.matrix(&name("attn_gate.weight"))?,
            output_norm: self.norm(&name("ssm_norm.weight"))?,
            output: self.matrix(&name("ssm_out.weight"))?,
        })
    }

    /// A network whose tensors' names end in `suffix`.
    fn dense(&mut self, n: usize, suffix: &str) -> Result<Dense> {
        let name = |part: &str| format!("blk.{n}.ffn_{part}{suffix}.weight");
        let architecture = self.shape.architecture;
        Ok(Dense {
            gates: match architecture.layout {
                Layout::Joined => Gates::Joined(self.matrix(&name("up"))?),
                Layout::Apart => Gates::Apart {
                    gate: self.matrix(&name("gate"))?,
                    up: self.matrix(&name("up"))?,
                },
            },
            down: self.matrix(&name("down"))?,
            activation: architecture.activation,
        })
    }

    fn experts(&mut self, n: usize, sizes: ExpertSizes) -> Result<Experts> {
        let name = |part: &str| format!("blk.{n}.ffn_{part}.weight");
        let activation = self.shape.architecture.activation;
        let gates: Vec<Gates> = match sizes.layout {
            Layout::Joined => {
                let both = self.matrices(&name("gate_up_exps"), sizes.count)?;
                both.into_iter().map(Gates::Joined).collect()
            }
            Layout::Apart => {
                let gates = self.matrices(&name("gate_exps"), sizes.count)?;
                let ups = self.matrices(&name("up_exps"), sizes.count)?;
                let pairs = gates.into_iter().zip(ups);
                pairs.map(|(gate, up)| Gates::Apart { gate, up }).collect()
            }
        };
        let downs = self.matrices(&name("down_exps"), sizes.count)?;
        let shared = if self.shape.architecture.feed == FeedKind::ExpertsAndOne {
            let gate = self.required_vector(&name("gate_inp_shexp"))?;
            let gate = gate.reshape((1, self.shape.hidden)).of(&self.model)?;
            Some(Shared {
                gate: Matrix::Floats(gate),
                network: self.dense(n, "_shexp")?,
            })
        } else {
            None
        };
        Ok(Experts {
            router: self.matrix(&name("gate_inp"))?,
            networks: gates
                .into_iter()
                .zip(downs)
                .map(|(gates, down)| Dense {
                    gates,
                    down,
                    activation,
                })
                .collect(),
            used: sizes.used,
            shared,
        })
    }

    fn projection(&mut self, name: &str) -> Result<Projection> {
        Ok(Projection {
            matrix: self.matrix(&format!("{name}.weight"))?,
            bias: self.vector(&format!("{name}.bias"))?,
        })
    }

    fn matrix(&mut self, name: &str) -> Result<Matrix> {
        let missing = self.missing(name);
        self.optional_matrix(name)?.ok_or(missing)
    }

    fn optional_matrix(&mut self, name: &str) -> Result<Option<Matrix>> {
        Matrix::read(self.gguf, name, 0, self.device)
    }

    /// `count` matrices below one another.
    fn matrices(&mut self, name: &str, count: usize) -> Result<Vec<Matrix>> {
        (0..count)
            .map(|n| {
                let missing = self.missing(name);
                Matrix::read(self.gguf, name, n, self.device)?.ok_or(missing)
            })
            .collect()
    }

    fn missing(&self, name: &str) -> Fault {
        self.gguf.unsound(format!("tensor `{name}` is missing"))
    }

    fn norm(&mut self, name: &str) -> Result<Norm> {
        let weight = self.required_vector(name)?;
        Ok(self.norm_of(weight))
    }

    fn optional_norm(&mut self, name: &str) -> Result<Option<Norm>> {
        let weight = self.vector(name)?;
        Ok(weight.map(|weight| self.norm_of(weight)))
    }

    fn norm_of(&self, weight: Tensor) -> Norm {
        Norm {
            weight,
            epsilon: self.shape.epsilon as f32,
        }
    }

    fn factors(&mut self, name: &str) -> Result<Option<Vec<f32>>> {
        let factors = self.vector(name)?;
        factors
            .map(|factors| factors.to_vec1::<f32>().of(&self.model))
            .transpose()
    }

    fn required_vector(&mut self, name: &str) -> Result<Tensor> {
        let tensor = self.required(name)?;
        tensor.dequantize(self.device).of(&self.model)
    }

    fn vector(&mut self, name: &str) -> Result<Option<Tensor>> {
        let tensor = self.optional(name)?;
        tensor
            .map(|tensor| tensor.dequantize(self.device).of(&self.model))
            .transpose()
    }

    fn required(&mut self, name: &str) -> Result<QTensor> {
        let missing = self.missing(name);
        self.optional(name)?.ok_or(missing)
    }

    fn optional(&mut self, name: &str) -> Result<Option<QTensor>> {
        self.gguf.tensor(name, self.device)
    }
}
