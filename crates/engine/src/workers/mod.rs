//! Reading in worker processes: a file that crashes, hangs or eats memory costs that file only.
//!
//! A worker is this program started again with a hidden verb. It confines itself ([`crate::sandbox`]),
//! then takes one request a line on stdin and gives one reply a line on stdout. Stack overflows and
//! failed allocations abort a process and can't be caught inside it.

mod limits;
mod protocol;
mod serve;
mod worker;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rag_core::{Code, Document, Error, Extractor, Result};

pub use self::limits::Limits;
pub use self::protocol::{ReadOptions, Recognised, ToldBy};
use self::protocol::{Reply, Request};
pub use self::serve::serve_extractor;
use self::worker::{Loss, Worker};
use crate::name::is_nameable;
use crate::sandbox::{self, Confinement, Probe};

/// Time for a worker to try what it may not do, and to ask `tesseract` who it is.
const PROBE_TIME: Duration = Duration::from_mins(1);

/// A file of fewer bytes leaves no worker so large that it is worth a look.
const GROWS_FROM: u64 = 64 << 10;

/// Reads files in worker processes, as many at once as there are callers.
#[derive(Debug)]
pub struct WorkerPool {
    program: PathBuf,
    arguments: Vec<OsString>,
    rules: String,
    options: ReadOptions,
    limits: Limits,
    idle: Mutex<Vec<Worker>>,
    /// What the worker said that was started last.
    confinement: Mutex<Option<Confinement>>,
    /// Starts workers on a thread that lives as long as the pool: on Linux a worker is killed when
    /// the thread that started it ends, and threads that read files come and go.
    starter: Mutex<Option<Sender<Order>>>,
}

/// A command to start, and where to send the process.
type Order = (Command, Sender<std::io::Result<Child>>);

impl WorkerPool {
    /// Workers are `program arguments…`; `rules` is the version of the reading rules they follow.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>, rules: String) -> Self {
        Self {
            program,
            arguments,
            rules,
            options: ReadOptions::default(),
            limits: Limits::default(),
            idle: Mutex::default(),
            confinement: Mutex::default(),
            starter: Mutex::default(),
        }
    }

    #[must_use]
    pub fn with_options(mut self, options: ReadOptions) -> Self {
        self.options = options;
        self
    }

    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What holds the worker that was started last; none before the first.
    #[must_use]
    pub fn confinement(&self) -> Option<Confinement> {
        locked(&self.confinement).clone()
    }

    /// Ends the workers that wait for files; others are started when there are files again.
    pub fn rest(&self) {
        locked(&self.idle).clear();
    }

    /// Lets a worker try what it may not do.
    ///
    /// # Errors
    /// `Internal` where no worker can be started, or it does not come back from trying.
    pub fn probe(&self) -> Result<Probe> {
        let mut worker = self.take()?;
        match worker.ask(&Request::Probe, PROBE_TIME, &self.limits) {
            Ok(Reply::Probe(probe)) => {
                self.put_back(worker);
                Ok(probe)
            }
            Ok(_) => Err(confused()),
            Err(loss) => Err(worker.bury(&loss, 0, &self.limits)),
        }
    }

    /// What a file is taken for.
    ///
    /// # Errors
    /// As [`Extractor::extract`].
    pub fn recognise(&self, path: &Path) -> Result<Recognised> {
        match self.ask(path, Request::Recognise)? {
            Reply::Recognised(recognised) => Ok(recognised),
            _ => Err(confused()),
        }
    }

    /// Asks a worker something of a file.
    fn ask(&self, path: &Path, question: fn(PathBuf) -> Request) -> Result<Reply> {
        if !is_nameable(path) {
            let fact = format!("the path `{}` is not valid Unicode", path.display());
            return Err(Error::new(Code::Unsupported, fact).hint("rename the file"));
        }
        let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
        let time = self.limits.wall_time(size);
        let request = question(path.to_owned());
        let mut worker = self.take()?;
        let mut reply = worker.ask(&request, time, &self.limits);
        if matches!(reply, Err(Loss::Gone | Loss::Grown)) && worker.has_served {
            // It may have died, or grown to its limit, of the files before: this one gets a new worker.
            worker = self.start()?;
            reply = worker.ask(&request, time, &self.limits);
        }
        let reply = match reply {
            Ok(reply) => reply,
            Err(loss) => return Err(worker.bury(&loss, size, &self.limits)),
        };
        worker.has_served = true;
        if self.is_fit(&worker, size) {
            self.put_back(worker);
        }
        match reply {
            Reply::Failure(failure) => Err(failure.into()),
            reply => Ok(reply),
        }
    }

    fn take(&self) -> Result<Worker> {
        match locked(&self.idle).pop() {
            Some(worker) => Ok(worker),
            None => self.start(),
        }
    }

    fn start(&self) -> Result<Worker> {
        let mut command = sandbox::command(&self.program, &self.arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (sender, child) = channel();
        let mut starter = locked(&self.starter);
        let orders = starter.get_or_insert_with(|| {
            let (orders, queue) = channel::<Order>();
            std::thread::spawn(move || {
                for (mut command, sender) in queue {
                    let _ = sender.send(command.spawn());
                }
            });
            orders
        });
        let lost = || Error::new(Code::Internal, "the thread that starts workers is gone");
        orders.send((command, sender)).map_err(|_| lost())?;
        drop(starter); // others start theirs while this one gets ready
        let child = child.recv().map_err(|_| lost())?;
        let failed = |cause| Error::io("start a worker process of", &self.program, cause);
        let worker = Worker::open(child.map_err(failed)?, &self.limits, &self.options)?;
        *locked(&self.confinement) = Some(worker.confinement.clone());
        Ok(worker)
    }

    /// Whether a worker that has read a file of `size` bytes is used again.
    fn is_fit(&self, worker: &Worker, size: u64) -> bool {
        let has_grown = || {
            let held = worker.resident();
            held.is_some_and(|bytes| bytes > self.limits.kept_memory)
        };
        size <= self.limits.large_file && (size < GROWS_FROM || !has_grown())
    }

    fn put_back(&self, worker: Worker) {
        locked(&self.idle).push(worker);
    }
}

