//! The probe: a worker tries what it may not do, so that nobody has to believe what it says of itself.

use std::fs::File;
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::sandbox::Confinement;

/// What a worker found out about its own confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub confinement: Confinement,
    /// Opening a socket.
    pub network: Attempt,
    /// Creating a file in the folder for temporary files.
    pub writing: Attempt,
    /// The program that reads scans, as the worker could start it; none where there is none.
    pub ocr: Option<Ocr>,
}

/// What came of trying something that a worker may not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// As it should be; with what the system said.
    Refused(String),
    Succeeded,
}

/// A `tesseract` that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ocr {
    pub version: String,
    /// By the names of its data files: `eng`, `chi_sim`, …
    pub languages: Vec<String>,
}

/// Tries everything, from inside a worker.
pub(crate) fn probe(confinement: Confinement) -> Probe {
    Probe {
        confinement,
        network: network(),
        writing: writing(),
        ocr: ocr(),
    }
}

/// Tries to open a socket; nothing is sent.
pub(crate) fn network() -> Attempt {
    attempt(UdpSocket::bind(("127.0.0.1", 0)))
}

/// Tries to create a file, and removes it if that succeeds.
pub(crate) fn writing() -> Attempt {
    let path = std::env::temp_dir().join(format!("rag-probe-{}", std::process::id()));
    attempt(File::create_new(&path).and_then(|_| std::fs::remove_file(path)))
}

fn attempt<T>(result: std::io::Result<T>) -> Attempt {
    match result {
        Ok(_) => Attempt::Succeeded,
        Err(error) => Attempt::Refused(error.to_string()),
    }
}

/// Asks `tesseract` who it is. Its own output goes to pipes: a worker may not even write to `/dev/null`.
fn ocr() -> Option<Ocr> {
    let say = |option: &str| {
        let output = Command::new("tesseract")
            .arg(option)
            .stdin(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        // Version 3 spoke on stderr, later ones on stdout.
        let said = [output.stdout, output.stderr].concat();
        Some(String::from_utf8_lossy(&said).into_owned())
    };
    let version = say("--version")?;
    let mut languages: Vec<String> = say("--list-langs")?
        .lines()
        .skip_while(|line| !line.starts_with("List of available languages"))
        .skip(1)
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    languages.sort();
    Some(Ocr {
        version: version.lines().next().unwrap_or_default().to_owned(),
        languages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_tells_freedom_from_confinement() {
        // A test is not confined: here everything succeeds, which is what must never be overlooked.
        let probe = probe(Confinement::default());
        assert_eq!(probe.network, Attempt::Succeeded);
        assert_eq!(probe.writing, Attempt::Succeeded);
        let refused = attempt::<()>(Err(std::io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused, Attempt::Refused("permission denied".into()));
    }
}
