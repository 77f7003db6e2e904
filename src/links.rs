//! Hyperlinks on terminals (OSC 8): who shows them, and what is written. Pure.
//!
//! <https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda> says what is written. Nothing can
//! be asked of a terminal without disturbing it, so those that are known to show links are told by the
//! environment that they set.

use std::fmt::Write;
use std::path::Path;

/// Terminals by what they set `TERM` to.
const BY_TERM: [&str; 8] = [
    "alacritty",
    "contour",
    "foot",
    "foot-extra",
    "rio",
    "wezterm",
    "xterm-ghostty",
    "xterm-kitty",
];
/// Terminals by what they set `TERM_PROGRAM` to.
const BY_PROGRAM: [&str; 8] = [
    "ghostty",
    "Hyper",
    "iTerm.app",
    "rio",
    "Tabby",
    "vscode",
    "WezTerm",
    "zed",
];
/// Terminals by a variable of their own.
const BY_VARIABLE: [&str; 4] = [
    "WT_SESSION",
    "KONSOLE_VERSION",
    "DOMTERM",
    "KITTY_WINDOW_ID",
];
/// GNOME's terminal library shows links from 0.50 on.
const FIRST_VTE: u32 = 5000;

/// Whether the terminal shows links. `RAG_HYPERLINKS` (`always`, `never`) settles it; over SSH a link to
/// a file would open one of another machine.
pub(crate) fn are_shown(variable: impl Fn(&str) -> Option<String>) -> bool {
    match variable("RAG_HYPERLINKS").as_deref() {
        Some("always") => return true,
        Some("never") => return false,
        _ => {}
    }
    if variable("SSH_CONNECTION").is_some() || variable("TMUX").is_some() {
        return false;
    }
    let is = |name: &str, known: &[&str]| {
        variable(name).is_some_and(|value| known.contains(&value.as_str()))
    };
    let vte = variable("VTE_VERSION").and_then(|version| version.parse().ok());
    is("TERM", &BY_TERM)
        || is("TERM_PROGRAM", &BY_PROGRAM)
        || BY_VARIABLE.iter().any(|name| variable(name).is_some())
        || vte.is_some_and(|version: u32| version >= FIRST_VTE)
}

/// `text` as a link to `url`. Both must be harmless.
pub(crate) fn link(url: &str, text: &str) -> String {
    format!("\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\")
}

/// The address of a file (RFC 8089), everything but unreserved characters written as its bytes.
pub(crate) fn file_url(path: &Path) -> String {
    let mut url = String::from("file://");
    #[cfg(unix)]
    let bytes = {
        use std::os::unix::ffi::OsStrExt;
        path.as_os_str().as_bytes().to_vec()
    };
    #[cfg(not(unix))]
    let bytes = {
        url.push('/'); // C:/… is below the root
        path.to_string_lossy().replace('\\', "/").into_bytes()
    };
    for byte in bytes {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if is_plain || (cfg!(windows) && byte == b':') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}"); // a String takes everything
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(variables: &[(&str, &str)]) -> bool {
        are_shown(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn links_are_shown_by_terminals_that_are_known_to_show_them() {
        assert!(shown(&[("TERM", "xterm-kitty")]));
        assert!(shown(&[
            ("TERM", "xterm-256color"),
            ("TERM_PROGRAM", "iTerm.app")
        ]));
        assert!(shown(&[
            ("TERM", "xterm-256color"),
            ("VTE_VERSION", "7603")
        ]));
        assert!(!shown(&[
            ("TERM", "xterm-256color"),
            ("VTE_VERSION", "4900")
        ]));
        assert!(!shown(&[("TERM", "xterm-256color")]));
        assert!(!shown(&[
            ("TERM", "xterm-kitty"),
            ("SSH_CONNECTION", "10.0.0.1")
        ]));
        assert!(!shown(&[("TERM", "foot"), ("RAG_HYPERLINKS", "never")]));
        assert!(shown(&[("RAG_HYPERLINKS", "always")]));
    }

    #[cfg(unix)]
    #[test]
    fn whatever_a_path_holds_its_address_is_plain() {
        assert_eq!(
            file_url(Path::new("/a b/笔.md")),
            "file:///a%20b/%E7%AC%94.md"
        );
        assert_eq!(
            file_url(Path::new("/x\u{1b}]\"<#?%")),
            "file:///x%1B%5D%22%3C%23%3F%25"
        );
    }
}
