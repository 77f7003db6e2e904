//! The command line of `rag watch`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::args::{Reading, Selecting};

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
First it catches up with what has changed since the last time, then it follows: what is saved is found a \
second or two later. A folder that vanishes (a disk that is unmounted) is waited for, and nothing of it is \
forgotten. Questions can be asked all the while. Ctrl-C ends it; what is done is kept. A folder that is \
called `install` is given as `./install`."
)]
pub(crate) struct Watch {
    /// Files and folders; .gitignore, .ignore and .ragignore are followed, hidden files left out
    #[arg(required_unless_present = "status", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Show what is followed, what waits and what failed
    #[arg(long, conflicts_with = "paths")]
    pub(crate) status: bool,

    #[command(flatten)]
    pub(crate) following: Following,

    #[command(flatten)]
    pub(crate) reading: Reading,

    #[command(subcommand)]
    pub(crate) verb: Option<WatchVerb>,
}

/// How paths are followed.
#[derive(Debug, ClapArgs)]
pub(crate) struct Following {
    #[command(flatten)]
    pub(crate) selecting: Selecting,

    /// What to do while the machine runs on its battery
    #[arg(long, value_enum, default_value_t = OnBattery::Slow, value_name = "WHAT")]
    pub(crate) on_battery: OnBattery,

    /// Files read at once [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    /// Embedding model for a new knowledge base [env: `RAG_EMBEDDER`]
    #[arg(long, value_name = "NAME")]
    pub(crate) embedder: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBattery {
    /// Nothing, until it is plugged in
    Pause,
    /// Gather changes for half a minute, and read one file at a time
    Slow,
    /// The same as ever
    Run,
}

impl From<OnBattery> for rag_engine::OnBattery {
    fn from(wish: OnBattery) -> Self {
        match wish {
            OnBattery::Pause => Self::Pause,
            OnBattery::Slow => Self::Slow,
            OnBattery::Run => Self::Run,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum WatchVerb {
    /// Follow these paths from now on, whenever you are logged in (systemd on Linux, launchd on macOS)
    Install {
        /// Files and folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,

        /// Print the file that would be installed, and do nothing
        #[arg(long)]
        print: bool,

        #[command(flatten)]
        following: Box<Following>,
    },
    /// Undo `install`; the knowledge base stays
    Uninstall,
}
