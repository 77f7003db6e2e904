//! The worker's side: confines itself, then reads files on request until there are no more.

use std::io::{BufRead, Write};
use std::path::Path;

use rag_core::wire::Failure;
use rag_core::{Code, Error, Extractor, Result};

use crate::sandbox::{self, Confinement};
use crate::workers::Limits;
use crate::workers::protocol::{MARK, Opening, ReadOptions, Recognised, Reply, Request, send};

/// Serves the parent at the other end of `input` and `output`. `reader` makes what reads files.
///
/// The process is confined for good, and it must not have started another thread yet.
///
/// # Errors
/// `Internal` where the parent does not begin as it should, `Io` where a reply can't be written.
pub fn serve_extractor(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    reader: &dyn Fn(&ReadOptions) -> Box<dyn Extractor>,
) -> Result<()> {
    let mut line = String::new();
    input
        .read_line(&mut line)
        .map_err(|cause| Error::io("read from", Path::new("the pipe"), cause))?;
    let opening: Opening = serde_json::from_str(&line).map_err(|cause| {
        Error::new(Code::Internal, "this verb is for `rag` itself")
            .because(cause)
            .hint("to read a file: rag doctor FILE --text")
    })?;
    let confinement = sandbox::confine(&opening.limits);
    say(&Reply::Ready(confinement.clone()), output)?;
    let session = Session {
        extractor: reader(&opening.options),
        limits: opening.limits,
        confinement,
    };
    session.answer_all(input, output)
}

/// What a worker is made of once it has begun.
pub(super) struct Session {
    pub(super) extractor: Box<dyn Extractor>,
    pub(super) limits: Limits,
    pub(super) confinement: Confinement,
}

impl Session {
    pub(super) fn answer_all(&self, input: &mut dyn BufRead, output: &mut dyn Write) -> Result<()> {
        for line in input.lines() {
            let Ok(line) = line else { break };
            let reply = match serde_json::from_str::<Request>(&line) {
                Ok(request) => self.answer(request),
                Err(error) => Reply::Failure(Failure {
                    code: Code::Internal,
                    message: format!("not a request: {error}"),
                    hint: None,
                }),
            };
            say(&reply, output)?;
        }
        Ok(())
    }

    fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Probe => Reply::Probe(sandbox::probe(self.confinement.clone())),
            Request::Read(path) => {
                self.begin(&path);
                match self.extractor.extract(&path) {
                    Ok(document) => Reply::Document(Box::new(document)),
                    Err(error) => failed(&error),
                }
            }
            Request::Recognise(path) => {
                self.begin(&path);
                match rag_text::recognised(&path) {
                    Ok((media_type, format, by)) => Reply::Recognised(Recognised {
                        media_type: media_type.to_owned(),
                        format: format.to_owned(),
                        by: by.into(),
                    }),
                    Err(error) => failed(&error),
                }
            }
        }
    }

    /// Gives this process the processor time that a file may take.
    fn begin(&self, path: &Path) {
        let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
        sandbox::allow(self.limits.processor_time(size));
    }
}

fn failed(error: &Error) -> Reply {
    Reply::Failure(Failure::from(error))
}

fn say(reply: &Reply, output: &mut dyn Write) -> Result<()> {
    // A parser may have printed and not ended its line.
    let mark = [b"\n", MARK].concat();
    send(reply, &mark, output).map_err(|cause| Error::io("write to", Path::new("the pipe"), cause))
}
