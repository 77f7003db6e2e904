//! `model.toml`: what is known of a model on this machine. It is written last, so that a model counts
//! only when all of it is there.

use std::fs;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rag_core::calendar::Moment;
use rag_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use super::{Installed, InstalledFile, check_relative};
use crate::catalogue::{Entry, Kind, PooledBy, Role};
use crate::fetch::failure::Failure;
use crate::fetch::local::Recipe;

pub(super) const NAME: &str = "model.toml";
const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    pub(super) name: String,
    kind: Kind,
    pub(super) origin: String,
    /// Folder of a model that stays where the user has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_place: Option<PathBuf>,
    /// When, in UTC.
    recorded: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortest: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pooling: Option<PooledBy>,
    query_prompt: String,
    passage_prompt: String,
    #[serde(rename = "file")]
    pub(super) files: Vec<RecordedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordedFile {
    /// Relative to the model's folder, separated by `/`.
    pub(super) path: String,
    pub(super) role: Role,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Record {
    /// A record of a model whose files lie beside it.
    pub(super) fn pulled(entry: &Entry, origin: String, files: Vec<RecordedFile>) -> Self {
        Self {
            format: FORMAT,
            name: entry.name.clone(),
            kind: entry.kind,
            origin,
            in_place: None,
            recorded: now(),
            context: Some(entry.context),
            dimensions: entry.dimensions,
            shortest: entry.shortest,
            pooling: entry.pooling,
            query_prompt: entry.query_prompt.clone(),
            passage_prompt: entry.passage_prompt.clone(),
            files,
        }
    }

    /// A record of a model that stays in `dir`.
    pub(super) fn added(
        name: &str,
        kind: Kind,
        dir: PathBuf,
        recipe: Recipe,
        files: Vec<RecordedFile>,
    ) -> Self {
        Self {
            format: FORMAT,
            name: name.to_owned(),
            kind,
            origin: format!("path {}", dir.display()),
            in_place: Some(dir),
            recorded: now(),
            context: recipe.context,
            dimensions: recipe.dimensions,
            shortest: recipe.shortest,
            pooling: recipe.pooling,
            query_prompt: recipe.query_prompt,
            passage_prompt: recipe.passage_prompt,
            files,
        }
    }

    /// Equal but for the date.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let dated = Self {
            recorded: other.recorded.clone(),
            ..self.clone()
        };
        dated == *other
    }

    /// Reads the record in a folder of the shelf; none where there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // The shelf may hold files that are none of ours.
            Err(cause) if matches!(cause.kind(), NotFound | NotADirectory) => return Ok(None),
            Err(cause) => return Err(Error::io("read", &path, cause)),
        };
        let damaged = || {
            let fact = format!("`{}` is not a record of a model", path.display());
            Error::new(Code::ModelInvalid, fact)
                .hint("delete it and pull or add the model again; its files are used again")
        };
        let record: Self = toml::from_str(&text).map_err(|cause| damaged().because(cause))?;
        if record.format != FORMAT {
            let fact = format!(
                "`{}` has format {}, this version reads {FORMAT}",
                path.display(),
                record.format
            );
            return Err(Error::new(Code::ModelInvalid, fact)
                .hint("use the version of rag that wrote it, or pull the model again"));
        }
        for file in &record.files {
            check_relative(&file.path).map_err(|cause| damaged().because(cause))?;
        }
        Ok(Some(record))
    }

    /// Writes the record; until the last step nothing of it is to be seen.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|cause| {
            Error::new(Code::Internal, "the record of a model can't be written").because(cause)
        })?;
        let part = folder.join(format!("{NAME}.part"));
        let path = folder.join(NAME);
        let written = fs::File::create(&part).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written
            .and_then(|()| fs::rename(&part, &path))
            .map_err(|cause| Failure::disk("write", &path, cause).into())
    }

    /// The same, with the paths of this machine.
    pub(super) fn into_installed(self, folder: &Path) -> Installed {
        let dir = self.in_place.unwrap_or_else(|| folder.to_owned());
        Installed {
            name: self.name,
            kind: self.kind,
            origin: self.origin,
            size: self.files.iter().map(|file| file.size).sum(),
            recorded: self.recorded,
            context: self.context,
            dimensions: self.dimensions,
            shortest: self.shortest,
            pooling: self.pooling,
            query_prompt: self.query_prompt,
            passage_prompt: self.passage_prompt,
            files: self
                .files
                .into_iter()
                .map(|file| InstalledFile {
                    path: dir.join(file.path),
                    role: file.role,
                    size: file.size,
                    sha256: file.sha256,
                })
                .collect(),
            dir,
        }
    }
}

/// The time as RFC 3339 in UTC, to the second.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment::at(since.map_or(0, |since| since.as_secs())).rfc3339()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_damaged_or_from_another_version_is_refused_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), None);
        fs::write(dir.path().join("a file"), "").unwrap();
        assert_eq!(Record::read(&dir.path().join("a file")).unwrap(), None);
        fs::write(dir.path().join(NAME), "name = 3").unwrap();
        let error = Record::read(dir.path()).unwrap_err();
        assert!(error.fact.contains("model.toml") && error.hint.is_some());
        let recipe = Recipe::default();
        let mut record = Record::added("m", Kind::Generator, "/m".into(), recipe, Vec::new());
        record.format = 99;
        record.write(dir.path()).unwrap();
        let error = Record::read(dir.path()).unwrap_err();
        assert!(
            error.fact.contains("has format 99, this version reads 1"),
            "{}",
            error.fact
        );
    }

    #[test]
    fn a_record_cannot_point_out_of_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let files = vec![RecordedFile {
            path: "../secret".to_owned(),
            role: Role::Weights,
            size: 1,
            sha256: "0".repeat(64),
        }];
        let recipe = Recipe::default();
        let record = Record::added("m", Kind::Generator, "/m".into(), recipe, files);
        record.write(dir.path()).unwrap();
        assert_eq!(
            Record::read(dir.path()).unwrap_err().code,
            Code::ModelInvalid
        );
    }
}
