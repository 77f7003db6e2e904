//! A decoder: tokens in, scores of the next token out.
//!
//! One implementation for all families: [`architecture`] says what distinguishes them, [`shape`] what
//! a file adds, [`tensors`] what it has to hold. [`matrix`] picks the form of the weights; a [`layer`]
//! is [`attention`] or a net ([`delta`]), then a network ([`feed`]); [`memory`] and [`positions`] are
//! its state. Knows nothing of text.

mod architecture;
mod attention;
mod delta;
mod feed;
mod layer;
mod matrix;
mod memory;
mod positions;
mod shape;
mod tensors;
mod weights;

use std::collections::VecDeque;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};

use self::layer::{Layer, Norm};
use self::matrix::Matrix;
use self::memory::{DeltaState, Memory};
use self::positions::Positions;
pub(crate) use self::shape::Shape;
use crate::kernels;

/// Tokens computed at once while a text is read. Blocks begin at multiples of it, always: sums of
/// floats depend on their order, and a text has to get the same scores whatever was read before.
const BLOCK: usize = 256;
/// Positions whose scores are computed at once: a row of them is as long as the vocabulary.
const ROWS: usize = 64;
/// Copies of states that are kept: that after the first block, where most texts begin alike, and the
/// last ones.
const COPIES: usize = 4;

/// A decoder with its state: the tokens it has seen. A later text that begins with the same whole
/// blocks continues from there.
#[derive(Debug)]
pub(crate) struct Decoder {
    shape: Shape,
    device: Device,
    /// Vocabulary × hidden; looked up row by row.
    table: Arc<Matrix>,
    layers: Vec<Layer>,
    norm: Norm,
    output: Arc<Matrix>,
    /// Classes × hidden, in models that were made to classify.
    classes: Option<Matrix>,
    positions: Positions,
    memories: Vec<Memory>,
    /// What the layers with a state held after some of the whole blocks, in order. Empty where there
    /// are no such layers: keys and values of a beginning are there anyway.
    copies: VecDeque<StateCopy>,
    /// The tokens whose keys and values are held. Memories may hold more; that is never read.
    seen: Vec<u32>,
    /// How many of them were computed in whole blocks: what a later text may take over.
    whole: usize,
    /// How long the text that is read next will become.
    expected: usize,
}

