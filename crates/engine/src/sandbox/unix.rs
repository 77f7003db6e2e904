//! What all Unix systems have in common: limits of a process, and ending a process with its children.

use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit};

use crate::sandbox::{Confinement, Hold};
use crate::workers::Limits;

/// Limits this process and all it starts, and says what came of it.
pub(super) fn limit(limits: &Limits, confinement: &mut Confinement) {
    let mut set = |what: &str, resource, most: u64, shown: String| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let hold = match setrlimit(resource, limit) {
            Ok(()) => Hold::By(shown),
            Err(error) => Hold::Open(error.to_string()),
        };
        confinement.add(what, hold);
    };
    if cfg!(target_os = "linux") {
        let shown = format!("{} MiB of address space", limits.memory >> 20);
        set("memory", Resource::As, limits.memory, shown);
    }
    set("file size", Resource::Fsize, 0, "0 bytes".to_owned());
    set("core dumps", Resource::Core, 0, "none".to_owned());
    let files = limits.open_files;
    set("open files", Resource::Nofile, files, files.to_string());
}

/// Lets this process use so many seconds of processor time since it began.
pub(super) fn limit_processor_time(seconds: u64) {
    let limit = Rlimit {
        current: Some(seconds),
        maximum: getrlimit(Resource::Cpu).maximum,
    };
    // Fails where the user's own limit is lower, which then holds; the clock on the wall does anyway.
    let _ = setrlimit(Resource::Cpu, limit);
}

/// Ends a worker and every program it has started.
pub(super) fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    // The group first: until the worker is waited for, its number can't belong to anybody else.
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    child.wait()
}

/// Whether a worker was ended for using too much processor time.
pub(super) fn overran(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(Signal::XCPU.as_raw())
}
