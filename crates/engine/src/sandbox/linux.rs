//! The sandbox on Linux: Landlock for files, seccomp for system calls, limits for everything that is
//! counted. Each holds for the worker and for every program that it starts, and can't be taken off.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::sandbox::{Confinement, Hold, calls, unix};
use crate::workers::Limits;

/// The newest version of Landlock whose rights this was tried with; an older kernel holds to as many
/// of them as it knows.
const TRIED: ABI = ABI::V7;
/// The first version under which files can't be cut short and signals stay inside.
const CUTTING: ABI = ABI::V3;
const SIGNALS: ABI = ABI::V6;

/// How a worker is started.
pub(crate) fn command(program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    // Ctrl-C is for the caller: a worker that dies of it would look like a file that crashed it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Confines this process for good. To be called before any other thread is started.
pub(crate) fn confine(limits: &Limits) -> Confinement {
    let mut confinement = Confinement::default();
    let landlock = landlock();
    let seccomp = seccomp();
    let by = |version: Option<ABI>| {
        let landlock = version.map(|version| format!("Landlock {}", version as i32));
        let seccomp = seccomp.is_ok().then(|| "seccomp".to_owned());
        let both: Vec<String> = [seccomp, landlock].into_iter().flatten().collect();
        both.join(", ")
    };
    let version = landlock.as_ref().ok().copied();
    let open = |failure: &str| Hold::Open(failure.to_owned());
    let network = match &seccomp {
        Ok(()) => Hold::By(by(None)),
        // Landlock knows TCP and nothing else.
        Err(failure) => open(failure),
    };
    let writing = match (&landlock, &seccomp) {
        (Err(_), Err(failure)) => open(failure),
        (Ok(version), Err(_)) if *version < CUTTING => {
            open("this kernel's Landlock lets files be cut short")
        }
        _ => Hold::By(by(version)),
    };
    let signals = match &landlock {
        Ok(version) if *version >= SIGNALS => Hold::By(format!("Landlock {}", *version as i32)),
        Ok(_) => open("needs Landlock 6 (Linux 6.12)"),
        Err(failure) => open(failure),
    };
    confinement.add("network", network);
    confinement.add("writing", writing);
    confinement.add("signals to other programs", signals);
    unix::limit(limits, &mut confinement);
    let orphaned = match set_parent_process_death_signal(Some(Signal::KILL)) {
        Ok(()) => Hold::By("ends with the program that started it".to_owned()),
        Err(error) => Hold::Open(error.to_string()),
    };
    confinement.add("outliving its parent", orphaned);
    confinement
}

/// Lets this process use so much more processor time.
pub(crate) fn allow(time: Duration) {
    // 14th and 15th field of `stat` (proc(5)): time in user mode and in the kernel, in hundredths of a
    // second. The second field is a name in parentheses that may hold anything.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let used: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    unix::limit_processor_time(used.div_ceil(100) + time.as_secs().max(1));
}

/// Ends a worker and every program it has started.
pub(crate) fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    unix::end(child)
}

/// Whether a worker was ended for using too much processor time.
pub(crate) fn overran(status: ExitStatus) -> bool {
    unix::overran(status)
}

/// Memory that a worker holds, in bytes (`VmRSS` of proc(5)).
pub(crate) fn resident(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// Reading and starting programs everywhere, changing files nowhere, no TCP, no signals to others.
/// Gives the version that holds, or why none does.
fn landlock() -> Result<ABI, String> {
    let restrict = || -> Result<_, Box<dyn std::error::Error>> {
        let rules = Ruleset::default()
            .handle_access(AccessFs::from_all(TRIED))?
            .handle_access(AccessNet::from_all(TRIED))?
            .scope(Scope::from_all(TRIED))?
            .create()?
            .add_rule(PathBeneath::new(
                PathFd::new("/")?,
                AccessFs::from_read(TRIED),
            ))?;
        Ok(rules.restrict_self()?)
    };
    let status = restrict().map_err(|error| format!("Landlock: {error}"))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("this kernel was started without Landlock".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("this kernel has no Landlock".to_owned()),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi.min(TRIED)),
        (_, other) => Err(format!("Landlock: {other:?}")),
    }
}

/// Refuses the system calls of [`calls`], in all threads.
fn seccomp() -> Result<(), String> {
    let install = || -> Result<(), Box<dyn std::error::Error>> {
        let refused = filter(refusals()?, libc::EPERM)?;
        // Whoever asks for one of these goes on with its older form, which can be judged.
        let unknown = calls::PRETENDED_UNKNOWN.iter().copied();
        let unknown = filter(
            everywhere(unknown.map(|call| (call, Vec::new()))),
            libc::ENOSYS,
        )?;
        seccompiler::apply_filter_all_threads(&unknown)?;
        seccompiler::apply_filter_all_threads(&refused)?;
        Ok(())
    };
    install().map_err(|error| format!("seccomp: {error}"))
}

/// System calls with the arguments under which they are meant; none means always.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

fn refusals() -> Result<Calls, seccompiler::BackendError> {
    let mut rules: Vec<(i64, Vec<SeccompRule>)> = calls::REFUSED
        .iter()
        .chain(calls::REFUSED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    for (call, argument, bits) in calls::REFUSED_WITH_BITS {
        let when = bits
            .iter()
            .map(|bit| when_has(*argument, *bit))
            .collect::<Result<_, _>>()?;
        rules.push((*call, when));
    }
    Ok(everywhere(rules.into_iter()))
}

/// When all of `bits` are set in an argument of 32 bits.
fn when_has(argument: u8, bits: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let masked = SeccompCmpOp::MaskedEq(bits);
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        masked,
        bits,
    )?])
}

/// The same calls once more under the numbers that the other set of x86-64 calls (x32) has for them.
fn everywhere(rules: impl Iterator<Item = (i64, Vec<SeccompRule>)>) -> Calls {
    let doubled = |(call, when): (i64, Vec<SeccompRule>)| {
        let twin = (calls::TWIN_BIT != 0).then(|| (call | calls::TWIN_BIT, when.clone()));
        [Some((call, when)), twin].into_iter().flatten()
    };
    rules.flat_map(doubled).collect()
}

fn filter(calls: Calls, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let here = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(calls, SeccompAction::Allow, refuse, here)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_small_enough_for_the_kernel() {
        // BPF_MAXINSNS
        let refused = filter(refusals().unwrap(), libc::EPERM).unwrap();
        assert!(refused.len() < 4096, "{}", refused.len());
        assert!(!calls::REFUSED_WITH_BITS.is_empty());
    }
}
