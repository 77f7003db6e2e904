//! A model as an [`Embedder`]: text in, unit vectors out.
//!
//! The recipe is the published one (Reimers and Gurevych, <https://arxiv.org/abs/1908.10084>):
//! a prompt and the text as tokens with the model's special ones around them, the network, one vector
//! out of those of all tokens, Euclidean length 1.

use std::sync::{Mutex, PoisonError};

use rag_core::{Embedder, Purpose, TokenCounter};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use sha2::{Digest, Sha256};

use crate::catalogue::{Catalogue, PooledBy};
use crate::decoder::{Decoder, Shape};
use crate::device::Device;
use crate::encoder::{Checkpoint, Encoder, Sequence, in_batches};
use crate::fault::{Fault, OfModel, Result};
use crate::fetch::part::hex;
use crate::gguf::Gguf;
use crate::model_files::ModelFiles;
use crate::shelf::Installed;
use crate::sizer::EmbedderSizer;
use crate::tokens::TextTokens;

/// What the files of an embedder do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderSpec {
    /// Catalogue name; with `@N` behind it for vectors cut to N numbers.
    pub name: String,
    /// Identifies weights, pooling, prompts and the length of the vectors.
    pub fingerprint: String,
    pub pooling: PooledBy,
    /// Put before every query.
    pub query_prompt: String,
    /// Put before every passage.
    pub passage_prompt: String,
    /// Longest input in tokens, with prompt and special tokens.
    pub max_tokens: usize,
    /// Length of the vectors.
    pub dimensions: usize,
    /// The vectors may be cut to this length or more, for a model that was trained for it (Matryoshka,
    /// <https://arxiv.org/abs/2205.13147>).
    pub shortest: Option<usize>,
    /// Languages it was trained on (BCP 47); empty where that is not known.
    pub languages: Vec<String>,
}

impl EmbedderSpec {
    /// The name of a model, and the length of the vectors that is asked for: `NAME` or `NAME@256`.
    /// None for a length that is no number.
    #[must_use]
    pub fn parse_name(name: &str) -> Option<(&str, Option<usize>)> {
        match name.split_once('@') {
            None => Some((name, None)),
            Some((name, length)) => Some((name, Some(length.parse().ok()?))),
        }
    }

    /// How a model on this machine embeds, as its record says, with vectors of the length that is
    /// asked for.
    ///
    /// # Errors
    /// `ModelInvalid` where the record does not say how it pools or how long its texts may be, or the
    /// model's vectors can't have that length.
    pub fn of(model: &Installed, length: Option<usize>) -> rag_core::Result<Self> {
        let (Some(pooling), Some(dimensions), Some(max_tokens)) =
            (model.pooling, model.dimensions, model.context)
        else {
            let problem = "its files do not say how it pools, or how long its texts may be";
            return Err(unsound(&model.name, problem.to_owned()).into());
        };
        let entry = Catalogue::builtin()?.get(&model.name);
        let spec = Self {
            name: model.name.clone(),
            fingerprint: model.fingerprint(),
            pooling,
            query_prompt: model.query_prompt.clone(),
            passage_prompt: model.passage_prompt.clone(),
            max_tokens,
            dimensions,
            shortest: model.shortest,
            languages: entry.map_or_else(Vec::new, |entry| entry.languages.clone()),
        };
        Ok(match length {
            Some(length) => spec.cut(length)?,
            None => spec,
        })
    }

    /// The same model with shorter vectors.
    fn cut(self, length: usize) -> Result<Self> {
        if length == self.dimensions {
            return Ok(self);
        }
        let shortest = self.shortest.unwrap_or(self.dimensions);
        if length < shortest || length > self.dimensions {
            return Err(Fault::VectorLength {
                model: self.name,
                wanted: length,
                shortest,
                longest: self.dimensions,
            });
        }
        let form = format!("{}\ndimensions {length}\n", self.fingerprint);
        Ok(Self {
            name: format!("{}@{length}", self.name),
            fingerprint: hex(&Sha256::digest(form.as_bytes())),
            dimensions: length,
            ..self
        })
    }
}

/// An embedder on candle.
#[derive(Debug)]
pub struct LocalEmbedder {
    spec: EmbedderSpec,
    sizer: EmbedderSizer,
    network: Network,
    device: candle_core::Device,
}

#[derive(Debug)]
enum Network {
    Encoder(Encoder),
    /// Reads one text at a time.
    Decoder(Box<Mutex<Decoder>>),
}

impl LocalEmbedder {
    /// Loads the model in `files`.
    ///
    /// # Errors
    /// `ModelMissing` or `Io` for a file that can't be read; `ModelInvalid` for one that is damaged,
    /// of another family, or other than `spec` says.
    pub fn load(files: &ModelFiles, spec: EmbedderSpec, device: &Device) -> rag_core::Result<Self> {
        Ok(Self::open(files, spec, device.inner().clone())?)
    }

