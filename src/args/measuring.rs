//! The verbs that measure: `rag eval` and `rag bench`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::{Mode, Reading};
use crate::verbs::eval::Bound;

/// Who writes the answers that are scored: the language model, or nobody (sentences of the documents, as
/// `rag ask --extractive` gives them).
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Answers {
    Generated,
    Extractive,
}

impl From<Answers> for rag_core::AnswerMode {
    fn from(answers: Answers) -> Self {
        match answers {
            Answers::Generated => Self::Generated,
            Answers::Extractive => Self::Extractive,
        }
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A question is a JSON object on a line: id, question, answers, doc (path in the folder), and page, evidence, \
lang where known. A folder is ingested into a knowledge base of its own, which its next run finds filled. \
Without DIR, the knowledge base of --kb is scored as it is, its questions being those that --generate \
has written.\n\
Bounds are FIGURE=N, or MODE:FIGURE=N for one of several modes; figures: recall@1, recall@5, recall@10, \
recall@20, mrr, ndcg@10, zero, p50, p95 (the last two in ms). A bound that is missed is exit code 1.")]
pub(crate) struct Eval {
    /// A folder of documents with queries.jsonl at its top [default: the knowledge base]
    pub(crate) dir: Option<PathBuf>,

    /// Another question set
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,

    /// Searches to score, the first being what the others are held against
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Mode::Words, Mode::Vector, Mode::Hybrid])]
    pub(crate) mode: Vec<Mode>,

    /// Reranker for --mode rerank: a name of `rag models list`, or `likelihood`
    #[arg(long, value_name = "NAME", env = "RAG_RERANKER")]
    pub(crate) reranker: Option<String>,

    /// Hits asked for [default: 20, or 5 for answers]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: Option<u16>,

    /// Print a JSON line for each question before the summary
    #[arg(long)]
    pub(crate) details: bool,

    /// Least that a figure must reach (may be repeated): recall@5=0.9, hybrid:mrr=0.8
    #[arg(long, value_name = "FIGURE=N")]
    pub(crate) min: Vec<Bound>,

    /// Most that a figure may be (may be repeated): zero=0, hybrid:p95=50
    #[arg(long, value_name = "FIGURE=N")]
    pub(crate) max: Vec<Bound>,

    /// Embedding model for the folder's first run [env: `RAG_EMBEDDER`]
    #[arg(long, value_name = "NAME", requires = "dir")]
    pub(crate) embedder: Option<String>,

    /// Score the answers instead of the search: how many are right, cited rightly, and refused where the
    /// documents hold none
    #[arg(long, value_enum, value_name = "BY", conflicts_with_all = ["mode", "generate", "min", "max"])]
    pub(crate) answers: Option<Answers>,

    /// Longest answer with --answers generated, in the model's tokens
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: u32,

    /// Instead of scoring, draft N questions about the documents, to be approved one by one in a
    /// terminal, and add them to the question set
    #[arg(long, value_name = "N", conflicts_with_all = ["mode", "limit", "details", "min", "max"], value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) generate: Option<u16>,

    /// Keep every drafted question whose answer stands in its file, without asking
    #[arg(short = 'y', long, requires = "generate")]
    pub(crate) yes: bool,

    /// Which passages are drawn for questions [default: the number of questions in the set]
    #[arg(long, value_name = "N", requires = "generate")]
    pub(crate) seed: Option<u64>,

    /// Language model that drafts, or whose likelihood reranks: a name of `rag models list`, or a GGUF
    /// file
    #[arg(long, value_name = "NAME|FILE", env = "RAG_MODEL")]
    pub(crate) model: Option<String>,

    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Bench {
    /// Read, split and write DIR into a scratch knowledge base, with made-up vectors, instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "prompt", "depth", "generate", "threads", "skip_embedder"])]
    pub(crate) ingest: Option<PathBuf>,

    /// Language model: a name of `rag models list`, or a GGUF file
    #[arg(long, value_name = "NAME|FILE", env = "RAG_MODEL")]
    pub(crate) model: Option<String>,

    /// Tokens of a prompt that is read (several with commas)
    #[arg(long, default_value = "512", value_delimiter = ',', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) prompt: Vec<u32>,

    /// Tokens behind which an answer is written (several with commas) [default: as many as the prompt
    /// has]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub(crate) depth: Vec<u32>,

    /// Tokens to generate
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) generate: u32,

    /// Threads that compute [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Measure the language model only
    #[arg(long)]
    pub(crate) skip_embedder: bool,
}
