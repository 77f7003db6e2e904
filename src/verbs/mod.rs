//! The verbs, one file each.

pub(crate) mod ask;
pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod everything;
pub(crate) mod explain;
pub(crate) mod extract;
pub(crate) mod forget;
pub(crate) mod ingest;
pub(crate) mod models;
pub(crate) mod open;
pub(crate) mod process;
pub(crate) mod receipt;
pub(crate) mod reindex;
pub(crate) mod search;
pub(crate) mod status;
pub(crate) mod throughput;
pub(crate) mod verify;
pub(crate) mod watch;
