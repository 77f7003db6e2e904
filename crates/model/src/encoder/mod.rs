//! Encoders: tokens in, one vector for each token out; with a head, one score for each text.
//!
//! [`bert`] and [`modern`] are the families, [`attention`] is what they share, [`head`] makes a score
//! of a text's vectors, [`tensors`] reads the files, [`table`] looks tokens up. Knows nothing of text.

mod attention;
mod bert;
mod head;
mod modern;
mod table;
mod tensors;

use std::path::Path;

use candle_core::{Device, Tensor};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::bert::Bert;
pub(crate) use self::head::Head;
use self::modern::ModernBert;
use self::tensors::{Tensors, malformed, unread};
use crate::catalogue::PooledBy;
use crate::fault::Result;

/// The tokens of one text, or of two that are read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) ids: Vec<u32>,
    /// From which token on the second text stands.
    pub(crate) second: Option<usize>,
}

impl Sequence {
    /// The tokens of one text.
    pub(crate) fn one(ids: Vec<u32>) -> Self {
        Self { ids, second: None }
    }
}

/// A network that turns every token of a text into a vector.
#[derive(Debug)]
pub(crate) enum Encoder {
    Bert(Bert),
    Modern(ModernBert),
}

/// The families that are read, by the `model_type` of their `config.json`, with what may stand
/// before the names of their tensors.
const FAMILIES: &[(&str, &[&str])] = &[
    ("bert", &["bert."]),
    ("xlm-roberta", &["roberta."]),
    ("roberta", &["roberta."]),
    ("modernbert", &["model."]),
];

/// The files of an encoder, opened.
pub(crate) struct Checkpoint {
    family: &'static str,
    path: std::path::PathBuf,
    config: Value,
    tensors: Tensors,
}

impl Checkpoint {
    /// Opens a configuration and the weights; `model` is what people call it.
    pub(crate) fn open(
        config_file: &Path,
        weights: &Path,
        model: &str,
        device: &Device,
    ) -> Result<Self> {
        let bytes = std::fs::read(config_file).map_err(|error| unread(config_file, error))?;
        let config: Value = serde_json::from_slice(&bytes)
            .map_err(|error| malformed(config_file, "model configuration", error))?;
        let mut tensors = Tensors::open(weights, model, device)?;
        let found = config["model_type"].as_str().unwrap_or("none");
        let Some((family, prefixes)) = FAMILIES.iter().find(|(name, _)| *name == found) else {
            let known: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
            return Err(tensors.unsupported("architecture", found.to_owned(), &known.join(", ")));
        };
        let probe = match *family {
            "modernbert" => "embeddings.tok_embeddings.weight",
            _ => "embeddings.word_embeddings.weight",
        };
        tensors.find_prefix(prefixes, probe);
        Ok(Self {
            family,
            path: config_file.to_owned(),
            config,
            tensors,
        })
    }

    /// Reads the encoder.
    pub(crate) fn encoder(&self) -> Result<Encoder> {
        Ok(match self.family {
            "modernbert" => Encoder::Modern(ModernBert::new(&self.tensors, &self.parsed()?)?),
            _ => Encoder::Bert(Bert::new(&self.tensors, &self.parsed()?)?),
        })
    }

    /// Reads the head that scores a text.
    pub(crate) fn head(&self) -> Result<Head> {
        match self.family {
            "modernbert" => Head::modern(&self.tensors, &self.parsed()?),
            "bert" => Head::bert(&self.tensors),
            _ => Head::roberta(&self.tensors),
        }
    }

    fn parsed<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.config)
            .map_err(|error| malformed(&self.path, "model configuration", error))
    }
}

impl Encoder {
    /// Length of the vectors.
    pub(crate) fn hidden(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.hidden(),
            Self::Modern(modern) => modern.hidden(),
        }
    }

    /// Longest sequence.
    pub(crate) fn positions(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.positions(),
            Self::Modern(modern) => modern.positions(),
        }
    }

    /// One vector for each sequence, in order.
    pub(crate) fn pooled(
        &self,
        sequences: &[&Sequence],
        pooling: PooledBy,
    ) -> candle_core::Result<Vec<Vec<f32>>> {
        let states = match self {
            Self::Bert(bert) => bert.forward(sequences),
            Self::Modern(modern) => modern.forward(sequences),
        }?;
        let states: Vec<f32> = states.flatten_all()?.to_vec1()?;
        let width = self.hidden();
        let mut rest = states.as_slice();
        let mut vectors = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let (own, after) = rest.split_at(sequence.ids.len() * width);
            vectors.push(pooled(own, width, pooling));
            rest = after;
        }
        Ok(vectors)
    }

    /// The score of each sequence, in order.
    pub(crate) fn scores(
        &self,
        sequences: &[&Sequence],
        head: &Head,
    ) -> candle_core::Result<Vec<f32>> {
        let vectors = self.pooled(sequences, head.pooling())?;
        let rows = Tensor::from_vec(
            vectors.concat(),
            (vectors.len(), self.hidden()),
            head.device(),
        )?;
        head.score(&rows)
    }
}

