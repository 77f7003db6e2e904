//! `rag __extract`: a worker process that reads files for the ingest that started it.

use rag_engine::serve_extractor;
use rag_text::Reader;

use crate::exit::Exit;

pub(crate) fn run() -> anyhow::Result<Exit> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout();
    serve_extractor(&mut input, &mut output, &Reader::new())?;
    Ok(Exit::Done)
}
