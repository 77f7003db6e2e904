//! Models that are on this machine already: what a path of the user's holds, read from its first bytes
//! and its configuration, never from its name alone.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rag_core::{Code, Error, Result};
use serde_json::Value;

use crate::catalogue::{Kind, PooledBy, Role};
use crate::gguf::Gguf;

/// The first bytes of a GGUF file (ggml's docs/gguf.md).
const GGUF: &[u8; 4] = b"GGUF";

/// What Qwen3-Embedding wants before a question.
const QWEN3_PROMPT: &str =
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:";

/// What a path holds. Files are absolute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) dir: PathBuf,
    /// The file or folder itself, as a name.
    pub(crate) stem: String,
    pub(crate) files: Vec<(Role, PathBuf)>,
    pub(crate) recipe: Recipe,
}

/// How a model wants to be used, as far as its folder says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) context: Option<usize>,
    pub(crate) dimensions: Option<usize>,
    /// Vectors may be cut to this length or more.
    pub(crate) shortest: Option<usize>,
    pub(crate) pooling: Option<PooledBy>,
    pub(crate) query_prompt: String,
    pub(crate) passage_prompt: String,
}

/// Looks at a `.gguf` file, or at a folder with `model.safetensors` (or `pytorch_model.bin`),
/// `tokenizer.json` and `config.json`.
///
/// # Errors
/// `Io` where nothing is there; `ModelInvalid` where it is no model.
pub(crate) fn look(path: &Path) -> Result<Found> {
    let path = path
        .canonicalize()
        .map_err(|cause| Error::io("find", path, cause))?;
    if path.is_dir() {
        folder(&path)
    } else {
        gguf(&path)
    }
}

fn gguf(path: &Path) -> Result<Found> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if magic == *GGUF => {}
        Err(cause) if cause.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(Error::io("read", path, cause));
        }
        _ => {
            let fact = format!("`{}` is not a GGUF file", path.display());
            return Err(Error::new(Code::ModelInvalid, fact).hint(
                "give a .gguf file, or a folder with model.safetensors, tokenizer.json and \
                 config.json",
            ));
        }
    }
    let (kind, recipe) = use_of_gguf(path);
    Ok(Found {
        kind,
        dir: path.parent().unwrap_or(path).to_owned(),
        stem: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        files: vec![(Role::Weights, path.to_owned())],
        recipe,
    })
}

/// What a GGUF file is for: it writes, unless it says how it pools (`enum llama_pooling_type` in
/// llama.h: 3 is the last token, 4 a ranking). A file that can't be read is refused when it is run.
fn use_of_gguf(path: &Path) -> (Kind, Recipe) {
    let writes = (Kind::Generator, Recipe::default());
    let Ok(gguf) = Gguf::open(path) else {
        return writes;
    };
    let number = |key: &str| {
        let architecture = gguf.text("general.architecture").unwrap_or_default();
        gguf.number(&format!("{architecture}.{key}"))
    };
    let context = number("context_length");
    match number("pooling_type") {
        Some(3) => {
            let mut recipe = Recipe {
                context,
                dimensions: number("embedding_length"),
                pooling: Some(PooledBy::LastToken),
                ..Recipe::default()
            };
            let name = gguf.text("general.name").unwrap_or_default();
            if name
                .to_lowercase()
                .replace('-', " ")
                .starts_with("qwen3 embedding")
            {
                // All sizes are used alike (their model cards).
                QWEN3_PROMPT.clone_into(&mut recipe.query_prompt);
                recipe.shortest = Some(32);
            }
            (Kind::Embedder, recipe)
        }
        Some(4) => {
            let recipe = Recipe {
                context,
                ..Recipe::default()
            };
            (Kind::Reranker, recipe)
        }
        _ => writes,
    }
}

fn folder(dir: &Path) -> Result<Found> {
    let weights = ["model.safetensors", "pytorch_model.bin"];
    let weights = weights
        .into_iter()
        .find(|name| dir.join(name).is_file())
        .unwrap_or(weights[0]);
    let wanted = [
        (Role::Weights, weights),
        (Role::Tokenizer, "tokenizer.json"),
        (Role::Config, "config.json"),
    ];
    let missing: Vec<&str> = wanted
        .iter()
        .map(|(_, name)| *name)
        .filter(|name| !dir.join(name).is_file())
        .collect();
    if !missing.is_empty() {
        return match &gguf_files(dir)?[..] {
            [only] => gguf(only),
            [] => Err(no_model(dir, &format!("it lacks {}", missing.join(", ")))),
            [first, ..] => Err(no_model(dir, "it holds several GGUF files").hint(format!(
                "add one of them, for example `{}`",
                first.display()
            ))),
        };
    }
    let config = json(&dir.join("config.json"))?;
    let architectures = config["architectures"].to_string();
    let kind = if architectures.contains("ForSequenceClassification") {
        Kind::Reranker
    } else {
        Kind::Embedder
    };
    Ok(Found {
        kind,
        stem: dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        files: wanted
            .iter()
            .map(|(role, name)| (*role, dir.join(name)))
            .collect(),
        recipe: recipe(dir, &config)?,
        dir: dir.to_owned(),
    })
}

