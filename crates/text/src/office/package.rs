//! The archive that an office file is: its members by name, unpacked within limits, and the relations
//! between them (ECMA-376, part 2).

use std::{
    collections::HashMap,
    io::{Cursor, Read as _},
};

use rag_core::{Warning, WarningKind};
use zip::{ZipArchive, result::ZipError};

use super::xml::{Token, Xml, decoded};
use crate::{error::Failure, member::joined, nest::Input};

/// Longest member that is unpacked: 256 MiB. What lies beyond is named as lost.
const MAX_MEMBER: u64 = 256 << 20;
/// All that is unpacked of one file: 512 MiB.
pub(super) const MAX_UNPACKED: u64 = 512 << 20;
/// Members that an archive may have; office files have some hundred, with pictures some thousand.
const MAX_MEMBERS: usize = 65_536;

/// What OLE compound files start with: the old formats, and the new ones once they are encrypted.
pub(super) const OLE_MARK: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

#[derive(Debug)]
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// By name in lower case, since names differ from what refers to them in that.
    members: HashMap<String, usize>,
    left: u64,
    file: &'a str,
    kind: &'static str,
    /// Damage met so far.
    pub(super) warnings: Vec<Warning>,
}

/// One relation of a member: to another member, or out of the file.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// Last word of its type: `hyperlink`, `slide`.
    pub(super) kind: String,
    /// Name of the member, or the address that it points to.
    pub(super) target: String,
    pub(super) is_external: bool,
}

/// Relations of a member by their ids.
pub(super) type Relations = HashMap<String, Relation>;

impl<'a> Package<'a> {
    /// Opens the archive of a `kind` file.
    ///
    /// # Errors
    /// `Encrypted` for one that is, `Malformed` where it is no archive that can be read.
    pub(super) fn open(input: &Input<'a>, kind: &'static str) -> Result<Self, Failure> {
        let malformed = |cause: &str| Failure::Malformed {
            name: input.name.to_owned(),
            kind,
            cause: cause.to_owned(),
        };
        if is_encrypted_ole(input.bytes) {
            return Err(Failure::Encrypted {
                name: input.name.to_owned(),
            });
        }
        if input.bytes.is_empty() {
            return Err(malformed("it is empty"));
        }
        if input.bytes.starts_with(OLE_MARK) {
            return Err(malformed("it is an OLE file without a document"));
        }
        if !input.bytes.starts_with(b"PK") {
            return Err(malformed("it holds something else"));
        }
        let mut archive = ZipArchive::new(Cursor::new(input.bytes))
            .map_err(|error| malformed(&format!("its archive is damaged ({error})")))?;
        if archive.len() > MAX_MEMBERS {
            return Err(malformed("its archive has too many members"));
        }
        let mut members = HashMap::new();
        for index in 0..archive.len() {
            let Ok(member) = archive.by_index_raw(index) else {
                continue;
            };
            if let Ok(name) = member.name() {
                // Of two with one name the last is the one that was written last.
                members.insert(key_of(&name), index);
            }
        }
        Ok(Self {
            archive,
            members,
            left: input.bytes_left().min(MAX_UNPACKED),
            file: input.name,
            kind,
            warnings: Vec::new(),
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(&key_of(name))
    }

    /// How large all members are once they are unpacked, as the archive says.
    pub(super) fn unpacked(&mut self) -> u64 {
        (0..self.archive.len())
            .filter_map(|index| Some(self.archive.by_index_raw(index).ok()?.size()))
            .fold(0, u64::saturating_add)
    }

    /// Names of all members in lower case, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.members.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Whether the manifest of an `OpenDocument` file says that its members are encrypted.
    pub(super) fn is_encrypted(&mut self) -> Result<bool, Failure> {
        let manifest = self.xml("META-INF/manifest.xml")?.unwrap_or_default();
        Ok(manifest.contains("encryption-data"))
    }

    /// The text of the XML member `name`; nothing where there is none. One that is damaged is read as
    /// far as it goes, with a warning.
    ///
    /// # Errors
    /// `Encrypted` where the member is.
    pub(super) fn xml(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let Some(&index) = self.members.get(&key_of(name)) else {
            return Ok(None);
        };
        let limit = self.left.min(MAX_MEMBER);
        let mut bytes = Vec::new();
        let outcome = match self.archive.by_index(index) {
            Ok(member) => member.take(limit + 1).read_to_end(&mut bytes).err(),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                return Err(Failure::Encrypted {
                    name: self.file.to_owned(),
                });
            }
            Err(error) => Some(error.into()),
        };
        if let Some(error) = outcome {
            self.lost(format!("`{name}` in it is damaged: {error}"));
        } else if bytes.len() as u64 > limit {
            bytes.truncate(limit as usize);
            self.lost(format!("`{name}` in it was read only up to {limit} bytes"));
        }
        self.left -= (bytes.len() as u64).min(self.left);
        Ok(Some(decoded(bytes)))
    }

    /// The relations of a member; of the file itself where `name` is empty.
    pub(super) fn relations(&mut self, name: &str) -> Result<Relations, Failure> {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let slash = if folder.is_empty() { "" } else { "/" };
        let Some(text) = self.xml(&format!("{folder}{slash}_rels/{file}.rels"))? else {
            return Ok(Relations::new());
        };
        let mut relations = Relations::new();
        let mut xml = Xml::new(&text);
        while let Some(token) = xml.next() {
            let Token::Open(tag) = token else { continue };
            if tag.name() != "Relationship" {
                continue;
            }
            if let (Some(id), Some(kind), Some(target)) =
                (tag.attr("Id"), tag.attr("Type"), tag.attr("Target"))
            {
                let is_external = tag.attr("TargetMode").as_deref() == Some("External");
                let relation = Relation {
                    kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                    target: if is_external {
                        target
                    } else {
                        resolved(folder, &target)
                    },
                    is_external,
                };
                relations.insert(id, relation);
            }
        }
        Ok(relations)
    }

    pub(super) fn lost(&mut self, fact: String) {
        self.warnings.push(Warning::new(WarningKind::Lost, fact));
    }

    /// Says that a member stopped being XML, if it did.
    pub(super) fn note_damage(&mut self, name: &str, xml: &Xml<'_>) {
        if let Some(damage) = xml.damage() {
            self.lost(format!("`{name}` in it is damaged: {damage}"));
        }
    }

    pub(super) fn malformed(&self, cause: impl Into<String>) -> Failure {
        Failure::Malformed {
            name: self.file.to_owned(),
            kind: self.kind,
            cause: cause.into(),
        }
    }
}

/// The member that `relations` name for `kind`, the first by name.
pub(super) fn related<'r>(relations: &'r Relations, kind: &str) -> Option<&'r str> {
    let all = relations
        .values()
        .filter(|r| r.kind == kind && !r.is_external);
    all.map(|r| r.target.as_str()).min()
}

