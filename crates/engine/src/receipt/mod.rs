//! Receipts: what was asked and answered, from which bytes, by which models, so that others can check it
//! later and ask again.
//!
//! A receipt is JSON: [`FORMAT`] first, a seal over all the rest. The seal is BLAKE3 of the same JSON
//! with its keys sorted, without white space and without the seal: it tells damage from change, and is
//! no signature.

mod check;

use std::collections::HashMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rag_core::calendar::Moment;
use rag_core::{
    Answer, AnswerMode, Citation, Code, Error, Everything, Filter, Refusal, Result, Sampling,
    Sentence, Source,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ask::Question;
use crate::engine::Engine;
use crate::everything::Asked;
use crate::name;
use crate::settings::Settings;
use crate::stamp;

pub use check::{Checked, Now, Rerun, Stands, Verified};

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;
/// Names of the fields that are looked at before all others.
const FORMAT_FIELD: &str = "rag_receipt";
const SEAL_FIELD: &str = "seal";

/// An answer with everything that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    #[serde(rename = "rag_receipt")]
    format: u32,
    /// 64 hex digits.
    seal: String,
    /// Version of the program.
    pub rag: String,
    /// When, in UTC (RFC 3339).
    pub written: String,
    /// Name of the knowledge base.
    pub kb: String,
    pub question: String,
    pub asked: AskedHow,
    pub mode: AnswerMode,
    pub answer: String,
    pub refusal: Option<Refusal>,
    pub confidence: f32,
    pub sentences: Vec<Sentence>,
    pub citations: Vec<Claim>,
    pub sources: Vec<Stamped>,
    /// Counts, of an answer in the mode `everything`.
    pub everything: Option<Everything>,
    /// None for an answer without a language model.
    pub model: Option<UsedModel>,
    /// None for an answer without a search by vectors.
    pub embedder: Option<UsedModel>,
}

/// A citation and the place of its source among [`Receipt::sources`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    #[serde(flatten)]
    pub citation: Citation,
    pub stamped: usize,
}

/// A source, and what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    pub source: Source,
    /// BLAKE3 of the file that was indexed, hex.
    pub indexed: String,
    /// BLAKE3 of the file when the receipt was written; none where it could not be read.
    pub hash: Option<String>,
}

/// A model and what tells its files from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedModel {
    pub name: String,
    /// `sha256:` or `blake3:` and the hash of its weights; of an embedder its fingerprint.
    pub identity: String,
}

impl UsedModel {
    /// A model that is one file, told by its bytes, all of which are read.
    ///
    /// # Errors
    /// `Io`.
    pub fn of_file(name: &str, path: &Path) -> Result<Self> {
        let hash = stamp::hash_of(path).map_err(|cause| Error::io("read", path, cause))?;
        Ok(Self {
            name: name.to_owned(),
            identity: format!("blake3:{hash}"),
        })
    }
}

/// How the question was put.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedHow {
    /// Most hits to retrieve.
    pub limit: usize,
    pub filter: Filter,
    pub temperature: f64,
    pub top_p: f64,
    pub min_p: f64,
    pub seed: u64,
    pub max_tokens: usize,
    pub stop: Vec<String>,
    pub passage_tokens: usize,
    pub candidates: usize,
    pub hit_tokens: usize,
    pub least_confidence: f32,
    /// How a question over everything was understood.
    pub everything: Option<Asked>,
}