/// Reads what the sentence-transformers library writes beside a model: `1_Pooling/config.json`,
/// `sentence_bert_config.json`, `config_sentence_transformers.json`. All may be absent.
fn recipe(dir: &Path, config: &Value) -> Result<Recipe> {
    let pooling = json_if_there(&dir.join("1_Pooling/config.json"))?;
    let bert = json_if_there(&dir.join("sentence_bert_config.json"))?;
    let prompts = json_if_there(&dir.join("config_sentence_transformers.json"))?;
    let on = |key: &str| pooling[key].as_bool() == Some(true);
    let modes = [
        ("pooling_mode_mean_tokens", PooledBy::Mean),
        ("pooling_mode_cls_token", PooledBy::Cls),
        ("pooling_mode_lasttoken", PooledBy::LastToken),
    ];
    let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let prompt = |keys: [&str; 2]| {
        let found = keys
            .iter()
            .find_map(|key| prompts["prompts"][*key].as_str());
        found.unwrap_or_default().to_owned()
    };
    Ok(Recipe {
        context: number(&bert["max_seq_length"])
            .or_else(|| number(&config["max_position_embeddings"])?.checked_sub(skipped(config))),
        dimensions: number(&config["hidden_size"]),
        // Folders don't say it; a model of the catalogue is known by its weights.
        shortest: None,
        pooling: modes
            .into_iter()
            .find(|(key, _)| on(key))
            .map(|(_, pooling)| pooling),
        query_prompt: prompt(["query", "Query"]),
        passage_prompt: prompt(["passage", "document"]),
    })
}

/// How many positions of its table a model never uses: `RoBERTa` and its descendants begin behind that
/// of padding.
fn skipped(config: &Value) -> usize {
    match config["model_type"].as_str() {
        Some("roberta" | "xlm-roberta") => 2,
        _ => 0,
    }
}

fn gguf_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(|cause| Error::io("read", dir, cause))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
        })
        .collect();
    files.sort();
    Ok(files)
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(|cause| Error::io("read", path, cause))?;
    serde_json::from_slice(&text).map_err(|cause| {
        let fact = format!("`{}` is not JSON", path.display());
        Error::new(Code::ModelInvalid, fact).because(cause)
    })
}

fn json_if_there(path: &Path) -> Result<Value> {
    if path.is_file() {
        json(path)
    } else {
        Ok(Value::Null)
    }
}

