//! Wiring: from names in the configuration to loaded models and an engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rag_core::{Code, Embedder, Error, Extractor, Generator, Reranker, Result};
use rag_engine::{Engine, KnowledgeBase, Likelihood, Limits, Settings, WorkerPool};
use rag_model::{
    Catalogue, Device, EmbedderSizer, EmbedderSpec, GgufGenerator, Kind, LoadingEmbedder,
    LocalEmbedder, LocalReranker, ModelFiles, RerankerSpec, RestingEmbedder, Role, Shelf, Support,
};
use rag_text::Reader;

use crate::config::Config;

/// The models of this machine.
pub(crate) fn shelf(config: &Config) -> Shelf {
    Shelf::open(&config.models)
}

/// An engine without models, reading files in worker processes.
pub(crate) fn engine(config: &Config) -> Result<Engine> {
    engine_over(config, readers(config)?)
}

/// The same over workers that are also asked otherwise.
pub(crate) fn engine_over(config: &Config, readers: Arc<WorkerPool>) -> Result<Engine> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    Ok(Engine::new(kb, readers))
}

/// The worker processes that read files.
pub(crate) fn readers(config: &Config) -> Result<Arc<WorkerPool>> {
    let program = std::env::current_exe()
        .map_err(|cause| Error::io("find", Path::new("this program"), cause))?;
    let mut limits = Limits::default();
    // Scans will be read, which takes its time.
    if rag_text::tesseract().is_some() {
        limits = limits.with_ocr();
    }
    let pool = WorkerPool::new(program, vec!["__extract".into()], Reader::new().rules())
        .with_options(config.reading.clone())
        .with_limits(limits);
    Ok(Arc::new(pool))
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

/// The same, to be loaded when it is needed, with its name. It is loaded once now, so that what is wrong
/// with its files is told at once.
pub(crate) fn resting_embedder(
    config: &Config,
    flag: Option<&str>,
) -> Result<(String, Arc<RestingEmbedder>)> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let name = match (flag, kb.embedder()) {
        (None, Ok(name)) => name,
        (_, Err(error)) if error.code != Code::NoKnowledgeBase => return Err(error),
        (flag, _) => config.embedder(flag).to_owned(),
    };
    let (files, spec) = embedder_files(config, &name)?;
    let embedder = RestingEmbedder::new(files, spec, Device::best());
    embedder.wake()?;
    Ok((name, Arc::new(embedder)))
}

/// Whether the knowledge base has another embedder than the one of this name.
pub(crate) fn has_changed(config: &Config, name: &str) -> Result<bool> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    Ok(kb.embedder()? != name)
}

/// An engine for one question, with the embedder that the knowledge base was made with.
pub(crate) fn searching_engine(config: &Config) -> Result<Engine> {
    let (engine, name) = engine(config)?.holding()?;
    let (files, spec) = embedder_files(config, &name)?;
    let embedder = LoadingEmbedder::begin(files, spec, Device::best())?;
    Ok(engine.with_embedder(Arc::new(embedder)))
}

/// What sizes the chunks of the knowledge base, or of a new one: its embedder's name and tokenizer.
pub(crate) fn sizer(config: &Config) -> Result<(String, EmbedderSizer)> {
    let kb = KnowledgeBase::new(&config.home, &config.kb)?;
    let name = match kb.embedder() {
        Ok(name) => name,
        Err(error) if error.code == Code::NoKnowledgeBase => config.embedder(None).to_owned(),
        Err(error) => return Err(error),
    };
    let (files, spec) = embedder_files(config, &name)?;
    let sizer = EmbedderSizer::load(&files, &spec)?;
    Ok((name, sizer))
}

/// The embedder of this name, whatever the knowledge base was made with.
pub(crate) fn embedder(config: &Config, name: &str) -> Result<Arc<dyn Embedder>> {
    let (files, spec) = embedder_files(config, name)?;
    Ok(Arc::new(LocalEmbedder::load(
        &files,
        spec,
        &Device::best(),
    )?))
}

/// The reranker that is no model of its own: the language model's likelihood of the question.
const LIKELIHOOD: &str = "likelihood";

