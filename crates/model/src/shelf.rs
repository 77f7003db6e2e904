//! The models on this machine: pulled into `DIR/NAME`, or added from where the user has them.
//!
//! A model counts as installed when `DIR/NAME/model.toml` exists, which is written last. Nothing here
//! knows how a model is run.

mod installed;
mod pull;
mod record;

use std::fs::{self, File, TryLockError};
use std::path::{Component, Path, PathBuf};

use rag_core::{Code, Error, Result};

pub use self::installed::{FileState, Installed, InstalledFile, Verified};
use self::record::{Record, RecordedFile};
use crate::catalogue::{Catalogue, Entry, Kind};
use crate::fetch::hub::Hub;
use crate::fetch::local::{self, Recipe};
use crate::fetch::part::sha256_of;
use crate::fetch::wheel::Pip;
use crate::fetch::{Progress, PullFrom};

/// A folder of models.
#[derive(Debug)]
pub struct Shelf {
    dir: PathBuf,
    /// None: as the environment says.
    hub: Option<Hub>,
    pip: Pip,
}

impl Shelf {
    /// The models in `dir`, which need not exist yet.
    pub fn open(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            hub: None,
            pip: Pip::default(),
        }
    }

    /// Pulls from this hub instead of the one that the environment names.
    #[must_use]
    pub fn with_hub(mut self, hub: Hub) -> Self {
        self.hub = Some(hub);
        self
    }

    /// Calls `pip` in this way.
    #[must_use]
    pub fn with_pip(mut self, pip: Pip) -> Self {
        self.pip = pip;
        self
    }

    /// Every model that is recorded here, by name.
    ///
    /// # Errors
    /// `Io`, and `ModelInvalid` where a record is damaged.
    pub fn installed(&self) -> Result<Vec<Installed>> {
        let folders = match fs::read_dir(&self.dir) {
            Ok(folders) => folders,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(Error::io("read", &self.dir, cause)),
        };
        let mut models = Vec::new();
        for folder in folders {
            let folder = folder
                .map_err(|cause| Error::io("read", &self.dir, cause))?
                .path();
            if let Some(record) = Record::read(&folder)? {
                models.push(record.into_installed(&folder));
            }
        }
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(models)
    }

    /// The model of this name; its files may be gone meanwhile ([`Installed::is_complete`]).
    ///
    /// # Errors
    /// `Usage` for what can't be a name, `Io`, and `ModelInvalid` where the record is damaged.
    pub fn find(&self, name: &str) -> Result<Option<Installed>> {
        check_name(name)?;
        let folder = self.dir.join(name);
        Ok(Record::read(&folder)?.map(|record| record.into_installed(&folder)))
    }

    /// The model of this name, with every file in place. Reads sizes, not contents.
    ///
    /// # Errors
    /// `ModelMissing` where it, or a file of it, is not there; and those of [`Shelf::find`].
    pub fn require(&self, name: &str) -> Result<Installed> {
        let Some(model) = self.find(name)? else {
            return Err(missing(name));
        };
        let Some(broken) = model
            .broken()
            .first()
            .map(|file| file.path.display().to_string())
        else {
            return Ok(model);
        };
        let fact = format!("model `{name}` is not complete: `{broken}` is gone or cut short");
        let hint = if model.dir == self.dir.join(name) {
            format!("rag models pull {name}")
        } else {
            "put the file back, or add the model again: `rag models add PATH`".to_owned()
        };
        Err(Error::new(Code::ModelMissing, fact).hint(hint))
    }

    /// Brings a model here. One that is here already is read and hashed, and only what is missing or
    /// damaged is fetched again.
    ///
    /// # Errors
    /// `Network`, `Io`, `ModelInvalid` for a file with the wrong hash, `Locked` while another process
    /// pulls it, `Usage` where the model has no such origin. With several origins, that of the last;
    /// each is reported through `progress`.
    pub fn pull(
        &self,
        entry: &Entry,
        from: &PullFrom,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Installed> {
        check_name(&entry.name)?;
        let origins = pull::origins(entry, from)?;
        let folder = self.dir.join(&entry.name);
        let _lock = lock(&folder, &entry.name)?;
        let record = Record::read(&folder).unwrap_or_else(|damaged| {
            progress(Progress::Note(damaged.one_line()));
            None
        });
        if let Some(in_place) = record.as_ref().and_then(|record| record.in_place.as_ref()) {
            let fact = format!("`{}` was added from `{}`", entry.name, in_place.display());
            return Err(Error::new(Code::Usage, fact)
                .hint(format!("delete `{}` to pull it instead", folder.display())));
        }
        let kept = pull::kept(entry, &folder, record.as_ref(), progress)?;
        if let Some(record) = record.filter(|_| kept.len() == entry.files.len()) {
            let files = pull::recorded(entry, &folder, &kept)?;
            let fresh = Record::pulled(entry, record.origin.clone(), files);
            if fresh.says_the_same(&record) {
                return Ok(record.into_installed(&folder));
            }
            // The catalogue has learnt something since.
            fresh.write(&folder)?;
            return Ok(fresh.into_installed(&folder));
        }
        let (origin, hashes) = self.bring(entry, &origins, &folder, &kept, progress)?;
        let record = Record::pulled(entry, origin, pull::recorded(entry, &folder, &hashes)?);
        record.write(&folder)?;
        Ok(record.into_installed(&folder))
    }

    /// Records a model that stays where it is: a `.gguf` file, or a folder with `model.safetensors`,
    /// `tokenizer.json` and `config.json`. Without a name, it goes by that of the file or folder.
    ///
    /// Pooling and prompts are those of the catalogue where the weights are known there, and else
    /// what the folder says.
    ///
    /// # Errors
    /// `Io`, `ModelInvalid` where `path` is no model, `Usage` for a name that is taken or can't be one.
    pub fn add(&self, path: &Path, name: Option<&str>) -> Result<Installed> {
        let found = local::look(path)?;
        let name = name.map_or_else(|| as_name(&found.stem), str::to_owned);
        check_name(&name)?;
        let folder = self.dir.join(&name);
        let _lock = lock(&folder, &name)?;
        let mut files = Vec::new();
        for (role, path) in &found.files {
            let relative = path.strip_prefix(&found.dir).unwrap_or(path).to_str();
            let relative = relative.ok_or_else(|| {
                let fact = format!("the name of `{}` is not UTF-8", path.display());
                Error::new(Code::Usage, fact).hint("rename it, then add it")
            })?;
            files.push(RecordedFile {
                path: relative.to_owned(),
                role: *role,
                size: size_of(path)?,
                sha256: sha256_of(path)?,
            });
        }
        if let Some(record) = Record::read(&folder)? {
            let same_place = record.in_place.as_ref() == Some(&found.dir)
                && record.files.first().map(|f| &f.path) == files.first().map(|f| &f.path);
            if !same_place {
                let fact = format!("there is a model `{name}` already ({})", record.origin);
                return Err(Error::new(Code::Usage, fact).hint("add it under another name"));
            }
        }
        let (kind, recipe) = usage(found.kind, found.recipe, &files)?;
        let record = Record::added(&name, kind, found.dir, recipe, files);
        record.write(&folder)?;
        Ok(record.into_installed(&folder))
    }

    /// Reads every file of a model again and compares it with its record, and with the catalogue's pin
    /// where the model was pulled.
    ///
    /// # Errors
    /// `ModelMissing` where there is no such model; `Io` where a file is there and can't be read.
    pub fn verify(&self, name: &str) -> Result<Verified> {
        check_name(name)?;
        let folder = self.dir.join(name);
        let record = Record::read(&folder)?.ok_or_else(|| missing(name))?;
        let entry = match record.in_place {
            None => Catalogue::builtin()?.get(name),
            Some(_) => None,
        };
        let dir = record.in_place.as_ref().unwrap_or(&folder);
        let mut files = Vec::new();
        for file in &record.files {
            let path = dir.join(&file.path);
            let pin = entry.and_then(|entry| entry.file(&file.path)?.sha256.as_ref());
            let state = if path.is_file() {
                compare(&path, pin.unwrap_or(&file.sha256))?
            } else {
                FileState::Missing
            };
            files.push((path, state));
        }
        Ok(Verified {
            name: name.to_owned(),
            files,
        })
    }
}

