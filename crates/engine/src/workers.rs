//! Reading in worker processes: a file that crashes, hangs or eats memory costs that file only.
//!
//! A worker is this program started again with a hidden verb. It takes one request a line on stdin and
//! gives one reply a line on stdout; a reply starts with a mark, because parsers have been seen to
//! print. Stack overflows and failed allocations abort a process and can't be caught inside it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rag_core::wire::Failure;
use rag_core::{Code, Document, Error, Extractor, Result};
use serde::{Deserialize, Serialize};

/// Time a file may take: this much, and more for each MiB.
const BASE_TIME: Duration = Duration::from_mins(1);
const TIME_PER_MIB: Duration = Duration::from_secs(2);
/// Address space of a worker. Set on Linux; macOS accepts the limit and does not hold to it.
const MEMORY: u64 = 4 << 30;
/// Starts every reply.
const MARK: &str = "\u{1}rag ";

#[derive(Serialize, Deserialize)]
struct Request {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Document(Box<Document>),
    Failure(Failure),
}

/// Reads files in worker processes, as many at once as there are callers.
#[derive(Debug)]
pub struct WorkerPool {
    program: PathBuf,
    arguments: Vec<OsString>,
    rules: String,
    base_time: Duration,
    idle: Mutex<Vec<Worker>>,
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
            base_time: BASE_TIME,
            idle: Mutex::default(),
            starter: Mutex::default(),
        }
    }

    /// Changes the time that a file may take before its size is counted in.
    #[cfg(test)]
    fn with_base_time(mut self, base_time: Duration) -> Self {
        self.base_time = base_time;
        self
    }

    fn take(&self) -> Result<Worker> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(worker) => Ok(worker),
            None => self.start(),
        }
    }

    fn start(&self) -> Result<Worker> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // Ctrl-C is for the caller: a worker that dies of it would look like a file that crashed it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let (sender, child) = channel();
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
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
        let child = child.recv().map_err(|_| lost())?;
        let failed = |cause| Error::io("start a worker process of", &self.program, cause);
        Worker::new(child.map_err(failed)?)
    }

    fn put_back(&self, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(worker);
    }
}

impl Extractor for WorkerPool {
    fn rules(&self) -> String {
        self.rules.clone()
    }

    fn extract(&self, path: &Path) -> Result<Document> {
        let bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
        let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let limit = self.base_time + TIME_PER_MIB.saturating_mul(mib);
        let mut worker = self.take()?;
        let mut reply = worker.read(path, limit);
        if matches!(reply, Err(Loss::Gone)) && worker.has_served {
            // It may have died, or grown to its limit, of the files before: this one gets a new worker.
            worker = self.start()?;
            reply = worker.read(path, limit);
        }
        match reply {
            Ok(reply) => {
                worker.has_served = true;
                self.put_back(worker);
                match reply {
                    Reply::Document(document) => Ok(*document),
                    Reply::Failure(failure) => Err(failure.into()),
                }
            }
            Err(loss) => Err(worker.bury(&loss, limit)),
        }
    }
}

/// Why no reply came.
enum Loss {
    Late,
    Gone,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
    /// Whether it has read a file already.
    has_served: bool,
}

