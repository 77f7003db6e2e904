//! A decoder: tokens in, scores of the next token out.
//!
//! One implementation for all families: [`shape`] says what distinguishes them. [`matrix`] picks
//! the form of the weights, [`layer`] computes, [`memory`] and [`positions`] are its state. Knows
//! nothing of text.

mod layer;
mod matrix;
mod memory;
mod positions;
mod shape;
mod weights;

use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{Device, Result, Tensor, bail};

use self::layer::Layer;
use self::matrix::Matrix;
use self::memory::Memory;
use self::positions::Positions;
pub(crate) use self::shape::Shape;
use crate::kernels;

/// Tokens computed at once while a text is read. Blocks begin at multiples of it, always: sums of
/// floats depend on their order, and a text has to get the same scores whatever was read before.
const BLOCK: usize = 256;

/// A decoder with its state: the tokens it has seen. A later text that begins with the same whole
/// blocks continues from there.
#[derive(Debug)]
pub(crate) struct Decoder {
    shape: Shape,
    device: Device,
    /// Vocabulary × hidden; looked up row by row.
    table: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Tensor,
    output: Matrix,
    /// Classes × hidden, in models that were made to classify.
    classes: Option<Matrix>,
    positions: Positions,
    memories: Vec<Memory>,
    /// The tokens whose keys and values are held. Memories may hold more; that is never read.
    seen: Vec<u32>,
    /// How many of them were computed in whole blocks: what a later text may take over.
    whole: usize,
}

impl Decoder {
    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many tokens at the start of `tokens` need no computing.
    pub(crate) fn shared(&self, tokens: &[u32]) -> usize {
        let same = self.seen.iter().zip(tokens).take_while(|(a, b)| a == b);
        // The scores after the last token are never held.
        let same = same.count().min(tokens.len().saturating_sub(1));
        same.min(self.whole) / BLOCK * BLOCK
    }

    /// Reads `tokens` (at least one) from the start of a text and gives the score of every token
    /// that could follow. `keep_going` is asked between blocks; none where it says no.
    pub(crate) fn read(
        &mut self,
        tokens: &[u32],
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<f32>>> {
        let last = self.blocks(tokens, keep_going)?;
        last.map(|x| self.scores(&x)).transpose()
    }

    /// The normed hidden state after the last of `tokens` (at least one), which begin a text.
    pub(crate) fn state(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        match self.blocks(tokens, &mut || true)? {
            Some(x) => self.last(&x)?.squeeze(0)?.to_vec1(),
            None => bail!("a text without tokens"),
        }
    }

    /// Whether the model has classes of its own.
    pub(crate) fn classifies(&self) -> bool {
        self.classes.is_some()
    }

    /// The score of every class after `tokens` (at least one), which begin a text; that of every token
    /// in a model without classes.
    pub(crate) fn classify(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let Some(x) = self.blocks(tokens, &mut || true)? else {
            bail!("a text without tokens");
        };
        match &self.classes {
            Some(classes) => classes.apply(&self.last(&x)?)?.squeeze(0)?.to_vec1(),
            None => self.scores(&x),
        }
    }

    /// The hidden states of the last block of `tokens`.
    fn blocks(
        &mut self,
        tokens: &[u32],
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Tensor>> {
        self.whole = self.shared(tokens);
        self.seen.truncate(self.whole);
        let mut last = None;
        for block in tokens[self.whole..].chunks(BLOCK) {
            if !keep_going() {
                return Ok(None);
            }
            last = Some(self.block(block)?);
            if block.len() == BLOCK {
                self.whole = self.seen.len();
            }
        }
        Ok(last)
    }

    /// Reads one token more.
    pub(crate) fn step(&mut self, token: u32) -> Result<Vec<f32>> {
        let x = self.block(&[token])?;
        self.scores(&x)
    }

    /// The hidden state after each of `tokens`, which follow those already seen.
    fn block(&mut self, tokens: &[u32]) -> Result<Tensor> {
        let device = self.device.clone();
        let x = kernels::among_workers(&device, || self.forward(tokens))?;
        self.seen.extend_from_slice(tokens);
        Ok(x)
    }

    fn forward(&mut self, tokens: &[u32]) -> Result<Tensor> {
        let start = self.seen.len();
        let reach = (start + tokens.len()).next_multiple_of(BLOCK);
        self.positions.reach(reach, &self.device)?;
        let mut x = self.table.embedding(&Tensor::new(tokens, &self.device)?)?;
        for (layer, memory) in self.layers.iter().zip(&mut self.memories) {
            x = layer.forward(&x, start, &self.shape, &self.positions, memory)?;
        }
        Ok(x)
    }

    /// The scores after the last of the hidden states `x`.
    fn scores(&self, x: &Tensor) -> Result<Vec<f32>> {
        self.output.apply(&self.last(x)?)?.squeeze(0)?.to_vec1()
    }

    /// The last of the hidden states `x`, normed.
    fn last(&self, x: &Tensor) -> Result<Tensor> {
        let last = x.narrow(0, x.dim(0)? - 1, 1)?.contiguous()?;
        candle_nn::ops::rms_norm(&last, &self.norm, self.shape.epsilon as f32)
    }
}

#[cfg(test)]
mod tests;
