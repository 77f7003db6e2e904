//! A sentence-transformers model as an [`Embedder`]: text in, unit vectors out.
//!
//! The recipe is the published one (Reimers and Gurevych, <https://arxiv.org/abs/1908.10084>):
//! tokens with the model's special tokens around them, the encoder, the mean of all token vectors
//! or the first one, Euclidean length 1.

use std::path::{Path, PathBuf};

use rag_core::{Embedder, Purpose, TokenCounter};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use crate::bert::{Bert, Config};
use crate::catalogue::PooledBy;
use crate::device::Device;
use crate::fault::{Fault, OfModel, Result};
use crate::kernels;
use crate::sizer::EmbedderSizer;

/// Most tokens computed together. With MiniLM every bound from 128 to 1024 gave the same rate, 2600
/// to 3000 tokens a second and core; small batches are shared out better among cores.
const BATCH_TOKENS: usize = 512;

/// The files of an embedder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderFiles {
    /// `model.safetensors`.
    pub weights: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// `config.json`.
    pub config: PathBuf,
}

/// What the files of an embedder do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderSpec {
    /// Catalogue name.
    pub name: String,
    /// Identifies weights, pooling and prompts.
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
    /// Languages it was trained on (BCP 47); empty where that is not known.
    pub languages: Vec<String>,
}

/// An embedder of the BERT family on candle.
#[derive(Debug)]
pub struct BertEmbedder {
    spec: EmbedderSpec,
    sizer: EmbedderSizer,
    bert: Bert,
    device: candle_core::Device,
}

impl BertEmbedder {
    /// Loads the model in `files`.
    ///
    /// # Errors
    /// `ModelMissing` or `Io` for a file that can't be read; `ModelInvalid` for one that is damaged,
    /// of another family, or other than `spec` says.
    pub fn load(
        files: &EmbedderFiles,
        spec: EmbedderSpec,
        device: &Device,
    ) -> rag_core::Result<Self> {
        let config = config(&files.config, &spec)?;
        let sizer = EmbedderSizer::open(&files.tokenizer, &spec)?;
        let bytes = read(&files.weights)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu)
            .map_err(|error| malformed(&files.weights, "safetensors", error))?;
        drop(bytes);
        let bert = Bert::new(&tensors, &config, device.inner()).of(&spec.name)?;
        if bert.hidden().of(&spec.name)? != spec.dimensions {
            let problem = format!("its vectors are not of length {}", spec.dimensions);
            return Err(unsound(&spec.name, problem).into());
        }
        Ok(Self {
            sizer,
            bert,
            device: device.inner().clone(),
            spec,
        })
    }

    fn encode(&self, index: usize, text: &str, purpose: Purpose) -> Result<Vec<u32>> {
        let prompt = match purpose {
            Purpose::Query => &self.spec.query_prompt,
            Purpose::Passage => &self.spec.passage_prompt,
        };
        let encoding = self
            .sizer
            .tokenizer()
            .encode_fast(format!("{prompt}{text}"), true)
            .map_err(|source| Fault::Tokenizer {
                model: self.spec.name.clone(),
                source,
            })?;
        let ids = encoding.get_ids();
        if ids.len() > self.spec.max_tokens {
            return Err(Fault::TextTooLong {
                model: self.spec.name.clone(),
                index,
                tokens: ids.len(),
                limit: self.spec.max_tokens,
            });
        }
        Ok(ids.to_vec())
    }

    /// The vectors of a batch, in order.
    fn vectors(&self, batch: &[&[u32]]) -> candle_core::Result<Vec<Vec<f32>>> {
        let width = self.bert.hidden()?;
        let states: Vec<f32> = self.bert.forward(batch)?.flatten_all()?.to_vec1()?;
        let mut rest = states.as_slice();
        let mut vectors = Vec::with_capacity(batch.len());
        for ids in batch {
            let (own, after) = rest.split_at(ids.len() * width);
            vectors.push(pooled(own, width, self.spec.pooling));
            rest = after;
        }
        Ok(vectors)
    }
}

impl TokenCounter for BertEmbedder {
    fn count_tokens(&self, text: &str) -> usize {
        self.sizer.count_tokens(text)
    }
}