impl Worker {
    fn new(mut child: Child) -> Result<Self> {
        let (Some(requests), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new(Code::Internal, "a worker process has no pipes"));
        };
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                if let Some(reply) = line.strip_prefix(MARK)
                    && sender.send(reply.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            requests,
            replies,
            has_served: false,
        })
    }

    fn read(&mut self, path: &Path, limit: Duration) -> std::result::Result<Reply, Loss> {
        let request = Request {
            path: path.to_owned(),
        };
        let line = serde_json::to_string(&request).map_err(|_| Loss::Gone)?;
        writeln!(self.requests, "{line}").map_err(|_| Loss::Gone)?;
        let reply = self
            .replies
            .recv_timeout(limit)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => Loss::Late,
                RecvTimeoutError::Disconnected => Loss::Gone,
            })?;
        serde_json::from_str(&reply).map_err(|_| Loss::Gone)
    }

    /// Ends the worker and says what its end means for the file.
    fn bury(mut self, loss: &Loss, limit: Duration) -> Error {
        let _ = self.child.kill();
        let status = self.child.wait();
        match loss {
            Loss::Late => Error::new(
                Code::LimitExceeded,
                format!(
                    "reading took longer than {} s and was stopped",
                    limit.as_secs()
                ),
            ),
            Loss::Gone => Error::new(
                Code::LimitExceeded,
                format!(
                    "the reader crashed or ran out of its {} GiB of memory on this file ({})",
                    MEMORY >> 30,
                    status.map_or_else(|error| error.to_string(), |status| status.to_string())
                ),
            ),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The worker's side: reads requests until there are no more, within the memory limit.
///
/// # Errors
/// `Io` where a reply can't be written.
pub fn serve_extractor(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    extractor: &dyn Extractor,
) -> Result<()> {
    limit_self();
    for line in input.lines() {
        let Ok(line) = line else { break };
        let reply = match serde_json::from_str::<Request>(&line) {
            Ok(request) => match extractor.extract(&request.path) {
                Ok(document) => Reply::Document(Box::new(document)),
                Err(error) => Reply::Failure(Failure::from(&error)),
            },
            Err(error) => Reply::Failure(Failure {
                code: Code::Internal,
                message: format!("not a request: {error}"),
                hint: None,
            }),
        };
        let written = serde_json::to_string(&reply)
            .map_err(std::io::Error::from)
            .and_then(|reply| writeln!(output, "\n{MARK}{reply}"))
            .and_then(|()| output.flush());
        written.map_err(|cause| Error::io("write to", Path::new("the pipe"), cause))?;
    }
    Ok(())
}

/// Ends this process with its parent and, where the system holds to it, bounds its memory.
fn limit_self() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, Signal};
        let limit = Rlimit {
            current: Some(MEMORY),
            maximum: Some(MEMORY),
        };
        let _ = rustix::process::setrlimit(Resource::As, limit);
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        let parent = rustix::process::getppid();
        std::thread::spawn(move || {
            while rustix::process::getppid() == parent {
                std::thread::sleep(Duration::from_secs(1));
            }
            // Whoever asked is gone, and a parser that loops never comes back to notice.
            #[allow(clippy::exit)]
            std::process::exit(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shell scripts stand in for workers that misbehave.
    fn pool(script: &str) -> WorkerPool {
        let arguments = vec!["-c".into(), script.into()];
        WorkerPool::new("/bin/sh".into(), arguments, "r".into())
            .with_base_time(Duration::from_secs(2))
    }

    #[test]
    fn a_reader_that_hangs_is_stopped_and_named() {
        let error = pool("sleep 30").extract(Path::new("a.pdf")).unwrap_err();
        assert_eq!(error.code, Code::LimitExceeded);
        assert!(error.fact.contains("longer than"), "{error}");
    }

    #[test]
    fn a_reader_that_dies_costs_that_file_only() {
        let once = "read line; kill -ABRT $$";
        let pool = pool(once);
        let error = pool.extract(Path::new("a.pdf")).unwrap_err();
        assert!(error.fact.contains("crashed"), "{error}");
        assert!(pool.idle.lock().unwrap().is_empty());
    }

    #[test]
    fn a_worker_that_died_of_an_earlier_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let reply = dir.path().join("reply");
        let empty = serde_json::to_string(&Reply::Document(Box::default())).unwrap();
        std::fs::write(&reply, format!("{MARK}{empty}\n")).unwrap();
        let once = format!("read line; cat '{}'", reply.display());
        let pool = pool(&once);
        pool.extract(Path::new("a.md")).unwrap();
        pool.extract(Path::new("b.md")).unwrap();
    }

    #[test]
    fn a_worker_is_used_again_from_another_thread() {
        let dir = tempfile::tempdir().unwrap();
        let reply = dir.path().join("reply");
        let empty = serde_json::to_string(&Reply::Document(Box::default())).unwrap();
        std::fs::write(&reply, format!("{MARK}{empty}\n")).unwrap();
        let script = format!("while read line; do cat '{}'; done", reply.display());
        let pool = pool(&script);
        let first = std::thread::scope(|scope| {
            scope
                .spawn(|| pool.extract(Path::new("a.md")).map(|_| ()))
                .join()
                .unwrap()
        });
        first.unwrap();
        pool.extract(Path::new("b.md")).unwrap();
        assert_eq!(pool.idle.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_a_parser_prints_does_not_disturb_the_reply() {
        let mut replies = Vec::new();
        let reader = rag_text::Reader::new();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::write(&path, "# Title\n\nText.\n").unwrap();
        let request = serde_json::to_string(&Request { path }).unwrap();
        serve_extractor(&mut request.as_bytes(), &mut replies, &reader).unwrap();
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
