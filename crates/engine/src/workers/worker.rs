//! One worker process, from its start to its end.

use std::io::{BufReader, Read};
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rag_core::{Code, Error, Result};

use crate::sandbox::{self, Confinement};
use crate::workers::Limits;
use crate::workers::protocol::{Opening, ReadOptions, Received, Reply, Request, receive, send};

/// Time for a worker to begin, on a machine that has much else to do.
const START: Duration = Duration::from_mins(1);

/// How often the memory of a busy worker is looked at. Where the system bounds it there is nothing to see.
const GLANCE: Duration = Duration::from_secs(1);

/// So much of what a worker says on stderr is kept, to tell of what it died.
const LAST_WORDS: usize = 4096;

/// Why no reply came.
#[derive(Debug)]
pub(super) enum Loss {
    Late,
    Gone,
    TooLong,
    Grown,
}

#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<Received>,
    last_words: Receiver<String>,
    has_ended: bool,
    pub(super) confinement: Confinement,
    /// Whether it has read a file already.
    pub(super) has_served: bool,
}

impl Worker {
    /// Takes over a process that was just started, and waits until it is ready.
    ///
    /// # Errors
    /// `Internal` where it is no worker.
    pub(super) fn open(mut child: Child, limits: &Limits, options: &ReadOptions) -> Result<Self> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(requests), Some(output), Some(errors)) = pipes else {
            return Err(Error::new(Code::Internal, "a worker process has no pipes"));
        };
        let (sender, replies) = sync_channel(1);
        let limit = limits.reply;
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Ok(Some(received)) = receive(&mut output, limit) {
                let is_last = received == Received::TooLong;
                if sender.send(received).is_err() || is_last {
                    break;
                }
            }
        });
        let mut worker = Self {
            child,
            requests,
            replies,
            last_words: listen(errors),
            has_ended: false,
            confinement: Confinement::default(),
            has_served: false,
        };
        let opening = Opening {
            limits: limits.clone(),
            options: options.clone(),
        };
        let sent = send(&opening, b"", &mut worker.requests).map_err(|_| Loss::Gone);
        if let Ok(Reply::Ready(confinement)) = sent.and_then(|()| worker.wait(START, limits)) {
            worker.confinement = confinement;
            return Ok(worker);
        }
        let status = worker.end();
        let fact = format!("a worker process did not begin ({})", shown(&status));
        let error = Error::new(Code::Internal, fact);
        Err(match worker.last_words() {
            words if words.is_empty() => error,
            words => error.because(words),
        })
    }

    /// Asks, and waits for the reply at most this long.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        time: Duration,
        limits: &Limits,
    ) -> std::result::Result<Reply, Loss> {
        send(request, b"", &mut self.requests).map_err(|_| Loss::Gone)?;
        self.wait(time, limits)
    }

    fn wait(&self, time: Duration, limits: &Limits) -> std::result::Result<Reply, Loss> {
        let began = Instant::now();
        loop {
            let left = time.saturating_sub(began.elapsed());
            match self.replies.recv_timeout(left.min(GLANCE)) {
                Ok(Received::Reply(reply)) => {
                    return serde_json::from_slice(&reply).map_err(|_| Loss::Gone);
                }
                Ok(Received::TooLong) => return Err(Loss::TooLong),
                Err(RecvTimeoutError::Disconnected) => return Err(Loss::Gone),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(Loss::Late),
                Err(RecvTimeoutError::Timeout) => {
                    if self.resident().is_some_and(|bytes| bytes > limits.memory) {
                        return Err(Loss::Grown);
                    }
                }
            }
        }
    }

    /// Memory that it holds, in bytes; none where the system does not say.
    pub(super) fn resident(&self) -> Option<u64> {
        sandbox::resident(&self.child)
    }

    /// Ends the worker with all it has started, and says what its end means for a file of `size` bytes.
    pub(super) fn bury(mut self, loss: &Loss, size: u64, limits: &Limits) -> Error {
        let status = self.end();
        let last_words = self.last_words();
        let overran = status
            .as_ref()
            .is_ok_and(|status| sandbox::overran(*status));
        let limit = |fact: String, hint: &str| Error::new(Code::LimitExceeded, fact).hint(hint);
        match loss {
            Loss::Late => {
                let seconds = limits.wall_time(size).as_secs();
                limit(
                    format!("reading took longer than {seconds} s and was stopped"),
                    SIMPLER,
                )
            }
            Loss::Gone if overran => {
                let seconds = limits.processor_time(size).as_secs();
                limit(
                    format!("reading used more than {seconds} s of processor time and was stopped"),
                    SIMPLER,
                )
            }
            Loss::TooLong => {
                let most = limits.reply >> 20;
                limit(
                    format!("the file holds more than {most} MiB of text"),
                    SMALLER,
                )
            }
            Loss::Gone if last_words.contains("has overflowed its stack") => limit(
                "reading failed: the file is nested too deeply".to_owned(),
                SIMPLER,
            ),
            Loss::Grown => limit(out_of_memory(limits), SMALLER),
            Loss::Gone if last_words.contains("memory allocation of") => {
                limit(out_of_memory(limits), SMALLER)
            }
            Loss::Gone => Error::new(
                Code::Malformed,
                format!("the reader crashed on this file ({})", shown(&status)),
            )
            .hint(SIMPLER),
        }
    }

    /// Ends the process with all that it has started. Once it was waited for, its number may be another's.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if self.has_ended {
            return self.child.wait();
        }
        self.has_ended = true;
        sandbox::end(&mut self.child)
    }

    /// What it said last on stderr. A program that got away may hold the pipe open, and is not waited for.
    fn last_words(&self) -> String {
        self.last_words.recv_timeout(GLANCE).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

const SIMPLER: &str =
    "the file is damaged or unusual; open it in another program, save it again and ingest the copy";
const SMALLER: &str = "split the file into smaller ones and ingest those";

fn out_of_memory(limits: &Limits) -> String {
    let most = limits.memory >> 20;
    format!("reading needs more than the {most} MiB of memory that a file may take")
}

fn shown(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Listens to what a worker says on stderr and keeps the end of it, which is sent when the worker is gone.
fn listen(mut errors: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, last_words) = sync_channel(1);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut piece = [0; LAST_WORDS];
        while let Ok(count @ 1..) = errors.read(&mut piece) {
            kept.extend_from_slice(&piece[..count]);
            kept.drain(..kept.len().saturating_sub(LAST_WORDS));
        }
        let _ = sender.send(String::from_utf8_lossy(&kept).trim().to_owned());
    });
    last_words
}
