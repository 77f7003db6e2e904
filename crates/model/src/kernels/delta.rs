//! The two steps of a gated delta net that are no matrix products: a short convolution over tokens and
//! the rule by which a head's memory learns.
//!
//! Both run on the processor; tensors of another device travel there and back.

use candle_core::{Device, Result, Tensor};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::{WORTH_SHARING, floats, nth, rows};

/// `SiLU` of each channel's sum over the last tokens, weighted by `kernel` (tokens looked at × channels,
/// the own one last). `x` is tokens × channels, `before` those of the tokens before it: looked at − 1 ×
/// channels. Gives the result and what stands `before` the tokens to come.
pub(crate) fn convolve(x: &Tensor, before: &Tensor, kernel: &Tensor) -> Result<(Tensor, Tensor)> {
    let (tokens, channels) = x.dims2()?;
    let device = x.device();
    let looked = kernel.dim(0)?;
    let all = Tensor::cat(&[before, x], 0)?.to_device(&Device::Cpu)?;
    let kernel = kernel.to_device(&Device::Cpu)?;
    let (all_data, all_layout) = all.storage_and_layout();
    let (kernel_data, kernel_layout) = kernel.storage_and_layout();
    let source = floats(&all_data, all_layout)?;
    let weights = floats(&kernel_data, kernel_layout)?;
    let mut out = vec![0.0; tokens * channels];
    out.par_chunks_mut(channels)
        .enumerate()
        .for_each(|(t, out)| {
            for n in 0..looked {
                rows::add_product(
                    out,
                    &source[nth(t + n, channels)],
                    &weights[nth(n, channels)],
                );
            }
            rows::silu(out);
        });
    let out = Tensor::from_vec(out, (tokens, channels), device)?;
    let rest = all.narrow(0, tokens, looked - 1)?.force_contiguous()?;
    Ok((out, rest.to_device(device)?))
}

/// The rule of a gated delta net (Yang et al., <https://arxiv.org/abs/2412.06464>, equation 10).
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeltaRule {
    pub(crate) key_heads: usize,
    /// A multiple of `key_heads`.
    pub(crate) heads: usize,
    pub(crate) head: usize,
    /// Whether value head n has key head n mod `key_heads`, not its share of neighbours.
    pub(crate) is_tiled: bool,
    /// Of the norms of queries and keys.
    pub(crate) epsilon: f32,
}

impl DeltaRule {
    /// `inputs` are tokens × (queries, keys, values); `learn` and `forget` tokens × heads, the latter
    /// as the logarithm of what is kept; `state` is heads × head × head. Gives what is read for each
    /// query (tokens × heads × head) and the new state.
    pub(crate) fn run(
        &self,
        inputs: &Tensor,
        learn: &Tensor,
        forget: &Tensor,
        state: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let (tokens, width) = inputs.dims2()?;
        let device = inputs.device();
        let mut inputs: Vec<f32> = numbers(inputs)?;
        let (learn, forget) = (numbers(learn)?, numbers(forget)?);
        self.normalise(&mut inputs, width);
        let mut state = numbers(state)?;
        let mut out = vec![0.0; tokens * self.heads * self.head];
        let step = Step {
            rule: *self,
            inputs: &inputs,
            width,
            learn: &learn,
            kept: &forget.iter().map(|x| x.exp()).collect::<Vec<_>>(),
        };
        // Each number of a value has a row of the state to itself and needs no other: threads share
        // rows, and each row stays in the fastest memory over all tokens.
        state
            .par_chunks_mut(self.head)
            .zip(out.par_chunks_mut(tokens))
            .with_min_len((WORTH_SHARING / (self.head * tokens)).max(1))
            .enumerate()
            .for_each(|(n, (row, out))| step.over_tokens(n, row, out));
        let out = Tensor::from_vec(out, (self.heads * self.head, tokens), &Device::Cpu)?;
        let out = out.t()?.reshape((tokens, self.heads, self.head))?;
        let size = (self.heads, self.head, self.head);
        Ok((
            out.force_contiguous()?.to_device(device)?,
            Tensor::from_vec(state, size, device)?,
        ))
    }

    /// Gives queries and keys the length 1, and queries the scale of attention.
    fn normalise(&self, inputs: &mut [f32], width: usize) {
        let scale = 1.0 / (self.head as f32).sqrt();
        let keys = self.key_heads;
        inputs.par_chunks_mut(width).for_each(|token| {
            for (n, vector) in token.chunks_exact_mut(self.head).take(2 * keys).enumerate() {
                let length = (rows::dot(vector, vector) + self.epsilon).sqrt();
                let factor = if n < keys {
                    scale / length
                } else {
                    1.0 / length
                };
                for x in vector {
                    *x *= factor;
                }
            }
        });
    }
}

struct Step<'a> {
    rule: DeltaRule,
    inputs: &'a [f32],
    width: usize,
    learn: &'a [f32],
    kept: &'a [f32],
}

