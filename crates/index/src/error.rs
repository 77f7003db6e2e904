//! What can fail here, with the facts in fields, and its translation into the one error that crosses
//! crates.

use std::path::PathBuf;

use rag_core::{Code, Error};

use crate::lock::Holder;
use crate::meta;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("`{}` holds vectors of `{made_by}`, and {} was to write there", dir.display(), other(made_by, offered))]
    OtherEmbedder {
        dir: PathBuf,
        made_by: String,
        offered: String,
    },
    #[error(
        "vectors of `{made_by}` are being made there already, and now those of {} were asked for",
        other(made_by, offered)
    )]
    OtherSuccessor { made_by: String, offered: String },
    #[error("another process is writing to `{}`{}", dir.display(), Holder::describe(holder.as_ref()))]
    Locked {
        dir: PathBuf,
        holder: Option<Holder>,
    },
    #[error("there is no knowledge base at `{}`", dir.display())]
    Missing { dir: PathBuf },
    #[error("`{}` has format {found}, and this `rag` reads format {known}", path.display())]
    UnknownFormat {
        path: PathBuf,
        found: u64,
        known: u64,
    },
    #[error("can't understand `{}`", path.display())]
    BrokenMeta {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("`{}` is gone, so nobody knows which embedder made the vectors beside it", path.display())]
    LostMeta { path: PathBuf },
    #[error("chunk {ordinal} of `{path}` has a vector of {found} numbers instead of {expected}")]
    WrongLength {
        path: String,
        ordinal: u32,
        found: usize,
        expected: usize,
    },
    #[error("chunk {ordinal} of `{path}` has {bytes} bytes of text, more than any chunk may have")]
    TooLong {
        path: String,
        ordinal: u32,
        bytes: usize,
    },
    #[error("the query has a vector of {found} numbers instead of {expected}")]
    WrongQuery { found: usize, expected: usize },
    #[error("`{id}` is twice in one batch")]
    Repeated { id: String },
    #[error("`{path}` says it has {said} chunks and has {found}")]
    Miscounted {
        path: String,
        said: u32,
        found: usize,
    },
    #[error("`{}` was opened for reading only", dir.display())]
    ReadOnly { dir: PathBuf },
    #[error("what was made beside `{}` can't take its place", dir.display())]
    NoSuccession { dir: PathBuf },
    #[error("the table has no column `{column}` of the expected type")]
    Column { column: &'static str },
    #[error("row `{id}` of the table lacks its `{column}`")]
    Hole { id: String, column: &'static str },
    #[error("can't make rows for the table")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("can't {doing} `{}`", dir.display())]
    Table {
        doing: &'static str,
        dir: PathBuf,
        source: Box<lancedb::Error>,
    },
    #[error("can't {verb} `{}`", path.display())]
    Io {
        verb: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Result of a step inside this crate.
pub(crate) type Result<T> = std::result::Result<T, IndexError>;

impl IndexError {
    fn code(&self) -> Code {
        match self {
            Self::OtherEmbedder { .. }
            | Self::OtherSuccessor { .. }
            | Self::UnknownFormat { .. }
            | Self::LostMeta { .. } => Code::Incompatible,
            Self::Locked { .. } => Code::Locked,
            Self::Missing { .. } => Code::NoKnowledgeBase,
            Self::BrokenMeta { .. } | Self::Column { .. } | Self::Hole { .. } => Code::Malformed,
            Self::Table { .. } | Self::Io { .. } => Code::Io,
            Self::WrongLength { .. }
            | Self::TooLong { .. }
            | Self::WrongQuery { .. }
            | Self::Repeated { .. }
            | Self::Miscounted { .. }
            | Self::ReadOnly { .. }
            | Self::NoSuccession { .. }
            | Self::Arrow(_) => Code::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OtherEmbedder {
                made_by, offered, ..
            } => format!(
                "rag reindex --embedder {offered} makes all vectors anew; or go on with `{made_by}`, or start \
                 another knowledge base with `rag ingest PATH --kb NAME`"
            ),
            Self::OtherSuccessor { made_by, .. } => format!(
                "rag reindex --embedder {made_by} goes on with them, rag reindex --cancel gives them up"
            ),
            Self::Locked { .. } => "wait until it has finished, or stop it".to_owned(),
            Self::Missing { .. } => "make one with `rag ingest PATH`".to_owned(),
            Self::UnknownFormat { path, .. } | Self::BrokenMeta { path, .. }
                if meta::is_next(path) =>
            {
                "rag reindex --cancel gives up what it belongs to".to_owned()
            }
            Self::UnknownFormat { path, .. } => format!(
                "use the `rag` that wrote it, or start another knowledge base with `rag ingest PATH --kb \
                 NAME`; your files are not touched by deleting `{}`",
                path.parent().unwrap_or(path).display()
            ),
            Self::BrokenMeta { path, .. } | Self::LostMeta { path } => format!(
                "delete `{}` and run `rag ingest PATH` again; your files are not touched",
                path.parent().unwrap_or(path).display()
            ),
            Self::Column { .. } | Self::Hole { .. } => {
                "the knowledge base is damaged; delete its folder and run `rag ingest PATH` again"
                    .to_owned()
            }
            Self::Table { .. } => {
                "see whether the disk is full and whether the folder can be written".to_owned()
            }
            _ => return None,
        })
    }
}

/// Names what was offered so that it is not the same name again where only the files differ.
fn other(made_by: &str, offered: &str) -> String {
    if made_by == offered {
        format!("other files of `{offered}`")
    } else {
        format!("`{offered}`")
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        let mut out = Error::new(error.code(), error.to_string());
        if let Some(hint) = error.hint() {
            out = out.hint(hint);
        }
        match error {
            IndexError::BrokenMeta { source, .. } => out.because(source),
            IndexError::Arrow(source) => out.because(source),
            IndexError::Table { source, .. } => out.because(source),
            IndexError::Io { source, .. } => out.because(source),
            _ => out,
        }
    }
}