/// The states of all layers that have one.
#[derive(Debug)]
struct StateCopy {
    /// After so many tokens.
    at: usize,
    states: Vec<DeltaState>,
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
        let whole = same.min(self.whole) / BLOCK * BLOCK;
        if self.shape.delta.is_none() {
            return whole;
        }
        let held = self.copies.iter().map(|copy| copy.at);
        held.filter(|at| *at <= whole).max().unwrap_or(0)
    }

    /// Forgets all tokens.
    pub(crate) fn forget(&mut self) -> Result<()> {
        self.go_back(0).map(|_| ())
    }

    pub(crate) fn is_on_cpu(&self) -> bool {
        self.device.is_cpu()
    }

    /// Bytes of keys and values that are held, read or not.
    pub(crate) fn held_bytes(&self) -> usize {
        self.memories.iter().map(Memory::held_bytes).sum()
    }

    /// Bytes that are read to compute a token after `depth` others.
    pub(crate) fn bytes_per_token(&self, depth: usize) -> usize {
        let weights: usize = self.layers.iter().map(Layer::bytes_read).sum();
        let state: usize = self
            .memories
            .iter()
            .map(|memory| memory.bytes_read(depth))
            .sum();
        weights + state + self.output.bytes()
    }

    /// Says how many tokens the texts read from now on may have together with what is to follow them.
    pub(crate) fn expect(&mut self, tokens: usize) {
        self.expected = tokens;
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

    /// The natural logarithm of the probability of each of `tokens`, which begin a text, from number
    /// `from` on, given those before it. The first of all has none.
    pub(crate) fn likelihood(&mut self, tokens: &[u32], from: usize) -> Result<Vec<f32>> {
        let from = from.max(1);
        self.prepare(tokens)?;
        let mut all = Vec::with_capacity(tokens.len().saturating_sub(from));
        // The scores after the last token before `from` are the first that count, and those after the
        // last of all are not asked for.
        let held = self.shared(&tokens[..from.min(tokens.len())]);
        let mut start = self.go_back(held)?;
        for block in tokens[start..tokens.len().saturating_sub(1)].chunks(BLOCK) {
            let x = self.whole_or_part(block)?;
            let first = (from - 1).saturating_sub(start);
            for row in (first..block.len()).step_by(ROWS) {
                let rows = ROWS.min(block.len() - row);
                let x = x.narrow(0, row, rows)?.contiguous()?;
                let scores: Vec<Vec<f32>> = self.bent(&self.normed(&x)?)?.to_vec2()?;
                let next = &tokens[start + row + 1..];
                all.extend(
                    scores
                        .iter()
                        .zip(next)
                        .map(|(scores, id)| log_share(scores, *id)),
                );
            }
            start += block.len();
        }
        Ok(all)
    }

    /// The hidden states of the last block of `tokens`.
    fn blocks(
        &mut self,
        tokens: &[u32],
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Tensor>> {
        self.prepare(tokens)?;
        let held = self.go_back(self.shared(tokens))?;
        let mut last = None;
        for block in tokens[held..].chunks(BLOCK) {
            if !keep_going() {
                return Ok(None);
            }
            last = Some(self.whole_or_part(block)?);
        }
        Ok(last)
    }

    /// Chooses what depends on a text's length.
    fn prepare(&mut self, tokens: &[u32]) -> Result<()> {
        if self.positions.choose(tokens.len().max(self.expected)) {
            self.go_back(0)?;
        }
        Ok(())
    }

    /// Forgets all but the first `held` tokens, which [`Self::shared`] gave.
    fn go_back(&mut self, held: usize) -> Result<usize> {
        self.whole = held;
        self.seen.truncate(held);
        if self.shape.delta.is_none() {
            return Ok(held);
        }
        self.copies.retain(|copy| copy.at <= held);
        let copy = self.copies.back().filter(|copy| copy.at == held);
        let mut states = copy.map(|copy| copy.states.iter());
        for (n, memory) in self.memories.iter_mut().enumerate() {
            if let Memory::Delta(state) = memory {
                match states.as_mut().and_then(Iterator::next) {
                    Some(copy) => *state = copy.clone(),
                    None => *memory = Memory::new(&self.shape, n, &self.device)?,
                }
            }
        }
        Ok(held)
    }

    fn copy_states(&mut self) {
        let states = self.memories.iter().filter_map(Memory::state).cloned();
        self.copies.push_back(StateCopy {
            at: self.seen.len(),
            states: states.collect(),
        });
        if self.copies.len() > COPIES {
            self.copies.remove(1);
        }
    }

    /// The hidden state after each of `tokens`, a block that begins where one has to.
    fn whole_or_part(&mut self, tokens: &[u32]) -> Result<Tensor> {
        let x = self.block(tokens)?;
        if tokens.len() == BLOCK {
            self.whole = self.seen.len();
            if self.shape.delta.is_some() {
                self.copy_states();
            }
        }
        Ok(x)
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
        for memory in &mut self.memories {
            memory.reserve(start + tokens.len(), self.expected)?;
        }
        let mut x = self.table.rows(tokens, &self.device)?;
        if let Some(scale) = self.shape.table_scale() {
            x = (x * scale)?;
        }
        for (layer, memory) in self.layers.iter().zip(&mut self.memories) {
            x = layer.forward(&x, start, &self.shape, &self.positions, memory)?;
        }
        Ok(x)
    }

    /// The scores after the last of the hidden states `x`.
    fn scores(&self, x: &Tensor) -> Result<Vec<f32>> {
        self.bent(&self.last(x)?)?.squeeze(0)?.to_vec1()
    }

    /// The scores after each of the normed hidden states `x`.
    fn bent(&self, x: &Tensor) -> Result<Tensor> {
        let scores = self.output.apply(x)?;
        match self.shape.score_cap {
            Some(cap) => (scores / cap)?.tanh()? * cap,
            None => Ok(scores),
        }
    }

    /// The last of the hidden states `x`, normed.
    fn last(&self, x: &Tensor) -> Result<Tensor> {
        self.normed(&x.narrow(0, x.dim(0)? - 1, 1)?.contiguous()?)
    }

    fn normed(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.apply(x)
    }
}

/// The logarithm of the share that number `id` of `scores` has of their exponentials.
fn log_share(scores: &[f32], id: u32) -> f32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|x| f64::from(x - most).exp()).sum();
    let score = scores
        .get(id as usize)
        .copied()
        .unwrap_or(f32::NEG_INFINITY);
    score - most - sum.ln() as f32
}

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