fn compare(path: &Path, expected: &str) -> Result<FileState> {
    let found = sha256_of(path)?;
    Ok(if found == expected {
        FileState::Intact
    } else {
        FileState::Differs {
            expected: expected.to_owned(),
            found,
        }
    })
}

/// How an added model is used: as the catalogue says where it knows the weights.
fn usage(kind: Kind, recipe: Recipe, files: &[RecordedFile]) -> Result<(Kind, Recipe)> {
    let catalogue = Catalogue::builtin()?;
    let known = files
        .iter()
        .find_map(|file| catalogue.by_weights(&file.sha256));
    Ok(known.map_or((kind, recipe), |entry| {
        let recipe = Recipe {
            context: Some(entry.context),
            dimensions: entry.dimensions,
            shortest: entry.shortest,
            pooling: entry.pooling,
            query_prompt: entry.query_prompt.clone(),
            passage_prompt: entry.passage_prompt.clone(),
        };
        (entry.kind, recipe)
    }))
}

/// A model's folder, held until this is dropped or the process ends in whatever way.
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that is being started has the file open for a moment
        // too, and with it the lock. A lock that can't be released falls with the process.
        let _ = self.0.unlock();
    }
}

fn lock(folder: &Path, name: &str) -> Result<Held> {
    fs::create_dir_all(folder).map_err(|cause| Error::io("create", folder, cause))?;
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|cause| Error::io("create", &path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(Held(file)),
        Err(TryLockError::WouldBlock) => {
            let fact = format!("another process is pulling or adding `{name}`");
            Err(Error::new(Code::Locked, fact).hint("wait for it to end"))
        }
        Err(TryLockError::Error(cause)) => Err(Error::io("lock", &path, cause)),
    }
}

