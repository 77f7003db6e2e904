//! The configuration, resolved: flag, then environment, then config.toml, then default.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use rag_core::{Code, Error};
use rag_engine::{KnowledgeBase, ReadOptions};
use serde::Deserialize;

use crate::args::Args;

/// Where things lie and which models are used.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) home: PathBuf,
    /// Folder of the models; `RAG_MODELS` lets several homes share one.
    pub(crate) models: PathBuf,
    pub(crate) kb: String,
    /// What reading files needs besides their paths.
    pub(crate) reading: ReadOptions,
    /// From the environment or the file.
    embedder: Option<String>,
    model: Option<String>,
    file: File,
}

/// config.toml in the data home.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kb: Option<String>,
    embedder: Option<String>,
    model: Option<String>,
    reranker: Option<String>,
    #[serde(default)]
    passwords: Vec<String>,
    #[serde(default)]
    ocr_languages: Vec<String>,
}

/// Name of the file in the data home.
pub(crate) const CONFIG: &str = "config.toml";

const EMBEDDER: &str = "all-minilm-l6-v2";
const MODEL: &str = "smollm2-135m-instruct";
const RERANKER: &str = "ms-marco-minilm-l6-v2";

impl Config {
    /// # Errors
    /// `Usage` where config.toml can't be parsed, or there is no home folder.
    pub(crate) fn resolve(args: &Args) -> rag_core::Result<Self> {
        let home = match &args.home {
            Some(home) => std::path::absolute(home).unwrap_or_else(|_| home.clone()),
            None => data_dir()?,
        };
        let file = read_file(&home.join(CONFIG))?;
        let flags = args.verb.reading();
        let mut passwords = flags.map_or_else(Vec::new, |flags| flags.passwords.clone());
        passwords.extend(file.passwords.iter().cloned());
        let models = variable("RAG_MODELS").map_or_else(|| home.join("models"), PathBuf::from);
        // For new knowledge bases only: those that exist keep the embedder they were made with.
        let embedder = variable("RAG_EMBEDDER").and_then(|value| value.into_string().ok());
        let model = variable("RAG_MODEL").and_then(|value| value.into_string().ok());
        Ok(Self {
            models,
            kb: args
                .kb
                .clone()
                .or_else(|| file.kb.clone())
                .unwrap_or_else(|| KnowledgeBase::DEFAULT.to_owned()),
            home,
            reading: ReadOptions {
                passwords,
                ocr_languages: file.ocr_languages.clone(),
            },
            embedder: embedder.or_else(|| file.embedder.clone()),
            model: model.or_else(|| file.model.clone()),
            file,
        })
    }

    /// The same with another knowledge base.
    pub(crate) fn with_kb(&self, kb: String) -> Self {
        Self { kb, ..self.clone() }
    }

    /// The embedder for a new knowledge base; `flag` wins.
    pub(crate) fn embedder<'a>(&'a self, flag: Option<&'a str>) -> &'a str {
        flag.or(self.embedder.as_deref()).unwrap_or(EMBEDDER)
    }

    /// The reranker; `flag` wins.
    pub(crate) fn reranker<'a>(&'a self, flag: Option<&'a str>) -> &'a str {
        flag.or(self.file.reranker.as_deref()).unwrap_or(RERANKER)
    }

    /// The language model; `flag` wins.
    pub(crate) fn model<'a>(&'a self, flag: Option<&'a str>) -> &'a str {
        flag.or(self.model.as_deref()).unwrap_or(MODEL)
    }
}

/// An environment variable; an empty one counts as none.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn data_dir() -> rag_core::Result<PathBuf> {
    etcetera::base_strategy::choose_native_strategy()
        .map(|strategy| strategy.data_dir().join("rag"))
        .map_err(|cause| {
            Error::new(Code::Usage, "this machine names no home folder")
                .because(cause)
                .hint("set RAG_HOME, or give --home DIR")
        })
}

fn read_file(path: &Path) -> rag_core::Result<File> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    toml::from_str(&text).map_err(|cause| {
        Error::new(
            Code::Usage,
            format!("`{}` is not a valid config", path.display()),
        )
        .because(cause)
        .hint("the keys are: kb, embedder, model, reranker, passwords, ocr_languages")
    })
}
