//! Rotary position embedding: keys and queries are turned by an angle that grows with the position
//! (Su et al., <https://arxiv.org/abs/2104.09864>).

use candle_core::{Device, Result, Tensor};

use super::shape::{Pairs, Shape};

/// Cosines and sines for the positions seen so far.
#[derive(Debug)]
pub(crate) struct Positions {
    pairs: Pairs,
    /// Turn per position of each pair, in radians.
    turns: Vec<f64>,
    /// Positions × pairs.
    cosines: Tensor,
    sines: Tensor,
}

impl Positions {
    /// `factors` divide the turns (Llama 3 keeps them in a tensor); none where the model has none.
    pub(crate) fn new(shape: &Shape, factors: Option<&[f32]>, device: &Device) -> Result<Self> {
        let half = shape.head / 2;
        let turns = (0..half)
            .map(|i| {
                let factor = factors.map_or(1.0, |f| f64::from(f[i]));
                let power = 2.0 * i as f64 / shape.head as f64;
                shape.rope_base.powf(-power) / (factor * shape.rope_stretch)
            })
            .collect();
        let none = Tensor::zeros((0, half), candle_core::DType::F32, device)?;
        Ok(Self {
            pairs: shape.architecture.pairs,
            turns,
            cosines: none.clone(),
            sines: none,
        })
    }

    /// Makes the tables reach at least `count` positions.
    pub(crate) fn reach(&mut self, count: usize, device: &Device) -> Result<()> {
        let held = self.cosines.dim(0)?;
        if count <= held {
            return Ok(());
        }
        let count = count.max(2 * held); // so that a long text does not rebuild them at every step
        let angles = || {
            let turns = &self.turns;
            (0..count).flat_map(move |p| turns.iter().map(move |turn| p as f64 * turn))
        };
        let cosines: Vec<f32> = angles().map(|a| a.cos() as f32).collect();
        let sines: Vec<f32> = angles().map(|a| a.sin() as f32).collect();
        let size = (count, self.turns.len());
        self.cosines = Tensor::from_vec(cosines, size, device)?;
        self.sines = Tensor::from_vec(sines, size, device)?;
        Ok(())
    }

    /// Turns `heads` (heads × tokens × head, contiguous), whose first token has position `start`.
    pub(crate) fn turn(&self, heads: &Tensor, start: usize) -> Result<Tensor> {
        let tokens = heads.dim(1)?;
        let cosines = self.cosines.narrow(0, start, tokens)?;
        let sines = self.sines.narrow(0, start, tokens)?;
        let heads = heads.unsqueeze(0)?;
        match self.pairs {
            Pairs::Neighbours => candle_nn::rotary_emb::rope_i(&heads, &cosines, &sines),
            Pairs::Halves => candle_nn::rotary_emb::rope(&heads, &cosines, &sines),
        }?
        .squeeze(0)
    }
}