impl Step<'_> {
    /// Takes row number `n` of all heads' states over all tokens.
    fn over_tokens(&self, n: usize, row: &mut [f32], out: &mut [f32]) {
        let DeltaRule {
            key_heads,
            heads,
            head,
            is_tiled,
            ..
        } = self.rule;
        let (value_head, number) = (n / head, n % head);
        let key_head = if is_tiled {
            value_head % key_heads
        } else {
            value_head / (heads / key_heads)
        };
        for (t, out) in out.iter_mut().enumerate() {
            let token = &self.inputs[nth(t, self.width)];
            let query = &token[nth(key_head, head)];
            let key = &token[nth(key_heads + key_head, head)];
            let value = token[(2 * key_heads + value_head) * head + number];
            let gate = t * heads + value_head;
            rows::multiply(row, self.kept[gate]);
            let error = value - rows::dot(row, key);
            rows::add_times(row, key, error * self.learn[gate]);
            *out = rows::dot(row, query);
        }
    }
}

fn numbers(x: &Tensor) -> Result<Vec<f32>> {
    x.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cosine, noise};

    fn flat(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_convolution_over_parts_is_that_over_all() {
        let (x, kernel) = (noise(&[9, 6], 1.0, 1), noise(&[4, 6], 1.0, 2));
        let none = Tensor::zeros((3, 6), candle_core::DType::F32, &Device::Cpu).unwrap();
        let (whole, rest) = convolve(&x, &none, &kernel).unwrap();
        let part = |from, count| {
            x.narrow(0, from, count)
                .unwrap()
                .force_contiguous()
                .unwrap()
        };
        let (first, before) = convolve(&part(0, 2), &none, &kernel).unwrap();
        let (second, before) = convolve(&part(2, 7), &before, &kernel).unwrap();
        let parts = Tensor::cat(&[first, second], 0).unwrap();
        assert_eq!(flat(&parts), flat(&whole));
        assert_eq!(flat(&before), flat(&rest));
        // The last number by hand.
        let (x, kernel) = (flat(&x), flat(&kernel));
        let sum: f32 = (0..4).map(|n| x[(5 + n) * 6 + 5] * kernel[n * 6 + 5]).sum();
        let expected = sum / (1.0 + (-sum).exp());
        assert!((flat(&whole)[8 * 6 + 5] - expected).abs() < 1e-6);
    }

    /// The rule as the paper writes it: S ← S (α (1 − β k kᵀ)) + β v kᵀ.
    fn by_the_book(rule: &DeltaRule, inputs: &[f32], learn: &[f32], forget: &[f32]) -> Vec<f32> {
        let (head, keys, heads) = (rule.head, rule.key_heads, rule.heads);
        let width = (2 * keys + heads) * head;
        let mut out = Vec::new();
        let mut states = vec![vec![0.0_f32; head * head]; heads];
        for (t, token) in inputs.chunks_exact(width).enumerate() {
            for (h, state) in states.iter_mut().enumerate() {
                let key_head = if rule.is_tiled {
                    h % keys
                } else {
                    h / (heads / keys)
                };
                let unit = |at: usize| -> Vec<f32> {
                    let part = &token[at * head..(at + 1) * head];
                    let length = part.iter().map(|x| x * x).sum::<f32>().sqrt();
                    part.iter().map(|x| x / length).collect()
                };
                let (query, key) = (unit(key_head), unit(keys + key_head));
                let value = &token[(2 * keys + h) * head..][..head];
                let (kept, beta) = (forget[t * heads + h].exp(), learn[t * heads + h]);
                let old = state.clone();
                for v in 0..head {
                    let said: f32 = (0..head).map(|k| old[v * head + k] * key[k]).sum();
                    for k in 0..head {
                        state[v * head + k] = kept * (old[v * head + k] - beta * said * key[k])
                            + beta * value[v] * key[k];
                    }
                }
                out.extend((0..head).map(|v| {
                    let read: f32 = (0..head).map(|k| state[v * head + k] * query[k]).sum();
                    read / (head as f32).sqrt()
                }));
            }
        }
        out
    }

    #[test]
    fn heads_learn_by_the_rule_and_tokens_one_by_one_as_together() {
        for is_tiled in [true, false] {
            let rule = DeltaRule {
                key_heads: 2,
                heads: 4,
                head: 8,
                is_tiled,
                epsilon: 1e-12,
            };
            let inputs = noise(&[7, 64], 1.0, 3);
            let learn = (noise(&[7, 4], 0.5, 4) + 0.5).unwrap();
            let forget = (noise(&[7, 4], 0.5, 5) - 0.5).unwrap();
            let none = Tensor::zeros((4, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
            let (together, last) = rule.run(&inputs, &learn, &forget, &none).unwrap();
            let expected = by_the_book(&rule, &flat(&inputs), &flat(&learn), &flat(&forget));
            assert!(cosine(&flat(&together), &expected) > 0.999_999);
            let mut state = none;
            let mut one_by_one = Vec::new();
            for t in 0..7 {
                let part = |x: &Tensor| x.narrow(0, t, 1).unwrap().force_contiguous().unwrap();
                let (out, new) = rule
                    .run(&part(&inputs), &part(&learn), &part(&forget), &state)
                    .unwrap();
                one_by_one.extend(flat(&out));
                state = new;
            }
            assert_eq!(one_by_one, flat(&together));
            assert_eq!(flat(&state), flat(&last));
        }
    }
}
