//! `rag watch install`: a watch that the system starts with the session and starts again after a crash:
//! a user unit of systemd on Linux, an agent of launchd on macOS.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use etcetera::BaseStrategy;
use rag_core::{Code, Error, Result};
use serde_json::json;

use crate::args::{Following, OnBattery};
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;

/// What starts programs with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Systemd,
    Launchd,
}

/// A watch to be installed.
pub(super) struct Service {
    system: System,
    kb: String,
    /// The program and its arguments.
    words: Vec<String>,
    /// Variables that it needs.
    variables: Vec<(String, String)>,
    /// Where an agent of launchd writes what it says; systemd has its journal.
    log: PathBuf,
}

impl Service {
    /// # Errors
    /// `Usage` for a path that is not there or is no text; `Unsupported` on other systems.
    pub(super) fn new(config: &Config, paths: &[PathBuf], following: &Following) -> Result<Self> {
        let program = std::env::current_exe()
            .map_err(|cause| Error::io("find", Path::new("this program"), cause))?;
        let mut words = vec![text(&program)?, "--home".into(), text(&config.home)?];
        words.extend(["--kb".into(), config.kb.clone(), "watch".into()]);
        words.extend(options(following));
        words.push("--".into());
        for path in paths {
            let real = path.canonicalize();
            words.push(text(
                &real.map_err(|cause| Error::io("follow", path, cause))?,
            )?);
        }
        let mut variables = Vec::new();
        if config.models != config.home.join("models") {
            variables.push(("RAG_MODELS".to_owned(), text(&config.models)?));
        }
        let log = home()?.join("Library/Logs").join(log_name(&config.kb));
        Ok(Self {
            system: System::here()?,
            kb: config.kb.clone(),
            words,
            variables,
            log,
        })
    }

    /// What is installed.
    pub(super) fn file(&self) -> String {
        match self.system {
            System::Systemd => self.unit(),
            System::Launchd => self.agent(),
        }
    }

