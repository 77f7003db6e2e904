//! Where memory comes from: an allocator that gives back what an ingest is done with.
//!
//! glibc keeps memory for each thread that asked for it, so that every step of upkeep leaves more
//! behind in LanceDB's threads; `benches/README.md` has what each allocator held at its peak.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Two pools for all threads, each of which keeps a little of its own; pages that are free go back
/// to the system after a tenth of a second. Read before `main` (jemalloc's manual, "TUNING").
#[allow(
    unsafe_code,
    reason = "jemalloc finds its settings by the name of a symbol, which no other crate here has"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 46] = b"narenas:2,dirty_decay_ms:100,muzzy_decay_ms:0\0";