fn missing(name: &str) -> Error {
    let error = Error::new(
        Code::ModelMissing,
        format!("model `{name}` is not on this machine"),
    );
    let Ok(catalogue) = Catalogue::builtin() else {
        return error;
    };
    if catalogue.get(name).is_some() {
        return error.hint(format!("rag models pull {name}"));
    }
    error.hint(match catalogue.suggest(name) {
        Some(meant) => format!("did you mean `{meant}`? `rag models pull {meant}` brings it"),
        None => {
            "`rag models list` shows the known ones; `rag models add PATH` takes another".into()
        }
    })
}

fn size_of(path: &Path) -> Result<u64> {
    let found = path
        .metadata()
        .map_err(|cause| Error::io("read", path, cause))?;
    Ok(found.len())
}

/// A file name made into a model name.
fn as_name(stem: &str) -> String {
    let plain: String = stem
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if is_name_char(c) { c } else { '-' })
        .collect();
    plain
        .trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned()
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
}

/// Names are folders: nothing that leaves the shelf or hides in it.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts_well && name.len() <= 100 && name.chars().all(is_name_char) {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("`{name}` can't be the name of a model"),
    )
    .hint("use lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit"))
}

/// Paths inside a model's folder stay inside it.
pub(crate) fn check_relative(path: &str) -> Result<()> {
    let inside = |part| matches!(part, Component::Normal(_));
    if !path.is_empty() && Path::new(path).components().all(inside) {
        return Ok(());
    }
    let fact = format!("`{path}` does not lie inside a model's folder");
    Err(Error::new(Code::ModelInvalid, fact))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::catalogue::{FileSpec, Origin, PooledBy, Role, Support, TemplateSource};
    use crate::fetch::wheel::tests::{fake_pip, hash, wheel_of};

    const FILES: [(&str, Role, &[u8]); 3] = [
        ("model.safetensors", Role::Weights, b"the weights"),
        ("tokenizer.json", Role::Tokenizer, b"{}"),
        ("config.json", Role::Config, b"{\"model_type\": \"bert\"}"),
    ];

    /// A model that only a wheel has; the wheel is `made` in the folder of the fake pip.
    struct Shop {
        dir: tempfile::TempDir,
        entry: Entry,
    }

    impl Shop {
        fn new() -> Self {
            Self::with_wheel(&FILES.map(|(path, _, content)| (path, content)))
        }

        fn with_wheel(members: &[(&str, &[u8])]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let bytes = wheel_of(members);
            fs::write(dir.path().join("made"), &bytes).unwrap();
            let same = FILES.map(|(path, ..)| (path.to_owned(), path.to_owned()));
            let source = Origin::Wheel {
                package: "some-model".to_owned(),
                version: "1.0".to_owned(),
                sha256: hash(&bytes),
                members: BTreeMap::from(same),
            };
            let entry = entry(vec![source]);
            Self { dir, entry }
        }

        fn shelf(&self) -> Shelf {
            let copy = "cp \"$here/made\" \"$into/some_model-1.0.whl\"";
            Shelf::open(self.dir.path().join("models"))
                .with_pip(fake_pip(self.dir.path(), copy))
                .with_hub(nowhere())
        }

        fn pull(&self) -> (Result<Installed>, Vec<Progress>) {
            let mut seen = Vec::new();
            let result = self
                .shelf()
                .pull(&self.entry, &PullFrom::Auto, &mut |p| seen.push(p));
            (result, seen)
        }

        fn calls_of_pip(&self) -> usize {
            let calls = fs::read_to_string(self.dir.path().join("calls"));
            calls.map_or(0, |calls| calls.lines().count())
        }

        fn file(&self, name: &str) -> PathBuf {
            self.dir.path().join("models/some-model").join(name)
        }
    }

    fn nowhere() -> Hub {
        Hub {
            endpoint: "http://127.0.0.1:1".to_owned(),
            token: None,
            cache: None,
            pause: Duration::ZERO,
        }
    }

    fn entry(sources: Vec<Origin>) -> Entry {
        let spec = |(path, role, content): (&str, Role, &[u8])| FileSpec {
            path: path.to_owned(),
            role,
            size: content.len() as u64,
            size_is_estimate: false,
            sha256: Some(hash(content)),
        };
        Entry {
            name: "some-model".to_owned(),
            kind: Kind::Embedder,
            summary: "for tests".to_owned(),
            languages: vec!["en".to_owned()],
            license: "MIT".to_owned(),
            architecture: "bert".to_owned(),
            parameters: 1,
            size: FILES.iter().map(|(.., content)| content.len() as u64).sum(),
            memory: 1,
            memory_on_cpu: 1,
            context: 512,
            dimensions: Some(384),
            shortest: None,
            pooling: Some(PooledBy::Cls),
            query_prompt: "query: ".to_owned(),
            passage_prompt: String::new(),
            template: TemplateSource::None,
            support: Support::Supported,
            tried: false,
            files: FILES.map(spec).into(),
            sources,
        }
    }

    #[test]
    fn a_pulled_model_has_its_files_and_says_how_it_is_used() {
        let shop = Shop::new();
        let (pulled, progress) = shop.pull();
        let model = pulled.unwrap();
        assert_eq!(model.name, "some-model");
        assert_eq!(model.origin, "wheel some-model 1.0");
        assert_eq!(model.size, shop.entry.size);
        assert_eq!(model.pooling, Some(PooledBy::Cls));
        assert_eq!(model.query_prompt, "query: ");
        for (path, role, content) in FILES {
            assert_eq!(model.file(role).unwrap(), shop.file(path));
            assert_eq!(fs::read(model.file(role).unwrap()).unwrap(), content);
            let finished = Progress::Finished {
                file: path.to_owned(),
            };
            assert!(progress.contains(&finished));
        }
        assert_eq!(shop.shelf().require("some-model").unwrap(), model);
        assert_eq!(shop.shelf().installed().unwrap(), [model]);
        assert!(shop.shelf().verify("some-model").unwrap().is_intact());
    }

    #[test]
    fn pulling_again_fetches_nothing_and_changes_nothing() {
        let shop = Shop::new();
        shop.pull().0.unwrap();
        let before = fs::read(shop.file("model.toml")).unwrap();
        let (pulled, progress) = shop.pull();
        assert!(pulled.unwrap().is_complete());
        assert_eq!(progress, []);
        assert_eq!(shop.calls_of_pip(), 1);
        assert_eq!(fs::read(shop.file("model.toml")).unwrap(), before);
    }

    #[test]
    fn a_damaged_file_is_named_by_verify_and_replaced_by_pull() {
        let shop = Shop::new();
        shop.pull().0.unwrap();
        fs::write(shop.file("model.safetensors"), "the Weights").unwrap();
        fs::remove_file(shop.file("config.json")).unwrap();
        let verified = shop.shelf().verify("some-model").unwrap();
        let state = |name: &str| {
            let of = |(path, _): &&(PathBuf, FileState)| *path == shop.file(name);
            verified.files.iter().find(of).unwrap().1.clone()
        };
        let differs = FileState::Differs {
            expected: hash(b"the weights"),
            found: hash(b"the Weights"),
        };
        assert_eq!(state("model.safetensors"), differs);
        assert_eq!(state("config.json"), FileState::Missing);
        assert_eq!(state("tokenizer.json"), FileState::Intact);
        assert!(!verified.is_intact());

        let error = shop.shelf().require("some-model").unwrap_err();
        assert_eq!(error.code, Code::ModelMissing);
        assert!(error.fact.contains("config.json"), "{}", error.fact);
        assert_eq!(error.hint.as_deref(), Some("rag models pull some-model"));

        let (pulled, progress) = shop.pull();
        pulled.unwrap();
        let started = |p: &&Progress| matches!(p, Progress::Started { .. });
        assert_eq!(
            progress.iter().filter(started).count(),
            2,
            "the good file stays"
        );
        assert!(shop.shelf().verify("some-model").unwrap().is_intact());
    }

    #[test]
    fn a_pull_that_fails_half_way_leaves_nothing_that_counts_as_installed() {
        let mut members = FILES.map(|(path, _, content)| (path, content));
        members[2].1 = b"{\"model_type\": \"EVIL\"}";
        let shop = Shop::with_wheel(&members);
        let error = shop.pull().0.unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        assert_eq!(
            error.fact,
            "can't pull `some-model` from wheel some-model 1.0"
        );
        let line = error.one_line();
        assert!(
            line.contains("`config.json`") && line.contains("was removed"),
            "{line}"
        );
        assert_eq!(shop.shelf().installed().unwrap(), []);
        assert_eq!(shop.shelf().find("some-model").unwrap(), None);
        assert!(!shop.file("config.json").exists());
        let error = shop.shelf().require("some-model").unwrap_err();
        assert_eq!(error.code, Code::ModelMissing);
    }

    #[test]
    fn what_a_killed_pull_left_is_swept_away() {
        let shop = Shop::new();
        fs::create_dir_all(shop.file("wheel-of-old")).unwrap();
        fs::write(shop.file("wheel-of-old/some_model-1.0.whl"), "half of it").unwrap();
        fs::write(shop.file("config.json.part"), "half of it").unwrap();
        shop.pull().0.unwrap();
        let mut left: Vec<String> = fs::read_dir(shop.file(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "config.json",
                "model.safetensors",
                "model.toml",
                "tokenizer.json"
            ]
        );
    }

    #[test]
    fn when_one_origin_fails_the_next_is_tried_and_the_failure_is_told() {
        let mut shop = Shop::new();
        let hub = Origin::Hub {
            repo: "org/name".to_owned(),
            revision: "main".to_owned(),
        };
        shop.entry.sources.insert(0, hub);
        let (pulled, progress) = shop.pull();
        assert_eq!(pulled.unwrap().origin, "wheel some-model 1.0");
        let told = |p: &Progress| matches!(p, Progress::Note(note) if note.starts_with("hub org/name@main: no connection"));
        assert!(progress.iter().any(told), "{progress:?}");
    }

    #[test]
    fn when_every_origin_fails_the_error_names_them_all_and_the_last_cause() {
        let hub = |repo: &str| Origin::Hub {
            repo: repo.to_owned(),
            revision: "main".to_owned(),
        };
        let entry = entry(vec![hub("a/b"), hub("c/d")]);
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path()).with_hub(nowhere());
        let error = shelf.pull(&entry, &PullFrom::Hub, &mut |_| {}).unwrap_err();
        assert_eq!(error.code, Code::Network);
        assert_eq!(
            error.fact,
            "can't pull `some-model` from hub a/b@main or hub c/d@main"
        );
        assert!(error.one_line().contains("no connection to `127.0.0.1:1`"));
        assert!(error.hint.unwrap().contains("HF_ENDPOINT"));
    }

    #[test]
    fn an_origin_that_the_catalogue_does_not_have_is_refused_before_anything_happens() {
        let shop = Shop::new();
        let error = shop
            .shelf()
            .pull(&shop.entry, &PullFrom::Hub, &mut |_| {})
            .unwrap_err();
        assert_eq!(error.code, Code::Usage);
        assert!(!shop.dir.path().join("models").exists());
    }

    #[test]
    fn two_pulls_of_one_model_do_not_meet() {
        let shop = Shop::new();
        let _held = lock(&shop.file(""), "some-model").unwrap();
        assert_eq!(shop.pull().0.unwrap_err().code, Code::Locked);
    }

    fn gguf(dir: &Path) -> PathBuf {
        let path = dir.join("My Model.Q4_K_M.gguf");
        fs::write(&path, "GGUF and so on").unwrap();
        path
    }

    #[test]
    fn an_added_model_stays_where_it_is_and_a_changed_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = gguf(dir.path()).canonicalize().unwrap();
        let shelf = Shelf::open(dir.path().join("models"));
        let added = shelf.add(&path, None).unwrap();
        assert_eq!(added.name, "my-model.q4_k_m");
        assert_eq!(added.kind, Kind::Generator);
        assert_eq!(added.file(Role::Weights).unwrap(), path);
        assert_eq!(shelf.require(&added.name).unwrap(), added);
        assert!(shelf.verify(&added.name).unwrap().is_intact());

        fs::write(&path, "GGUF and so ON").unwrap();
        let verified = shelf.verify(&added.name).unwrap();
        assert_eq!(verified.files[0].0, path);
        assert!(matches!(verified.files[0].1, FileState::Differs { .. }));

        fs::remove_file(&path).unwrap();
        let error = shelf.require(&added.name).unwrap_err();
        assert_eq!(error.code, Code::ModelMissing);
        assert!(error.hint.unwrap().contains("rag models add"));
    }

    #[test]
    fn adding_the_same_path_again_records_it_anew_and_another_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = gguf(dir.path());
        let shelf = Shelf::open(dir.path().join("models"));
        let first = shelf.add(&path, Some("mine")).unwrap();
        fs::write(&path, "GGUF, a later version").unwrap();
        let second = shelf.add(&path, Some("mine")).unwrap();
        assert_ne!(first.fingerprint(), second.fingerprint());

        let other = dir.path().join("other.gguf");
        fs::write(&other, "GGUF").unwrap();
        let error = shelf.add(&other, Some("mine")).unwrap_err();
        assert_eq!(error.code, Code::Usage);
        assert!(error.fact.contains("`mine`"), "{}", error.fact);
    }

    #[test]
    fn a_model_added_under_a_catalogue_name_is_not_overwritten_by_a_pull() {
        let shop = Shop::new();
        let path = gguf(shop.dir.path());
        shop.shelf().add(&path, Some("some-model")).unwrap();
        let error = shop.pull().0.unwrap_err();
        assert_eq!(error.code, Code::Usage);
        assert!(error.fact.contains("was added from"), "{}", error.fact);
        assert_eq!(shop.calls_of_pip(), 0);
    }

    #[test]
    fn a_model_that_is_not_there_says_what_to_type() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path().join("no such folder"));
        assert_eq!(shelf.installed().unwrap(), []);
        let hint = |name: &str| {
            let error = shelf.require(name).unwrap_err();
            assert_eq!(error.code, Code::ModelMissing);
            error.hint.unwrap()
        };
        assert_eq!(hint("qwen3-4b"), "rag models pull qwen3-4b");
        assert!(hint("qwen3-4bb").starts_with("did you mean `qwen3-4b`?"));
        assert!(hint("something-else-entirely").contains("rag models list"));
    }

    #[test]
    fn names_and_paths_cannot_leave_the_shelf() {
        for name in ["", "..", "a/b", ".hidden", "Upper", "a\\b", "a b"] {
            assert_eq!(check_name(name).unwrap_err().code, Code::Usage, "{name}");
        }
        for path in ["", "..", "a/../../b", "/etc/passwd", "./a"] {
            assert_eq!(
                check_relative(path).unwrap_err().code,
                Code::ModelInvalid,
                "{path}"
            );
        }
        check_name("qwen2.5-0.5b-instruct").unwrap();
        check_relative("Q4_K_M/a-00001-of-00003.gguf").unwrap();
        assert_eq!(as_name("My Model (v2).Q4"), "my-model--v2-.q4");
    }
}
