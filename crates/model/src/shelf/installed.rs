//! A model that is on this machine, and what a check of its files found.

use std::path::{Path, PathBuf};

use rag_core::{Code, Error, Result};
use sha2::{Digest, Sha256};

use crate::catalogue::{Kind, PooledBy, Role};
use crate::fetch::part::hex;

/// A model on this machine, as its record describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub name: String,
    pub kind: Kind,
    /// Folder that holds the files.
    pub dir: PathBuf,
    /// Where it came from, for people: `hub ORG/NAME@REVISION`, `wheel PACKAGE VERSION`, `path DIR`.
    pub origin: String,
    /// Bytes of all files.
    pub size: u64,
    /// When it came, RFC 3339 in UTC.
    pub recorded: String,
    /// Longest input in tokens, special tokens included; where known.
    pub context: Option<usize>,
    /// Length of a vector, where known; embedders only.
    pub dimensions: Option<usize>,
    /// Vectors may be cut to this length or more; none where they may not be cut.
    pub shortest: Option<usize>,
    /// Where known; embedders only. Never guessed.
    pub pooling: Option<PooledBy>,
    pub query_prompt: String,
    pub passage_prompt: String,
    pub files: Vec<InstalledFile>,
}

/// One file of a model on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledFile {
    /// Absolute.
    pub path: PathBuf,
    pub role: Role,
    /// In bytes.
    pub size: u64,
    /// When it came; 64 hex digits.
    pub sha256: String,
}

impl Installed {
    /// The file with this role.
    ///
    /// # Errors
    /// `ModelInvalid` where the model has none.
    pub fn file(&self, role: Role) -> Result<&Path> {
        let file = self.files.iter().find(|file| file.role == role);
        file.map(|file| file.path.as_path()).ok_or_else(|| {
            let fact = format!("model `{}` has no {role} file", self.name);
            Error::new(Code::ModelInvalid, fact).hint("`rag models list` shows what each model is")
        })
    }

    /// Files that are gone or have another size than recorded; their content is not read.
    #[must_use]
    pub fn broken(&self) -> Vec<&InstalledFile> {
        let is_there = |file: &InstalledFile| {
            file.path
                .metadata()
                .is_ok_and(|found| found.is_file() && found.len() == file.size)
        };
        self.files.iter().filter(|file| !is_there(file)).collect()
    }

    /// Every file is there with its size; their content is not read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.broken().is_empty()
    }

    /// Equal for models that give the same vectors: SHA-256 over the roles and hashes of the files,
    /// the pooling and the prompts. 64 hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut files: Vec<(Role, &str)> = self
            .files
            .iter()
            .map(|file| (file.role, file.sha256.as_str()))
            .collect();
        files.sort_unstable();
        let files: Vec<String> = files
            .into_iter()
            .map(|(role, sha256)| format!("{role} {sha256}\n"))
            .collect();
        let files = files.concat();
        let pooling = match self.pooling {
            None => "none",
            Some(PooledBy::Mean) => "mean",
            Some(PooledBy::Cls) => "cls",
            Some(PooledBy::LastToken) => "last_token",
        };
        let (query, passage) = (&self.query_prompt, &self.passage_prompt);
        // An index remembers it: the form must not change. Lengths keep the prompts apart.
        let form = format!(
            "rag model 1\n{files}pooling {pooling}\nquery {}\n{query}\npassage {}\n{passage}\n",
            query.len(),
            passage.len()
        );
        hex(&Sha256::digest(form.as_bytes()))
    }
}

/// What re-reading every file of a model found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub name: String,
    pub files: Vec<(PathBuf, FileState)>,
}

/// What re-reading one file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// The bytes that were recorded, and those of the catalogue's pin where there is one.
    Intact,
    Missing,
    /// Other bytes; both are SHA-256, 64 hex digits.
    Differs {
        expected: String,
        found: String,
    },
}

impl Verified {
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.files
            .iter()
            .all(|(_, state)| *state == FileState::Intact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedder() -> Installed {
        let file = |role, sha256: &str| InstalledFile {
            path: PathBuf::from("/m").join(format!("{role}")),
            role,
            size: 1,
            sha256: sha256.to_owned(),
        };
        Installed {
            name: "m".to_owned(),
            kind: Kind::Embedder,
            dir: "/m".into(),
            origin: "path /m".to_owned(),
            size: 2,
            recorded: "2026-11-21T06:40:00Z".to_owned(),
            context: Some(512),
            dimensions: Some(384),
            shortest: None,
            pooling: Some(PooledBy::Mean),
            query_prompt: "query: ".to_owned(),
            passage_prompt: String::new(),
            files: vec![file(Role::Weights, "aa"), file(Role::Tokenizer, "bb")],
        }
    }

    #[test]
    fn the_fingerprint_follows_what_changes_a_vector_and_nothing_else() {
        let model = embedder();
        let mut same = embedder();
        same.name = "another name".to_owned();
        same.origin = "hub org/name@main".to_owned();
        same.recorded = String::new();
        same.files.reverse();
        assert_eq!(same.fingerprint(), model.fingerprint());

        let mut weights = embedder();
        weights.files[0].sha256 = "ab".to_owned();
        let mut pooling = embedder();
        pooling.pooling = Some(PooledBy::Cls);
        let mut moved = embedder();
        std::mem::swap(&mut moved.query_prompt, &mut moved.passage_prompt);
        for changed in [weights, pooling, moved] {
            assert_ne!(changed.fingerprint(), model.fingerprint());
        }
    }

    #[test]
    fn the_fingerprint_of_a_model_never_changes_between_versions() {
        // Computed by another program from the documented form.
        let expected = "c1c0e2df0e4035c3389d9f33efefc0749caeebbc90d7239f03d1ce8cf14529b6";
        assert_eq!(embedder().fingerprint(), expected);
    }

    #[test]
    fn a_role_that_a_model_lacks_is_named() {
        let model = embedder();
        assert_eq!(model.file(Role::Weights).unwrap(), Path::new("/m/weights"));
        let error = model.file(Role::Config).unwrap_err();
        assert_eq!(error.fact, "model `m` has no config file");
    }
}
