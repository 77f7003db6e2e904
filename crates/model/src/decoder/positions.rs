//! Rotary position embedding: keys and queries are turned by an angle that grows with the position
//! (Su et al., <https://arxiv.org/abs/2104.09864>).

use candle_core::{D, DType, Device, Result, Tensor};

use super::architecture::Pairs;
use super::shape::{Rotary, Scaling, Shape, Sight};

/// Divisors of the turns that a file brings as tensors.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    /// Llama 3's.
    pub(crate) all: Option<Vec<f32>>,
    pub(crate) short: Option<Vec<f32>>,
    pub(crate) long: Option<Vec<f32>>,
}

/// Cosines and sines for the positions seen so far.
#[derive(Debug)]
pub(crate) struct Positions {
    pairs: Pairs,
    turned: usize,
    ordinary: Table,
    /// Of layers that only look at the nearest tokens, where it is another.
    near: Option<Table>,
    long: Option<Long>,
}

/// Another table for texts longer than `original`.
#[derive(Debug)]
struct Long {
    original: usize,
    table: Table,
    is_chosen: bool,
}

impl Positions {
    pub(crate) fn new(shape: &Shape, factors: &Factors, device: &Device) -> Result<Self> {
        let rotary = &shape.rotary;
        let table = |turns, magnitude| Table::new(turns, magnitude, device);
        let (ordinary, long) = match rotary.scaling {
            Scaling::Linear(stretch) => {
                let turns = plain(rotary, rotary.base, factors.all.as_deref());
                let turns = turns.into_iter().map(|turn| turn / stretch).collect();
                (table(turns, 1.0)?, None)
            }
            Scaling::Yarn { magnitude, .. } => (table(yarn(rotary), magnitude)?, None),
            Scaling::Tables {
                original,
                magnitude,
            } => {
                let scaled = |factors| table(plain(rotary, rotary.base, factors), magnitude);
                let long = Long {
                    original,
                    table: scaled(factors.long.as_deref())?,
                    is_chosen: false,
                };
                (scaled(factors.short.as_deref())?, Some(long))
            }
        };
        let near = shape.window.as_ref().and_then(|window| window.base);
        let near = near
            .map(|base| table(plain(rotary, base, None), 1.0))
            .transpose()?;
        Ok(Self {
            pairs: shape.architecture.pairs,
            turned: rotary.turned,
            ordinary,
            near,
            long,
        })
    }

    /// Chooses the table for texts of `tokens` tokens. Whether it is another than before: what was
    /// computed with that one is of no use then.
    pub(crate) fn choose(&mut self, tokens: usize) -> bool {
        self.long.as_mut().is_some_and(|long| {
            let is_long = tokens > long.original;
            std::mem::replace(&mut long.is_chosen, is_long) != is_long
        })
    }

    /// Makes the tables reach at least `count` positions.
    pub(crate) fn reach(&mut self, count: usize, device: &Device) -> Result<()> {
        self.ordinary.reach(count, device)?;
        if let Some(near) = &mut self.near {
            near.reach(count, device)?;
        }
        match &mut self.long {
            Some(long) if long.is_chosen => long.table.reach(count, device),
            _ => Ok(()),
        }
    }

    /// Turns `heads` (heads × tokens × head, contiguous), whose first token has position `start`, as
    /// layers do that have such a sight.
    pub(crate) fn turn(&self, heads: &Tensor, start: usize, sight: Sight) -> Result<Tensor> {
        let table = match (sight, &self.near, &self.long) {
            (Sight::Near(_), Some(near), _) => near,
            (_, _, Some(long)) if long.is_chosen => &long.table,
            _ => &self.ordinary,
        };
        let head = heads.dim(D::Minus1)?;
        if self.turned == head {
            return table.turn(heads, start, self.pairs);
        }
        let first = heads.narrow(D::Minus1, 0, self.turned)?.contiguous()?;
        let rest = heads.narrow(D::Minus1, self.turned, head - self.turned)?;
        let first = table.turn(&first, start, self.pairs)?;
        Tensor::cat(&[first, rest.contiguous()?], D::Minus1)?.contiguous()
    }
}

#[derive(Debug)]
struct Table {
    /// Turn per position of each pair, in radians.
    turns: Vec<f64>,
    /// What heads are multiplied with on the way.
    magnitude: f64,
    /// Positions × pairs.
    cosines: Tensor,
    sines: Tensor,
}

impl Table {
    fn new(turns: Vec<f64>, magnitude: f64, device: &Device) -> Result<Self> {
        let none = Tensor::zeros((0, turns.len()), DType::F32, device)?;
        Ok(Self {
            turns,
            magnitude,
            cosines: none.clone(),
            sines: none,
        })
    }

    fn reach(&mut self, count: usize, device: &Device) -> Result<()> {
        let held = self.cosines.dim(0)?;
        if count <= held {
            return Ok(());
        }
        let count = count.max(2 * held); // so that a long text does not rebuild them at every step
        let angles = || {
            let turns = &self.turns;
            (0..count).flat_map(move |p| turns.iter().map(move |turn| p as f64 * turn))
        };
        let size = (count, self.turns.len());
        let magnitude = self.magnitude;
        let cosines: Vec<f32> = angles().map(|a| (a.cos() * magnitude) as f32).collect();
        let sines: Vec<f32> = angles().map(|a| (a.sin() * magnitude) as f32).collect();
        self.cosines = Tensor::from_vec(cosines, size, device)?;
        self.sines = Tensor::from_vec(sines, size, device)?;
        Ok(())
    }

    fn turn(&self, heads: &Tensor, start: usize, pairs: Pairs) -> Result<Tensor> {
        let tokens = heads.dim(1)?;
        let cosines = self.cosines.narrow(0, start, tokens)?;
        let sines = self.sines.narrow(0, start, tokens)?;
        let heads = heads.unsqueeze(0)?;
        match pairs {
            Pairs::Neighbours => candle_nn::rotary_emb::rope_i(&heads, &cosines, &sines),
            Pairs::Halves => candle_nn::rotary_emb::rope(&heads, &cosines, &sines),
        }?
        .squeeze(0)
    }
}

/// Turns of all pairs, each divided by its factor.
fn plain(rotary: &Rotary, base: f64, factors: Option<&[f32]>) -> Vec<f64> {
    (0..rotary.turned / 2)
        .map(|i| {
            let factor = factors.map_or(1.0, |factors| f64::from(factors[i]));
            base.powf(-2.0 * i as f64 / rotary.turned as f64) / factor
        })
        .collect()
}

/// Turns after `YaRN`: pairs that turn often are left, pairs that turn rarely are divided by the
/// factor, and between them it goes over evenly.
fn yarn(rotary: &Rotary) -> Vec<f64> {
    let turns = plain(rotary, rotary.base, None);
    let Scaling::Yarn {
        factor,
        original,
        fast,
        slow,
        ..
    } = rotary.scaling
    else {
        return turns;
    };
    // The pair that turns `count` times over all original positions.
    let pair = |count: f64| {
        let positions = original as f64 / (count * 2.0 * std::f64::consts::PI);
        rotary.turned as f64 * positions.ln() / (2.0 * rotary.base.ln())
    };
    let last = rotary.turned as f64 - 1.0;
    let (low, high) = (pair(fast).floor().max(0.0), pair(slow).ceil().min(last));
    turns
        .into_iter()
        .enumerate()
        .map(|(i, turn)| {
            let divided = ((i as f64 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
            turn / factor * divided + turn * (1.0 - divided)
        })
        .collect()
}
