//! The pinned world of the end-to-end tests: a home of their own, no setting of the user, no colour, no
//! network, and the real binary with the starter models that `make test` has fetched.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The starter pack's embedder, which is ready to use once it has been pulled.
pub(crate) const EMBEDDER: &str = "all-minilm-l6-v2";

/// A port where nothing listens (RFC 863, discard): whoever tries the network is refused at once.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Longer than any run takes on a slow and busy machine. Past it a test fails and says what hung, where
/// it would otherwise hold up the whole suite for ever.
const DEADLINE: Duration = Duration::from_mins(5);

/// A data home with nothing in it but what a test puts there.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    models: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: scratch(),
            models: models(),
        }
    }

    /// A home whose starter embedder may be cut to 64 numbers and more (`NAME@256`): another embedder
    /// without another download.
    pub(crate) fn with_embedder_that_may_be_cut() -> Self {
        let mut home = Self::new();
        let (from, to) = (home.models.join(EMBEDDER), home.path().join("models"));
        home.models.clone_from(&to);
        let to = to.join(EMBEDDER);
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let copy = to.join(path.file_name().unwrap());
            if path.ends_with("model.toml") {
                let record = fs::read_to_string(&path).unwrap();
                let record = record.replace("\npooling", "\nshortest = 64\npooling");
                fs::write(copy, record).unwrap();
            } else if fs::hard_link(&path, &copy).is_err() {
                fs::copy(&path, &copy).unwrap();
            }
        }
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `rag` with `args`, ready to run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_through(&[], args)
    }

    /// The same, started by another program (`unshare -rn`, say).
    pub(crate) fn command_through(&self, starter: &[&str], args: &[&str]) -> Command {
        let mut command = clean_command(starter, args, self.path());
        command
            .env("RAG_HOME", self.path())
            .env("RAG_MODELS", &self.models);
        command
    }

    /// Runs `rag` to its end.
    pub(crate) fn rag(&self, args: &[&str]) -> Run {
        finish(&mut self.command(args))
    }

    /// Starts `rag` and does not wait.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        Started::new(&mut self.command(args))
    }

    /// Ingests `folder` without trouble and returns the report.
    #[track_caller]
    pub(crate) fn ingest(&self, folder: &Path) -> Value {
        self.rag(&["ingest", utf8(folder), "--json"])
            .expect(0)
            .json()
    }

    /// Searches and returns what was found; exit code 1 is an empty list.
    #[track_caller]
    pub(crate) fn search(&self, question: &str, options: &[&str]) -> Vec<Value> {
        let args = [&["search", question, "--json"], options].concat();
        let run = self.rag(&args);
        let hits = list(&run.json()["hits"]).clone();
        run.expect(i32::from(hits.is_empty()));
        hits
    }

    /// Sources and chunks at rest; zero where there is no knowledge base yet. It waits for no turn:
    /// tests look with it for a moment in a run that goes on meanwhile.
    pub(crate) fn at_rest(&self) -> AtRest {
        let run = self.start(&["status", "--json"]).finish();
        if run.code != Some(0) {
            return AtRest::default();
        }
        let status = run.json();
        AtRest {
            sources: status["sources"].as_u64().unwrap(),
            chunks: status["chunks"].as_u64().unwrap(),
        }
    }
}

/// What `rag status` counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AtRest {
    pub(crate) sources: u64,
    pub(crate) chunks: u64,
}

/// A folder of documents that a test may change.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self { folder: scratch() };
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path().join(from), self.path().join(to)).unwrap();
    }
}