    fn open(files: &ModelFiles, spec: EmbedderSpec, device: candle_core::Device) -> Result<Self> {
        let (tokens, network, width, positions) = match files {
            ModelFiles::Encoder {
                weights, config, ..
            } => {
                let encoder = || Checkpoint::open(config, weights, &spec.name, &device)?.encoder();
                // Side by side: each takes about as long as the other.
                let (tokens, encoder) = std::thread::scope(|scope| {
                    let tokens = scope.spawn(|| TextTokens::open(files, &spec.name));
                    let encoder = encoder();
                    let tokens = tokens
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    (tokens, encoder)
                });
                let (tokens, encoder) = (tokens?, encoder?);
                let (width, positions) = (encoder.hidden(), encoder.positions());
                (tokens, Network::Encoder(encoder), width, positions)
            }
            ModelFiles::Gguf(path) => {
                let mut gguf = Gguf::open(path)?;
                let shape = Shape::read(&gguf)?;
                if spec.pooling != PooledBy::LastToken {
                    return Err(Fault::Unsupported {
                        model: spec.name,
                        what: "pooling",
                        found: format!("{:?}", spec.pooling),
                        known: "that of the last token, for GGUF files".to_owned(),
                    });
                }
                let tokens = TextTokens::of_gguf(&gguf)?;
                let decoder = Decoder::load(&mut gguf, &device)?;
                let network = Network::Decoder(Box::new(Mutex::new(decoder)));
                (tokens, network, shape.hidden, shape.context)
            }
        };
        check(&spec, width, positions)?;
        Ok(Self {
            sizer: EmbedderSizer::new(tokens, &spec),
            network,
            device,
            spec,
        })
    }

    fn encode(&self, index: usize, text: &str, purpose: Purpose) -> Result<Sequence> {
        let prompt = match purpose {
            Purpose::Query => &self.spec.query_prompt,
            Purpose::Passage => &self.spec.passage_prompt,
        };
        let sequence = self.sizer.tokens().one(&format!("{prompt}{text}"))?;
        if sequence.ids.len() > self.spec.max_tokens {
            return Err(Fault::TextTooLong {
                model: self.spec.name.clone(),
                index,
                tokens: sequence.ids.len(),
                limit: self.spec.max_tokens,
            });
        }
        Ok(sequence)
    }

    /// The vectors of `sequences`, in order, as the network gives them.
    fn compute(&self, sequences: &[Sequence]) -> candle_core::Result<Vec<Vec<f32>>> {
        match &self.network {
            Network::Encoder(encoder) => in_batches(sequences, &self.device, |batch| {
                encoder.pooled(batch, self.spec.pooling)
            }),
            Network::Decoder(decoder) => {
                // A decoder's state is whole after every token, so one that panicked can be used again.
                let mut decoder = decoder.lock().unwrap_or_else(PoisonError::into_inner);
                sequences
                    .iter()
                    .map(|sequence| decoder.state(&sequence.ids))
                    .collect()
            }
        }
    }
}

impl TokenCounter for LocalEmbedder {
    fn count_tokens(&self, text: &str) -> usize {
        self.sizer.count_tokens(text)
    }
}

impl Embedder for LocalEmbedder {
    fn fingerprint(&self) -> &str {
        &self.spec.fingerprint
    }

    fn name(&self) -> &str {
        &self.spec.name
    }

    fn languages(&self) -> &[String] {
        &self.spec.languages
    }

    fn dimensions(&self) -> usize {
        self.spec.dimensions
    }

    fn max_tokens(&self) -> usize {
        self.sizer.max_tokens()
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> rag_core::Result<Vec<Vec<f32>>> {
        let sequences = texts
            .par_iter()
            .enumerate()
            .map(|(index, text)| self.encode(index, text, purpose))
            .collect::<Result<Vec<_>>>()?;
        let mut vectors = self.compute(&sequences).of(&self.spec.name)?;
        for vector in &mut vectors {
            vector.truncate(self.spec.dimensions);
            normalise(vector);
        }
        if vectors.iter().flatten().any(|x| !x.is_finite()) {
            let model = self.spec.name.clone();
            return Err(Fault::NotANumber { model }.into());
        }
        Ok(vectors)
    }
}

/// Gives a vector Euclidean length 1.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in vector {
        *x /= length;
    }
}

/// Whether a network of this width and this many positions is what is said of it.
fn check(spec: &EmbedderSpec, width: usize, positions: usize) -> Result<()> {
    let wanted = spec.dimensions;
    let may_be_cut = spec.shortest.is_some_and(|shortest| wanted >= shortest);
    if wanted != width && !(wanted < width && may_be_cut) {
        let problem = format!("its vectors are not of length {wanted}");
        return Err(unsound(&spec.name, problem));
    }
    if spec.max_tokens > positions {
        let tokens = spec.max_tokens;
        let problem = format!("it has {positions} positions and is said to take {tokens} tokens");
        return Err(unsound(&spec.name, problem));
    }
    Ok(())
}

