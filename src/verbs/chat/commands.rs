//! The commands of a chat: lines that begin with a slash. Pure.

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Question(String),
    Sources,
    /// The number of a source.
    Open(u32),
    Why,
    New,
    Erase,
    Help,
    Quit,
    /// Why it is no command.
    Wrong(String),
}

pub(super) const HELP: &str = "\
/sources   the sources of the last answer again
/open N    open source N at its page or line
/why       what was searched for and found, what the model was shown, and how long it took
/new       forget what was said and begin anew
/erase     the same, and remove from the disk what is kept of this conversation and the lines typed
/help      this list
/quit      leave, as Ctrl-D does
Anything else is a question; Ctrl-C stops its answer.";

/// Reads a line. A path may be asked about: only one word after the slash is a command.
pub(super) fn read(line: &str) -> Said {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return if line.is_empty() {
            Said::Nothing
        } else {
            Said::Question(line.to_owned())
        };
    };
    let mut words = command.split_whitespace();
    let (name, rest) = (words.next().unwrap_or_default(), words.next());
    let number = rest.map(str::parse::<u32>);
    match (name, number, words.next()) {
        ("sources", None, _) => Said::Sources,
        ("open", None, _) => Said::Open(1),
        ("open", Some(Ok(n)), None) if n > 0 => Said::Open(n),
        ("open", _, _) => Said::Wrong("/open takes the number of a source".to_owned()),
        ("why", None, _) => Said::Why,
        ("new", None, _) => Said::New,
        ("erase", None, _) => Said::Erase,
        ("help" | "?", None, _) => Said::Help,
        ("quit" | "exit" | "q", None, _) => Said::Quit,
        _ => Said::Wrong(format!("`{line}` is no command; /help lists them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_questions_unless_they_begin_with_a_slash() {
        assert_eq!(read("  "), Said::Nothing);
        assert_eq!(read(" When? "), Said::Question("When?".into()));
        assert_eq!(read("/open 2"), Said::Open(2));
        assert_eq!(read("/open"), Said::Open(1));
        assert_eq!(read("/why "), Said::Why);
        assert_eq!(read("/?"), Said::Help);
        for wrong in [
            "/open x",
            "/open 0",
            "/open 1 2",
            "/opne 1",
            "/",
            "/new please",
        ] {
            assert!(matches!(read(wrong), Said::Wrong(_)), "{wrong}");
        }
    }

    #[test]
    fn help_names_every_command() {
        for name in ["sources", "open", "why", "new", "erase", "help", "quit"] {
            assert!(HELP.contains(&format!("/{name}")), "{name}");
            assert!(
                !matches!(read(&format!("/{name}")), Said::Wrong(_)),
                "{name}"
            );
        }
    }
}