/// A `rag` that is still running. It is killed with its test.
///
/// Its pipes are read from the start: a report is larger than a pipe holds, and a run that nobody reads
/// would wait at its end for ever.
#[derive(Debug)]
pub(crate) struct Started {
    words: String,
    child: Child,
    since: Instant,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Started {
    fn new(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let words = command.get_args().map(OsStr::to_string_lossy);
        Self {
            words: words.collect::<Vec<_>>().join(" "),
            since: Instant::now(),
            stdout: child.stdout.take().map(read_aside),
            stderr: child.stderr.take().map(read_aside),
            child,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    #[track_caller]
    pub(crate) fn is_running(&mut self) -> bool {
        let running = self.child.try_wait().unwrap().is_none();
        assert!(
            !running || self.since.elapsed() < DEADLINE,
            "`rag {}` is still running after {DEADLINE:?}",
            self.words
        );
        running
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[track_caller]
    pub(crate) fn finish(mut self) -> Run {
        while self.is_running() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let text = |pipe: Option<JoinHandle<String>>| pipe.unwrap().join().unwrap();
        Run {
            words: self.words.clone(),
            code: self.child.wait().unwrap().code(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may be gone already; there is nothing left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end on a thread of its own.
fn read_aside(mut pipe: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// What a run of `rag` left behind.
#[derive(Debug)]
pub(crate) struct Run {
    words: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// stdout as one JSON value a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parsed = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}\n{self}"));
        self.stdout.lines().map(parsed).collect()
    }

    /// All of stdout as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON value: {error}\n{self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self
            .code
            .map_or_else(|| "killed".to_owned(), |c| c.to_string());
        write!(
            f,
            "$ rag {}\nexit: {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.words, self.stdout, self.stderr
        )
    }
}

/// Runs a command to its end, when the machine has room for it.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Run {
    let _turn = Turn::take();
    Started::new(command).finish()
}

/// `rag` in an environment without any of its own variables and with nothing of the user's.
pub(crate) fn bare_command(args: &[&str], home: &Path) -> Command {
    clean_command(&[], args, home)
}

fn clean_command(starter: &[&str], args: &[&str], home: &Path) -> Command {
    let rag = env!("CARGO_BIN_EXE_rag");
    let mut command = match starter {
        [] => Command::new(rag),
        [program, rest @ ..] => {
            let mut command = Command::new(program);
            command.args(rest).arg(rag);
            command
        }
    };
    command.args(args).stdin(Stdio::null()).env_clear();
    for kept in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"] {
        command.env(proxy, NOWHERE);
    }
    command
        .env("HOME", home)
        .env("HF_ENDPOINT", NOWHERE)
        .env("NO_COLOR", "1")
        .env("LANG", "C.UTF-8");
    command
}

/// How many runs may go on at once: a run uses every core, so that more would only disturb each other.
struct Turn;

static RUNNING: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let room = (cores / 4).max(1);
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = DONE
            .wait_while(running, |running| *running >= room)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        DONE.notify_one();
    }
}

/// The folder of models that `make test` names, or that of the user who runs the tests.
pub(crate) fn models() -> PathBuf {
    let named = std::env::var_os("RAG_TEST_MODELS").map(PathBuf::from);
    let places = named.map_or_else(places_of_the_user, |folder| vec![folder]);
    let found = places.iter().find(|folder| folder.join(EMBEDDER).is_dir());
    found.cloned().unwrap_or_else(|| {
        panic!(
            "no `{EMBEDDER}` in {places:?}\n\n\
             hint: run `make test`, which fetches the starter models"
        )
    })
}

fn places_of_the_user() -> Vec<PathBuf> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = var("HOME").unwrap_or_default();
    [
        var("RAG_MODELS"),
        var("RAG_HOME").map(|folder| folder.join("models")),
        var("XDG_DATA_HOME").map(|folder| folder.join("rag/models")),
        Some(home.join(".local/share/rag/models")),
        Some(home.join("Library/Application Support/rag/models")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The fixtures of this project.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A home that holds `fixtures/kb`, made once, for tests that only read.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        // A static is never dropped: its folder has a name of its own and is emptied by the next run.
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir_all(&place).unwrap();
        let home = Home {
            folder: tempfile::Builder::new().tempdir_in(place).unwrap(),
            models: models(),
        };
        let run = home.rag(&["ingest", utf8(&fixtures().join("kb")), "--json"]);
        Library { home, run }
    })
}

/// A home with the fixtures, and the run of `rag ingest` that made it.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) home: Home,
    pub(crate) run: Run,
}

/// A row of an ingest report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) chunks: u64,
}

/// The rows of a report by source. Fails where a source has two.
#[track_caller]
pub(crate) fn rows(report: &Value) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for row in list(&report["sources"]) {
        let source = string(&row["source"]);
        let before = rows.insert(
            source.clone(),
            Row {
                status: string(&row["status"]),
                reason: row["reason"].as_str().map(str::to_owned),
                chunks: row["chunks"].as_u64().unwrap(),
            },
        );
        assert_eq!(before, None, "`{source}` has two rows");
    }
    rows
}

/// The status of every source of a report.
#[track_caller]
pub(crate) fn statuses(report: &Value) -> BTreeMap<String, String> {
    let rows = rows(report).into_iter();
    rows.map(|(source, row)| (source, row.status)).collect()
}

/// One count of a report.
#[track_caller]
pub(crate) fn total(report: &Value, name: &str) -> u64 {
    report["totals"][name].as_u64().unwrap()
}

#[track_caller]
pub(crate) fn list(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {value}"))
}

#[track_caller]
pub(crate) fn string(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}

/// The names of an object's fields, sorted.
#[track_caller]
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {value}"));
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

pub(crate) fn utf8<T: AsRef<OsStr> + ?Sized>(path: &T) -> &str {
    path.as_ref().to_str().unwrap()
}

fn scratch() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Says that something could not be tested here, past the test runner, which keeps what a passing test
/// prints to itself.
pub(crate) fn note(message: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr().lock(), "\nNOTE: {message}\n").unwrap();
}
