//! Wiring: from names in the configuration to loaded models and an engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rag_core::{Code, Embedder, Error, Extractor, Generator, Result};
use rag_engine::{Engine, KnowledgeBase, WorkerPool};
use rag_model::{
    BertEmbedder, Catalogue, Device, EmbedderFiles, EmbedderSpec, GgufGenerator, Kind, Role, Shelf,
    Support,
};
use rag_text::Reader;

use crate::config::Config;

/// The models of this machine.
pub(crate) fn shelf(config: &Config) -> Shelf {
    Shelf::open(&config.models)
}

/// An engine without models, reading files in worker processes.
pub(crate) fn engine(config: &Config) -> Result<Engine> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let program = std::env::current_exe()
        .map_err(|cause| Error::io("find", Path::new("this program"), cause))?;
    let pool = WorkerPool::new(program, vec!["__extract".into()], Reader::new().rules());
    Ok(Engine::new(kb, Arc::new(pool)))
}

/// The embedder that the knowledge base was made with, or for a new one that of `flag` or config.
pub(crate) fn embedder_for_writing(
    config: &Config,
    flag: Option<&str>,
) -> Result<Arc<dyn Embedder>> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    match (flag, kb.embedder()) {
        (None, Ok(name)) => embedder(config, &name),
        (_, Err(error)) if error.code != Code::NoKnowledgeBase => Err(error),
        (flag, _) => embedder(config, config.embedder(flag)),
    }
}

/// The embedder that the knowledge base was made with, unless `flag` names another.
pub(crate) fn embedder_for_reading(
    config: &Config,
    flag: Option<&str>,
) -> Result<Arc<dyn Embedder>> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let name = kb.embedder()?;
    embedder(config, flag.unwrap_or(&name))
}

fn embedder(config: &Config, name: &str) -> Result<Arc<dyn Embedder>> {
    let model = shelf(config).require(name)?;
    let entry = Catalogue::builtin()?.get(name).ok_or_else(|| {
        Error::new(
            Code::ModelInvalid,
            format!("how `{name}` pools and prompts is not known"),
        )
        .hint("choose an embedder of `rag models list`")
    })?;
    if let Support::NotYet { why } = &entry.support {
        return Err(Error::new(
            Code::ModelInvalid,
            format!("`{name}` can't be used yet: {why}"),
        )
        .hint("rag models list shows what can"));
    }
    let (Kind::Embedder, Some(pooling), Some(dimensions)) =
        (entry.kind, entry.pooling, entry.dimensions)
    else {
        return Err(
            Error::new(Code::Usage, format!("`{name}` is not an embedder"))
                .hint("rag models list shows the embedders"),
        );
    };
    let files = EmbedderFiles {
        weights: model.file(Role::Weights)?.to_owned(),
        tokenizer: model.file(Role::Tokenizer)?.to_owned(),
        config: model.file(Role::Config)?.to_owned(),
    };
    let spec = EmbedderSpec {
        name: name.to_owned(),
        fingerprint: model.fingerprint(),
        pooling,
        query_prompt: entry.query_prompt.clone(),
        passage_prompt: entry.passage_prompt.clone(),
        max_tokens: entry.context,
        dimensions,
        languages: entry.languages.clone(),
    };
    Ok(Arc::new(BertEmbedder::load(&files, spec, &Device::best())?))
}

/// The language model of `flag` or config: a GGUF file, or a model of this machine.
pub(crate) fn generator(config: &Config, flag: Option<&str>) -> Result<Arc<dyn Generator>> {
    let name = config.model(flag);
    let path = generator_file(config, flag)?;
    Ok(Arc::new(GgufGenerator::load(&path, name, &Device::best())?))
}

/// The GGUF file of the language model.
pub(crate) fn generator_file(config: &Config, flag: Option<&str>) -> Result<PathBuf> {
    let name = config.model(flag);
    let as_path = Path::new(name);
    if as_path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
    {
        if as_path.is_file() {
            return Ok(as_path.to_owned());
        }
        return Err(
            Error::new(Code::ModelMissing, format!("there is no file `{name}`"))
                .hint("give the path of a GGUF file, or a name of `rag models list`"),
        );
    }
    let model = shelf(config).require(name)?;
    if model.kind != Kind::Generator {
        return Err(
            Error::new(Code::Usage, format!("`{name}` is not a language model"))
                .hint("rag models list shows the generators"),
        );
    }
    Ok(model.file(Role::Weights)?.to_owned())
}