/// The reranker of `flag` or config; `model` is the flag for the language model.
pub(crate) fn reranker(
    config: &Config,
    flag: Option<&str>,
    model: Option<&str>,
) -> Result<Arc<dyn Reranker>> {
    let name = config.reranker(flag);
    if name == LIKELIHOOD {
        return Ok(Arc::new(Likelihood::new(generator(config, model)?)));
    }
    let model = shelf(config).require(name)?;
    if model.kind != Kind::Reranker {
        return Err(
            Error::new(Code::Usage, format!("`{name}` is not a reranker"))
                .hint("rag models list shows the rerankers; `likelihood` needs none"),
        );
    }
    let files = ModelFiles::of(&model)?;
    let spec = RerankerSpec::of(&model);
    Ok(Arc::new(LocalReranker::load(
        &files,
        spec,
        &Device::best(),
    )?))
}

/// The files of the embedder `NAME`, or `NAME@256` for vectors cut to 256 numbers.
fn embedder_files(config: &Config, name: &str) -> Result<(ModelFiles, EmbedderSpec)> {
    let Some((name, length)) = EmbedderSpec::parse_name(name) else {
        let fact = format!("`{name}` does not give the length of its vectors as a number");
        return Err(Error::new(Code::Usage, fact).hint("write it as NAME@256"));
    };
    let model = shelf(config).require(name)?;
    let entry = Catalogue::builtin()?.get(name);
    if let Some(Support::NotYet { why }) = entry.map(|entry| &entry.support) {
        return Err(Error::new(
            Code::ModelInvalid,
            format!("`{name}` can't be used yet: {why}"),
        )
        .hint("rag models list shows what can"));
    }
    if model.kind != Kind::Embedder {
        return Err(
            Error::new(Code::Usage, format!("`{name}` is not an embedder"))
                .hint("rag models list shows the embedders"),
        );
    }
    Ok((ModelFiles::of(&model)?, EmbedderSpec::of(&model, length)?))
}

/// Weights from which on a language model makes use of more than the question and two passages.
const ABLE: u64 = 1_000_000_000;

fn parameters_of(config: &Config, flag: Option<&str>) -> Result<u64> {
    Ok(rag_model::inspect(&generator_file(config, flag)?)?.parameters)
}

/// Tokens of passages that a language model of this many weights is shown. Tiny ones mix up the facts
/// of different passages: of the 19 English fixture questions SmolLM2-135M answers 9 rightly from two
/// passages and 6 from four.
fn passage_tokens(parameters: u64) -> usize {
    if parameters < ABLE { 300 } else { 2000 }
}

/// An engine that can answer.
pub(crate) fn answering_engine(config: &Config, flag: Option<&str>) -> Result<Engine> {
    // The store first: a question to a knowledge base that is not there should not load a model.
    let engine = searching_engine(config)?;
    let parameters = parameters_of(config, flag)?;
    let is_able = parameters >= ABLE;
    let settings = Settings {
        passage_tokens: passage_tokens(parameters),
        turns_shown: if is_able { 3 } else { 0 },
        rewrites: is_able,
        ..Settings::default()
    };
    Ok(engine
        .with_settings(settings)
        .with_generator(generator(config, flag)?))
}

/// Tokens of passages that the language model of `flag` or config is shown.
pub(crate) fn passage_tokens_for(config: &Config, flag: Option<&str>) -> Result<usize> {
    Ok(passage_tokens(parameters_of(config, flag)?))
}

/// Whether the catalogue says that the language model was trained on Chinese; true for one it does
/// not know.
pub(crate) fn speaks_chinese(config: &Config, flag: Option<&str>) -> bool {
    let catalogue = Catalogue::builtin().ok();
    let entry = catalogue.and_then(|all| all.get(config.model(flag)));
    entry.is_none_or(|entry| entry.languages.iter().any(|tag| tag.starts_with("zh")))
}

/// The language model of `flag` or config: a GGUF file, or a model of this machine.
pub(crate) fn generator(config: &Config, flag: Option<&str>) -> Result<Arc<dyn Generator>> {
    let name = config.model(flag);
    let path = generator_file(config, flag)?;
    Ok(Arc::new(GgufGenerator::load(&path, name, &Device::best())?))
}

/// What the language model of `flag` or config is called.
pub(crate) fn generator_name(config: &Config, flag: Option<&str>) -> String {
    config.model(flag).to_owned()
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
