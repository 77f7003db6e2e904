//! What a worker and its parent say to each other: JSON, one message a line.
//!
//! First the parent says once what holds for all files, and the worker answers that it is ready. Then
//! each request has one reply. A reply starts with a mark, because parsers have been seen to print.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;

use rag_core::Document;
use rag_core::wire::Failure;
use serde::{Deserialize, Serialize};

use crate::sandbox::{Confinement, Probe};
use crate::workers::Limits;

/// Starts every reply.
pub(super) const MARK: &[u8] = b"\x01rag ";

/// What readers need besides the path. It goes to workers through their pipe: arguments are seen by
/// everybody who lists processes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOptions {
    /// Tried in turn on files that need one.
    pub passwords: Vec<String>,
    /// Languages of scans, by the names of `tesseract`'s data files; empty for what it has.
    pub ocr_languages: Vec<String>,
}

impl fmt::Debug for ReadOptions {
    /// Passwords are counted, not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions")
            .field("passwords", &self.passwords.len())
            .field("ocr_languages", &self.ocr_languages)
            .finish()
    }
}

/// The first line to a worker.
#[derive(Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) limits: Limits,
    pub(super) options: ReadOptions,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Read(#[serde(with = "crate::name::as_text")] PathBuf),
    /// Say what a file is taken for.
    Recognise(#[serde(with = "crate::name::as_text")] PathBuf),
    /// Try what is forbidden.
    Probe,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Ready(Confinement),
    Document(Box<Document>),
    Recognised(Recognised),
    Failure(Failure),
    Probe(Probe),
}

/// What a file is taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognised {
    /// IANA media type.
    pub media_type: String,
    /// For people: `PDF`.
    pub format: String,
    pub by: ToldBy,
}

/// What told the format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToldBy {
    Content,
    Name,
    /// It is text, and nothing claims it.
    Text,
}

impl From<rag_text::ToldBy> for ToldBy {
    fn from(by: rag_text::ToldBy) -> Self {
        match by {
            rag_text::ToldBy::Content => Self::Content,
            rag_text::ToldBy::Name => Self::Name,
            rag_text::ToldBy::Text => Self::Text,
        }
    }
}

/// What came from a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Reply(Vec<u8>),
    /// More than a reply may be; the rest of it was not read.
    TooLong,
}

/// Writes a message on a line of its own, without holding it whole.
pub(super) fn send(message: &impl Serialize, mark: &[u8], to: &mut dyn Write) -> io::Result<()> {
    let mut to = io::BufWriter::with_capacity(64 << 10, to);
    to.write_all(mark)?;
    serde_json::to_writer(&mut to, message)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// The next reply, of at most `limit` bytes; none where no more can come. Other lines are passed over
/// and never held, however long they are.
pub(super) fn receive(from: &mut impl BufRead, limit: u64) -> io::Result<Option<Received>> {
    loop {
        let mut line = Vec::new();
        from.take(MARK.len() as u64).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line == MARK {
            line.clear();
            from.take(limit + 1).read_until(b'\n', &mut line)?;
            return Ok(match line.last() {
                Some(b'\n') => Some(Received::Reply(line)),
                _ if line.len() as u64 > limit => Some(Received::TooLong),
                _ => None, // it ended in the middle of its reply
            });
        }
        if !line.ends_with(b"\n") {
            from.skip_until(b'\n')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(bytes: &[u8], limit: u64) -> Vec<Option<Received>> {
        let mut from = bytes;
        let mut all = Vec::new();
        loop {
            all.push(receive(&mut from, limit).unwrap());
            if all.last() == Some(&None) || all.last() == Some(&Some(Received::TooLong)) {
                return all;
            }
        }
    }

    fn reply(text: &[u8]) -> Received {
        Received::Reply(text.to_vec())
    }

    #[test]
    fn only_lines_with_the_mark_are_replies() {
        let bytes = b"noise\n\x01rag one\n\n\x01ra\n\x01ragged\nmore noise\n\x01rag two\nend";
        let expected = [Some(reply(b"one\n")), Some(reply(b"two\n")), None];
        assert_eq!(received(bytes, 10), expected);
    }

    #[test]
    fn a_reply_over_the_limit_is_not_read_to_its_end() {
        assert_eq!(
            received(b"\x01rag 1234\n", 5),
            [Some(reply(b"1234\n")), None]
        );
        assert_eq!(received(b"\x01rag 1234567\n", 5), [Some(Received::TooLong)]);
        let endless = io::repeat(b'x');
        let mut from = io::BufReader::new((&b"\x01rag "[..]).chain(endless));
        assert_eq!(receive(&mut from, 1000).unwrap(), Some(Received::TooLong));
    }

    #[test]
    fn a_reply_that_is_cut_short_is_none() {
        assert_eq!(received(b"\x01rag {\"docu", 100), [None]);
    }

    #[test]
    fn passwords_are_not_shown() {
        let options = ReadOptions {
            passwords: vec!["heron".into()],
            ocr_languages: vec!["eng".into()],
        };
        assert!(!format!("{options:?}").contains("heron"));
    }
}
