//! Attention of a single token, which is what writing an answer consists of.
//!
//! As matrix products its shapes are so flat that packing them costs more than multiplying them.

use candle_core::{Result, Storage, Tensor, bail};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::{floats, nth, rows, vectorised};

/// What one token's query heads (key heads × sharing heads × head) make of all `keys` and `values`
/// (key heads × tokens × head, each head's part contiguous), on a processor: same shape as `queries`.
pub(crate) fn attend_once(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    scale: f32,
) -> Result<Tensor> {
    let (_, sharing, head) = queries.dims3()?;
    let (query_data, query_layout) = queries.storage_and_layout();
    let (key_data, _) = keys.storage_and_layout();
    let (value_data, _) = values.storage_and_layout();
    let asked = floats(&query_data, query_layout)?;
    let (key_heads, value_heads) = (heads(&key_data, keys)?, heads(&value_data, values)?);
    let mut out = vec![0.0; asked.len()];
    // The queries that share keys read them one after the other, while they are in the cache.
    out.par_chunks_mut(sharing * head)
        .enumerate()
        .for_each(|(n, out)| {
            let queries = &asked[nth(n, sharing * head)];
            let (keys, values) = (key_heads[n], value_heads[n]);
            vectorised(|| attend_some(queries, keys, values, scale, (head, out)));
        });
    Tensor::from_vec(out, queries.dims(), queries.device())
}

/// Positions whose keys and values are read once for all queries.
const NEAR: usize = 64;

/// The same for the queries that share a key head.
#[inline(always)]
#[allow(clippy::inline_always)] // vector instructions reach no further
fn attend_some(
    queries: &[f32],
    keys: &[f32],
    values: &[f32],
    scale: f32,
    (head, out): (usize, &mut [f32]),
) {
    let tokens = keys.len() / head;
    let mut weights = vec![0.0; queries.len() / head * tokens];
    for (block, keys) in keys.chunks(NEAR * head).enumerate() {
        let queries = queries.chunks_exact(head);
        for (query, weights) in queries.zip(weights.chunks_exact_mut(tokens)) {
            let weights = &mut weights[block * NEAR..];
            for (weight, key) in weights.iter_mut().zip(keys.chunks_exact(head)) {
                *weight = rows::dot(query, key);
            }
        }
    }
    for weights in weights.chunks_exact_mut(tokens) {
        rows::softmax(weights, scale);
    }
    for (block, values) in values.chunks(NEAR * head).enumerate() {
        let weights = weights.chunks_exact(tokens);
        for (weights, out) in weights.zip(out.chunks_exact_mut(head)) {
            for (weight, value) in weights[block * NEAR..]
                .iter()
                .zip(values.chunks_exact(head))
            {
                rows::add_times(out, value, *weight);
            }
        }
    }
}

/// Each head's numbers.
fn heads<'a>(storage: &'a Storage, x: &Tensor) -> Result<Vec<&'a [f32]>> {
    let (count, tokens, head) = x.dims3()?;
    let layout = x.layout();
    let ([between, row, 1], Storage::Cpu(data)) = (layout.stride(), storage) else {
        bail!("heads must be on the processor and contiguous");
    };
    if *row != head {
        bail!("heads must be contiguous");
    }
    let data = data.as_slice::<f32>()?;
    Ok((0..count)
        .map(|n| {
            let start = layout.start_offset() + n * between;
            &data[start..start + tokens * head]
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Past, causal_softmax, product};
    use crate::testing::{cosine, noise};

    #[test]
    fn it_is_what_the_products_are() {
        let (tokens, room, head) = (37, 50, 8);
        let queries = noise(&[2, 3, head], 1.0, 1);
        let part = |seed| {
            let all = noise(&[2, room, head], 1.0, seed);
            all.narrow(1, 0, tokens).unwrap()
        };
        let (keys, values) = (part(2), part(3));
        let scores = product(&queries, &keys.t().unwrap()).unwrap();
        let seen = Past {
            tokens: 1,
            before: tokens - 1,
            window: usize::MAX,
        };
        let weights = causal_softmax(scores, 0.3, seen).unwrap();
        let expected = product(&weights, &values).unwrap();
        let ours = attend_once(&queries, &keys, &values, 0.3).unwrap();
        assert_eq!(ours.dims(), expected.dims());
        let flat = |y: &Tensor| -> Vec<f32> { y.flatten_all().unwrap().to_vec1().unwrap() };
        assert!(cosine(&flat(&ours), &flat(&expected)) > 0.999_999);
    }

    #[test]
    fn heads_that_lie_otherwise_are_refused() {
        let queries = noise(&[2, 3, 8], 1.0, 1);
        let turned = noise(&[2, 8, 5], 1.0, 2).t().unwrap();
        assert!(attend_once(&queries, &turned, &turned, 1.0).is_err());
    }
}
