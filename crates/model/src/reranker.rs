//! A model as a [`Reranker`]: a question and passages in, one score for each passage out.
//!
//! A cross-encoder reads question and passage together (Nogueira and Cho,
//! <https://arxiv.org/abs/1901.04085>); a decoder is asked whether the one answers the other. Scores are
//! logits in both cases: the logistic function makes a probability of them.

use rag_core::Reranker;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::device::Device;
use crate::encoder::{Checkpoint, Encoder, Head, in_batches};
use crate::fault::{Fault, OfModel, Result};
use crate::judge::Judge;
use crate::model_files::ModelFiles;
use crate::shelf::Installed;
use crate::tokens::PairTokens;

/// Longest question and passage that are read where the record of a model does not say it.
const USUAL_LENGTH: usize = 512;

/// What the files of a reranker do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerankerSpec {
    /// Catalogue name.
    pub name: String,
    /// Longest question and passage together in tokens, with all that stands around them. Passages are
    /// cut to it, questions never.
    pub max_tokens: usize,
    /// What passages are sought for, in words; for models that are told. Empty for the usual.
    pub instruction: String,
}

impl RerankerSpec {
    /// How a model on this machine scores, as its record says.
    #[must_use]
    pub fn of(model: &Installed) -> Self {
        Self {
            name: model.name.clone(),
            max_tokens: model.context.unwrap_or(USUAL_LENGTH),
            instruction: model.query_prompt.clone(),
        }
    }
}

/// A reranker on candle.
#[derive(Debug)]
pub struct LocalReranker {
    spec: RerankerSpec,
    network: Network,
    device: candle_core::Device,
}

#[derive(Debug)]
enum Network {
    Cross(Box<CrossEncoder>),
    Judge(Box<Judge>),
}

#[derive(Debug)]
struct CrossEncoder {
    tokens: PairTokens,
    encoder: Encoder,
    head: Head,
}

impl LocalReranker {
    /// Loads the model in `files`.
    ///
    /// # Errors
    /// `ModelMissing` or `Io` for a file that can't be read; `ModelInvalid` for one that is damaged,
    /// of another family, or gives no single score.
    pub fn load(files: &ModelFiles, spec: RerankerSpec, device: &Device) -> rag_core::Result<Self> {
        let device = device.inner().clone();
        let network = match files {
            ModelFiles::Encoder {
                weights,
                tokenizer,
                config,
            } => {
                let checkpoint = Checkpoint::open(config, weights, &spec.name, &device)?;
                let encoder = checkpoint.encoder()?;
                let longest = spec.max_tokens.min(encoder.positions());
                let cross = CrossEncoder {
                    tokens: PairTokens::open(tokenizer, &spec.name, longest)?,
                    head: checkpoint.head()?,
                    encoder,
                };
                Network::Cross(Box::new(cross))
            }
            ModelFiles::Gguf(path) => {
                let judge = Judge::load(path, &spec.name, spec.max_tokens, &device)?;
                Network::Judge(Box::new(judge))
            }
        };
        Ok(Self {
            spec,
            network,
            device,
        })
    }

    fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        let CrossEncoder {
            tokens,
            encoder,
            head,
        } = match &self.network {
            Network::Cross(cross) => cross.as_ref(),
            Network::Judge(judge) => {
                return judge.scores(&self.spec.instruction, question, passages);
            }
        };
        let question = tokens.question(question)?;
        let pairs = passages
            .par_iter()
            .map(|passage| tokens.pair(&question, passage))
            .collect::<Result<Vec<_>>>()?;
        in_batches(&pairs, &self.device, |batch| encoder.scores(batch, head)).of(&self.spec.name)
    }
}

impl Reranker for LocalReranker {
    fn score(&self, question: &str, passages: &[&str]) -> rag_core::Result<Vec<f32>> {
        let scores = self.scores(question, passages)?;
        if scores.iter().any(|score| !score.is_finite()) {
            let model = self.spec.name.clone();
            return Err(Fault::NotANumber { model }.into());
        }
        Ok(scores)
    }
}
