//! What a layer keeps of the tokens seen so far.

use candle_core::{DType, Device, Result, Tensor};

use super::shape::{Mixer, Shape};

/// Room grows by at least this many tokens at a time.
const STEP: usize = 256;

/// How many tokens are held is the decoder's to know: it is one number for all layers.
#[derive(Debug)]
pub(crate) enum Memory {
    Keys(Keys),
    Delta(DeltaState),
}

/// Keys and values, each `key_heads` × room × `head`. Going back to fewer tokens needs nothing: what
/// lies behind them is never read.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: Tensor,
    values: Tensor,
}

/// The state of a delta net, which holds all tokens at once: going back takes a copy. Copies cost
/// nothing, since a new state is a new tensor.
#[derive(Debug, Clone)]
pub(crate) struct DeltaState {
    /// Heads × head × head: a row of weights over the numbers of a key for every number of a value.
    pub(crate) weights: Tensor,
    /// What the convolution has yet to see of earlier tokens: kernel − 1 × channels.
    pub(crate) before: Tensor,
}

impl Memory {
    /// The empty memory of layer number `n`.
    pub(crate) fn new(shape: &Shape, n: usize, device: &Device) -> Result<Self> {
        if let (Mixer::Delta, Some(sizes)) = (shape.mixer(n), &shape.delta) {
            let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, device);
            return Ok(Self::Delta(DeltaState {
                weights: zeros(&[sizes.heads, sizes.head, sizes.head])?,
                before: zeros(&[sizes.kernel - 1, sizes.channels()])?,
            }));
        }
        let size = (shape.key_heads, 0, shape.head);
        let none = Tensor::zeros(size, DType::F32, device)?;
        Ok(Self::Keys(Keys {
            keys: none.clone(),
            values: none,
        }))
    }

    /// Makes room for `upto` tokens, and where there is none for as many as are expected: what is not
    /// written to takes no memory yet.
    pub(crate) fn reserve(&mut self, upto: usize, expected: usize) -> Result<()> {
        let Self::Keys(keys) = self else {
            return Ok(());
        };
        if upto > keys.keys.dim(1)? {
            let upto = upto.max(expected);
            keys.keys = grown(&keys.keys, upto)?;
            keys.values = grown(&keys.values, upto)?;
        }
        Ok(())
    }

    /// Bytes of keys and values.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Keys(keys) => 2 * keys.keys.elem_count() * size_of::<f32>(),
            Self::Delta(_) => 0,
        }
    }

    /// Bytes that are read for a token after `depth` others.
    pub(crate) fn bytes_read(&self, depth: usize) -> usize {
        let numbers = match self {
            Self::Keys(keys) => {
                let (heads, head) = (keys.keys.dims()[0], keys.keys.dims()[2]);
                2 * heads * head * depth
            }
            Self::Delta(state) => state.weights.elem_count(),
        };
        numbers * size_of::<f32>()
    }

    /// The state, where there is one.
    pub(crate) fn state(&self) -> Option<&DeltaState> {
        match self {
            Self::Delta(state) => Some(state),
            Self::Keys(_) => None,
        }
    }
}

impl Keys {
    /// Writes keys and values (`key_heads` × tokens × `head`, contiguous) at position `at`, for which room
    /// was made, and gives
    /// those of the positions from `from` up to the last one written.
    pub(crate) fn put(
        &mut self,
        keys: &Tensor,
        values: &Tensor,
        at: usize,
        from: usize,
    ) -> Result<(Tensor, Tensor)> {
        let upto = at + keys.dim(1)?;
        self.keys.slice_set(keys, 1, at)?;
        self.values.slice_set(values, 1, at)?;
        Ok((
            self.keys.narrow(1, from, upto - from)?,
            self.values.narrow(1, from, upto - from)?,
        ))
    }
}

fn grown(old: &Tensor, upto: usize) -> Result<Tensor> {
    let (heads, room, head) = old.dims3()?;
    // A quarter more each time, so that a long text is not copied at every step.
    let new_room = upto.max(room + room / 4).next_multiple_of(STEP);
    let new = Tensor::zeros((heads, new_room, head), old.dtype(), old.device())?;
    if room > 0 {
        new.slice_set(old, 1, 0)?;
    }
    Ok(new)
}
