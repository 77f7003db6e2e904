//! Loads a decoder's weights.

use std::sync::Arc;

use candle_core::Device;
use candle_core::quantized::QTensor;

use super::layer::{Layer, Projection};
use super::matrix::Matrix;
use super::memory::Memory;
use super::positions::Positions;
use super::{Decoder, Shape};
use crate::fault::{OfModel, Result};
use crate::gguf::Gguf;

impl Decoder {
    /// Reads all weights to `device`.
    pub(crate) fn load(gguf: &mut Gguf, device: &Device) -> Result<Self> {
        let shape = Shape::read(gguf)?;
        let mut source = Source {
            model: gguf.label(),
            gguf,
            device,
        };
        let table = Arc::new(source.required("token_embd.weight")?);
        let output = source.optional("output.weight")?;
        let output = output.map_or_else(|| Arc::clone(&table), Arc::new);
        let output = Matrix::new(output).of(&source.model)?;
        let classes = source.optional("cls.output.weight")?;
        let classes = classes
            .map(|classes| Matrix::new(Arc::new(classes)).of(&source.model))
            .transpose()?;
        let factors = match source.vector("rope_freqs.weight")? {
            Some(factors) => Some(factors.to_vec1::<f32>().of(&source.model)?),
            None => None,
        };
        let layers = (0..shape.layers)
            .map(|n| source.layer(n))
            .collect::<Result<Vec<_>>>()?;
        let norm = source.required_vector("output_norm.weight")?;
        let memories = (0..shape.layers)
            .map(|_| Memory::new(&shape, device))
            .collect::<candle_core::Result<Vec<_>>>()
            .of(&source.model)?;
        let positions = Positions::new(&shape, factors.as_deref(), device).of(&source.model)?;
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
            seen: Vec::new(),
            whole: 0,
        })
    }
}

/// Where the tensors come from.
struct Source<'a> {
    gguf: &'a mut Gguf,
    device: &'a Device,
    model: String,
}

impl Source<'_> {
    fn layer(&mut self, n: usize) -> Result<Layer> {
        let name = |part: &str| format!("blk.{n}.{part}");
        Ok(Layer {
            attention_norm: self.required_vector(&name("attn_norm.weight"))?,
            query: self.projection(&name("attn_q"))?,
            key: self.projection(&name("attn_k"))?,
            value: self.projection(&name("attn_v"))?,
            query_norm: self.vector(&name("attn_q_norm.weight"))?,
            key_norm: self.vector(&name("attn_k_norm.weight"))?,
            output: self.matrix(&name("attn_output.weight"))?,
            inner_norm: self.required_vector(&name("ffn_norm.weight"))?,
            gate: self.matrix(&name("ffn_gate.weight"))?,
            up: self.matrix(&name("ffn_up.weight"))?,
            down: self.matrix(&name("ffn_down.weight"))?,
        })
    }

    fn projection(&mut self, name: &str) -> Result<Projection> {
        Ok(Projection {
            matrix: self.matrix(&format!("{name}.weight"))?,
            bias: self.vector(&format!("{name}.bias"))?,
        })
    }

    fn matrix(&mut self, name: &str) -> Result<Matrix> {
        let tensor = self.required(name)?;
        Matrix::new(Arc::new(tensor)).of(&self.model)
    }

    fn required_vector(&mut self, name: &str) -> Result<candle_core::Tensor> {
        let tensor = self.required(name)?;
        tensor.dequantize(self.device).of(&self.model)
    }

    fn vector(&mut self, name: &str) -> Result<Option<candle_core::Tensor>> {
        let tensor = self.optional(name)?;
        tensor
            .map(|tensor| tensor.dequantize(self.device).of(&self.model))
            .transpose()
    }

    fn required(&mut self, name: &str) -> Result<QTensor> {
        let missing = self.gguf.unsound(format!("tensor `{name}` is missing"));
        self.optional(name)?.ok_or(missing)
    }

    fn optional(&mut self, name: &str) -> Result<Option<QTensor>> {
        self.gguf.tensor(name, self.device)
    }
}
