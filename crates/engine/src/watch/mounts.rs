//! Which file systems are mounted where: a folder on a disk that is not there looks like an empty one,
//! and a network share tells nobody of its changes.

use std::path::{Path, PathBuf};

/// A file system that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    /// Its type as the system calls it: `ext4`, `apfs`, `nfs4`.
    kind: String,
}

/// The file systems of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mounts(Vec<Mount>);

/// Types whose changes by others the system is not told of. Those of FUSE are named `fuse.sshfs` and so
/// on; most of them are remote, and those that are not may still say nothing.
const REMOTE: &[&str] = &[
    "9p",
    "afpfs",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse",
    "glusterfs",
    "lustre",
    "macfuse",
    "ncpfs",
    "nfs",
    "nfs3",
    "nfs4",
    "osxfuse",
    "prl_fs",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "webdav",
];

/// File systems over FUSE that lie on this machine's own disks.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse.ntfs",
    "fuse.ntfs-3g",
    "fuse.exfat",
    "fuse.encfs",
    "fuse.gocryptfs",
    "fuse.cryfs",
    "fuse.mergerfs",
    "fuse.bindfs",
];

impl Mounts {
    /// Those of this moment. None are known where the system does not say.
    #[cfg(target_os = "linux")]
    pub(crate) fn now() -> Self {
        let table = std::fs::read_to_string("/proc/self/mountinfo");
        Self::of_mountinfo(&table.unwrap_or_default())
    }

    #[cfg(target_os = "macos")]
    pub(crate) fn now() -> Self {
        let said = std::process::Command::new("/sbin/mount").output();
        Self::of_mount(&said.map_or_else(
            |_| String::new(),
            |said| String::from_utf8_lossy(&said.stdout).into_owned(),
        ))
    }

    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    pub(crate) fn now() -> Self {
        Self::default()
    }

    /// From `/proc/self/mountinfo` (proc(5)): the fifth field is the mount point, the first one after
    /// a lone `-` the type.
    #[cfg(any(target_os = "linux", test))]
    fn of_mountinfo(table: &str) -> Self {
        let mount = |line: &str| {
            let mut fields = line.split(' ');
            let point = unescaped(fields.nth(4)?);
            let kind = fields.skip_while(|field| *field != "-").nth(1)?.to_owned();
            Some(Mount { point, kind })
        };
        Self(table.lines().filter_map(mount).collect())
    }

    /// From what `mount` prints on macOS: `//me@host/share on /Volumes/share (smbfs, nodev)`.
    #[cfg(any(target_os = "macos", test))]
    fn of_mount(table: &str) -> Self {
        let mount = |line: &str| {
            let (place, options) = line.rsplit_once(" (")?;
            let (_, point) = place.split_once(" on ")?;
            let kind = options.split([',', ')']).next()?.to_owned();
            let point = point.into();
            Some(Mount { point, kind })
        };
        Self(table.lines().filter_map(mount).collect())
    }

    /// The mount that `path` lies on. What was mounted last covers what was there before.
    fn containing(&self, path: &Path) -> Option<&Mount> {
        let holds = |mount: &&Mount| path.starts_with(&mount.point);
        let all = self.0.iter().filter(holds);
        all.max_by_key(|mount| mount.point.components().count())
    }

    /// Where the file system is mounted that `path` lies on.
    pub(crate) fn point_of(&self, path: &Path) -> Option<&Path> {
        self.containing(path).map(|mount| &*mount.point)
    }

    /// Where others are mounted below `path`.
    pub(crate) fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        let points = self.0.iter().map(|mount| &*mount.point);
        points.filter(move |point| *point != path && point.starts_with(path))
    }

    /// The type of the file system of `path`, where others may change it without a word.
    pub(crate) fn remote(&self, path: &Path) -> Option<&str> {
        let kind = &*self.containing(path)?.kind;
        is_remote(kind).then_some(kind)
    }
}

fn is_remote(kind: &str) -> bool {
    let is_fuse = kind.starts_with("fuse.") && !LOCAL_FUSE.contains(&kind);
    is_fuse || REMOTE.contains(&kind)
}

/// A space is written `\040` there, and so are tabs, line feeds and backslashes.
#[cfg(any(target_os = "linux", test))]
fn unescaped(field: &str) -> PathBuf {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        if let Some(code) = code {
            out.push(char::from(code));
            rest = &after[3..];
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n\
23 22 0:21 / /proc rw - proc proc rw\n\
40 22 8:17 / /media/my\\040disk rw shared:9 - ext4 /dev/sdb1 rw\n\
41 22 0:50 / /home/me/nas rw - cifs //nas/share rw,vers=3\n\
42 22 0:51 / /home/me/far rw - fuse.sshfs me@far: rw\n\
43 22 8:33 / /home/me/win rw - fuseblk /dev/sdc1 rw\n";

    #[test]
    fn each_path_lies_on_the_innermost_mount() {
        let mounts = Mounts::of_mountinfo(LINUX);
        let point = |path: &str| mounts.point_of(Path::new(path)).unwrap().to_owned();
        assert_eq!(point("/home/me/notes"), Path::new("/"));
        assert_eq!(point("/media/my disk/a"), Path::new("/media/my disk"));
        assert_eq!(point("/home/me/nas/x"), Path::new("/home/me/nas"));
        assert_eq!(point("/home/me/nasty"), Path::new("/"));
        let below: Vec<_> = mounts.below(Path::new("/home/me")).collect();
        let expected = ["/home/me/nas", "/home/me/far", "/home/me/win"];
        assert_eq!(below, expected.map(Path::new));
    }

    #[test]
    fn what_lies_elsewhere_is_told_from_what_lies_here() {
        let mounts = Mounts::of_mountinfo(LINUX);
        let remote = |path: &str| mounts.remote(Path::new(path));
        assert_eq!(remote("/home/me/nas/x"), Some("cifs"));
        assert_eq!(remote("/home/me/far"), Some("fuse.sshfs"));
        assert_eq!(remote("/home/me/win"), None);
        assert_eq!(remote("/home/me"), None);
    }

    #[test]
    fn what_macos_prints_is_understood() {
        let mounts = Mounts::of_mount(
            "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n\
             //me@host/share on /Volumes/my share (smbfs, nodev, nosuid, mounted by me)\n",
        );
        let share = Path::new("/Volumes/my share/a.md");
        assert_eq!(mounts.remote(share), Some("smbfs"));
        assert_eq!(mounts.point_of(share), Some(Path::new("/Volumes/my share")));
        assert_eq!(mounts.remote(Path::new("/Users/me")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_a_root() {
        assert!(Mounts::now().point_of(Path::new("/")).is_some());
    }
}
