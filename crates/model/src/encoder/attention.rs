//! Attention of an encoder: every token looks at every other of its text, or at those near it.

use candle_core::{Device, Result, Tensor};

use super::Sequence;
use crate::kernels;

/// Most memory for the scores of one product, in bytes. A longer text is looked at in parts.
const SCORES: usize = 64 << 20;

/// Tokens that look at their neighbours together.
const NEIGHBOURS: usize = 128;

/// How many sequences of which length stand side by side.
pub(super) struct Run {
    count: usize,
    length: usize,
}

pub(super) fn runs(sequences: &[&Sequence]) -> Vec<Run> {
    sequences
        .chunk_by(|a, b| a.ids.len() == b.ids.len())
        .map(|chunk| Run {
            count: chunk.len(),
            length: chunk[0].ids.len(),
        })
        .collect()
}

/// What distinguishes the attention of one layer.
pub(super) struct Look<'a> {
    pub(super) heads: usize,
    /// Turns queries and keys by their position, where the model does that.
    pub(super) rotation: Option<&'a Rotation>,
    /// How many tokens away one may look; none where everywhere.
    pub(super) reach: Option<usize>,
}

/// Cosines and sines of rotary position embedding (<https://arxiv.org/abs/2104.09864>), which turns
/// component i of a head with component i + half.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Positions × half a head.
    cosines: Tensor,
    sines: Tensor,
}

impl Rotation {
    pub(super) fn new(base: f64, head: usize, positions: usize, device: &Device) -> Result<Self> {
        let half = head / 2;
        let angles = || {
            (0..positions).flat_map(move |p| {
                (0..half).map(move |i| p as f64 * base.powf(-2.0 * i as f64 / head as f64))
            })
        };
        let table = |numbers: Vec<f32>| Tensor::from_vec(numbers, (positions, half), device);
        Ok(Self {
            cosines: table(angles().map(|a| a.cos() as f32).collect())?,
            sines: table(angles().map(|a| a.sin() as f32).collect())?,
        })
    }

    /// Turns `heads` (sequences × heads × length × head).
    fn turn(&self, heads: &Tensor) -> Result<Tensor> {
        let length = heads.dim(2)?;
        let cosines = self.cosines.narrow(0, 0, length)?;
        let sines = self.sines.narrow(0, 0, length)?;
        candle_nn::rotary_emb::rope(heads, &cosines, &sines)
    }
}

/// Attention inside each sequence. `projected` is tokens × (queries, keys, values).
pub(super) fn attend(projected: &Tensor, runs: &[Run], look: &Look) -> Result<Tensor> {
    let hidden = projected.dim(1)? / 3;
    let (heads, head) = (look.heads, hidden / look.heads);
    let mut start = 0;
    let mut parts = Vec::with_capacity(runs.len());
    for &Run { count, length } in runs {
        let tokens = count * length;
        let split = projected
            .narrow(0, start, tokens)?
            .reshape((count, length, 3, heads, head))?
            .permute((2, 0, 3, 1, 4))?
            .contiguous()?;
        let turned = |n: usize| match look.rotation {
            Some(rotation) => rotation.turn(&split.get(n)?),
            None => split.get(n),
        };
        let flat = |x: Tensor| x.reshape((count * heads, length, head));
        let mixed = mix(
            &flat(turned(0)?)?,
            &flat(turned(1)?)?,
            &flat(split.get(2)?)?,
            look.reach.filter(|reach| *reach + 1 < length),
        )?;
        let mixed = mixed
            .reshape((count, heads, length, head))?
            .transpose(1, 2)?
            .reshape((tokens, hidden))?;
        parts.push(mixed);
        start += tokens;
    }
    match parts.as_slice() {
        [only] => Ok(only.clone()),
        parts => Tensor::cat(parts, 0),
    }
}

/// The values that each query looks for (all are heads × length × head).
fn mix(queries: &Tensor, keys: &Tensor, values: &Tensor, reach: Option<usize>) -> Result<Tensor> {
    let (batch, length, head) = queries.dims3()?;
    let scale = 1.0 / (head as f32).sqrt();
    let at_once = match reach {
        Some(_) => NEIGHBOURS,
        None => (SCORES / (batch * length * size_of::<f32>())).max(1),
    };
    if reach.is_none() && at_once >= length {
        let scores = kernels::product(queries, &keys.t()?)?;
        let weights = kernels::softmax(scores, scale)?;
        return kernels::product(&weights, values);
    }
    let mut parts = Vec::new();
    for first in (0..length).step_by(at_once) {
        let rows = at_once.min(length - first);
        let some = queries.narrow(1, first, rows)?;
        let (from, to) = reach.map_or((0, length), |reach| {
            (
                first.saturating_sub(reach),
                length.min(first + rows + reach),
            )
        });
        let scores = kernels::product(&some, &keys.narrow(1, from, to - from)?.t()?)?;
        let weights = match reach {
            Some(reach) => kernels::near_softmax(scores, scale, first - from, reach)?,
            None => kernels::softmax(scores, scale)?,
        };
        parts.push(kernels::product(
            &weights,
            &values.narrow(1, from, to - from)?,
        )?);
    }
    Tensor::cat(&parts, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cosine, noise};

    #[test]
    fn neighbours_in_parts_are_the_whole_under_a_mask() {
        let (length, reach) = (300, 5);
        let part = |seed| noise(&[2, length, 8], 1.0, seed);
        let (queries, keys, values) = (part(1), part(2), part(3));
        let ours = mix(&queries, &keys, &values, Some(reach)).unwrap();
        let mask: Vec<f32> = (0..length * length)
            .map(|n| {
                let far = (n / length).abs_diff(n % length) > reach;
                if far { f32::NEG_INFINITY } else { 0.0 }
            })
            .collect();
        let mask = Tensor::from_vec(mask, (1, length, length), &Device::Cpu).unwrap();
        let scores = queries.matmul(&keys.t().unwrap()).unwrap();
        let scores = (scores / 8.0_f64.sqrt()).unwrap();
        let masked = scores.broadcast_add(&mask).unwrap();
        let weights = candle_nn::ops::softmax(&masked, 2).unwrap();
        let expected = weights.matmul(&values).unwrap();
        let flat = |x: &Tensor| -> Vec<f32> { x.flatten_all().unwrap().to_vec1().unwrap() };
        assert!(cosine(&flat(&ours), &flat(&expected)) > 0.999_999);
    }
}
