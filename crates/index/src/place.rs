//! Where a store lies: its folder, and the way to the table in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lancedb::table::ReadParams;
use lancedb::{Connection, ObjectStoreRegistry, Session, Table};
use tokio::runtime::Runtime;

use crate::error::{IndexError, Result};
use crate::lock::Readers;
use crate::meta::{self, FIRST_FOLDER, Role};
use crate::schema;

/// Threads that wait for the disk. LanceDB has a pool of its own for computing.
const WORKERS: usize = 2;
/// Threads that read files and join parts of indexes. Tokio's 512 would each leave memory behind that
/// only they use again.
const BLOCKING: usize = 4;
/// Stack of each, in bytes: query planning recurses, and its frames are large where it is built
/// without optimisation.
const STACK: usize = 8 << 20;
/// What LanceDB may hold in memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Parts of indexes that were read; its default is 6 GiB.
    indexes: usize,
    /// What is known of files; its default is 1 GiB.
    metadata: usize,
    /// Rows that are decoded at once where a table is read from end to end; none for its default, 8,192
    /// rows. For text it takes eight times as much as is stored (FSST), for each batch.
    batch: Option<u64>,
}

/// For searches, which come back to the same parts of an index.
pub(crate) const OF_SEARCHES: Memory = Memory {
    indexes: 256 << 20,
    metadata: 64 << 20,
    batch: None,
};
/// For writing, which reads a part of an index once and never again: the next upkeep makes another.
/// Batches are small because several are under way at once: about 80 rows of vectors or of words, the
/// first of a fragment, whose size is guessed, 1,800 rows of words.
pub(crate) const OF_WRITING: Memory = Memory {
    indexes: 16 << 20,
    metadata: 16 << 20,
    batch: Some(128 << 10),
};

/// What runs the work that [`crate::Store`] waits for.
pub(crate) fn runtime(dir: &Path) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(STACK)
        .thread_name("rag-index")
        .enable_all()
        .build()
        .map_err(|source| IndexError::Io {
            verb: "start threads for",
            path: dir.to_owned(),
            source,
        })
}

/// Opens a folder of tables.
pub(crate) async fn connect(folder: &Path, memory: Memory) -> lancedb::Result<Connection> {
    let path = folder
        .to_str()
        .ok_or_else(|| lancedb::Error::InvalidInput {
            message: "the path is not valid Unicode".to_owned(),
        })?;
    let stores = Arc::new(ObjectStoreRegistry::default());
    let session = Session::new(memory.indexes, memory.metadata, stores);
    lancedb::connect(path)
        .session(Arc::new(session))
        // Every search looks for commits of other processes first: one look into a folder.
        .read_consistency_interval(Duration::ZERO)
        .execute()
        .await
}

/// Opens the table; none where it was not made yet.
pub(crate) async fn open_table(
    connection: &Connection,
    memory: Memory,
) -> lancedb::Result<Option<Table>> {
    let mut reading = ReadParams::default();
    if memory.batch.is_some() {
        let files = reading.file_reader_options.get_or_insert_default();
        files.batch_size_bytes = memory.batch;
    }
    let opening = connection.open_table(schema::TABLE);
    match opening.lance_read_params(reading).execute().await {
        Ok(table) => Ok(Some(table)),
        Err(lancedb::Error::TableNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// LanceDB takes a relative path that begins with `db` for an address on the network.
pub(crate) fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir).map_err(|source| IndexError::Io {
        verb: "find",
        path: dir.to_owned(),
        source,
    })
}

/// Makes the folder, for its owner's eyes only: it holds the text of the owner's files.
pub(crate) fn make_private(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir).map_err(|source| IndexError::Io {
        verb: "create",
        path: dir.to_owned(),
        source,
    })
}

/// The folders of tables in `dir`, oldest first: `lance`, `lance-2`, `lance-3` and so on. A number is
/// never used for two, so that whoever still reads the old one does not meet the new one there.
pub(crate) fn folders(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbered: Vec<(u32, String)> = names
        .filter_map(|name| Some((number(&name)?, name)))
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, name)| name).collect()
}

/// A name for the folder of another table in `dir`.
pub(crate) fn another_folder(dir: &Path) -> String {
    let last = folders(dir).last().and_then(|name| number(name));
    format!("{FIRST_FOLDER}-{}", last.unwrap_or(1) + 1)
}

fn number(name: &str) -> Option<u32> {
    match name.strip_prefix(FIRST_FOLDER)? {
        "" => Some(1),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

/// Removes the tables that nobody will open any more and nobody reads now: that of a store whose place
/// another one has taken, and that of one that was given up. Only for who holds the writer lock. What
/// can't be removed is left for the next time: nothing rests on it but disk space.
pub(crate) fn sweep(dir: &Path) {
    let (Ok(Some(present)), Ok(next)) =
        (meta::read(dir, Role::Present), meta::read(dir, Role::Next))
    else {
        return;
    };
    let next = next.map(|next| next.folder);
    for folder in folders(dir) {
        let is_used = folder == present.folder || Some(&folder) == next.as_ref();
        let path = dir.join(folder);
        if !is_used && let Some(_alone) = Readers::none(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Has the system write everything below `dir` to the disk.
pub(crate) fn sync_below(dir: &Path) -> Result<()> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| IndexError::Io {
            verb: "write",
            path,
            source,
        }
    };
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        if path.is_dir() {
            sync_below(&path)?;
        } else {
            // Windows syncs only what is open for writing.
            let file = fs::OpenOptions::new().append(true).open(&path);
            file.and_then(|file| file.sync_all())
                .map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// Size of all files below `dir`; what vanishes meanwhile counts nothing.
pub(crate) fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(file) if file.is_dir() => bytes_below(&entry.path()),
        Ok(file) => file.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The error for what LanceDB refused; `doing` is what was tried with `dir`.
pub(crate) fn at(doing: &'static str, dir: &Path) -> impl FnOnce(lancedb::Error) -> IndexError {
    let dir = dir.to_owned();
    move |source| IndexError::Table {
        doing,
        dir,
        source: Box::new(source),
    }
}