    /// Writes the file and starts the watch.
    pub(super) fn install(&self, printer: &mut Printer) -> anyhow::Result<Exit> {
        let path = self.system.path(&self.kb)?;
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(|cause| Error::io("create", folder, cause))?;
        std::fs::write(&path, self.file()).map_err(|cause| Error::io("write", &path, cause))?;
        let started = self.system.start(&self.kb, &path);
        if printer.is_json() {
            printer.value(&json!({ "installed": path, "started": started.is_ok() }))?;
        } else {
            printer.line(&format!("installed {}", path.display()))?;
        }
        match started {
            Ok(()) => {
                printer.say("it runs; rag watch --status shows what it does");
                Ok(Exit::Done)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A user unit (systemd.service(5), systemd.exec(5)).
    fn unit(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        let variables = self.variables.iter();
        let variables: Vec<String> = variables
            .map(|(name, value)| {
                format!("Environment={}\n", quoted_value(&format!("{name}={value}")))
            })
            .collect();
        let variables = variables.concat();
        format!(
            "# Written by `rag watch install`; `rag watch uninstall` removes it.\n\
             [Unit]\n\
             Description=rag keeps the knowledge base {} in step with its files\n\
             \n\
             [Service]\n\
             ExecStart={}\n\
             {variables}\
             Restart=on-failure\n\
             RestartSec=30\n\
             SuccessExitStatus=130\n\
             TimeoutStopSec=10\n\
             Nice=10\n\
             IOSchedulingClass=idle\n\
             MemoryMax=50%\n\
             \n\
             [Install]\n\
             WantedBy=default.target\n",
            plain(&self.kb),
            words.join(" "),
        )
    }

    /// A property list for an agent (launchd.plist(5)).
    fn agent(&self) -> String {
        let strings = |words: &[String]| -> String {
            let string = |word: &String| format!("    <string>{}</string>\n", escaped(word));
            words.iter().map(string).collect()
        };
        let variables = self.variables.iter();
        let variables: Vec<String> = variables
            .map(|(name, value)| {
                let (name, value) = (escaped(name), escaped(value));
                format!("    <key>{name}</key>\n    <string>{value}</string>\n")
            })
            .collect();
        let variables = variables.concat();
        let log = escaped(&self.log.to_string_lossy());
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
             <!-- Written by `rag watch install`; `rag watch uninstall` removes it. -->\n\
             <plist version=\"1.0\">\n<dict>\n  \
             <key>Label</key>\n  <string>{}</string>\n  \
             <key>ProgramArguments</key>\n  <array>\n{}  </array>\n  \
             <key>EnvironmentVariables</key>\n  <dict>\n{variables}  </dict>\n  \
             <key>RunAtLoad</key>\n  <true/>\n  \
             <key>KeepAlive</key>\n  <dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>\n  \
             <key>ThrottleInterval</key>\n  <integer>30</integer>\n  \
             <key>ProcessType</key>\n  <string>Background</string>\n  \
             <key>LowPriorityIO</key>\n  <true/>\n  \
             <key>StandardOutPath</key>\n  <string>{log}</string>\n  \
             <key>StandardErrorPath</key>\n  <string>{log}</string>\n\
             </dict>\n</plist>\n",
            System::Launchd.label(&self.kb),
            strings(&self.words),
        )
    }
}

/// Ends the watch of this knowledge base and removes what was installed for it.
pub(super) fn uninstall(config: &Config, printer: &mut Printer) -> anyhow::Result<Exit> {
    let system = System::here()?;
    let path = system.path(&config.kb)?;
    let was_there = path.exists();
    if was_there {
        system.stop(&config.kb);
        std::fs::remove_file(&path).map_err(|cause| Error::io("remove", &path, cause))?;
        system.forget();
    }
    if printer.is_json() {
        printer.value(&json!({ "removed": was_there.then_some(&path) }))?;
    } else if was_there {
        printer.line(&format!("removed {}", path.display()))?;
    } else {
        printer.say(&format!("no watch is installed for `{}`", config.kb));
    }
    Ok(if was_there { Exit::Done } else { Exit::Nothing })
}

impl System {
    fn here() -> Result<Self> {
        match std::env::consts::OS {
            "linux" => Ok(Self::Systemd),
            "macos" => Ok(Self::Launchd),
            other => Err(Error::new(
                Code::Unsupported,
                format!("`rag` does not know how programs are started with the session on {other}"),
            )
            .hint("let the system start `rag watch PATH` in its own way")),
        }
    }

    /// The name that the system knows the watch of this knowledge base by.
    fn label(self, kb: &str) -> String {
        match self {
            Self::Systemd => format!("rag-watch-{}.service", plain(kb)),
            Self::Launchd => format!("local.rag.watch.{}", plain(kb)),
        }
    }

    fn path(self, kb: &str) -> Result<PathBuf> {
        Ok(match self {
            Self::Systemd => {
                let base = etcetera::base_strategy::choose_base_strategy().map_err(homeless)?;
                base.config_dir().join("systemd/user").join(self.label(kb))
            }
            Self::Launchd => {
                let file = format!("{}.plist", self.label(kb));
                home()?.join("Library/LaunchAgents").join(file)
            }
        })
    }

    fn start(self, kb: &str, path: &Path) -> Result<()> {
        let label = self.label(kb);
        match self {
            Self::Systemd => {
                tell("systemctl", &["--user", "daemon-reload"])?;
                tell("systemctl", &["--user", "enable", "--now", &label])?;
                // One that ran before goes on with the new file.
                tell("systemctl", &["--user", "restart", &label])
            }
            Self::Launchd => {
                let _ = tell("launchctl", &["bootout", &format!("{}/{label}", domain()?)]);
                tell(
                    "launchctl",
                    &["bootstrap", &domain()?, &path.to_string_lossy()],
                )
            }
        }
    }

    /// Ends it; one that does not run is as good.
    fn stop(self, kb: &str) {
        let label = self.label(kb);
        let _ = match self {
            Self::Systemd => tell("systemctl", &["--user", "disable", "--now", &label]),
            Self::Launchd => domain()
                .and_then(|domain| tell("launchctl", &["bootout", &format!("{domain}/{label}")])),
        };
    }

    fn forget(self) {
        if self == Self::Systemd {
            let _ = tell("systemctl", &["--user", "daemon-reload"]);
        }
    }
}

/// The domain of the user's session, as launchctl(1) calls it.
fn domain() -> Result<String> {
    let asked = Command::new("id").arg("-u").output();
    let asked = asked.map_err(|cause| Error::io("run", Path::new("id"), cause))?;
    Ok(format!(
        "gui/{}",
        String::from_utf8_lossy(&asked.stdout).trim()
    ))
}

fn tell(program: &str, words: &[&str]) -> Result<()> {
    let command = format!("{program} {}", words.join(" "));
    let again = || format!("the file is there; this starts it: {command}");
    let said = Command::new(program).args(words).output();
    let said = said.map_err(|cause| Error::io("run", Path::new(program), cause).hint(again()))?;
    if said.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Err(Error::new(Code::Io, format!("`{command}` failed: {why}")).hint(again()))
}

/// The options of the watch, as they are typed.
fn options(following: &Following) -> Vec<String> {
    let selecting = &following.selecting;
    let mut words = vec![
        "--on-battery".to_owned(),
        match following.on_battery {
            OnBattery::Pause => "pause",
            OnBattery::Slow => "slow",
            OnBattery::Run => "run",
        }
        .to_owned(),
    ];
    let include = selecting
        .include
        .iter()
        .map(|glob| ("--include", glob.clone()));
    let exclude = selecting
        .exclude
        .iter()
        .map(|glob| ("--exclude", glob.clone()));
    let size = selecting
        .max_file_size
        .map(|size| ("--max-file-size", size.to_string()));
    let jobs = following.jobs.map(|jobs| ("--jobs", jobs.to_string()));
    let embedder = following.embedder.clone().map(|name| ("--embedder", name));
    let all = include
        .chain(exclude)
        .chain(size)
        .chain(jobs)
        .chain(embedder);
    words.extend(all.map(|(option, value)| format!("{option}={value}")));
    if selecting.no_ignore {
        words.push("--no-ignore".to_owned());
    }
    words
}

fn text(path: &Path) -> Result<String> {
    let text: OsString = path.into();
    text.into_string().map_err(|_| {
        let fact = format!(
            "the path `{}` is no text, as such a file needs it",
            path.display()
        );
        Error::new(Code::Usage, fact).hint("rename it")
    })
}

fn home() -> Result<PathBuf> {
    etcetera::home_dir().map_err(homeless)
}

fn homeless(cause: etcetera::HomeDirError) -> Error {
    Error::new(Code::Usage, "this machine names no home folder").because(cause)
}

fn log_name(kb: &str) -> String {
    format!("rag-watch-{}.log", plain(kb))
}

/// A name of which file names and labels can be made: what is no letter of ASCII, digit or `-` is
/// written as its bytes, so that no two names become one.
fn plain(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        other => format!("_{other:02x}"),
    };
    name.bytes().map(byte).collect()
}

/// A word of a command line in a unit (systemd.service(5), "Command lines").
fn quoted(word: &str) -> String {
    quoted_value(word).replace('$', "$$")
}

/// The same where variables have no meaning.
fn quoted_value(word: &str) -> String {
    let mut out = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text in XML. Control characters that XML can't hold are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    /// One whose words need all the care there is.
    fn service(system: System) -> Service {
        Service {
            system,
            kb: "my notes & 笔记".into(),
            words: [
                "/bin/true",
                "watch",
                "--",
                "/d/a \"b\" $HOME 100% <c> & d\\e",
            ]
            .map(str::to_owned)
            .into(),
            variables: vec![("RAG_MODELS".into(), "/m & <n>".into())],
            log: "/l/a & b.log".into(),
        }
    }

    /// What a checker of this machine says of the file; none where there is no such checker.
    fn checked(program: &str, words: &[&str], name: &str, text: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new(program);
        command.env("XDG_RUNTIME_DIR", dir.path()); // systemd asks where a session has its files
        let said = command.args(words).arg(&path).output().ok()?;
        let says = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = says(&said.stdout) + &says(&said.stderr);
        assert!(said.status.success(), "{all}\n{text}");
        Some(all)
    }

    #[test]
    fn the_unit_is_one_that_systemd_takes() {
        let text = service(System::Systemd).file();
        let line = text.lines().find(|line| line.starts_with("ExecStart="));
        let expected = r#"ExecStart="/bin/true" "watch" "--" "/d/a \"b\" $$HOME 100%% <c> & d\\e""#;
        assert_eq!(line, Some(expected));
        let name = System::Systemd.label("my notes & 笔记");
        let said = checked(
            "systemd-analyze",
            &["verify", "--user", "--man=no"],
            &name,
            &text,
        );
        match said {
            Some(said) => assert!(!said.contains(&name), "{said}"),
            None => skipped("systemd-analyze"),
        }
    }

    #[test]
    fn the_agent_is_a_property_list() {
        let text = service(System::Launchd).file();
        let (mut reader, mut strings, mut depth) = (Reader::from_str(&text), Vec::new(), 0);
        let mut inside = String::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(_) => {
                    depth += 1;
                    inside.clear();
                }
                Event::Text(text) => inside.push_str(&text),
                Event::GeneralRef(name) => {
                    inside.push_str(quick_xml::escape::resolve_xml_entity(&name).unwrap());
                }
                Event::End(end) => {
                    depth -= 1;
                    if end.name().as_ref() == "string" {
                        strings.push(inside.clone());
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0);
        for word in service(System::Launchd).words {
            assert!(strings.contains(&word), "{word}: {strings:?}");
        }
        assert!(strings.contains(&"/m & <n>".to_owned()), "{strings:?}");
        if checked("plutil", &["-lint"], "agent.plist", &text).is_none() {
            skipped("plutil");
        }
    }

    #[test]
    fn each_knowledge_base_has_a_service_of_its_own() {
        let label = |kb| System::Systemd.label(kb);
        assert_eq!(label("default"), "rag-watch-default.service");
        assert_ne!(label("a b"), label("a_b"));
        assert_ne!(label("a_20b"), label("a b"));
        assert_eq!(plain("笔"), "_e7_ac_94");
    }

    /// Says that something could not be tested here.
    fn skipped(program: &str) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "NOTE: there is no `{program}` here");
    }
}