impl Extractor for WorkerPool {
    fn rules(&self) -> String {
        self.rules.clone()
    }

    fn extract(&self, path: &Path) -> Result<Document> {
        match self.ask(path, Request::Read)? {
            Reply::Document(document) => Ok(*document),
            _ => Err(confused()),
        }
    }
}

fn confused() -> Error {
    Error::new(Code::Internal, "a worker answered what it was not asked")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::protocol::{MARK, send};
    use crate::workers::serve::Session;

    /// Shell scripts stand in for workers that misbehave. They begin as they should.
    fn pool(script: &str) -> WorkerPool {
        let ready = line(&Reply::Ready(Confinement::default()));
        let script = format!("read opening; printf '%s\\n' '{ready}'\n{script}");
        bare(&script)
    }

    fn bare(script: &str) -> WorkerPool {
        let arguments = vec!["-c".into(), script.into()];
        WorkerPool::new("/bin/sh".into(), arguments, "r".into()).with_limits(Limits {
            reply: 10_000,
            ..Limits::default()
        })
    }

    /// One whose patience is soon at its end.
    fn hasty(script: &str) -> WorkerPool {
        let mut pool = pool(script);
        pool.limits.base_time = Duration::from_millis(500);
        pool.limits.patience = 1;
        pool
    }

    /// A reply as it goes over the pipe.
    fn line(reply: &Reply) -> String {
        let mut line = Vec::new();
        send(reply, MARK, &mut line).unwrap();
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    fn document() -> String {
        line(&Reply::Document(Box::default()))
    }

    fn failure(pool: &WorkerPool) -> Error {
        pool.extract(Path::new("a.pdf")).unwrap_err()
    }

    #[test]
    fn a_reader_that_hangs_is_stopped_and_named() {
        let error = failure(&hasty("sleep 300"));
        assert_eq!(error.code, Code::LimitExceeded);
        assert!(error.fact.contains("longer than"), "{error}");
        assert!(error.hint.is_some());
    }

    #[test]
    fn a_reader_that_hangs_is_stopped_with_all_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let number = dir.path().join("number");
        let script = format!("sleep 300 & echo $! > '{}'; wait", number.display());
        failure(&hasty(&script));
        let number = std::fs::read_to_string(&number).unwrap();
        let child = Path::new("/proc").join(number.trim()).join("stat");
        // Dying takes a moment; then it is gone, or waits for somebody to notice.
        let is_alive = || {
            let state = std::fs::read_to_string(&child).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        let began = std::time::Instant::now();
        while is_alive() {
            assert!(began.elapsed() < Duration::from_mins(1), "it lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_reader_that_dies_costs_that_file_only() {
        let pool = pool("read line; kill -SEGV $$");
        let error = failure(&pool);
        assert!(error.fact.contains("crashed"), "{error}");
        assert!(error.fact.contains("SIGSEGV"), "{error}");
        assert!(pool.idle.lock().unwrap().is_empty());
    }

    #[test]
    fn what_a_reader_died_of_is_said_as_far_as_it_can_be_known() {
        let died = |last_words: &str| {
            let script = format!("read line; echo \"{last_words}\" >&2; kill -ABRT $$");
            failure(&pool(&script)).fact
        };
        let overflow = died("thread 'main' (7) has overflowed its stack");
        assert!(overflow.contains("nested too deeply"), "{overflow}");
        let memory = died("memory allocation of 5368709120 bytes failed");
        assert!(memory.contains("4096 MiB"), "{memory}");
        let long = format!("{} memory allocation of 7 bytes failed", "x".repeat(20_000));
        assert!(died(&long).contains("4096 MiB"));
    }

    #[test]
    fn a_reply_without_end_is_cut_off() {
        let mark = String::from_utf8(MARK.to_vec()).unwrap();
        let script =
            format!("read line; printf '%s' '{mark}'; while :; do printf 0123456789; done");
        let error = failure(&pool(&script));
        assert!(error.fact.contains("more than 0 MiB of text"), "{error}");
    }

    #[test]
    fn noise_without_end_is_not_held_and_ends_with_the_time() {
        let error = failure(&hasty("read line; while :; do printf 0123456789; done"));
        assert!(error.fact.contains("longer than"), "{error}");
    }

    #[test]
    fn a_program_that_is_no_worker_is_told_with_its_last_words() {
        let error = failure(&bare("echo 'no such library' >&2; exit 127"));
        assert_eq!(error.code, Code::Internal);
        assert!(
            error.one_line().contains("no such library"),
            "{}",
            error.one_line()
        );
        assert!(error.one_line().contains("127"), "{}", error.one_line());
    }

    #[test]
    fn a_worker_that_died_of_an_earlier_file_is_replaced() {
        let pool = pool(&format!("read line; printf '%s\\n' '{}'", document()));
        pool.extract(Path::new("a.md")).unwrap();
        pool.extract(Path::new("b.md")).unwrap();
    }

    #[test]
    fn a_worker_is_used_again_from_another_thread_but_not_after_a_large_file() {
        let dir = tempfile::tempdir().unwrap();
        let small = dir.path().join("small.md");
        std::fs::write(&small, "small").unwrap();
        let script = format!("while read line; do printf '%s\\n' '{}'; done", document());
        let mut pool = pool(&script);
        let first = std::thread::scope(|scope| {
            let read = || pool.extract(&small).map(|_| ());
            scope.spawn(read).join().unwrap()
        });
        first.unwrap();
        pool.extract(&small).unwrap();
        assert_eq!(pool.idle.lock().unwrap().len(), 1);
        pool.limits.large_file = 4;
        pool.extract(&small).unwrap();
        assert!(pool.idle.lock().unwrap().is_empty());
    }

    #[test]
    fn a_worker_that_holds_much_memory_after_a_file_is_not_used_again() {
        if !cfg!(any(target_os = "linux", target_os = "macos")) {
            return; // nobody says there what a process holds
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.md");
        std::fs::write(&path, "x".repeat(GROWS_FROM as usize)).unwrap();
        let script = format!("while read line; do printf '%s\\n' '{}'; done", document());
        let mut pool = pool(&script);
        pool.extract(&path).unwrap();
        assert_eq!(pool.idle.lock().unwrap().len(), 1);
        pool.limits.kept_memory = 1;
        pool.extract(&path).unwrap();
        assert!(pool.idle.lock().unwrap().is_empty());
    }

    #[test]
    fn what_a_parser_prints_does_not_disturb_the_reply() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::write(&path, "# Title\n\nText.\n").unwrap();
        let session = Session {
            extractor: Box::new(rag_text::Reader::new()),
            limits: Limits {
                base_time: Duration::from_hours(1000), // this process is not to be limited
                ..Limits::default()
            },
            confinement: Confinement::default(),
        };
        let mut request = Vec::new();
        send(&Request::Read(path), b"", &mut request).unwrap();
        let mut replies = Vec::new();
        session
            .answer_all(&mut request.as_slice(), &mut replies)
            .unwrap();
        let reply = dir.path().join("reply");
        std::fs::write(&reply, &replies).unwrap();
        let script = format!(
            "read line; echo noise; printf noise; cat '{}'; read x",
            reply.display()
        );
        let document = pool(&script).extract(Path::new("a.md")).unwrap();
        assert_eq!(document.title.as_deref(), Some("Title"));
    }
}