fn unsound(model: &str, problem: String) -> Fault {
    Fault::Unsound {
        model: model.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rag_core::Code;

    use super::*;
    use crate::testing::{cosine, save_encoder, tiny_bert, tiny_spec, tiny_word_tokenizer};

    fn files(folder: &Path) -> ModelFiles {
        let (tensors, config) = tiny_bert();
        save_encoder(folder, &tensors, &config, &tiny_word_tokenizer())
    }

    fn load(spec: EmbedderSpec) -> rag_core::Result<LocalEmbedder> {
        let folder = tempfile::tempdir().unwrap();
        LocalEmbedder::load(&files(folder.path()), spec, &Device::cpu())
    }

    const TEXTS: [&str; 6] = ["a b c", "d", "", "a b c d e f g", "g f", "a b c"];

    #[test]
    fn vectors_have_length_one_and_come_in_the_order_of_the_texts() {
        let embedder = load(tiny_spec()).unwrap();
        let vectors = embedder.embed(&TEXTS, Purpose::Passage).unwrap();
        for vector in &vectors {
            assert_eq!(vector.len(), 32);
            let norm: f32 = vector.iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-5);
        }
        assert_eq!(vectors[0], vectors[5]);
        assert!(cosine(&vectors[0], &vectors[3]) < 0.999);
    }

    #[test]
    fn a_batch_gives_what_single_texts_give() {
        let embedder = load(tiny_spec()).unwrap();
        let together = embedder.embed(&TEXTS, Purpose::Passage).unwrap();
        for (text, vector) in TEXTS.iter().zip(&together) {
            let alone = embedder.embed(&[text], Purpose::Passage).unwrap();
            assert!(cosine(&alone[0], vector) > 0.999_999);
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_with_its_count() {
        let embedder = load(tiny_spec()).unwrap();
        assert_eq!(embedder.max_tokens(), 14);
        let (fits, long) = ("a ".repeat(14), "a ".repeat(15));
        embedder.embed(&[&fits], Purpose::Query).unwrap();
        let error = embedder.embed(&["a", &long], Purpose::Query).unwrap_err();
        assert_eq!(error.code, Code::LimitExceeded);
        assert_eq!(error.fact, "text 1 has 17 tokens; `tiny` takes 16");
    }

    #[test]
    fn prompts_are_part_of_the_text_and_of_its_size() {
        let plain = load(tiny_spec()).unwrap();
        let prompted = load(EmbedderSpec {
            query_prompt: "a b ".into(),
            passage_prompt: "g ".into(),
            ..tiny_spec()
        })
        .unwrap();
        assert_eq!(prompted.max_tokens(), 12);
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let sizer = EmbedderSizer::load(&files, &prompted.spec).unwrap();
        assert_eq!(sizer.max_tokens(), prompted.max_tokens());
        assert_eq!(sizer.count_tokens("a b c"), prompted.count_tokens("a b c"));
        assert_eq!(
            prompted.embed(&["c"], Purpose::Query).unwrap(),
            plain.embed(&["a b c"], Purpose::Query).unwrap()
        );
        assert_eq!(
            prompted.embed(&["c"], Purpose::Passage).unwrap(),
            plain.embed(&["g c"], Purpose::Query).unwrap()
        );
    }

    #[test]
    fn another_family_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let config = folder.path().join("config.json");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("\"bert\"", "\"deberta\"")).unwrap();
        let error = LocalEmbedder::load(&files, tiny_spec(), &Device::cpu()).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        assert!(error.fact.contains("architecture `deberta`"), "{error}");
    }

    #[test]
    fn files_that_do_not_fit_what_is_said_of_them_are_refused() {
        let too_wide = EmbedderSpec {
            dimensions: 384,
            ..tiny_spec()
        };
        assert_eq!(load(too_wide).unwrap_err().code, Code::ModelInvalid);
        let too_long = EmbedderSpec {
            max_tokens: 10_000,
            ..tiny_spec()
        };
        assert_eq!(load(too_long).unwrap_err().code, Code::ModelInvalid);
    }

    #[test]
    fn weights_that_are_cut_short_or_missing_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let weights = folder.path().join("model.safetensors");
        let whole = std::fs::read(&weights).unwrap();
        std::fs::write(&weights, &whole[..whole.len() - 100]).unwrap();
        let error = LocalEmbedder::load(&files, tiny_spec(), &Device::cpu()).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        std::fs::remove_file(&weights).unwrap();
        let error = LocalEmbedder::load(&files, tiny_spec(), &Device::cpu()).unwrap_err();
        assert_eq!(error.code, Code::ModelMissing);
    }
}
