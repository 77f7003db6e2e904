//! ZIP: an archive whose members can be had one by one, and what books are packed in.

use std::io::{Cursor, Read};

use encoding_rs::Encoding;
use file_format::FileFormat;
use rag_core::Document;
use zip::{ZipArchive, read::ZipFile, result::ZipError};

use super::{Members, label, salvage};
use crate::{
    book,
    error::Failure,
    nest::Input,
    reader::MAX_FILE_BYTES,
    recognise::{described, extension_of},
};

/// What archives are called. Programs keep their packages and their own files as zips under other
/// names, and of those nobody wants the members.
const EXTENSIONS: [&str; 5] = ["zip", "", "fbz", "zipx", "cbz"];

/// The document of an archive.
pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let extension = extension_of(input.name);
    let is_book = extension == "epub";
    if !is_book && !EXTENSIONS.contains(&&*extension) {
        // Whatever it was meant to be, it is damaged.
        Zipped::open(input)?;
        return Err(Failure::Unsupported {
            name: input.name.to_owned(),
            kind: format!("{} under another name", described(FileFormat::Zip)),
        });
    }
    let mut archive = match Zipped::open(input) {
        Ok(archive) => archive,
        Err(failure) if is_book => return Err(failure),
        Err(failure) => return salvage::read(input, failure),
    };
    // A book whose first member does not say so.
    if is_book || archive.find(book::CONTAINER).is_some() {
        return book::read_from(input, &mut archive);
    }
    let mut members = Members::of(input);
    let mut ahead = archive.len();
    for index in 0..archive.len() {
        if members.is_full {
            break;
        }
        ahead -= 1;
        let Some(shown) = archive.wanted(index) else {
            continue;
        };
        archive.hand_over(index, &shown, &mut members);
    }
    members.finish(ahead)
}

/// An open archive.
pub(crate) struct Zipped<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Of names that are not UTF-8.
    encoding: Option<&'static Encoding>,
    input: &'a Input<'a>,
}

impl<'a> Zipped<'a> {
    /// # Errors
    /// `Malformed` where the list of members at the end of the file is missing or broken.
    pub(crate) fn open(input: &'a Input<'a>) -> Result<Self, Failure> {
        let archive =
            ZipArchive::new(Cursor::new(input.bytes)).map_err(|error| Failure::Malformed {
                name: input.name.to_owned(),
                kind: "ZIP",
                cause: error.to_string(),
            })?;
        let encoding = label::encoding_of(archive.file_names_raw());
        Ok(Self {
            archive,
            encoding,
            input,
        })
    }

    fn len(&self) -> usize {
        self.archive.len()
    }

    /// The index of the member with exactly this name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.archive.index_for_name(name)
    }

    /// The names of all members, as they stand.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        let names = self.archive.file_names_raw().enumerate();
        names.filter_map(|(index, raw)| Some((index, std::str::from_utf8(raw).ok()?)))
    }

    /// The content of a member, bounded by what may still be unpacked, and whether it is whole.
    pub(crate) fn bytes(&mut self, index: usize, name: &str) -> Result<(Vec<u8>, bool), Failure> {
        let limit = self.input.bytes_left().min(MAX_FILE_BYTES);
        let mut bytes = Vec::new();
        let file = self.archive.by_index(index);
        let mut file = file.map_err(|error| failure_of(name, &error))?;
        let outcome = file.by_ref().take(limit + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > limit {
            return Err(Failure::TooLarge {
                name: name.to_owned(),
                size: bytes.len() as u64,
                limit,
            });
        }
        match outcome {
            Err(error) if bytes.is_empty() => Err(failure_of(name, &ZipError::Io(error))),
            outcome => Ok((bytes, outcome.is_ok())),
        }
    }

    /// How a member is shown, where it is a file that somebody may have written.
    fn wanted(&self, index: usize) -> Option<String> {
        let entry = self.archive.by_index_data(index).ok()?;
        if entry.is_dir() || entry.is_symlink() {
            return None;
        }
        let shown = label::shown(&name_of(entry.name_raw(), self.encoding, || {
            entry.name().ok().map(std::borrow::Cow::into_owned)
        }));
        (!label::is_left_behind(&shown)).then_some(shown)
    }

    fn hand_over(&mut self, index: usize, shown: &str, members: &mut Members<'_>) {
        let is_encrypted = self
            .archive
            .by_index_data(index)
            .is_ok_and(|e| e.encrypted());
        if is_encrypted {
            return match self.decrypted(index, shown) {
                Ok(bytes) => members.take(shown, &mut Cursor::new(bytes)),
                Err(failure) => members.miss(shown, failure),
            };
        }
        match self.archive.by_index(index) {
            Ok(mut file) => members.take(shown, &mut file),
            Err(error) => members.miss(shown, failure_of(shown, &error)),
        }
    }

    /// The content under the first password that fits. One in 256 wrong ones passes for right until the
    /// checksum is seen, so the member is read to its end.
    fn decrypted(&mut self, index: usize, shown: &str) -> Result<Vec<u8>, Failure> {
        let limit = self.input.bytes_left().min(MAX_FILE_BYTES);
        for password in self.input.reader.passwords() {
            let mut file = match self.archive.by_index_decrypt(index, password.as_bytes()) {
                Ok(file) => file,
                Err(ZipError::InvalidPassword) => continue,
                Err(error) => return Err(failure_of(shown, &error)),
            };
            let mut bytes = Vec::new();
            if file.by_ref().take(limit).read_to_end(&mut bytes).is_ok() {
                return Ok(bytes);
            }
        }
        Err(Failure::Encrypted {
            name: shown.to_owned(),
        })
    }
}

/// A member's name; `as_dos` decodes it as DOS did.
pub(super) fn name_of(
    raw: &[u8],
    encoding: Option<&'static Encoding>,
    as_dos: impl FnOnce() -> Option<String>,
) -> String {
    if let Ok(name) = std::str::from_utf8(raw) {
        return name.to_owned();
    }
    let decoded = encoding.and_then(|e| e.decode_without_bom_handling_and_without_replacement(raw));
    decoded
        .map(std::borrow::Cow::into_owned)
        .or_else(as_dos)
        .unwrap_or_else(|| String::from_utf8_lossy(raw).into_owned())
}

/// The name of a member in an archive that is read as a stream.
pub(super) fn streamed_name<R: Read>(file: &ZipFile<'_, R>) -> String {
    let encoding = label::encoding_of(std::iter::once(file.name_raw()));
    name_of(file.name_raw(), encoding, || {
        file.name().ok().map(std::borrow::Cow::into_owned)
    })
}

fn failure_of(name: &str, error: &ZipError) -> Failure {
    Failure::Malformed {
        name: name.to_owned(),
        kind: "packed",
        cause: error.to_string(),
    }
}