impl Embedder for BertEmbedder {
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
        let batches = batches(&sequences);
        let run = |batch: &Vec<usize>| {
            let ids: Vec<&[u32]> = batch.iter().map(|i| sequences[*i].as_slice()).collect();
            self.vectors(&ids)
        };
        let computed: candle_core::Result<Vec<_>> = if self.device.is_cpu() {
            kernels::among_workers(&self.device, || batches.par_iter().map(run).collect())
        } else {
            batches.iter().map(run).collect()
        };
        let mut out = vec![Vec::new(); texts.len()];
        for (batch, vectors) in batches.iter().zip(computed.of(&self.spec.name)?) {
            for (index, vector) in batch.iter().zip(vectors) {
                out[*index] = vector;
            }
        }
        if out.iter().flatten().any(|x| !x.is_finite()) {
            let model = self.spec.name.clone();
            return Err(Fault::NotANumber { model }.into());
        }
        Ok(out)
    }
}

/// Groups sequences, by their positions: longest first, so that equal lengths meet and the last
/// batches to run are the quick ones. Every group holds at least one and at most [`BATCH_TOKENS`]
/// tokens if it holds more than one.
fn batches(sequences: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sequences[*i].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for index in order {
        let length = sequences[index].len();
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

/// One unit vector from the vectors of all tokens (tokens × `width`).
fn pooled(states: &[f32], width: usize, pooling: PooledBy) -> Vec<f32> {
    let mut vector = vec![0.0; width];
    let all = states.len() / width;
    let (skip, count) = match pooling {
        PooledBy::Mean => (0, all),
        PooledBy::Cls => (0, 1),
        PooledBy::LastToken => (all.saturating_sub(1), 1),
    };
    for state in states.chunks_exact(width).skip(skip).take(count) {
        for (sum, x) in vector.iter_mut().zip(state) {
            *sum += x;
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut vector {
        *x /= length;
    }
    vector
}

fn config(path: &Path, spec: &EmbedderSpec) -> Result<Config> {
    let config: Config = serde_json::from_slice(&read(path)?)
        .map_err(|error| malformed(path, "model configuration", error))?;
    let found = [
        ("architecture", &config.model_type, "bert"),
        ("activation", &config.hidden_act, "gelu"),
        (
            "kind of positions",
            &config.position_embedding_type,
            "absolute",
        ),
    ];
    for (what, found, known) in found {
        if found != known {
            return Err(Fault::Unsupported {
                model: spec.name.clone(),
                what,
                found: found.clone(),
                known: known.to_owned(),
            });
        }
    }
    if spec.max_tokens > config.max_position_embeddings {
        let positions = config.max_position_embeddings;
        let problem = format!(
            "it has {positions} positions and is said to take {} tokens",
            spec.max_tokens
        );
        return Err(unsound(&spec.name, problem));
    }
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Fault::Read {
        path: path.to_owned(),
        source,
    })
}

fn malformed(
    path: &Path,
    format: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Fault {
    Fault::Format {
        path: path.to_owned(),
        format,
        source: Box::new(error),
    }
}

fn unsound(model: &str, problem: String) -> Fault {
    Fault::Unsound {
        model: model.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use rag_core::Code;

    use super::*;
    use crate::testing::{cosine, tiny_bert, tiny_word_tokenizer};

    fn files(folder: &Path) -> EmbedderFiles {
        let (tensors, config) = tiny_bert();
        let files = EmbedderFiles {
            weights: folder.join("model.safetensors"),
            tokenizer: folder.join("tokenizer.json"),
            config: folder.join("config.json"),
        };
        candle_core::safetensors::save(&tensors, &files.weights).unwrap();
        std::fs::write(&files.config, config).unwrap();
        std::fs::write(&files.tokenizer, tiny_word_tokenizer()).unwrap();
        files
    }

    fn spec() -> EmbedderSpec {
        EmbedderSpec {
            name: "tiny".into(),
            fingerprint: "tiny@1".into(),
            pooling: PooledBy::Mean,
            query_prompt: String::new(),
            passage_prompt: String::new(),
            max_tokens: 16,
            dimensions: 32,
            languages: Vec::new(),
        }
    }

    fn load(spec: EmbedderSpec) -> rag_core::Result<BertEmbedder> {
        let folder = tempfile::tempdir().unwrap();
        BertEmbedder::load(&files(folder.path()), spec, &Device::cpu())
    }

    const TEXTS: [&str; 6] = ["a b c", "d", "", "a b c d e f g", "g f", "a b c"];

    #[test]
    fn vectors_have_length_one_and_come_in_the_order_of_the_texts() {
        let embedder = load(spec()).unwrap();
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
        let embedder = load(spec()).unwrap();
        let together = embedder.embed(&TEXTS, Purpose::Passage).unwrap();
        for (text, vector) in TEXTS.iter().zip(&together) {
            let alone = embedder.embed(&[text], Purpose::Passage).unwrap();
            assert!(cosine(&alone[0], vector) > 0.999_999);
        }
    }

    #[test]
    fn the_mean_is_over_all_tokens_and_the_first_is_the_first() {
        let states = [3.0, 0.0, 1.0, 4.0];
        assert_eq!(pooled(&states, 2, PooledBy::Cls), [1.0, 0.0]);
        let mean = pooled(&states, 2, PooledBy::Mean);
        assert!((mean[0] - 0.5_f32.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_with_its_count() {
        let embedder = load(spec()).unwrap();
        assert_eq!(embedder.max_tokens(), 14);
        let (fits, long) = ("a ".repeat(14), "a ".repeat(15));
        embedder.embed(&[&fits], Purpose::Query).unwrap();
        let error = embedder.embed(&["a", &long], Purpose::Query).unwrap_err();
        assert_eq!(error.code, Code::LimitExceeded);
        assert_eq!(error.fact, "text 1 has 17 tokens; `tiny` takes 16");
    }

    #[test]
    fn prompts_are_part_of_the_text_and_of_its_size() {
        let plain = load(spec()).unwrap();
        let prompted = load(EmbedderSpec {
            query_prompt: "a b ".into(),
            passage_prompt: "g ".into(),
            ..spec()
        })
        .unwrap();
        assert_eq!(prompted.max_tokens(), 12);
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = files(folder.path()).tokenizer;
        let sizer = EmbedderSizer::load(&tokenizer, &prompted.spec).unwrap();
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
        let config = std::fs::read_to_string(&files.config).unwrap();
        std::fs::write(&files.config, config.replace("\"bert\"", "\"roberta\"")).unwrap();
        let error = BertEmbedder::load(&files, spec(), &Device::cpu()).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        assert!(error.fact.contains("architecture `roberta`"), "{error}");
    }

    #[test]
    fn files_that_do_not_fit_what_is_said_of_them_are_refused() {
        let too_wide = EmbedderSpec {
            dimensions: 384,
            ..spec()
        };
        assert_eq!(load(too_wide).unwrap_err().code, Code::ModelInvalid);
        let too_long = EmbedderSpec {
            max_tokens: 10_000,
            ..spec()
        };
        assert_eq!(load(too_long).unwrap_err().code, Code::ModelInvalid);
    }

    #[test]
    fn weights_that_are_cut_short_or_missing_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let whole = std::fs::read(&files.weights).unwrap();
        std::fs::write(&files.weights, &whole[..whole.len() - 100]).unwrap();
        let error = BertEmbedder::load(&files, spec(), &Device::cpu()).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        std::fs::remove_file(&files.weights).unwrap();
        let error = BertEmbedder::load(&files, spec(), &Device::cpu()).unwrap_err();
        assert_eq!(error.code, Code::ModelMissing);
    }

    #[test]
    fn batches_hold_every_sequence_once_and_no_more_tokens_than_allowed() {
        let sequences: Vec<Vec<u32>> = [300, 5, 300, 211, 1, 900]
            .iter()
            .map(|n| vec![0; *n])
            .collect();
        let batches = batches(&sequences);
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        for batch in &batches {
            let tokens: usize = batch.iter().map(|i| sequences[*i].len()).sum();
            assert!(tokens <= BATCH_TOKENS || batch.len() == 1);
        }
    }
}
