//! No sandbox: a worker is a process of its own that can be ended, and that is all.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::sandbox::{Confinement, Hold};
use crate::workers::Limits;

/// How a worker is started.
pub(crate) fn command(program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Says that nothing is held.
pub(crate) fn confine(_limits: &Limits) -> Confinement {
    let mut confinement = Confinement::default();
    for what in ["network", "writing", "memory"] {
        let why = format!("`rag` knows no sandbox on {}", std::env::consts::OS);
        confinement.add(what, Hold::Open(why));
    }
    confinement
}

/// Processor time is not bounded here, but the clock on the wall is.
pub(crate) fn allow(_time: Duration) {}

/// Ends a worker.
pub(crate) fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    let _ = child.kill();
    child.wait()
}

/// Whether a worker was ended for using too much processor time.
pub(crate) fn overran(_status: ExitStatus) -> bool {
    false
}

/// Memory that a worker holds, where it is known.
pub(crate) fn resident(_child: &Child) -> Option<u64> {
    None
}