/// One vector from the vectors of all tokens (tokens × `width`).
fn pooled(states: &[f32], width: usize, pooling: PooledBy) -> Vec<f32> {
    let all = states.len() / width;
    let mut rows = states.chunks_exact(width);
    let only = match pooling {
        PooledBy::Cls => rows.next(),
        PooledBy::LastToken => rows.next_back(),
        PooledBy::Mean => None,
    };
    if let Some(row) = only {
        return row.to_vec();
    }
    let mut vector = vec![0.0; width];
    for state in rows {
        for (sum, x) in vector.iter_mut().zip(state) {
            *sum += x;
        }
    }
    for x in &mut vector {
        *x /= all.max(1) as f32;
    }
    vector
}

/// Most tokens computed together. With MiniLM every bound from 128 to 1024 gave the same rate, 2600
/// to 3000 tokens a second and core; small batches are shared out better among cores.
pub(crate) const BATCH_TOKENS: usize = 512;

/// Groups sequences, by their positions: longest first, so that equal lengths meet and the last
/// batches to run are the quick ones. Every group holds at least one and at most [`BATCH_TOKENS`]
/// tokens if it holds more than one.
pub(crate) fn batches(sequences: &[Sequence]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sequences[*i].ids.len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for index in order {
        let length = sequences[index].ids.len();
        match batches.last_mut() {
            Some(batch) if tokens + length <= BATCH_TOKENS => {
                batch.push(index);
                tokens += length;
            }
            _ => {
                batches.push(vec![index]);
                tokens = length;
            }
        }
    }
    batches
}

/// Computes something for every sequence, batch by batch, and gives the results in their order. On a
/// processor the batches are shared out among its cores.
pub(crate) fn in_batches<T: Clone + Default + Send>(
    sequences: &[Sequence],
    device: &Device,
    compute: impl Fn(&[&Sequence]) -> candle_core::Result<Vec<T>> + Sync,
) -> candle_core::Result<Vec<T>> {
    use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
    let batches = batches(sequences);
    let run = |batch: &Vec<usize>| {
        let batch: Vec<&Sequence> = batch.iter().map(|i| &sequences[*i]).collect();
        compute(&batch)
    };
    let computed: Vec<Vec<T>> = if device.is_cpu() {
        crate::kernels::among_workers(device, || {
            batches
                .par_iter()
                .map(run)
                .collect::<candle_core::Result<_>>()
        })?
    } else {
        batches
            .iter()
            .map(run)
            .collect::<candle_core::Result<_>>()?
    };
    let mut out = vec![T::default(); sequences.len()];
    for (batch, results) in batches.iter().zip(computed) {
        for (index, result) in batch.iter().zip(results) {
            out[*index] = result;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_all_tokens_and_the_first_is_the_first() {
        let states = [3.0, 0.0, 1.0, 4.0];
        assert_eq!(pooled(&states, 2, PooledBy::Cls), [3.0, 0.0]);
        assert_eq!(pooled(&states, 2, PooledBy::LastToken), [1.0, 4.0]);
        assert_eq!(pooled(&states, 2, PooledBy::Mean), [2.0, 2.0]);
    }

    #[test]
    fn batches_hold_every_sequence_once_and_no_more_tokens_than_allowed() {
        let sequences: Vec<Sequence> = [300, 5, 300, 211, 1, 900]
            .iter()
            .map(|n| Sequence::one(vec![0; *n]))
            .collect();
        let batches = batches(&sequences);
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        for batch in &batches {
            let tokens: usize = batch.iter().map(|i| sequences[*i].ids.len()).sum();
            assert!(tokens <= BATCH_TOKENS || batch.len() == 1);
        }
    }
}
