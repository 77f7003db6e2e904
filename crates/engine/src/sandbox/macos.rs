//! The sandbox on macOS: a profile for `sandbox-exec`, limits where the system holds to them, and a look
//! at the memory of a worker now and then. Written from Apple's documentation and not tried yet.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::sandbox::probe::{self, Attempt};
use crate::sandbox::{Confinement, Hold, unix};
use crate::workers::Limits;

/// Deprecated for years and on every Mac.
const SANDBOX_EXEC: &str = "/usr/bin/sandbox-exec";

/// Programs may be started (`tesseract` is one) and stay inside.
const PROFILE: &str = "(version 1)
(allow default)
(deny network*)
(deny file-write*)
(allow file-write-data (literal \"/dev/null\"))
(deny signal (target others))
";

/// How a worker is started.
pub(crate) fn command(program: &Path, arguments: &[OsString]) -> Command {
    let mut command = if Path::new(SANDBOX_EXEC).exists() {
        let mut command = Command::new(SANDBOX_EXEC);
        command.args(["-p", PROFILE]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments);
    // Ctrl-C is for the caller: a worker that dies of it would look like a file that crashed it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Confines this process for good. To be called before any other thread is started.
pub(crate) fn confine(limits: &Limits) -> Confinement {
    let mut confinement = Confinement::default();
    // The profile came with the start. Whether it holds is found out by trying.
    let held = |attempt| match attempt {
        Attempt::Refused(_) => Hold::By("sandbox-exec".to_owned()),
        Attempt::Succeeded => Hold::Open(format!("no `{SANDBOX_EXEC}`, or it had no effect")),
    };
    confinement.add("network", held(probe::network()));
    confinement.add("writing", held(probe::writing()));
    let memory = format!("{} MiB, looked at once a second", limits.memory >> 20);
    confinement.add("memory", Hold::By(memory)); // RLIMIT_AS is accepted here and not held to
    unix::limit(limits, &mut confinement);
    end_with_parent();
    confinement
}

/// Processor time is not bounded here, but the clock on the wall is.
pub(crate) fn allow(_time: Duration) {}

/// Ends a worker and every program it has started.
pub(crate) fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    unix::end(child)
}

/// Whether a worker was ended for using too much processor time.
pub(crate) fn overran(status: ExitStatus) -> bool {
    unix::overran(status)
}

/// Memory that a worker holds, in bytes.
pub(crate) fn resident(child: &Child) -> Option<u64> {
    let output = Command::new("/bin/ps")
        .args(["-o", "rss=", "-p", &child.id().to_string()])
        .output()
        .ok()?;
    let kibibytes: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .ok()?;
    Some(kibibytes << 10)
}

fn end_with_parent() {
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
