//! Archives: every member that can be read is a part of the document, read by the parser of its kind.
//!
//! How much is unpacked is bounded over the whole source by [`crate::nest`]: sizes that an archive
//! states are never believed, and only the start of a member is unpacked to see what it is.

use std::io::Read;

use file_format::FileFormat;
use rag_core::{Document, Warning, WarningKind};

use crate::{
    error::Failure,
    format::{Format, Parser},
    nest::{Bundle, Input},
    reader::MAX_FILE_BYTES,
    recognise::{HEAD_BYTES, is_container, recognise},
};

pub(crate) mod zipped;

mod label;
mod salvage;
mod stream;

pub(crate) static ZIP: Format = Format {
    name: "ZIP archive",
    media_type: "application/zip",
    // A book of FictionBook in a zip is a zip with one XML file.
    magic: &[FileFormat::Zip, FileFormat::FictionbookZip],
    marks: None,
    extensions: &[],
    parser: Parser::Bytes(zipped::read),
};

static TAR: Format = Format {
    name: "tar archive",
    media_type: "application/x-tar",
    magic: &[FileFormat::TapeArchive],
    marks: None,
    extensions: &[],
    parser: Parser::Bytes(stream::read_tar),
};

static GZIP: Format = Format {
    name: "gzip",
    media_type: "application/gzip",
    magic: &[FileFormat::Gzip],
    marks: None,
    extensions: &[],
    parser: Parser::Bytes(stream::read_gzip),
};

pub(crate) static FORMATS: [&Format; 3] = [&ZIP, &TAR, &GZIP];

/// So many members that could not be read are named; of the others their number is told.
const MAX_NAMED: usize = 40;
/// So many members of kinds that are not read are named; more are only counted.
const MAX_KINDS_NAMED: usize = 3;

/// What was made of the members so far.
struct Members<'a> {
    input: &'a Input<'a>,
    bundle: Bundle,
    /// Members that are parts now.
    read: usize,
    /// Members of kinds that are not read: the first few, and how many in all.
    others: Vec<(String, Failure)>,
    other_count: usize,
    missed: usize,
    /// Members that need a password which nobody gave.
    locked: usize,
    /// The limits were met: nothing more is unpacked.
    is_full: bool,
}

impl<'a> Members<'a> {
    fn of(input: &'a Input<'a>) -> Self {
        Self {
            input,
            bundle: Bundle::default(),
            read: 0,
            others: Vec::new(),
            other_count: 0,
            missed: 0,
            locked: 0,
            is_full: false,
        }
    }

    /// Reads the member `label` from its content.
    fn take(&mut self, label: &str, content: &mut dyn Read) {
        let name = label.rsplit('/').next().unwrap_or(label);
        let mut bytes = Vec::new();
        let mut damage = content
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut bytes)
            .err();
        if bytes.is_empty() && damage.is_none() {
            return;
        }
        if !bytes.is_empty()
            && !is_container(&bytes)
            && let Err(failure) = recognise(name, &bytes)
        {
            return self.miss(label, failure);
        }
        if damage.is_none() {
            // One byte more than may be read shows that there is more.
            let limit = self.input.bytes_left().min(MAX_FILE_BYTES);
            let more = (limit + 1).saturating_sub(bytes.len() as u64);
            damage = content.take(more).read_to_end(&mut bytes).err();
        }
        let size = bytes.len() as u64;
        if size > MAX_FILE_BYTES {
            self.is_full |= self.input.spend(name, size).is_err();
            let failure = Failure::TooLarge {
                name: name.to_owned(),
                size,
                limit: MAX_FILE_BYTES,
            };
            return self.miss(label, failure);
        }
        let read = if bytes.is_empty() {
            Err(malformed(name, damage.as_ref()))
        } else {
            self.input.read_inner(name, &bytes)
        };
        match read {
            Ok(mut document) => {
                if let Some(cause) = damage {
                    let fact = format!("its end is damaged and was not read: {cause}");
                    document
                        .warnings
                        .push(Warning::new(WarningKind::Lost, fact));
                }
                self.read += 1;
                self.bundle.add(label, document);
            }
            Err(failure) => self.miss(label, failure),
        }
    }

    /// Says that a member is left out.
    fn miss(&mut self, label: &str, failure: Failure) {
        match failure {
            Failure::Unsupported { .. } => {
                self.other_count += 1;
                if self.others.len() < MAX_KINDS_NAMED {
                    self.others.push((label.to_owned(), failure));
                }
            }
            failure => {
                self.is_full |= matches!(failure, Failure::TooMuch { .. });
                self.locked += usize::from(matches!(failure, Failure::Encrypted { .. }));
                self.missed += 1;
                if self.missed <= MAX_NAMED {
                    self.bundle.miss(label, &failure);
                }
            }
        }
    }

    /// The document; `ahead` counts the members that were not looked at any more.
    fn finish(mut self, ahead: usize) -> Result<Document, Failure> {
        let name = || self.input.name.to_owned();
        if self.read == 0 && self.locked > 0 && self.locked == self.missed {
            return Err(Failure::Encrypted { name: name() });
        }
        if self.read == 0 && self.missed == 0 && self.other_count > 0 {
            return Err(Failure::Unsupported {
                name: name(),
                kind: format!("an archive of {} files of other kinds", self.other_count),
            });
        }
        let mut whole = |kind, fact: String| self.bundle.warn(Warning::new(kind, fact));
        if self.missed > MAX_NAMED {
            let fact = format!("{} more members could not be read", self.missed - MAX_NAMED);
            whole(WarningKind::Lost, fact);
        }
        if ahead > 0 {
            let fact = format!("{ahead} more members were not unpacked");
            whole(WarningKind::Lost, fact);
        }
        if self.other_count > MAX_KINDS_NAMED {
            let fact = format!("{} members of kinds that are not read", self.other_count);
            whole(WarningKind::Guessed, fact);
        } else {
            for (label, failure) in &self.others {
                self.bundle.miss(label, failure);
            }
        }
        Ok(self.bundle.finish())
    }
}

fn malformed(name: &str, damage: Option<&std::io::Error>) -> Failure {
    let cause = damage.map(ToString::to_string);
    Failure::Malformed {
        name: name.to_owned(),
        kind: "packed",
        cause: cause.unwrap_or_else(|| "it is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests;
