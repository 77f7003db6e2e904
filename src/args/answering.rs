//! The command line of what answers: how a question is answered, `rag chat` and `rag open`.

use clap::{Args as ClapArgs, ValueEnum};

use crate::args::{Reading, Within};

/// How questions are answered.
#[derive(Debug, ClapArgs)]
pub(crate) struct Answering {
    /// Most passages to answer from
    #[arg(short = 'n', long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,

    /// Quote the sentences that answer best, as they stand, without a language model
    #[arg(short = 'x', long, conflicts_with_all = ["model", "max_tokens", "temperature", "top_p", "min_p", "stop", "seed"])]
    pub(crate) extractive: bool,

    /// Language model: a name of `rag models list`, or a GGUF file
    #[arg(long, value_name = "NAME|FILE", env = "RAG_MODEL")]
    pub(crate) model: Option<String>,

    /// Longest answer, in the model's tokens
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: u32,

    /// 0 always takes the likeliest word; higher values vary more
    #[arg(long, default_value_t = 0.0, value_name = "T")]
    pub(crate) temperature: f64,

    /// Above temperature 0, only the likeliest words that together reach this probability
    #[arg(long, default_value_t = 0.95, value_name = "P", value_parser = probability)]
    pub(crate) top_p: f64,

    /// Above temperature 0, only words at least so likely as this share of the likeliest
    #[arg(long, default_value_t = 0.0, value_name = "P", value_parser = probability)]
    pub(crate) min_p: f64,

    /// End the answer before this text (may be repeated)
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) stop: Vec<String>,

    /// Seed for temperatures above 0
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) within: Within,
}

/// What is remembered from one question to the next.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Conversation")]
pub(crate) struct Remembering {
    /// Go on with the last conversation of the knowledge base: a question may lean on those before
    #[arg(short = 'c', long = "continue")]
    pub(crate) continues: bool,

    /// Say what a question was searched for as, where it leant on those before
    #[arg(long)]
    pub(crate) rewritten: bool,

    /// Keep nothing of this on disk; `--continue` and `rag open` will not know of it
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// What an answer is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// As it is written, then its sources
    Text,
    /// With the sources as footnotes
    Markdown,
    /// One object, as with --json
    Json,
    /// A page of its own, with links to the files
    Html,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A question may lean on those before: \"When was she built?\", \"And the Petrel?\", 那儿童呢？. What it was \
searched for as is shown by /why, or always with --rewritten. Commands: /sources, /open N, /why, /new, \
/erase, /help, /quit. Ctrl-C stops an answer and Ctrl-D ends the chat. Where stdin is no terminal, each \
line is a question, and the exit code is 1 where one of them was refused. The last conversation of each \
knowledge base and the lines typed are kept in its folder, readable by you alone.")]
pub(crate) struct Chat {
    /// Remove what is kept of the last conversation and the lines typed, and end
    #[arg(long, conflicts_with_all = ["continues", "no_history"])]
    pub(crate) erase: bool,

    #[command(flatten)]
    pub(crate) answering: Answering,

    #[command(flatten)]
    pub(crate) remembering: Remembering,

    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Text files are opened in $VISUAL or $EDITOR at the quoted line, by editors that can be told (vi, nvim, emacs, \
nano, micro, kak, hx, code, zed, subl, kate, idea and their like); everything else in the platform's viewer, \
PDF at its page where the viewer can be told. In --with, {file}, {line} and {page} are filled in.")]
pub(crate) struct Open {
    /// Number of a source in the last answer of the knowledge base
    #[arg(value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) n: u32,

    /// Print the command, and do nothing
    #[arg(long)]
    pub(crate) print: bool,

    /// Open with this command: 'zathura -P {page} {file}'
    #[arg(long, value_name = "COMMAND", env = "RAG_OPEN")]
    pub(crate) with: Option<String>,
}

/// A number from 0 to 1.
fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}
