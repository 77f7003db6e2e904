//! tar and gzip: archives that are read from the front.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use rag_core::{Document, Warning, WarningKind};
use tar::Archive;

use super::{Members, label, malformed, zipped::name_of};
use crate::{
    error::Failure,
    nest::Input,
    reader::MAX_FILE_BYTES,
    recognise::{HEAD_BYTES, extension_of, is_container, recognise},
};

pub(super) fn read_tar(input: &Input<'_>) -> Result<Document, Failure> {
    read_members(input, input.bytes)
}

/// The one file that is packed, or the members of the tar archive that it is.
pub(super) fn read_gzip(input: &Input<'_>) -> Result<Document, Failure> {
    let unpacked = || MultiGzDecoder::new(input.bytes);
    let mut head = Vec::new();
    let damage = unpacked()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .err();
    if head.is_empty() && damage.is_some() {
        return Err(malformed(input.name, damage.as_ref()));
    }
    if head.get(257..262) == Some(b"ustar") {
        return read_members(input, unpacked().take(input.bytes_left() + 1));
    }
    let name = inner_name(input);
    if !is_container(&head) {
        recognise(&name, &head)?;
    }
    let limit = input.bytes_left().min(MAX_FILE_BYTES);
    let mut bytes = Vec::new();
    let damage = unpacked().take(limit + 1).read_to_end(&mut bytes).err();
    let size = bytes.len() as u64;
    if size > limit {
        return Err(Failure::TooLarge { name, size, limit });
    }
    let mut document = input.read_inner(&name, &bytes)?;
    if let Some(cause) = damage {
        let fact = format!("the file is cut off or damaged at its end: {cause}");
        document
            .warnings
            .push(Warning::new(WarningKind::Lost, fact));
    }
    Ok(document)
}

/// The name without the ending that says how it is packed.
fn inner_name(input: &Input<'_>) -> String {
    let extension = extension_of(input.name);
    let stem = &input.name[..input.name.len() - extension.len()];
    match extension.as_str() {
        "gz" | "gzip" | "z" => stem.trim_end_matches('.').to_owned(),
        "tgz" => format!("{stem}tar"),
        "svgz" => format!("{stem}svg"),
        _ => input.name.to_owned(),
    }
}

fn read_members(input: &Input<'_>, packed: impl Read) -> Result<Document, Failure> {
    let mut members = Members::of(input);
    let mut archive = Archive::new(packed);
    let entries = archive
        .entries()
        .map_err(|cause| malformed(input.name, Some(&cause)))?;
    let mut damage = None;
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            // Behind a broken header nothing can be found.
            Err(cause) => {
                damage = Some(cause);
                break;
            }
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let raw = entry.path_bytes();
        let encoding = label::encoding_of(std::iter::once(&*raw));
        let shown = label::shown(&name_of(&raw, encoding, || None));
        drop(raw);
        if !label::is_left_behind(&shown) {
            members.take(&shown, &mut entry);
        }
        if members.is_full {
            break;
        }
    }
    if damage.is_some() && members.read == 0 && members.missed == 0 {
        return Err(malformed(input.name, damage.as_ref()));
    }
    let stopped = members.is_full;
    let mut document = members.finish(0)?;
    if let Some(cause) = damage {
        let fact = format!("the archive is cut off or damaged: {cause}");
        document
            .warnings
            .push(Warning::new(WarningKind::Lost, fact));
    } else if stopped {
        let fact = "the members behind the last one were not unpacked";
        document
            .warnings
            .push(Warning::new(WarningKind::Lost, fact));
    }
    Ok(document)
}