impl Engine {
    /// The receipt of an answer that this engine gave to `question`. `everything` is how it was
    /// understood where it was put to everything; `model` what wrote the answer. The cited files are
    /// hashed as they are now.
    #[must_use]
    pub fn receipt(
        &self,
        question: &Question,
        everything: Option<&Asked>,
        answer: &Answer,
        model: Option<UsedModel>,
    ) -> Receipt {
        let mut sources: Vec<Stamped> = Vec::new();
        let mut places: HashMap<&Source, usize> = HashMap::new();
        let mut citations = Vec::new();
        for (citation, cited) in answer.citations.iter().zip(&answer.cited) {
            let stamped = *places.entry(&cited.source).or_insert_with(|| {
                sources.push(Stamped {
                    source: cited.source.clone(),
                    indexed: cited.hash.clone(),
                    hash: stamp::hash_of(&name::place(&cited.source)).ok(),
                });
                sources.len() - 1
            });
            citations.push(Claim {
                citation: citation.clone(),
                stamped,
            });
        }
        let embedder = self.models().embedder.map(|embedder| UsedModel {
            name: embedder.name().to_owned(),
            identity: embedder.fingerprint().to_owned(),
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Receipt {
            format: FORMAT,
            seal: String::new(),
            rag: env!("CARGO_PKG_VERSION").to_owned(),
            written: Moment::at(now.map_or(0, |since| since.as_secs())).rfc3339(),
            kb: self.kb.name().to_owned(),
            question: question.text.clone(),
            asked: asked_how(question, everything, &self.settings),
            mode: answer.mode,
            answer: answer.text.clone(),
            refusal: answer.refused.clone(),
            confidence: answer.confidence,
            sentences: answer.sentences.clone(),
            citations,
            sources,
            everything: answer.everything.clone(),
            model,
            embedder,
        }
    }
}

fn asked_how(question: &Question, everything: Option<&Asked>, settings: &Settings) -> AskedHow {
    AskedHow {
        limit: question.limit,
        filter: question.filter.clone(),
        temperature: question.sampling.temperature,
        top_p: question.sampling.top_p,
        min_p: question.sampling.min_p,
        seed: question.sampling.seed,
        max_tokens: question.sampling.max_tokens,
        stop: question.sampling.stop.clone(),
        passage_tokens: settings.passage_tokens,
        candidates: settings.candidates,
        hit_tokens: settings.hit_tokens,
        least_confidence: settings.least_confidence,
        everything: everything.cloned(),
    }
}

impl Receipt {
    /// The receipt as it is kept in a file.
    ///
    /// # Errors
    /// `Internal`.
    pub fn to_text(&self) -> Result<String> {
        let failed =
            |cause| Error::new(Code::Internal, "the receipt can't be written down").because(cause);
        let mut text = serde_json::to_string_pretty(self).map_err(failed)?;
        let value: Value = serde_json::from_str(&text).map_err(failed)?;
        // An answer can't stand before it: the seal is the second field.
        let unsealed = format!("\"{SEAL_FIELD}\": \"\"");
        let sealed = format!("\"{SEAL_FIELD}\": \"{}\"", seal_of(&value));
        text = text.replacen(&unsealed, &sealed, 1);
        text.push('\n');
        Ok(text)
    }

    /// The receipt that `text`, the content of the file called `file`, holds.
    ///
    /// # Errors
    /// `Malformed` for what is none or is damaged, `Incompatible` for one of a newer format.
    pub fn from_text(file: &str, text: &str) -> Result<Self> {
        let none = || {
            let fact = format!("`{file}` is not a receipt");
            Error::new(Code::Malformed, fact).hint("rag ask --receipt FILE writes one")
        };
        let value: Value = serde_json::from_str(text).map_err(|cause| none().because(cause))?;
        let format = value.get(FORMAT_FIELD).and_then(Value::as_u64);
        let format = format.ok_or_else(none)?;
        if format > u64::from(FORMAT) {
            let fact =
                format!("`{file}` is a receipt of format {format}; this version reads {FORMAT}");
            return Err(Error::new(Code::Incompatible, fact)
                .hint("verify it with the version of rag that wrote it, or a newer one"));
        }
        let damaged = || {
            let fact =
                format!("`{file}` is not as it was written: a part of it was changed or lost");
            Error::new(Code::Malformed, fact)
                .hint("get the file again from where it was kept; what it says can't be relied on")
        };
        if value.get(SEAL_FIELD).and_then(Value::as_str) != Some(&seal_of(&value)) {
            return Err(damaged());
        }
        let receipt: Self =
            serde_json::from_value(value).map_err(|cause| damaged().because(cause))?;
        let is_stamped = |claim: &Claim| claim.stamped < receipt.sources.len();
        if receipt.citations.iter().all(is_stamped) {
            Ok(receipt)
        } else {
            Err(damaged())
        }
    }

    /// The question, to be put again in the same way.
    #[must_use]
    pub fn question(&self) -> Question {
        let asked = &self.asked;
        Question {
            text: self.question.clone(),
            mode: self.mode,
            limit: asked.limit,
            filter: asked.filter.clone(),
            sampling: Sampling {
                temperature: asked.temperature,
                top_p: asked.top_p,
                min_p: asked.min_p,
                seed: asked.seed,
                max_tokens: asked.max_tokens,
                stop: asked.stop.clone(),
            },
        }
    }

    /// What an engine must be set to for the question to be put in the same way.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            passage_tokens: self.asked.passage_tokens,
            candidates: self.asked.candidates,
            hit_tokens: self.asked.hit_tokens,
            least_confidence: self.asked.least_confidence,
            ..Settings::default()
        }
    }
}

/// The seal of a receipt that says `value`.
fn seal_of(value: &Value) -> String {
    let mut bare = value.clone();
    if let Some(fields) = bare.as_object_mut() {
        fields.remove(SEAL_FIELD);
    }
    // Keys of a `Value` are sorted.
    blake3::hash(bare.to_string().as_bytes())
        .to_hex()
        .to_string()
}

#[cfg(test)]
mod tests;