/// Whether this is the OLE file in which Office keeps an encrypted one ([MS-OFFCRYPTO] 2.3.4).
pub(super) fn is_encrypted_ole(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    // Entries of the directory lie at multiples of 128 bytes and start with their name.
    bytes.starts_with(OLE_MARK) && bytes.chunks(128).any(|entry| entry.starts_with(&name))
}

fn key_of(name: &str) -> String {
    name.trim_start_matches('/')
        .replace('\\', "/")
        .to_lowercase()
}

/// A target as the name of a member: relative to `folder` unless it starts at the root.
fn resolved(folder: &str, target: &str) -> String {
    joined(folder, &target.replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_relative_to_what_names_them() {
        assert_eq!(resolved("word", "media/a.png"), "word/media/a.png");
        assert_eq!(
            resolved("ppt/slides", "../notes/n1.xml"),
            "ppt/notes/n1.xml"
        );
        assert_eq!(
            resolved("word", "/word/document2.xml"),
            "word/document2.xml"
        );
        assert_eq!(resolved("", "../../../etc/passwd"), "etc/passwd");
    }

    #[test]
    fn an_encrypted_file_is_told_by_its_directory() {
        let mut ole = OLE_MARK.to_vec();
        ole.resize(1024 + 128, 0);
        assert!(!is_encrypted_ole(&ole));
        let name = "EncryptedPackage\0"
            .encode_utf16()
            .flat_map(u16::to_le_bytes);
        ole.extend(name);
        ole.resize(2048, 0);
        assert!(is_encrypted_ole(&ole));
    }
}
