//! The system calls that a worker is refused. A list of what is forbidden, not of what is allowed:
//! workers start `tesseract`, and nobody knows what the next version of a C library calls.
//!
//! Sockets, other processes, the kernel's own interfaces and whatever changes a file or what is known of
//! it; Landlock says nothing of modes, owners, times and attributes of files.

use libc::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS, O_CREAT, O_RDWR, O_TRUNC, O_WRONLY, SYS_accept, SYS_accept4, SYS_acct,
    SYS_add_key, SYS_adjtimex, SYS_bind, SYS_bpf, SYS_chroot, SYS_clock_adjtime, SYS_clock_settime,
    SYS_clone, SYS_clone3, SYS_connect, SYS_delete_module, SYS_fanotify_init, SYS_fchmod,
    SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_finit_module, SYS_fremovexattr, SYS_fsconfig,
    SYS_fsetxattr, SYS_fsmount, SYS_fsopen, SYS_fspick, SYS_init_module, SYS_io_uring_enter,
    SYS_io_uring_register, SYS_io_uring_setup, SYS_kcmp, SYS_kexec_load, SYS_keyctl, SYS_linkat,
    SYS_listen, SYS_lremovexattr, SYS_lsetxattr, SYS_mkdirat, SYS_mknodat, SYS_mount,
    SYS_mount_setattr, SYS_move_mount, SYS_mq_open, SYS_msgget, SYS_name_to_handle_at,
    SYS_open_by_handle_at, SYS_open_tree, SYS_openat, SYS_openat2, SYS_perf_event_open,
    SYS_pidfd_getfd, SYS_pivot_root, SYS_process_madvise, SYS_process_vm_readv,
    SYS_process_vm_writev, SYS_ptrace, SYS_quotactl, SYS_reboot, SYS_removexattr, SYS_renameat2,
    SYS_request_key, SYS_semget, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_setdomainname,
    SYS_sethostname, SYS_setns, SYS_settimeofday, SYS_setxattr, SYS_shmat, SYS_shmget, SYS_socket,
    SYS_socketpair, SYS_swapoff, SYS_swapon, SYS_symlinkat, SYS_syslog, SYS_truncate, SYS_umount2,
    SYS_unlinkat, SYS_unshare, SYS_userfaultfd, SYS_utimensat, SYS_vhangup,
};

/// Refused whatever the arguments.
pub(super) const REFUSED: &[i64] = &[
    // Sockets, and the ring that opens them past this filter.
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    // Other processes, and memory that is shared with them by name.
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_shmget,
    SYS_shmat,
    SYS_msgget,
    SYS_semget,
    SYS_mq_open,
    // Names and modes of files, and what is known of them.
    SYS_truncate,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    // The kernel and the machine.
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_setns,
    SYS_unshare,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_fanotify_init,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_syslog,
    SYS_vhangup,
    // From 424 on a call has one number on every architecture: quotactl_fd, fchmodat2, setxattrat,
    // removexattrat, open_tree_attr, file_setattr.
    443,
    452,
    463,
    466,
    467,
    469,
];

/// Refused on this architecture, which has kept calls that newer ones do without.
#[cfg(target_arch = "x86_64")]
pub(super) const REFUSED_HERE: &[i64] = &[
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_kexec_file_load,
];

/// renameat and kexec_file_load, which not every C library's headers name.
#[cfg(target_arch = "aarch64")]
pub(super) const REFUSED_HERE: &[i64] = &[38, 294];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const REFUSED_HERE: &[i64] = &[];

/// Refused where one of these bits is set in this argument (from 0): opening for writing, and new
/// namespaces, in which an ordinary user reaches parts of the kernel that are for root.
pub(super) const REFUSED_WITH_BITS: &[(i64, u8, &[u64])] = &[
    (SYS_openat, 2, WRITING),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1, WRITING),
    (SYS_clone, 0, NAMESPACES),
];

/// Answered as by a kernel that does not have them: their arguments lie in memory, where no filter can
/// look, and C libraries fall back on the older calls.
pub(super) const PRETENDED_UNKNOWN: &[i64] = &[SYS_clone3, SYS_openat2];

/// What marks a number as one of the x32 set, where a kernel has it.
#[cfg(target_arch = "x86_64")]
pub(super) const TWIN_BIT: i64 = 0x4000_0000;
#[cfg(not(target_arch = "x86_64"))]
pub(super) const TWIN_BIT: i64 = 0;

/// `O_TMPFILE` is never without one of the first two.
const WRITING: &[u64] = &[
    O_WRONLY.unsigned_abs() as u64,
    O_RDWR.unsigned_abs() as u64,
    O_CREAT.unsigned_abs() as u64,
    O_TRUNC.unsigned_abs() as u64,
];

const NAMESPACES: &[u64] = &[
    CLONE_NEWNS.unsigned_abs() as u64,
    CLONE_NEWCGROUP.unsigned_abs() as u64,
    CLONE_NEWUTS.unsigned_abs() as u64,
    CLONE_NEWIPC.unsigned_abs() as u64,
    CLONE_NEWUSER.unsigned_abs() as u64,
    CLONE_NEWPID.unsigned_abs() as u64,
    CLONE_NEWNET.unsigned_abs() as u64,
];
