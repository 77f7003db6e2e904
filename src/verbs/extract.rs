//! `rag __extract`: a worker process that reads files for whoever started it.

use rag_engine::serve_extractor;
use rag_text::Reader;

use crate::exit::Exit;

pub(crate) fn run() -> anyhow::Result<Exit> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout();
    serve_extractor(&mut input, &mut output, &|options| {
        let reader = Reader::new()
            .with_passwords(options.passwords.clone())
            .with_ocr_languages(options.ocr_languages.clone());
        Box::new(reader)
    })?;
    Ok(Exit::Done)
}
