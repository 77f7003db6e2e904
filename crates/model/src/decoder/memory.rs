//! Keys and values of the tokens seen so far, for one layer.

use candle_core::{DType, Device, Result, Tensor};

use super::shape::Shape;

/// Room grows by at least this many tokens at a time.
const STEP: usize = 256;

/// Keys and values, each `key_heads` × room × `head`. How many tokens are held is the decoder's to
/// know: it is one number for all layers.
#[derive(Debug)]
pub(crate) struct Memory {
    keys: Tensor,
    values: Tensor,
}

impl Memory {
    pub(crate) fn new(shape: &Shape, device: &Device) -> Result<Self> {
        let none = Tensor::zeros((shape.key_heads, 0, shape.head), DType::F32, device)?;
        Ok(Self {
            keys: none.clone(),
            values: none,
        })
    }

    /// Writes keys and values (`key_heads` × tokens × `head`, contiguous) at position `at` and gives
    /// those of all positions up to the last one written.
    pub(crate) fn put(
        &mut self,
        keys: &Tensor,
        values: &Tensor,
        at: usize,
    ) -> Result<(Tensor, Tensor)> {
        let upto = at + keys.dim(1)?;
        if upto > self.keys.dim(1)? {
            self.keys = grown(&self.keys, upto)?;
            self.values = grown(&self.values, upto)?;
        }
        self.keys.slice_set(keys, 1, at)?;
        self.values.slice_set(values, 1, at)?;
        Ok((
            self.keys.narrow(1, 0, upto)?,
            self.values.narrow(1, 0, upto)?,
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