fn no_model(dir: &Path, why: &str) -> Error {
    let fact = format!("`{}` is not a model folder: {why}", dir.display());
    Error::new(Code::ModelInvalid, fact).hint(
        "give a .gguf file, or a folder with model.safetensors, tokenizer.json and config.json",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TinyModel;

    fn write(dir: &Path, name: &str, content: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn embedder(dir: &Path, architecture: &str) {
        write(dir, "model.safetensors", "weights");
        write(dir, "tokenizer.json", "{}");
        let config = format!(
            r#"{{"architectures": ["{architecture}"], "hidden_size": 512, "max_position_embeddings": 512}}"#
        );
        write(dir, "config.json", &config);
    }

    #[test]
    fn a_gguf_file_is_known_by_its_first_bytes_not_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "Some.Model.bin", "GGUF and more");
        write(dir.path(), "liar.gguf", "<html>");
        write(dir.path(), "cut.gguf", "GG");
        let found = look(&dir.path().join("Some.Model.bin")).unwrap();
        assert_eq!(
            (found.kind, found.stem.as_str()),
            (Kind::Generator, "Some.Model")
        );
        for name in ["liar.gguf", "cut.gguf"] {
            let error = look(&dir.path().join(name)).unwrap_err();
            assert_eq!(error.code, Code::ModelInvalid);
            assert!(error.fact.contains(name), "{}", error.fact);
        }
    }

    #[test]
    fn a_gguf_file_that_pools_is_no_generator() {
        use candle_core::quantized::gguf_file::Value;
        let pooling = |kind| TinyModel::new("qwen3").with("qwen3.pooling_type", Value::U32(kind));
        let (_folder, path) = pooling(3).file();
        let found = look(&path).unwrap();
        assert_eq!(found.kind, Kind::Embedder);
        assert_eq!(found.recipe.pooling, Some(PooledBy::LastToken));
        assert_eq!(
            (found.recipe.dimensions, found.recipe.context),
            (Some(32), Some(512))
        );
        assert!(found.recipe.query_prompt.is_empty());
        let named = Value::String("Qwen3 Embedding 4B".into());
        let (_folder, path) = pooling(3).with("general.name", named).file();
        let recipe = look(&path).unwrap().recipe;
        assert_eq!(
            (recipe.query_prompt.as_str(), recipe.shortest),
            (QWEN3_PROMPT, Some(32))
        );
        let (_folder, path) = pooling(4).file();
        assert_eq!(look(&path).unwrap().kind, Kind::Reranker);
        let (_folder, path) = TinyModel::new("qwen3").file();
        assert_eq!(look(&path).unwrap().kind, Kind::Generator);
    }

    #[test]
    fn a_folder_says_how_it_wants_to_be_pooled_and_prompted() {
        let dir = tempfile::tempdir().unwrap();
        embedder(dir.path(), "BertModel");
        assert_eq!(look(dir.path()).unwrap().recipe.pooling, None);
        write(
            dir.path(),
            "1_Pooling/config.json",
            r#"{"pooling_mode_cls_token": true}"#,
        );
        write(
            dir.path(),
            "sentence_bert_config.json",
            r#"{"max_seq_length": 256}"#,
        );
        let prompts = r#"{"prompts": {"query": "query: ", "document": "passage: "}}"#;
        write(dir.path(), "config_sentence_transformers.json", prompts);
        let found = look(dir.path()).unwrap();
        assert_eq!(found.kind, Kind::Embedder);
        let expected = Recipe {
            context: Some(256),
            dimensions: Some(512),
            shortest: None,
            pooling: Some(PooledBy::Cls),
            query_prompt: "query: ".to_owned(),
            passage_prompt: "passage: ".to_owned(),
        };
        assert_eq!(found.recipe, expected);
    }

    #[test]
    fn a_roberta_takes_fewer_tokens_than_its_table_has_rows() {
        let dir = tempfile::tempdir().unwrap();
        embedder(dir.path(), "XLMRobertaModel");
        let config = r#"{"model_type": "xlm-roberta", "max_position_embeddings": 514}"#;
        write(dir.path(), "config.json", config);
        let found = look(dir.path()).unwrap();
        assert_eq!(found.recipe.context, Some(512));
        fs::rename(
            dir.path().join("model.safetensors"),
            dir.path().join("pytorch_model.bin"),
        )
        .unwrap();
        let files = look(dir.path()).unwrap().files;
        assert!(files[0].1.ends_with("pytorch_model.bin"));
    }

    #[test]
    fn a_classifier_is_a_reranker() {
        let dir = tempfile::tempdir().unwrap();
        embedder(dir.path(), "XLMRobertaForSequenceClassification");
        assert_eq!(look(dir.path()).unwrap().kind, Kind::Reranker);
    }

    #[test]
    fn a_folder_that_is_no_model_is_told_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "config.json", "{}");
        let error = look(dir.path()).unwrap_err();
        assert!(
            error
                .fact
                .contains("lacks model.safetensors, tokenizer.json"),
            "{}",
            error.fact
        );
        write(dir.path(), "a.gguf", "GGUF");
        assert_eq!(look(dir.path()).unwrap().kind, Kind::Generator);
        write(dir.path(), "b.gguf", "GGUF");
        assert!(
            look(dir.path())
                .unwrap_err()
                .fact
                .contains("several GGUF files")
        );
    }

    #[test]
    fn a_configuration_that_is_no_json_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        embedder(dir.path(), "BertModel");
        write(dir.path(), "config.json", "{");
        let error = look(dir.path()).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        assert!(error.fact.contains("config.json"), "{}", error.fact);
    }

    #[test]
    fn a_path_that_does_not_exist_is_named() {
        let error = look(Path::new("/no/such/model.gguf")).unwrap_err();
        assert_eq!(error.code, Code::Io);
        assert!(error.fact.contains("/no/such/model.gguf"));
    }
}
